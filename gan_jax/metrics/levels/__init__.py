"""What levels of tiles are like: tiles and patterns, copies, broken pipes, and whether one can walk them."""
