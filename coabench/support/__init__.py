"""For plugins: hub folders, devices, checkpoint files, fast linear layers, OpenCV, checks of image files."""
