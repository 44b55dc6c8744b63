"""A run in a local page: pictures that follow sliders."""
