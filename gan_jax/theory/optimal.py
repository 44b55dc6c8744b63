"""Optimal discriminators for a fixed generator, and the value of the game.

ln p and ln q are those of the data and of the generator, float64 [N] in nats on the nodes of a grid. The
losses are integrals over x of p(x) a(f(x)) + q(x) b(f(x)), so that the best f at one x depends on p(x) : q(x)
alone.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit

from gan_jax.theory.divergences import js
from gan_jax.theory.grid import Grid


def optimal_discriminator(
    log_p: np.ndarray, log_q: np.ndarray, real_target: float = 1.0, fake_target: float = 0.0
) -> np.ndarray:
    """The logits [N] of D* = (real_target p + fake_target q) / (p + q) for the cross-entropy.

    Goodfellow et al. 2014, arXiv:1406.2661, proposition 1: D* = p / (p + q), whose logit is ln p - ln q. With
    other targets, smoothed labels: Salimans et al. 2016, arXiv:1606.03498, section 3.4. Where both densities
    are 0 any D is as good; there the logit is 0.
    """
    log_p, log_q = np.asarray(log_p, np.float64), np.asarray(log_q, np.float64)
    nowhere = np.isneginf(log_p) & np.isneginf(log_q)
    # Those nodes are set to 0 at the end; before, no -inf minus -inf.
    log_p, log_q = np.where(nowhere, 0.0, log_p), np.where(nowhere, 0.0, log_q)
    logits = log_p - log_q
    if (real_target, fake_target) != (1.0, 0.0):
        with np.errstate(divide="ignore"):  # a target of 0 has the logarithm -inf
            real, fake = np.log([real_target, 1.0 - real_target]), np.log([fake_target, 1.0 - fake_target])
        yes = np.logaddexp(real[0] + log_p, fake[0] + log_q)
        logits = yes - np.logaddexp(real[1] + log_p, fake[1] + log_q)
    return np.where(nowhere, 0.0, logits)


def optimal_least_squares(log_p: np.ndarray, log_q: np.ndarray, a: float = 0.0, b: float = 1.0) -> np.ndarray:
    """The best outputs [N] for LSGAN's loss, (b p + a q) / (p + q); Mao et al. 2017, arXiv:1611.04076.

    Args:
        a: D's target for fakes.
        b: D's target for reals.
    """
    share = expit(optimal_discriminator(log_p, log_q))
    return a + (b - a) * share


def optimal_hinge(log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """The best outputs [N] for the hinge loss, sign(p - q): it says which density is larger, not by how much.

    Lim and Ye 2017, arXiv:1705.02894. Where p = q every output in [-1, 1] is as good; here 0.
    """
    return np.sign(optimal_discriminator(log_p, log_q))


def value(log_p: np.ndarray, log_q: np.ndarray, logits: np.ndarray, grid: Grid) -> float:
    """V(D, G) = E_p[ln D] + E_q[ln(1 - D)] in nats for a D that is given by its logits [N] on the nodes.

    Goodfellow et al. 2014, equation 1. An integral, not an estimate from samples; -inf where D is certain and
    wrong.
    """
    logits = np.asarray(logits, np.float64)
    return _expected(log_p, -softplus(-logits), grid) + _expected(log_q, -softplus(logits), grid)


def optimal_value(log_p: np.ndarray, log_q: np.ndarray, grid: Grid) -> float:
    """C(G) = max over D of V(D, G) = -ln 4 + 2 JS(p, q) in nats, from -ln 4 where p = q up to 0.

    Goodfellow et al. 2014, theorem 1. `value` of `optimal_discriminator` is the same by another integral.
    """
    return -math.log(4.0) + 2.0 * js(log_p, log_q, grid)


def value_gap(log_p: np.ndarray, log_q: np.ndarray, logits: np.ndarray, grid: Grid) -> float:
    """V(D*, G) - V(D, G), at least 0, as one integral that loses no digits where D is nearly best.

    At each x the two values differ by (p + q) KL(Bernoulli(D*) || Bernoulli(D)): D is trained by maximum
    likelihood to tell the sides apart, and this is what its likelihood lacks. Follows from equation 3 of
    Goodfellow et al. 2014 by writing p = (p + q) D* and q = (p + q)(1 - D*).
    """
    best, logits = optimal_discriminator(log_p, log_q), np.asarray(logits, np.float64)
    real = softplus(-logits) - softplus(-best)
    fake = softplus(logits) - softplus(best)
    return _expected(log_p, real, grid) + _expected(log_q, fake, grid)


def softplus(x: np.ndarray) -> np.ndarray:
    """ln(1 + exp(x)), float64, without overflow."""
    return np.logaddexp(0.0, np.asarray(x, np.float64))


def _expected(log_density: np.ndarray, values: np.ndarray, grid: Grid) -> float:
    """E[values] under the density; a node where it is 0 counts nothing, whatever the value."""
    density = np.exp(np.asarray(log_density, np.float64))
    return grid.integral(density * np.where(density > 0.0, values, 0.0))
