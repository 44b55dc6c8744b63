"""Mini-batches of a set that is read while it is trained on: read, decoded and stacked in the background.

Whole steps are read by grain's threads, batch first and map after: what a thread is given is the indices of
all examples of a few steps, and it reads them in one go. Another thread copies the steps, in order, into the
arrays of the next call; the training loop only takes them.

Threads suffice because almost all work is done outside of Python's lock: files are read, checked and
decompressed by array_record, PNG and JPEG decoded by Pillow. Processes would have to hand each batch over.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import grain
import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.sampler import IndexSampler

_EXAMPLES_AT_ONCE = 256  # in one piece of reading: enough to amortise what it costs beside the reading
_AHEAD_BYTES = 2**28  # what may lie read beside the calls' arrays, unless a single step is larger
_MAX_THREADS = 16
_SECONDS_TO_STOP = 5.0

Arrays = dict[str, np.ndarray]


class CallStream:
    """The arrays of one call after the other, from a step on; the next ones are made while a call runs.

    Args:
        dataset: what is read.
        sampler: which examples make which mini-batch.
        rows: the part of each mini-batch that is wanted.
        first_step: where the first call begins.
        steps_per_call: steps that the arrays hold.
    """

    def __init__(
        self, dataset: Dataset, sampler: IndexSampler, rows: slice, *, first_step: int, steps_per_call: int
    ) -> None:
        self._lead = (steps_per_call, sampler.minibatches, rows.stop - rows.start)
        self._dataset = dataset
        self._pieces = read_ahead(dataset, sampler, rows, first_step, steps_per_call)
        self._arrays = self._blank()
        self._filled = 0  # steps that are in the arrays
        self._error: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="gan_jax-stream", daemon=True)
        self._thread.start()

    def take(self, num_steps: int) -> Arrays:
        """The arrays with the next `num_steps` steps at their beginning; the next call starts after these.

        Raises:
            whatever the reading raised, once all that was read before has been taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._filled >= num_steps or self._error is not None)
            if self._filled < num_steps:
                assert self._error is not None
                raise self._error
            taken, left = self._arrays, self._filled - num_steps
            # Always new ones: on a CPU the arrays that were taken are the device's from now on.
            self._arrays, self._filled = self._blank(), left
            for name, values in self._arrays.items():
                values[:left] = taken[name][num_steps : num_steps + left]
            self._changed.notify_all()
        return taken

    def close(self) -> None:
        """Stops the threads; what is being read at the moment is read to its end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        close = getattr(self._pieces, "close", None)  # grain has it from some version on
        if close is not None:
            close()
        if threading.current_thread() is not self._thread:  # a garbage collection may run anywhere
            self._thread.join(_SECONDS_TO_STOP)

    def _blank(self) -> Arrays:
        return {name: np.zeros(x.shape, x.dtype) for name, x in self._dataset.empty(*self._lead).items()}

    def _run(self) -> None:
        try:
            for piece in self._pieces:
                done, length = 0, len(next(iter(piece.values())))
                while done < length:
                    done += self._put({name: values[done:] for name, values in piece.items()})
                    if self._closed:
                        return
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _put(self, steps: Arrays) -> int:
        """Copies what there is room for, once there is some; returns the number of steps."""
        with self._changed:
            self._changed.wait_for(lambda: self._filled < self._lead[0] or self._closed)
            place = self._filled
            for name, values in steps.items():
                room = self._arrays[name][place:]
                room[: len(values)] = values[: len(room)]
            count = min(len(next(iter(steps.values()))), self._lead[0] - place)
            self._filled += count
            self._changed.notify_all()
        return count


def read_ahead(
    dataset: Dataset, sampler: IndexSampler, rows: slice, first_step: int, steps_per_call: int
) -> Iterator[Arrays]:
    """Endless pieces of steps, in order: [steps, minibatches, rows, ...] of each field and of the labels."""
    share = rows.stop - rows.start
    steps = max(1, _EXAMPLES_AT_ONCE // (sampler.minibatches * share))
    piece_bytes = steps * sampler.minibatches * share * dataset.example_bytes
    ahead = max(1, min(-(-steps_per_call // steps) + 1, _AHEAD_BYTES // piece_bytes))

    def read(indices: np.ndarray) -> Arrays:
        arrays = dataset.gather(indices.ravel())
        return {name: values.reshape(*indices.shape, *values.shape[1:]) for name, values in arrays.items()}

    pieces = grain.MapDataset.source(_Indices(sampler, rows, first_step, steps)).map(read)
    threads = min(_MAX_THREADS, 2 * len(os.sched_getaffinity(0)), ahead)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)
    return iter(pieces.to_iter_dataset(options))


class _Indices:
    """Random access to the endless row of pieces, as grain wants it: int32 [steps, minibatches, rows]."""

    def __init__(self, sampler: IndexSampler, rows: slice, first_step: int, steps: int) -> None:
        self._sampler = sampler
        self._rows = rows
        self._first_step = first_step
        self._steps = steps

    def __len__(self) -> int:
        return 2**48  # endless, for all purposes

    def __getitem__(self, number: Any) -> np.ndarray:
        first = self._first_step + int(number) * self._steps
        return self._sampler.indices(first, self._steps)[:, :, self._rows]
