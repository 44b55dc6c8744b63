"""Optimizers, gradient transforms and schedules."""
