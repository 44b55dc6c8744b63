"""Errors, checks, files, caches, compiler options."""
