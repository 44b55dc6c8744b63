"""From a data set and a sampler to the arrays of a compiled call of several train steps.

Two ways with the same batches. `DeviceFeed`: the whole set lives on the device, and only indices cross.
`StreamFeed`: pictures are read, decoded and stacked in the background and cross as uint8.
Points of a density are float32 from the start; all else is the same.
"""

import os
from collections.abc import Iterator
from typing import Any, Literal, Protocol, get_args

import grain
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.sampler import Sampler
from gan_jax.errors import UserError

Placement = Literal["auto", "device", "stream"]
DEVICE_LIMIT_BYTES = 2**30  # "auto" puts a decoded set below this on the device


class Feed(Protocol):
    """What the training loop needs of either way.

    `constants` go to the devices once and are passed to every compiled call. `get` returns the arrays of
    one call. `fetch` is traced inside the compiled step: it makes the mini-batch, {"image": uint8
    (points: float32) [B, H, W, C], "label": int32 [B] (where labelled)}, from the constants and one
    mini-batch's item.
    """

    constants: dict[str, np.ndarray]

    def get(self, step: int, num_steps: int) -> dict[str, np.ndarray]: ...

    @staticmethod
    def fetch(constants: dict[str, jax.Array], item: dict[str, jax.Array]) -> dict[str, jax.Array]: ...

    def close(self) -> None: ...


class DeviceFeed:
    """All pictures are constants of the compiled call; a step's item is its indices."""

    def __init__(self, dataset: Dataset, sampler: Sampler, *, steps_per_call: int) -> None:
        _check(dataset, sampler, steps_per_call)
        self.constants = dataset.arrays()
        self._sampler = sampler
        self._steps_per_call = steps_per_call

    def get(self, step: int, num_steps: int) -> dict[str, np.ndarray]:
        """{"index": int32 [steps_per_call, minibatches, B]}; only the first `num_steps` rows are meant."""
        _check_call(step, num_steps, self._steps_per_call)
        index = self._sampler.indices(step, num_steps)
        return {"index": np.pad(index, ((0, self._steps_per_call - num_steps), (0, 0), (0, 0)))}

    @staticmethod
    def fetch(constants: dict[str, jax.Array], item: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """Gathers one mini-batch, indices [B], from the constants."""
        return {name: values[item["index"]] for name, values in constants.items()}

    def close(self) -> None:
        """Nothing to stop."""


class StreamFeed:
    """Mini-batches are made by grain's threads, some calls ahead of the training loop."""

    def __init__(self, dataset: Dataset, sampler: Sampler, *, steps_per_call: int) -> None:
        _check(dataset, sampler, steps_per_call)
        self.constants: dict[str, np.ndarray] = {}
        self._dataset = dataset
        self._sampler = sampler
        self._steps_per_call = steps_per_call
        self._iterator: Iterator[dict[str, np.ndarray]] | None = None
        self._next_step = -1

    def get(self, step: int, num_steps: int) -> dict[str, np.ndarray]:
        """{"image": [steps_per_call, minibatches, B, H, W, C] of its dtype, "label": int32 [.., .., B]}.

        Only the first `num_steps` rows are meant. Fast where each call starts at the step at which the last
        one ended; any other step restarts the reading there.
        """
        _check_call(step, num_steps, self._steps_per_call)
        if self._iterator is None or step != self._next_step:
            self._iterator = self._read_from(step * self._sampler.minibatches)
        self._next_step = step + num_steps
        lead = (self._steps_per_call, self._sampler.minibatches)
        out: dict[str, np.ndarray] = {}
        for place in range(num_steps * self._sampler.minibatches):
            for name, values in next(self._iterator).items():
                if name not in out:
                    out[name] = np.zeros((*lead, *values.shape), values.dtype)
                out[name][divmod(place, self._sampler.minibatches)] = values
        return out

    @staticmethod
    def fetch(constants: dict[str, jax.Array], item: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """The item is the mini-batch."""
        return item

    def close(self) -> None:
        """Stops the background reading."""
        self._iterator = None

    def _read_from(self, first: int) -> Iterator[dict[str, np.ndarray]]:
        ahead = 2 * self._steps_per_call * self._sampler.minibatches
        options = grain.ReadOptions(
            num_threads=min(16, 2 * (os.cpu_count() or 1), ahead), prefetch_buffer_size=ahead
        )
        minibatches = grain.MapDataset.source(_MiniBatches(self._dataset, self._sampler))
        return iter(minibatches[first:].to_iter_dataset(options))


class _MiniBatches:
    """Random access to the endless row of mini-batches, as grain wants it."""

    def __init__(self, dataset: Dataset, sampler: Sampler) -> None:
        self._dataset = dataset
        self._sampler = sampler

    def __len__(self) -> int:
        return 2**48  # endless, for all purposes

    def __getitem__(self, number: Any) -> dict[str, np.ndarray]:
        return self._dataset.gather(self._sampler.minibatch(int(number))[0])


def make_feed(
    dataset: Dataset, sampler: Sampler, *, steps_per_call: int, placement: Placement = "auto"
) -> Feed:
    """The feed for a data set: on the device, streamed, or chosen by its size.

    Args:
        dataset: what is read.
        sampler: which examples make which mini-batch.
        steps_per_call: train steps in one compiled call.
        placement: "device", "stream", or "auto" (on the device if the decoded set is below 1 GiB).

    Raises:
        UserError: unknown placement, a sampler for another number of examples, no steps.
    """
    if placement not in get_args(Placement):
        raise UserError(f"Unknown placement {placement!r}: choose one of {', '.join(get_args(Placement))}.")
    num_bytes = len(dataset) * int(np.prod(dataset.image_shape)) * dataset.dtype.itemsize
    small = num_bytes < DEVICE_LIMIT_BYTES
    if placement == "device" or (placement == "auto" and small):
        return DeviceFeed(dataset, sampler, steps_per_call=steps_per_call)
    return StreamFeed(dataset, sampler, steps_per_call=steps_per_call)


def to_float(image: jax.Array) -> jax.Array:
    """uint8 pictures of any shape -> float32 in [-1, 1]: x / 127.5 - 1, with 0 and 255 exactly at the ends.

    Written as a product, because a device may divide inexactly; 127.5 * float32(1 / 127.5) is exactly 1.
    """
    return (image.astype(jnp.float32) - 127.5) * np.float32(1 / 127.5)


def random_flip(image: jax.Array, keys: jax.Array) -> jax.Array:
    """Mirrors each picture left to right with probability one half.

    Args:
        image: [B, H, W, C], any dtype.
        keys: typed PRNG keys [B], one per example: the draw doesn't depend on the layout of the batch.
    """
    flip = jax.vmap(jax.random.bernoulli)(keys)
    return jnp.where(flip[:, None, None, None], image[:, :, ::-1], image)


def _check(dataset: Dataset, sampler: Sampler, steps_per_call: int) -> None:
    if sampler.num_examples != len(dataset):
        raise UserError(
            f"The sampler draws from {sampler.num_examples} examples, but {dataset.name} has {len(dataset)}."
        )
    if steps_per_call < 1:
        raise UserError(f"steps_per_call is {steps_per_call}; it must be at least 1.")


def _check_call(step: int, num_steps: int, steps_per_call: int) -> None:
    if step < 0 or not 1 <= num_steps <= steps_per_call:
        raise ValueError(f"asked for {num_steps} steps from step {step} on; at most {steps_per_call} fit")
