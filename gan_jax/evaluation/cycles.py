"""How far a picture that was translated there and back is from itself.

A translation can hide in itself, in what no eye sees, what the way back needs (Chu et al. 2017, "CycleGAN, a
Master of Steganography", arXiv:1712.02950): then rounding it to 8 bits, or a little noise, spoils the way
back, and a small error says nothing of the translation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Key
from gan_jax.data.codecs import Pixels, rounded, to_float
from gan_jax.data.dataset import Dataset
from gan_jax.evaluation.pair_scores import CYCLES, NOISE
from gan_jax.inference.sample import CHUNK
from gan_jax.utils.errors import UserError

# (state, seed, rows int64 [N]) -> for each of CYCLES the errors float64 [N], L1 of values in [0, 1]
Cycle = Callable[[TrainState, int, np.ndarray], Mapping[str, np.ndarray]]


def make_cycle(algorithm: Algorithm, dataset: Dataset, direction: str) -> Cycle | None:
    """What measures a method that translates both ways; None of another, or where it is not of pixels.

    Args:
        dataset: its field "source" is what is translated in this direction.
        direction: the first way.
    """
    back = next((other for other in algorithm.directions if other != direction), None)
    fields = dataset.fields
    if back is None or "source" not in fields:
        return None
    if any(fields[name].codec != Pixels() for name in ("source", "image")):
        return None

    @jax.jit
    def errors(state: TrainState, stored: Array, key: Key) -> dict[str, Array]:
        there_key, back_key, noise_key = jax.random.split(key, 3)
        source = to_float(stored)
        made = algorithm.translate(state, source, there_key, direction)
        noise = 2 * NOISE * jax.random.normal(noise_key, made.shape)  # values are twice as wide as in [0, 1]
        shown = (made, rounded(made), made + noise)
        return {
            name: jnp.mean(jnp.abs(algorithm.translate(state, x, back_key, back) - source), (1, 2, 3)) / 2
            for name, x in zip(CYCLES, shown, strict=True)
        }

    def measure(state: TrainState, seed: int, rows: np.ndarray) -> dict[str, np.ndarray]:
        parts = []
        for number in range(-(-len(rows) // CHUNK)):
            chosen = rows[number * CHUNK : (number + 1) * CHUNK]
            stored = dataset.gather(np.resize(chosen, CHUNK))["source"]  # always one program
            found = errors(state, stored, jax.random.fold_in(jax.random.key(seed), number))
            parts.append({name: np.asarray(x, np.float64)[: len(chosen)] for name, x in found.items()})
        whole = {name: np.concatenate([part[name] for part in parts]) for name in CYCLES}
        if not all(np.isfinite(values).all() for values in whole.values()):
            raise UserError("pictures translated there and back are not finite: the training has diverged")
        return whole

    return measure
