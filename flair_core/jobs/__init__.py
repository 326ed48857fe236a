"""Whole jobs: from a path to a path, in a list that survives a crash, on one computer or many."""
