"""What losses and outputs are where a discriminator cannot tell fakes from reals: lines to read curves by."""

from __future__ import annotations

import jax.numpy as jnp

from gan_jax.algorithms.feature_matching import FeatureMatching
from gan_jax.algorithms.gan import GAN
from gan_jax.algorithms.vae_gan import VAEGAN
from gan_jax.core.algorithm import Algorithm
from gan_jax.losses.adversarial import AdversarialLoss


def baselines(algorithm: Algorithm) -> dict[str, float]:
    """Values of the metrics of a GAN whose discriminator gives reals and fakes the same, best logit.

    For the non-saturating loss the discriminator's is 2 log 2, the generator's log 2, and D says 1/2
    (Goodfellow et al. 2014, arXiv:1406.2661, section 4.1). Penalties are left out; what a constant that is
    added to all logits would change has no such value.

    Returns:
        By the metric's name, "discriminator_real" and "discriminator_fake" for those of every discriminator;
        without a player's loss where it pays for other things too. Empty for other methods.
    """
    loss = getattr(algorithm, "loss", None)
    if not isinstance(loss, AdversarialLoss):
        return {}
    found: dict[str, float] = {}
    if loss.midpoint is not None:
        output = float(loss.output(jnp.float32(loss.midpoint)))
        found |= {"discriminator_real": output, "discriminator_fake": output}
    # CycleGAN's players, AC-GAN's and InfoGAN's pay for more than what D says.
    if not isinstance(algorithm, GAN) or type(algorithm).auxiliary_loss is not GAN.auxiliary_loss:
        return found
    found |= _at_best(loss, "discriminator")
    # A VAE-GAN's generator pays for its reconstructions too, that of feature matching for the distance.
    own = (
        isinstance(algorithm, VAEGAN | FeatureMatching)
        or type(algorithm).content_loss is not GAN.content_loss
    )
    if not own and algorithm.adversarial_weight == 1:
        found |= _at_best(loss, "generator")
    return found


def _at_best(loss: AdversarialLoss, player: str) -> dict[str, float]:
    """A player's loss where all logits are the same."""
    points = (0.0, 1.0) if loss.midpoint is None else (loss.midpoint,)
    logits = [jnp.full(2, point) for point in points]
    values = {round(float(getattr(loss, player)(same, same)), 6) for same in logits}
    return {f"{player}_loss": values.pop()} if len(values) == 1 else {}
