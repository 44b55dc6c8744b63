"""gan_jax: train, compare and understand generative adversarial networks in JAX."""

__version__ = "0.1.0"
