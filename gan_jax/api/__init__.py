"""What `import gan_jax` gives: see the docstring of the package, which imports it when it is asked for."""
