"""Faces: found, followed, aligned, masked and pasted back; sole importer of facexlib."""

import os

import cv2  # noqa: F401 - imported here first, so that what it does to the environment is undone below

# OpenCV's wheel points Qt at its own plugins, which do not fit the application's Qt.
os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
os.environ.pop("QT_QPA_FONTDIR", None)
