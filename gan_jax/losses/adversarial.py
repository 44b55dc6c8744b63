"""Adversarial losses as plain functions of logits, and the pairs of them that a config can name.

With sigma(logit) = D(x), log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit), which
are exact where the probabilities would round to 0 or 1. A mean over logits is a mean over the global
batch: whoever calls a loss gathers the logits of all devices first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus

from gan_jax.utils.checks import check_number, check_range
from gan_jax.utils.tables import Table

Array = jax.Array
PairLoss = Callable[[Array, Array], Array]


def identity(x: Array) -> Array:
    """x itself: the mean output of a critic, whose logits are no log-odds, is logged as it is."""
    return x


class AdversarialLoss(NamedTuple):
    """What each player minimises.

    Attributes:
        discriminator: (real logits [B], fake logits [B]) -> scalar.
        generator: (real logits [B], fake logits [B]) -> scalar.
        relativistic: whether `generator` looks at the real logits; where it does not, the caller may
            pass the fake ones twice and save a pass through the discriminator.
        of_batch: why a mini-batch cannot be cut into parts, and what to do; "" where the losses are means
            over examples.
        output: logit -> what is logged as the discriminator's output: sigmoid where logits are
            log-odds, the identity for critics.
        midpoint: the best discriminator's logit where reals and fakes are equally likely, so that a logit
            above it says "real"; None where none does, because the same constant added to all logits
            changes nothing (relativistic losses, Wasserstein's), or because the reals' are the lower ones.
            Instance noise and flipped labels do not move it: they are the same for both sides.
    """

    discriminator: PairLoss
    generator: PairLoss
    relativistic: bool = False
    output: Callable[[Array], Array] = jax.nn.sigmoid
    of_batch: str = ""
    midpoint: float | None = None


def cross_entropy(logits: Array, target: float) -> Array:
    """-E[target log D + (1 - target) log(1 - D)] of logits [B]; `target` in [0, 1]."""
    if target == 1.0:
        return jnp.mean(softplus(-logits))
    if target == 0.0:
        return jnp.mean(softplus(logits))
    return target * jnp.mean(softplus(-logits)) + (1.0 - target) * jnp.mean(softplus(logits))


def discriminator_cross_entropy(
    real_logits: Array, fake_logits: Array, real_target: float = 1.0, fake_target: float = 0.0
) -> Array:
    """-V(D, G) = -E[log D(x)] - E[log(1 - D(G(z)))].

    Goodfellow et al. 2014, arXiv:1406.2661, equation 1. It is log 4 where D says 1/2 everywhere. With
    other targets, smoothed labels (Salimans et al. 2016, arXiv:1606.03498, section 3.4), the best D is
    (real_target p + fake_target q) / (p + q).
    """
    return cross_entropy(real_logits, real_target) + cross_entropy(fake_logits, fake_target)


def generator_minimax(fake_logits: Array) -> Array:
    """E[log(1 - D(G(z)))], the generator's part of equation 1: vanishes where D rejects well."""
    return -jnp.mean(softplus(fake_logits))


def generator_non_saturating(fake_logits: Array) -> Array:
    """-E[log D(G(z))], section 3 of Goodfellow et al. 2014: same fixed point, strong early gradient."""
    return jnp.mean(softplus(-fake_logits))


def discriminator_least_squares(
    real_logits: Array, fake_logits: Array, a: float = 0.0, b: float = 1.0
) -> Array:
    """E[(D(x) - b)^2] / 2 + E[(D(G(z)) - a)^2] / 2.

    Mao et al. 2017, arXiv:1611.04076, equation 2. The best D is (b p + a q) / (p + q).
    """
    return (jnp.mean((real_logits - b) ** 2) + jnp.mean((fake_logits - a) ** 2)) / 2


def generator_least_squares(fake_logits: Array, c: float = 1.0) -> Array:
    """E[(D(G(z)) - c)^2] / 2, equation 2 of Mao et al. 2017."""
    return jnp.mean((fake_logits - c) ** 2) / 2


def discriminator_hinge(real_logits: Array, fake_logits: Array) -> Array:
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))].

    Lim and Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, equation 16.
    """
    return jnp.mean(relu(1.0 - real_logits)) + jnp.mean(relu(1.0 + fake_logits))


def discriminator_wasserstein(real_logits: Array, fake_logits: Array) -> Array:
    """E[f(G(z))] - E[f(x)], the negative of Arjovsky et al. 2017, arXiv:1701.07875, equation 3."""
    return jnp.mean(fake_logits) - jnp.mean(real_logits)


def generator_critic(fake_logits: Array) -> Array:
    """-E[f(G(z))], the generator's part for the Wasserstein and for the hinge loss."""
    return -jnp.mean(fake_logits)


def paired_cross_entropy(winner: Array, loser: Array) -> Array:
    """E[softplus(loser - winner)] over pairs [B]: -log of the odds that `winner` looks more real.

    The RSGAN of Jolicoeur-Martineau 2018, arXiv:1807.00734, and the loss of R3GAN (Huang et al. 2024,
    arXiv:2501.05441). It is log 2 where both look alike.

    Raises:
        ValueError: the two have different shapes and make no pairs.
    """
    if winner.shape != loser.shape:
        raise ValueError(f"logits {winner.shape} and {loser.shape} make no pairs: as many reals as fakes")
    return jnp.mean(softplus(loser - winner))


def minimax(real_target: float = 1.0, fake_target: float = 0.0) -> AdversarialLoss:
    """The two-player game as first stated (Goodfellow et al. 2014, equation 1).

    Args:
        real_target: D's target for reals, in its own loss only; 0.9 is one-sided label smoothing.
        fake_target: the one for fakes, below `real_target`.

    Raises:
        ValueError: a target outside [0, 1], or a fake one that is not below the real one.
    """
    loss = _smoothed(real_target, fake_target)
    midpoint = smoothed_midpoint(real_target, fake_target)
    return AdversarialLoss(loss, lambda real, fake: generator_minimax(fake), midpoint=midpoint)


def non_saturating(real_target: float = 1.0, fake_target: float = 0.0) -> AdversarialLoss:
    """The generator maximises log D(G(z)) instead; arguments and errors as `minimax`'s."""
    loss = _smoothed(real_target, fake_target)
    midpoint = smoothed_midpoint(real_target, fake_target)
    return AdversarialLoss(loss, lambda real, fake: generator_non_saturating(fake), midpoint=midpoint)


def least_squares(a: float = 0.0, b: float = 1.0, c: float = 1.0) -> AdversarialLoss:
    """LSGAN (Mao et al. 2017).

    Both players' losses are halved, as in the paper; CycleGAN's code (junyanz/pytorch-CycleGAN-and-pix2pix)
    halves the discriminator's alone, which `algorithm.adversarial_weight=2` makes up for.

    Args:
        a: D's target for fakes.
        b: D's target for reals.
        c: G's target for D's output on fakes. With b - c = 1 and b - a = 2 the game minimises Pearson's
            chi^2 between p + q and 2 q; the default is the paper's other choice, equation 9.

    Raises:
        ValueError: a target that is not finite, or a equal to b.
    """
    for value, field in ((a, "a"), (b, "b"), (c, "c")):
        check_number(value, field)
    if a == b:
        raise ValueError(f"a={a!r}, b={b!r}: they must differ, or fakes and reals have the same target")
    return AdversarialLoss(
        lambda real, fake: discriminator_least_squares(real, fake, a, b),
        lambda real, fake: generator_least_squares(fake, c),
        output=identity,
        midpoint=(a + b) / 2 if a < b else None,
    )


def hinge() -> AdversarialLoss:
    """The hinge loss of Geometric GAN and SNGAN; the best logit is the sign of p - q."""
    return AdversarialLoss(
        discriminator_hinge, lambda real, fake: generator_critic(fake), output=identity, midpoint=0.0
    )


def wasserstein() -> AdversarialLoss:
    """The loss of WGAN; the critic must be kept Lipschitz by clipping or a penalty."""
    return AdversarialLoss(
        discriminator_wasserstein, lambda real, fake: generator_critic(fake), output=identity
    )


def relativistic_average(kind: str = "cross_entropy") -> AdversarialLoss:
    """Each logit against the mean of the other side's.

    RaSGAN, RaLSGAN and RaHingeGAN of Jolicoeur-Martineau 2018, arXiv:1807.00734; as in the paper a sum
    of two means, which the published code halves. The generator's loss is the discriminator's with
    reals and fakes exchanged.

    Args:
        kind: "cross_entropy", "least_squares" (targets 1 and -1) or "hinge".

    Raises:
        ValueError: any other.
    """
    if kind not in RELATIVISTIC:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(RELATIVISTIC)}")
    base = RELATIVISTIC[kind]

    def against_mean(winner: Array, loser: Array) -> Array:
        return base(winner - jnp.mean(loser), loser - jnp.mean(winner))

    return AdversarialLoss(
        against_mean,
        lambda real, fake: against_mean(fake, real),
        relativistic=True,
        output=identity,
        of_batch="loss=relativistic_average compares each logit with the mean of the whole mini-batch: use "
        "relativistic_paired",
    )


def relativistic_paired() -> AdversarialLoss:
    """The loss of R3GAN (Huang et al. 2024): each real against the fake at the same place in the batch."""
    return AdversarialLoss(
        paired_cross_entropy,
        lambda real, fake: paired_cross_entropy(fake, real),
        relativistic=True,
        output=identity,
    )


RELATIVISTIC: dict[str, PairLoss] = {
    "cross_entropy": discriminator_cross_entropy,
    "least_squares": lambda real, fake: 2.0 * discriminator_least_squares(real, fake, a=-1.0, b=1.0),
    "hinge": discriminator_hinge,
}
LOSSES: Table[Callable[..., AdversarialLoss]] = Table(
    "loss",
    {
        "minimax": minimax,
        "non_saturating": non_saturating,
        "least_squares": least_squares,
        "hinge": hinge,
        "wasserstein": wasserstein,
        "relativistic_average": relativistic_average,
        "relativistic_paired": relativistic_paired,
    },
)


def smoothed_midpoint(real_target: float, fake_target: float) -> float:
    """The log-odds of the mean target, which the best D gives where p = q: 0 for the targets 1 and 0."""
    mean = (real_target + fake_target) / 2
    return math.log(mean) - math.log1p(-mean)


def _smoothed(real_target: float, fake_target: float) -> PairLoss:
    real_target = check_range(real_target, "real_target", 0.0, 1.0)
    fake_target = check_range(fake_target, "fake_target", 0.0, 1.0)
    if fake_target >= real_target:
        raise ValueError(
            f"real_target={real_target}, fake_target={fake_target}: the fakes' must be below the reals'"
        )
    return lambda real, fake: discriminator_cross_entropy(real, fake, real_target, fake_target)
