"""A data set becomes one of cropped faces."""
