"""Parts of the window. They know settings, project and frames, and no tensors."""
