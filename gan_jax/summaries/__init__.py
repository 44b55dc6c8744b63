"""Logs, TensorBoard events, pictures and tables of runs."""
