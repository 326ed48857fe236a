"""Which weights there are, and where they lie."""
