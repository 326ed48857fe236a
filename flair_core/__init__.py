"""FLAIR: conditional diffusion for face video restoration, without any user interface."""

import os

# OpenCV reads this when it is loaded: larger images are taken for damaged ones before memory is asked for.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 28))
