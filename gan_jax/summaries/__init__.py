"""What a run shows: logs, TensorBoard events, pictures, tables."""
