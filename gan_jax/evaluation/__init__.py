"""Scores of a run or a folder of images, and the protocol that each score means."""
