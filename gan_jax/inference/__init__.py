"""Drawing from trained networks."""
