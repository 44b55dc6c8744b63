"""Flags and commands of `gan-jax`; nothing else."""
