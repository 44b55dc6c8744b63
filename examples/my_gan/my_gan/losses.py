"""The hinge loss with a margin that one chooses."""

import jax.numpy as jnp
from jax import Array
from jax.nn import relu

from gan_jax.losses.adversarial import LOSSES, AdversarialLoss, identity


@LOSSES.register("margin")
def margin_loss(margin: float = 1.0) -> AdversarialLoss:
    """E[max(0, m - D(x))] + E[max(0, m + D(G(z)))] for D and -E[D(G(z))] for G; m = 1 is the hinge loss."""
    if not margin > 0:
        raise ValueError(f"margin={margin!r}: it must be positive")

    def discriminator(real_logits: Array, fake_logits: Array) -> Array:
        return jnp.mean(relu(margin - real_logits)) + jnp.mean(relu(margin + fake_logits))

    def generator(real_logits: Array, fake_logits: Array) -> Array:
        return -jnp.mean(fake_logits)

    return AdversarialLoss(discriminator, generator, output=identity, midpoint=0.0)
