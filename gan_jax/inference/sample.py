"""Pictures from a generator: any number of them, each a function of (key, its index) alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from gan_jax.core.algorithm import Algorithm, Batch
from gan_jax.core.state import Player, TrainState
from gan_jax.data.spec import DataSpec
from gan_jax.distributed import parallel
from gan_jax.inference.conditions import Conditions
from gan_jax.utils.tree import PyTree

CHUNK = 64  # images in one compiled call; part of what image number i is, so it never changes

# (state, count, key, labels [count] or None, devices) -> float32 [CHUNK, H, W, C] in [-1, 1], many times; a
# dict of them for a method that makes several kinds of images
Chunks = Callable[..., Iterator[Any]]
# (state, count, key, labels [count] or None) -> float32 [count, H, W, C] in [-1, 1], or a dict of them
ImageSampler = Callable[..., Any]


def make_chunks(algorithm: Algorithm, spec: DataSpec, conditions: Conditions | None = None) -> Chunks:
    """chunks(state, count, key, labels=None, devices=()) -> what `make_sampler` gives, call by call.

    Every chunk has CHUNK images; what the last has beyond `count` is not meant. A call starts when its
    chunk is asked for, and nothing waits for its end. The calls take turns on `devices`, each with a copy
    of the state; without any they run on one of this process. Where other processes hold parts of the state,
    give what `drawable` makes of it.

    Args:
        conditions: gives the fields that the method's `sample` reads, see `Algorithm.conditions`; image i is
            made of row i.

    Raises:
        ValueError: the method reads fields and none are given.
    """
    if algorithm.conditions and conditions is None:
        raise ValueError(
            f"{type(algorithm).__name__} samples from fields of a batch ({', '.join(algorithm.conditions)}): "
            "give conditions"
        )

    @jax.jit
    def compiled(state: TrainState, batch: Batch, key: jax.Array, number: int) -> PyTree:
        return algorithm.sample(state, batch, jax.random.fold_in(key, number))

    image = np.zeros((CHUNK, *spec.image_shape), np.float32)

    def chunks(
        state: TrainState,
        count: int,
        key: jax.Array,
        labels: np.ndarray | None = None,
        devices: Sequence[jax.Device] = (),
    ) -> Iterator[Any]:
        state = drawable(state)
        states = [jax.device_put(state, device) for device in devices] or [state]
        if labels is not None and len(labels) != count:
            raise ValueError(f"{len(labels)} labels for {count} images")
        for number in range(-(-count // CHUNK)):
            batch: dict[str, Any] = {"image": image, "label": np.zeros(CHUNK, np.int32)}
            if conditions is not None:
                batch |= conditions.rows(number * CHUNK, CHUNK)
            if labels is not None:
                part = labels[number * CHUNK : (number + 1) * CHUNK]
                batch["label"] = np.pad(part.astype(np.int32), (0, CHUNK - len(part)))
            yield compiled(states[number % len(states)], batch, key, number)

    return chunks


def drawable(state: TrainState) -> TrainState:
    """What pictures are drawn from: the state without its optimizers, whole, on one device of this process.

    Where other processes hold parts of the state, all must call this together.
    """
    kept = {r: p.replace(opt=()) for r, p in state.players.items() if isinstance(p, Player)}
    return parallel.gather_to_local_device(state.replace(**kept))


def make_sampler(algorithm: Algorithm, spec: DataSpec, conditions: Conditions | None = None) -> ImageSampler:
    """sampler(state, count, key, labels=None) -> float32 [count, H, W, C] in [-1, 1], or a dict of them.

    Image number i is the same whatever the count. `labels` int32 [count] are read by conditional methods
    only; None is those of the `conditions`, or all zeros.
    """
    chunks = make_chunks(algorithm, spec, conditions)

    def sample(state: TrainState, count: int, key: jax.Array, labels: np.ndarray | None = None) -> Any:
        started = list(chunks(state, count, key, labels))  # all of them, before the first is waited for
        return jax.tree.map(lambda *parts: np.concatenate([np.asarray(p) for p in parts])[:count], *started)

    return sample


def first_of(chunks: Iterator[Any], count: int) -> Iterator[dict[str, np.ndarray]]:
    """The first `count` examples of `make_chunks`, by the name of their kind; "" where there is one kind."""
    for done in range(0, count, CHUNK):
        chunk = next(chunks)
        kinds = chunk if isinstance(chunk, dict) else {"": chunk}
        yield {name: np.asarray(images)[: count - done] for name, images in kinds.items()}


def compared_kind(samples: Any) -> Any:
    """Of the kinds of images that a method makes the one that is compared with the data's."""
    if not isinstance(samples, dict):
        return samples
    return samples["image"] if "image" in samples else samples[min(samples)]


def class_rows(
    algorithm: Algorithm, count: int, chosen: Sequence[int] | None = None
) -> tuple[np.ndarray | None, int | None]:
    """Labels int32 [count], each class as often as any other, and the columns of a grid with a row per class.

    The labels are None where there are no classes, the columns where the classes do not divide the count.

    Args:
        chosen: these classes only; one alone makes no rows.
    """
    if algorithm.num_classes is None:
        return None, None
    classes = np.arange(algorithm.num_classes) if chosen is None else np.asarray(chosen)
    labels = classes[np.arange(count, dtype=np.int64) * len(classes) // count]
    rows = count % len(classes) == 0 and (chosen is None or len(classes) > 1)
    return labels.astype(np.int32), count // len(classes) if rows else None
