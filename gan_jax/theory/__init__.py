"""What the theory says a GAN must do: closed forms and integrals over known densities."""
