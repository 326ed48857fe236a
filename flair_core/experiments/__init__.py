"""The paper's comparisons on clips of one's own."""
