"""Training of many small GANs on fresh data in one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Batch, Key
from gan_jax.densities.density import Density
from gan_jax.distributed import many_runs, parallel
from gan_jax.utils.tree import PyTree

CALL = 1000  # steps in one call
Draw = Callable[[Key], Batch]  # key -> mini-batches of one step, leaves [minibatches, B, ...]


def as_points(x: Array) -> Array:
    """[B, D] -> [B, 1, 1, D]: what a data set of points is made of."""
    return x[:, None, None, :]


def draw_points(density: Density, batch_size: int, minibatches: int = 1) -> Draw:
    """A `Draw` of fresh samples: {"image": float32 [minibatches, batch_size, 1, 1, D]}."""

    def draw(key: Key) -> Batch:
        points = density.sample(key, minibatches * batch_size)
        return {"image": points.reshape(minibatches, batch_size, 1, 1, density.dimension)}

    return draw


def begin(algorithm: Algorithm, seeds: Sequence[int], draw: Draw) -> TrainState:
    """States before the first step: leaves [S, ...], but for `step`, which all seeds share."""
    shapes = jax.eval_shape(draw, jax.random.key(0))
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), shapes)
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    return many_runs.initial_runs(algorithm, keys, batch, parallel.mesh_of_at_most(1))


def play(algorithm: Algorithm, draw: Draw) -> Callable[[TrainState, int], TrainState]:
    """Makes a compiled function that trains many GANs for some steps, each on data of its own.

    Args:
        algorithm: whose `step` is taken.
        draw: makes the mini-batches of a step from a key that is a function of the seed's key and the step.

    Returns:
        (states as of `begin`, number of steps) -> the states after so many more. One program serves every
        number, and the bits do not depend on how the steps are grouped.
    """
    how = many_runs.many_runs_at_once()
    call = many_runs.compile_runs(
        lambda numbers: algorithm,
        lambda constants, item, key: draw(key),
        parallel.mesh_of_at_most(1),
        CALL,
        how,
    )

    def advance(states: TrainState, count: int) -> TrainState:
        states = jax.tree.map(jnp.copy, states)  # the call donates its own
        for done in range(0, count, CALL):
            states, _ = call(states, {}, {}, {}, jnp.int32(min(CALL, count - done)))
        return states

    return advance


def of_each_seed(function: Callable[[TrainState], PyTree]) -> Callable[[TrainState], PyTree]:
    """Maps a function of one state over the states of many GANs; returns NumPy [S, ...]."""

    @jax.jit
    def run(states: TrainState) -> PyTree:
        step = states.step
        return jax.lax.map(lambda state: function(state.replace(step=step)), states.replace(step=None))

    return lambda states: jax.tree.map(np.asarray, run(states))


def logits_on(algorithm: Algorithm, points: np.ndarray) -> Callable[[TrainState], Array]:
    """A function of one state: its discriminator's logits [N] on points [N, D], not in training mode."""
    images = as_points(jnp.asarray(points, jnp.float32))

    def judge(state: TrainState) -> Array:
        player = state.discriminator
        return algorithm.apply(
            algorithm.discriminator, player.params, player.stats, images, None, key=None, train=False
        )[0]

    return judge
