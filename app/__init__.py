"""FLAIR Studio: the desktop application."""
