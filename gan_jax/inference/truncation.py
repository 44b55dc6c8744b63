"""Truncated style generators, with all that can be wrong said before anything is drawn."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.core.styles import NO_TRUNCATION, Truncation
from gan_jax.data.spec import DataSpec
from gan_jax.utils.errors import UserError


def truncated(
    algorithm: Algorithm, spec: DataSpec, state: TrainState, psi: float, cutoff: int | None
) -> Algorithm:
    """The algorithm whose `draw` truncates styles; itself where psi is 1.

    Args:
        spec: what it knows of the data.
        state: of a run.
        psi, cutoff: as of `core.styles.Truncation`.

    Raises:
        UserError: a generator without styles, or without a mean of them; a cutoff beyond its layers.
    """
    if Truncation(psi, cutoff) == NO_TRUNCATION:
        return algorithm
    try:
        found = algorithm.truncated(psi, cutoff)
        batch = {"image": jnp.zeros((1, *spec.image_shape)), "label": jnp.zeros(1, jnp.int32)}
        latent = jnp.zeros((1, algorithm.input_size))
        jax.eval_shape(lambda state: found.draw(state, latent, found.conditioning(batch, state)), state)
    except ValueError as error:
        raise UserError(str(error)) from error
    return found
