"""Pages about runs and studies, and runs beside each other: one file each that needs nothing else."""
