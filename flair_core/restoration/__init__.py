"""Windows, faces and clips, restored."""
