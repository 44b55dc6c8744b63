"""Programs for accelerators that are not at hand: compiled, counted and bounded."""
