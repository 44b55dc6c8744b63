"""The ground: errors, checks, files, caches, compiler options."""
