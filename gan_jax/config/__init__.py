"""Configs: what a run is made of, and the only readers of it."""
