"""Sources of images to be scored."""
