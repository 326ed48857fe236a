"""Every setting of a restoration, the look that varies them over a clip, and projects."""
