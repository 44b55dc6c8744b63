"""Statistics of the generator's gradient: its norm, and its variance over mini-batches.

Arjovsky and Bottou 2017, "Towards principled methods for training GANs", arXiv:1701.04862.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gan_jax.algorithms.gan import GAN
from gan_jax.core.randomness import PICTURES
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Batch, Key
from gan_jax.losses.adversarial import AdversarialLoss
from gan_jax.theory.grid import Grid
from gan_jax.theory.optimal import optimal_discriminator
from gan_jax.theory.playing import Draw, of_each_seed, play


class GradientStatistics(NamedTuple):
    """Of the gradients g_1 ... g_M of M mini-batches with respect to the generator's P parameters.

    Attributes:
        norm: mean of |g_m|, what one step sees.
        mean_norm: |mean of g_m|, which is what all steps would agree on.
        variance: trace of the covariance, sum over the parameters of the sample variance (M - 1 below).
        noise_to_signal: variance / mean_norm^2; about the mini-batches that one would have to average until
            the mean is as large as its error.
    """

    norm: Array
    mean_norm: Array
    variance: Array
    noise_to_signal: Array


def generator_gradients(
    algorithm: GAN, losses: dict[str, AdversarialLoss], minibatches: int
) -> Callable[[TrainState, Batch, Key], dict[str, GradientStatistics]]:
    """Makes the function that measures the generator's gradient under several losses, for one discriminator.

    Args:
        algorithm: its networks and latents are used; its own loss is not.
        losses: by name; only their generator's part is.
        minibatches: M, at least 2. Each has latents of its own; losses share them, so that they are compared
            on the same fakes.

    Returns:
        (state, one mini-batch with leaves [B, ...], key) -> by name, scalars float32 []. The reals of the
        mini-batch matter to relativistic losses alone.

    Raises:
        ValueError: fewer than 2 mini-batches have no variance.
    """
    if minibatches < 2:
        raise ValueError(f"minibatches={minibatches}: a variance needs at least 2")
    rules = {name: dataclasses.replace(algorithm, loss=loss) for name, loss in losses.items()}

    def measure(state: TrainState, batch: Batch, key: Key) -> dict[str, GradientStatistics]:
        keys = jax.random.split(key, minibatches)

        def gradient(rule: GAN, key: Key) -> Array:
            grads = jax.grad(rule.generator_loss, has_aux=True)(state.generator.params, state, batch, key)[0]
            return ravel_pytree(grads)[0]

        return {
            name: statistics(jax.lax.map(lambda k, r=rule: gradient(r, k), keys))
            for name, rule in rules.items()
        }

    return measure


def statistics(gradients: Array) -> GradientStatistics:
    """The statistics of gradients [M, P]."""
    # Gradients under a saturated loss are as small as 1e-30; their squares would be 0 in float32.
    scale = jnp.maximum(jnp.max(jnp.abs(gradients)), jnp.finfo(jnp.float32).tiny)
    scaled = gradients / scale
    mean = jnp.mean(scaled, axis=0)
    variance = jnp.sum((scaled - mean) ** 2) / (len(gradients) - 1)
    mean_norm = jnp.linalg.norm(mean)
    return GradientStatistics(
        norm=scale * jnp.mean(jnp.linalg.norm(scaled, axis=1)),
        mean_norm=scale * mean_norm,
        variance=scale * (scale * variance),
        noise_to_signal=variance / mean_norm**2,
    )


def follow_gradients(
    algorithm: GAN,
    losses: dict[str, AdversarialLoss],
    states: TrainState,
    draw: Draw,
    logged: Sequence[int],
    minibatches: int,
) -> dict[str, GradientStatistics]:
    """Trains many GANs and measures the generator's gradient as the discriminator learns.

    Args:
        algorithm: what is trained, a `FixedGenerator` where the generator shall not change.
        losses: as for `generator_gradients`.
        states: as of `playing.begin`.
        draw: the mini-batches of a step.
        logged: steps from here at which to measure, increasing.
        minibatches: as for `generator_gradients`.

    Returns:
        by the loss's name, float32 [T, S] for T logged steps and S seeds.
    """
    measure, advance = generator_gradients(algorithm, losses, minibatches), play(algorithm, draw)

    def statistics_of_run(state: TrainState) -> dict[str, GradientStatistics]:
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), PICTURES)
        batch = jax.tree.map(lambda x: x[0], draw(jax.random.fold_in(key, 0)))
        return measure(state, batch, jax.random.fold_in(key, 1))

    everywhere, rows = of_each_seed(statistics_of_run), []
    for now, before in zip(logged, [0, *logged], strict=False):
        states = advance(states, now - before)
        rows.append(everywhere(states))
    return jax.tree.map(lambda *x: np.stack(x), *rows)


def optimal_slopes(log_p: np.ndarray, log_q: np.ndarray, score: np.ndarray, grid: Grid) -> dict[str, float]:
    """The gradient of a generator of known density under the best discriminator, by quadrature.

    With q = q_theta and D* held fixed, d/dtheta of E_q[loss(D*(x))] is the integral of q loss(D*) times the
    score, d ln q / dtheta. For both losses of Goodfellow et al. 2014:
    "minimax", E_q[ln(1 - D*)]: the gradient of 2 JS(p, q); theorem 2.4 of Arjovsky and Bottou: it vanishes
    where D* is certain. "non_saturating", -E_q[ln D*]: that of KL(q || p) - 2 JS(p, q), their theorem 2.5.

    Args:
        log_p, log_q: of the data and of the generator, float64 [N] in nats on the nodes.
        score: d ln q / dtheta on the nodes, [N].
    """
    logits = optimal_discriminator(log_p, log_q)
    weight = np.exp(log_q) * np.asarray(score, np.float64)
    return {
        "minimax": grid.integral(weight * -np.logaddexp(0.0, logits)),
        "non_saturating": grid.integral(weight * np.logaddexp(0.0, -logits)),
    }
