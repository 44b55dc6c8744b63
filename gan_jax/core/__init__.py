"""The core: state, randomness, one update, games, and the algorithm that every method is."""
