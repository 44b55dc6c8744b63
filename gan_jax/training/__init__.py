"""The loop, checkpoints, working folders, and what is done at intervals."""
