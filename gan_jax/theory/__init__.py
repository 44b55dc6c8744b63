"""Theory of GANs: closed forms, and integrals over known densities."""
