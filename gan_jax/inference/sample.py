"""Pictures from a generator: any number of them, each a function of (key, its index) alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np

from gan_jax.core.algorithm import Algorithm, Batch
from gan_jax.core.state import Player, TrainState
from gan_jax.data.spec import DataSpec
from gan_jax.distributed import parallel

CHUNK = 64  # images in one compiled call; part of what image number i is, so it never changes

# (state, count, key, labels [count] or None, devices) -> float32 [CHUNK, H, W, C] in [-1, 1], many times
Chunks = Callable[..., Iterator[jax.Array]]
# (state, count, key, labels [count] or None) -> float32 [count, H, W, C] in [-1, 1]
ImageSampler = Callable[..., np.ndarray]


def make_chunks(algorithm: Algorithm, spec: DataSpec) -> Chunks:
    """chunks(state, count, key, labels=None, devices=()) -> what `make_sampler` gives, call by call.

    Every chunk has CHUNK images; what the last has beyond `count` is not meant. A call starts when its
    chunk is asked for, and nothing waits for its end. The calls take turns on `devices`, each with a copy
    of the state; without any they run on one of this process. Where other processes hold parts of the state,
    give what `drawable` makes of it.
    """

    @jax.jit
    def compiled(state: TrainState, batch: Batch, key: jax.Array, number: int) -> jax.Array:
        return algorithm.sample(state, batch, jax.random.fold_in(key, number))

    image = np.zeros((CHUNK, *spec.image_shape), np.float32)

    def chunks(
        state: TrainState,
        count: int,
        key: jax.Array,
        labels: np.ndarray | None = None,
        devices: Sequence[jax.Device] = (),
    ) -> Iterator[jax.Array]:
        state = drawable(state)
        states = [jax.device_put(state, device) for device in devices] or [state]
        if labels is not None and len(labels) != count:
            raise ValueError(f"{len(labels)} labels for {count} images")
        for number in range(-(-count // CHUNK)):
            label = np.zeros(CHUNK, np.int32)
            if labels is not None:
                part = labels[number * CHUNK : (number + 1) * CHUNK]
                label[: len(part)] = part
            batch = {"image": image, "label": label}
            yield compiled(states[number % len(states)], batch, key, number)

    return chunks


def drawable(state: TrainState) -> TrainState:
    """What pictures are drawn from: the state without its optimizers, whole, on one device of this process.

    Where other processes hold parts of the state, all must call this together.
    """
    kept = {r: p.replace(opt=()) for r, p in state.players.items() if isinstance(p, Player)}
    return parallel.gather_to_local_device(state.replace(**kept))


def make_sampler(algorithm: Algorithm, spec: DataSpec) -> ImageSampler:
    """sampler(state, count, key, labels=None) -> float32 [count, H, W, C] in [-1, 1].

    Image number i is the same whatever the count. `labels` int32 [count] are read by conditional methods
    only; None is all zeros.
    """
    chunks = make_chunks(algorithm, spec)

    def sample(state: TrainState, count: int, key: jax.Array, labels: np.ndarray | None = None) -> np.ndarray:
        started = list(chunks(state, count, key, labels))  # all of them, before the first is waited for
        return np.concatenate([np.asarray(chunk) for chunk in started])[:count]

    return sample


def class_rows(algorithm: Algorithm, count: int) -> tuple[np.ndarray | None, int | None]:
    """Labels int32 [count], each class as often as any other, and the columns of a grid with a row per class.

    The labels are None where there are no classes, the columns where the classes do not divide the count.
    """
    classes = algorithm.num_classes
    if classes is None:
        return None, None
    labels = np.arange(count, dtype=np.int64) * classes // count
    return labels.astype(np.int32), None if count % classes else count // classes
