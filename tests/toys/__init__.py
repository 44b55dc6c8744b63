"""Methods that the package does not have, each in one file, to show that the core carries them unchanged."""
