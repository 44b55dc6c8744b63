"""Frozen networks: Inception, classifiers, LPIPS, random and trivial features."""
