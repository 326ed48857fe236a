"""FLAIR: conditional diffusion for face video restoration, without any user interface."""
