"""Adversarial losses as plain functions of logits.

With sigma(logit) = D(x), log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit), which
are exact where the probabilities would round to 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import softplus

Array = jax.Array


class AdversarialLoss(NamedTuple):
    """What each player minimises.

    Attributes:
        discriminator: (real logits [B], fake logits [B]) -> scalar.
        generator: fake logits [B] -> scalar.
    """

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array], Array]


def discriminator_cross_entropy(real_logits: Array, fake_logits: Array) -> Array:
    """-V(D, G) = -E[log D(x)] - E[log(1 - D(G(z)))].

    Goodfellow et al. 2014, arXiv:1406.2661, equation 1. It is log 4 where D says 1/2 everywhere.
    """
    return jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))


def generator_minimax(fake_logits: Array) -> Array:
    """E[log(1 - D(G(z)))], the generator's part of equation 1: vanishes where D rejects well."""
    return -jnp.mean(softplus(fake_logits))


def generator_non_saturating(fake_logits: Array) -> Array:
    """-E[log D(G(z))], section 3 of Goodfellow et al. 2014: same fixed point, strong early gradient."""
    return jnp.mean(softplus(-fake_logits))


LOSSES: dict[str, AdversarialLoss] = {
    "minimax": AdversarialLoss(discriminator_cross_entropy, generator_minimax),
    "non_saturating": AdversarialLoss(discriminator_cross_entropy, generator_non_saturating),
}
