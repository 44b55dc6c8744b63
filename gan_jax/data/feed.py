"""From a data set and a sampler to the arrays of a compiled call of several train steps.

Two ways with the same batches. `DeviceFeed`: the whole set lives on the device, and only indices cross.
`StreamFeed`: examples are read and stacked in the background and cross as they are stored.
"""

import zlib
from collections.abc import Mapping
from typing import Literal, Protocol, get_args

import jax
import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.sampler import IndexSampler
from gan_jax.data.spec import Field
from gan_jax.data.stream import CallStream
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

Placement = Literal["auto", "device", "stream"]
DEVICE_LIMIT_BYTES = 2**30  # "auto" puts a decoded set below this on the device


class Feed(Protocol):
    """What the training loop needs of either way.

    `fields` say how the arrays of a mini-batch are decoded. `constants` go to the devices once and are
    passed to every compiled call. `get` returns the arrays of one call. `fetch` is traced inside the compiled
    step: it makes the mini-batch, {"image": [B, H, W, C], ... as stored, "label": int32 [B] (where
    labelled)}, from the constants and one mini-batch's item.
    """

    fields: Mapping[str, Field]
    constants: PyTree

    def get(self, step: int, num_steps: int) -> PyTree: ...

    def fetch(self, constants: PyTree, item: PyTree) -> dict[str, jax.Array]: ...

    def close(self) -> None: ...


class DeviceFeed:
    """All examples are constants of the compiled call; a step's item is its indices."""

    def __init__(
        self, dataset: Dataset, sampler: IndexSampler, *, steps_per_call: int, host: int = 0, hosts: int = 1
    ) -> None:
        _check(dataset, sampler, steps_per_call)
        self._rows = host_rows(sampler.batch_size, host, hosts)
        self.fields = dataset.fields
        self.constants = dataset.arrays()
        self._sampler = sampler
        self._steps_per_call = steps_per_call

    def get(self, step: int, num_steps: int) -> dict[str, np.ndarray]:
        """{"index": int32 [steps_per_call, minibatches, B]}; only the first `num_steps` rows are meant."""
        _check_call(step, num_steps, self._steps_per_call)
        index = self._sampler.indices(step, num_steps)[:, :, self._rows]
        return {"index": np.pad(index, ((0, self._steps_per_call - num_steps), (0, 0), (0, 0)))}

    @staticmethod
    def fetch(constants: dict[str, jax.Array], item: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """Gathers one mini-batch, indices [B], from the constants."""
        return {name: values[item["index"]] for name, values in constants.items()}

    def close(self) -> None:
        """Nothing to stop."""


class StreamFeed:
    """Examples are read in the background, a call or two ahead of the training loop; see `stream`."""

    def __init__(
        self, dataset: Dataset, sampler: IndexSampler, *, steps_per_call: int, host: int = 0, hosts: int = 1
    ) -> None:
        _check(dataset, sampler, steps_per_call)
        self._rows = host_rows(sampler.batch_size, host, hosts)
        self.fields = dataset.fields
        self.constants: dict[str, np.ndarray] = {}
        self._dataset = dataset
        self._sampler = sampler
        self._steps_per_call = steps_per_call
        self._stream: CallStream | None = None
        self._next_step = -1

    def get(self, step: int, num_steps: int) -> dict[str, np.ndarray]:
        """{"image": [steps_per_call, minibatches, B, H, W, C], ... as stored, "label": int32 [.., .., B]}.

        Only the first `num_steps` rows are meant. Fast where each call starts at the step at which the last
        one ended; any other step restarts the reading there.
        """
        _check_call(step, num_steps, self._steps_per_call)
        if self._stream is None or step != self._next_step:
            self.close()
            self._stream = CallStream(
                self._dataset,
                self._sampler,
                self._rows,
                first_step=step,
                steps_per_call=self._steps_per_call,
            )
        try:
            arrays = self._stream.take(num_steps)
        except BaseException:
            self.close()
            raise
        self._next_step = step + num_steps
        return arrays

    @staticmethod
    def fetch(constants: dict[str, jax.Array], item: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """The item is the mini-batch."""
        return item

    def close(self) -> None:
        """Stops the background reading."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __del__(self) -> None:
        if getattr(self, "_stream", None) is not None:
            self.close()


class ZipFeed:
    """The feeds of unpaired data sets as one: each part's images are the field with the part's name."""

    def __init__(self, fields: Mapping[str, Field], feeds: Mapping[str, Feed]) -> None:
        self.fields = fields
        self.constants = {name: feed.constants for name, feed in feeds.items()}
        self._feeds = feeds

    def get(self, step: int, num_steps: int) -> PyTree:
        """{part: what its feed gives}."""
        return {name: feed.get(step, num_steps) for name, feed in self._feeds.items()}

    def fetch(self, constants: PyTree, item: PyTree) -> dict[str, jax.Array]:
        """The images of every part, and the labels of the part "image"."""
        batches = {name: feed.fetch(constants[name], item[name]) for name, feed in self._feeds.items()}
        return {**batches["image"], **{name: batch["image"] for name, batch in batches.items()}}

    def close(self) -> None:
        """Stops all parts."""
        for feed in self._feeds.values():
            feed.close()


def on_device_bytes(dataset: Dataset, placement: Placement, hosts: int = 1) -> int:
    """Bytes of the examples that `make_feed` puts on each device."""
    if dataset.parts:
        return sum(on_device_bytes(part, placement, hosts) for part in dataset.parts.values())
    return len(dataset) * dataset.example_bytes if _is_on_device(dataset, placement, hosts) else 0


def _is_on_device(dataset: Dataset, placement: Placement, hosts: int) -> bool:
    small = len(dataset) * dataset.example_bytes < DEVICE_LIMIT_BYTES
    return placement == "device" or (placement == "auto" and small and hosts == 1)


def make_feed(
    dataset: Dataset,
    sampler: IndexSampler,
    *,
    steps_per_call: int,
    placement: Placement = "auto",
    host: int = 0,
    hosts: int = 1,
) -> Feed:
    """The feed for a data set: on the device, streamed, or chosen by its size.

    Args:
        dataset: what is read.
        sampler: which examples make which mini-batch.
        steps_per_call: train steps in one compiled call.
        placement: "device", "stream", or "auto" (on the device if one host trains and the stored set is
            below 1 GiB). With "device" every host holds the whole set, with "stream" it reads its share. The
            parts of a zip are placed one by one.
        host, hosts: this host's number and how many share each mini-batch. `get` returns the rows
            host * B / hosts to (host + 1) * B / hosts - 1 of it; the sampler is the same on all hosts.

    Raises:
        UserError: unknown placement, a sampler for another number of examples, no steps, a batch that the
            hosts do not divide.
    """
    if placement not in get_args(Placement):
        raise UserError(f"Unknown placement {placement!r}: choose one of {', '.join(get_args(Placement))}.")
    if dataset.parts:
        _check(dataset, sampler, steps_per_call)
        feeds = {
            name: make_feed(
                part,
                _part_sampler(sampler, name, len(part)),
                steps_per_call=steps_per_call,
                placement=placement,
                host=host,
                hosts=hosts,
            )
            for name, part in dataset.parts.items()
        }
        return ZipFeed(dataset.fields, feeds)
    if _is_on_device(dataset, placement, hosts):
        return DeviceFeed(dataset, sampler, steps_per_call=steps_per_call, host=host, hosts=hosts)
    return StreamFeed(dataset, sampler, steps_per_call=steps_per_call, host=host, hosts=hosts)


def _part_sampler(sampler: IndexSampler, name: str, num_examples: int) -> IndexSampler:
    """What draws from a part of a zip: the sampler itself for "image", else one with a stream of its own."""
    if name == "image":
        return sampler
    try:
        return IndexSampler(
            num_examples,
            sampler.batch_size,
            minibatches=sampler.minibatches,
            seed=(sampler.seed + (zlib.crc32(name.encode()) << 32)) % 2**64,  # runs' seeds are below 2**32
            remainder=sampler.remainder,
        )
    except UserError as error:
        raise UserError(f"The part {name} of the zip: {error}") from error


def host_rows(batch_size: int, host: int, hosts: int) -> slice:
    """The rows of a mini-batch that one of several hosts reads.

    Raises:
        UserError: the hosts do not divide the batch.
    """
    if not 0 <= host < hosts:
        raise ValueError(f"host {host} of {hosts}")
    if batch_size % hosts:
        below, above = batch_size // hosts * hosts, -(-batch_size // hosts) * hosts
        choices = f"{below} or {above}" if below else f"{above}"
        raise UserError(
            f"batch_size={batch_size} cannot be split over {hosts} hosts: "
            f"set batch_size={choices}, or run on fewer hosts"
        )
    share = batch_size // hosts
    return slice(host * share, (host + 1) * share)


def _check(dataset: Dataset, sampler: IndexSampler, steps_per_call: int) -> None:
    if sampler.num_examples != len(dataset):
        raise UserError(
            f"The sampler draws from {sampler.num_examples} examples, but {dataset.name} has {len(dataset)}."
        )
    if steps_per_call < 1:
        raise UserError(f"steps_per_call is {steps_per_call}; it must be at least 1.")


def _check_call(step: int, num_steps: int, steps_per_call: int) -> None:
    if step < 0 or not 1 <= num_steps <= steps_per_call:
        raise ValueError(f"asked for {num_steps} steps from step {step} on; at most {steps_per_call} fit")
