"""The Dirac-GAN: the smallest GAN there is, trained with the library's own parts.

Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406, definition 2.1: the data are the point 0, the generator is
the point theta and the discriminator is D(x) = psi x. The equilibrium is theta = psi = 0. One training step
is a map of the players' numbers and of the optimizers' memories; whether training converges near the
equilibrium is told by the eigenvalues of that map's Jacobian there. The map here is `Algorithm.step`.
`gan_jax.theory.dirac_spectra` has the same eigenvalues in closed form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gan_jax.algorithms.gan import GAN
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.optim.optimizers import no_average, sgd
from gan_jax.utils.tree import PyTree

Array = jax.Array


class PointGenerator(nn.Module):
    """The parameter theta as an image of one pixel [B, 1, 1, 1], whatever the latents [B, L]."""

    axis_name: str | None = None
    conditional = False
    num_classes = None

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        theta = self.param("theta", nn.initializers.zeros, ())
        return jnp.broadcast_to(theta, (latent.shape[0], 1, 1, 1))


class SlopeDiscriminator(nn.Module):
    """Images of one pixel [B, 1, 1, 1] -> logits [B]: psi x, without a bias."""

    axis_name: str | None = None
    conditional = False

    @nn.compact
    def __call__(self, image: Array, label: Array | None, train: bool) -> Array:
        psi = self.param("psi", nn.initializers.zeros, ())
        return psi * image.reshape(image.shape[0])


def dirac_gan(rate: float, kind: Callable[..., GAN] = GAN, **fields: Any) -> GAN:
    """The Dirac-GAN with gradient descent for both players, unless `fields` says otherwise.

    Args:
        rate: both players' learning rate; the h of the closed forms.
        kind: the method, `GAN` or a subclass.
        fields: of `kind`, for instance `loss`, `penalties`, `game`, `generator_tx`.
    """
    given = dict(
        generator=PointGenerator(),
        discriminator=SlopeDiscriminator(),
        generator_tx=sgd(rate),
        discriminator_tx=sgd(rate),
        ema_decay=no_average(),
        latent_size=1,
    )
    return kind(**(given | fields))


def reals(algorithm: Algorithm, batch_size: int) -> dict[str, Array]:
    """One step's data: {"image": zeros [minibatches, B, 1, 1, 1]}."""
    return {"image": jnp.zeros((algorithm.minibatches, batch_size, 1, 1, 1))}


def start(
    algorithm: Algorithm, theta: float = 0.0, psi: float = 0.0, batch_size: int = 2, seed: int = 0
) -> TrainState:
    """The state before the first step at (theta, psi); by default the equilibrium."""
    state = algorithm.init(jax.random.key(seed), jax.tree.map(lambda x: x[0], reals(algorithm, batch_size)))
    return _placed(state, jnp.asarray(float(theta)), jnp.asarray(float(psi)))


def position(state: TrainState) -> Array:
    """(theta, psi), [2]."""
    return jnp.stack([state.generator.params["theta"], state.discriminator.params["psi"]])


def run(algorithm: Algorithm, state: TrainState, steps: int, batch_size: int = 2) -> tuple[TrainState, Array]:
    """The state after so many steps, and (theta, psi) at the start and after each, [steps + 1, 2]."""
    batches = reals(algorithm, batch_size)

    @jax.jit
    def all_steps(state: TrainState) -> tuple[TrainState, Array]:
        def once(state: TrainState, _: None) -> tuple[TrainState, Array]:
            after, _metrics = algorithm.step(state, batches)
            return after, position(after)

        return jax.lax.scan(once, state, length=steps)

    after, path = all_steps(state)
    return after, jnp.concatenate([position(state)[None], path])


def trajectory(
    algorithm: Algorithm, theta: float, psi: float, steps: int, batch_size: int = 2, seed: int = 0
) -> np.ndarray:
    """(theta, psi) in the course of training from this point, [steps + 1, 2]."""
    state = start(algorithm, theta, psi, batch_size, seed)
    return np.asarray(run(algorithm, state, steps, batch_size)[1])


def displacements(algorithm: Algorithm, points: np.ndarray, batch_size: int = 2) -> np.ndarray:
    """The change of (theta, psi) by one step from a fresh state at each point, [..., 2] -> [..., 2].

    Under gradient descent that is the learning rate times the method's vector field (to first order in the
    rate where the players take turns).
    """
    points = np.asarray(points, float)
    batches, state = reals(algorithm, batch_size), start(algorithm, batch_size=batch_size)

    @jax.jit
    @jax.vmap
    def move(point: Array) -> Array:
        at = _placed(state, point[0], point[1])
        return position(algorithm.step(at, batches)[0]) - point

    return np.asarray(move(jnp.asarray(points.reshape(-1, 2)))).reshape(points.shape)


def settled(algorithm: Algorithm, steps: int, batch_size: int = 2) -> TrainState:
    """The state after so many steps at the equilibrium: Adam's correction for its zero start has faded."""
    return run(algorithm, start(algorithm, batch_size=batch_size), steps, batch_size)[0]


def step_map(
    algorithm: Algorithm, state: TrainState, batch_size: int = 2
) -> tuple[Callable[[Array], Array], Array]:
    """One step as a map of R^n, and the state as a point of R^n.

    The n coordinates are all real numbers that a step hands to the next: theta, psi, and what the optimizers
    and the penalties remember. Whole numbers (the step, Adam's count) and the key stay those of `state`.
    """
    batches = reals(algorithm, batch_size)
    leaves, structure = jax.tree.flatten(_handed_on(state))
    is_real = [jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in leaves]

    def real_part(tree: PyTree) -> list[Array]:
        return [leaf for leaf, real in zip(jax.tree.leaves(tree), is_real, strict=True) if real]

    point, unravel = ravel_pytree(real_part(_handed_on(state)))

    def after(point: Array) -> Array:
        moved = iter(unravel(point))
        merged = [next(moved) if real else leaf for leaf, real in zip(leaves, is_real, strict=True)]
        generator, discriminator, extra = jax.tree.unflatten(structure, merged)
        at = dataclasses.replace(state, generator=generator, discriminator=discriminator, extra=extra)
        return ravel_pytree(real_part(_handed_on(algorithm.step(at, batches)[0])))[0]

    return after, point


def eigenvalues(algorithm: Algorithm, settle_steps: int = 0, batch_size: int = 2) -> np.ndarray:
    """The eigenvalues of the Jacobian of one step at the equilibrium, by automatic differentiation.

    Training converges near the equilibrium if all moduli are below 1, at the rate of the largest, and
    leaves it if one is above (Mescheder et al. 2018, section 2).

    Args:
        settle_steps: see `settled`; needed by what counts its steps (Adam) or starts a memory (LeCam).

    Returns:
        complex128 [n], the largest modulus first; n as in `step_map`.

    Raises:
        ValueError: the map has no derivative there, as Adam's has none with eps_root = 0.
    """
    begin = (
        settled(algorithm, settle_steps, batch_size)
        if settle_steps
        else start(algorithm, batch_size=batch_size)
    )
    after, point = step_map(algorithm, begin, batch_size)
    jacobian = np.asarray(jax.jit(jax.jacfwd(after))(point), np.float64)
    if not np.isfinite(jacobian).all():
        raise ValueError(
            "a step of this method has no derivative at the equilibrium; Adam needs eps_root > 0"
        )
    found = np.linalg.eigvals(jacobian).astype(complex)
    return found[np.argsort(-np.abs(found), kind="stable")]


def measured_rate(path: np.ndarray, skip_steps: int = 0) -> float:
    """The factor by which the distance to the equilibrium changes in a step, fitted to a trajectory.

    The slope of a straight line through log |(theta, psi)| against the step. Where the path turns, the
    distance also beats within a turn: take many turns.

    Args:
        path: [steps + 1, 2], as from `trajectory`, no point of which is the equilibrium itself.
        skip_steps: at the start, in which the faster eigenvalues die out.
    """
    distance = np.linalg.norm(np.asarray(path, np.float64)[skip_steps:], axis=1)
    if len(distance) < 2 or not (np.isfinite(distance).all() and distance.min() > 0.0):
        raise ValueError("a rate is fitted to two points or more, finite and off the equilibrium")
    slope = np.polyfit(np.arange(len(distance)), np.log(distance), 1)[0]
    return float(np.exp(slope))


def _placed(state: TrainState, theta: Array, psi: Array) -> TrainState:
    return state.replace(
        generator=state.generator.replace(params={"theta": theta}),
        discriminator=state.discriminator.replace(params={"psi": psi}),
    )


def _handed_on(state: TrainState) -> PyTree:
    return state.generator, state.discriminator, state.extra
