"""How good a restoration is, with and without the truth at hand."""
