"""What a trained generator's latents are like: paths, mixed styles, directions, projections, neighbours."""
