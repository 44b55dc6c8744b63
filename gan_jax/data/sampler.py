"""Which examples the mini-batches hold: a pure function of (seed, number of the mini-batch).

Nothing here has state that matters: to resume is to ask for a later step, and the order is the same on
one device and on eight, for data that live on the device and for data that are streamed.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, get_args

import numpy as np

from gan_jax.utils.errors import UserError

Remainder = Literal["drop", "carry"]

# Sorting fewer takes some milliseconds; sorting 10 million takes seconds, which no step should wait for.
AHEAD_EXAMPLES = 100_000
_RAW_AT_ONCE = 2**16  # numpy keeps Python's lock while it draws, and the training loop must not wait for it


class IndexSampler:
    """Shuffles anew in every epoch, without replacement, and cuts the order into mini-batches.

    A train step consumes `minibatches` mini-batches (a discriminator with `repeat=5` needs more than one):
    step `s` uses the mini-batches number `s * minibatches + r`.

    Args:
        num_examples: examples in the data set.
        batch_size: examples in one mini-batch, over all devices.
        minibatches: mini-batches that one train step consumes.
        seed: a non-negative integer; another seed gives other orders.
        remainder: what becomes of the last, partial mini-batch of an epoch. "drop": it is left out of this
            epoch (other examples in each epoch, since the order changes). "carry": it is filled up
            with the first examples of the next epoch, so that each epoch holds every example once.

    Raises:
        UserError: a batch larger than the data set, a count below one, or an unknown `remainder`.
    """

    def __init__(
        self,
        num_examples: int,
        batch_size: int,
        *,
        minibatches: int = 1,
        seed: int = 0,
        remainder: Remainder = "drop",
    ) -> None:
        if batch_size < 1:
            raise UserError(f"The batch size is {batch_size}; it must be at least 1.")
        if minibatches < 1:
            raise UserError(f"A step of {minibatches} mini-batches trains nothing; it must be at least 1.")
        if batch_size > num_examples:
            raise UserError(
                f"The batch size is {batch_size}, but the data set has only {num_examples} examples: "
                f"choose a batch size of at most {num_examples} or a larger data set."
            )
        if not 0 <= seed < 2**64:
            raise UserError(f"The seed is {seed}; it must be an integer from 0 to 2**64 - 1.")
        if remainder not in get_args(Remainder):
            raise UserError(
                f"Unknown remainder {remainder!r}: choose one of {', '.join(get_args(Remainder))}."
            )
        self.num_examples = num_examples
        self.batch_size = batch_size
        self.minibatches = minibatches
        self.seed = seed
        self.remainder = remainder
        # Its own, so that many runs at once do not push out each other's.
        self._orders = EpochOrders(
            lambda epoch: _permutation(num_examples, seed, epoch), ahead=num_examples >= AHEAD_EXAMPLES
        )

    @property
    def minibatches_per_epoch(self) -> float:
        """Mini-batches in one pass over the data: whole for "drop", a fraction for "carry"."""
        if self.remainder == "drop":
            return self.num_examples // self.batch_size
        return self.num_examples / self.batch_size

    def indices(self, step: int, num_steps: int) -> np.ndarray:
        """Examples of the steps `step` to `step + num_steps - 1`.

        Returns:
            int32 [num_steps, minibatches, batch_size], each in 0 .. num_examples - 1.
        """
        first, count = step * self.minibatches, num_steps * self.minibatches
        return self.minibatch(first, count).reshape(num_steps, self.minibatches, self.batch_size)

    def minibatch(self, first: int, count: int = 1) -> np.ndarray:
        """Examples of the mini-batches number `first` to `first + count - 1`: int32 [count, batch_size]."""
        # One epoch's worth of the endless order: what "drop" leaves out at its end is never counted.
        used = self.num_examples
        if self.remainder == "drop":
            used -= self.num_examples % self.batch_size
        place = np.arange(first * self.batch_size, (first + count) * self.batch_size, dtype=np.int64)
        epoch, place = np.divmod(place, used)
        out = np.empty(place.shape, np.int32)
        for e in np.unique(epoch):
            out[epoch == e] = self._orders(int(e))[place[epoch == e]]
        return out.reshape(count, self.batch_size)


class EpochOrders:
    """The orders of epochs, each made once, and kept while it is in use; threads may ask at the same time.

    Args:
        make: the order of an epoch, a pure function.
        ahead: whether an epoch's order is made in the background when the one before it is first asked for.
    """

    def __init__(self, make: Callable[[int], np.ndarray], *, ahead: bool) -> None:
        self._make = make
        self._ahead = ahead
        self._lock = threading.Lock()
        self._orders: dict[int, Future[np.ndarray]] = {}

    def __call__(self, epoch: int) -> np.ndarray:
        """The order of this epoch, int32 [num_examples]."""
        wanted = (epoch, epoch + 1) if self._ahead else (epoch,)
        with self._lock:
            new = {number: Future[np.ndarray]() for number in wanted if number not in self._orders}
            self._orders.update(new)
            order = self._orders[epoch]
            for known in list(self._orders):
                if abs(known - epoch) > 1:  # a call may reach from one epoch into the next
                    del self._orders[known]
        if epoch in new:
            self._fulfil(epoch, order)
        if epoch + 1 in new:
            following = (epoch + 1, new[epoch + 1])
            threading.Thread(target=self._fulfil, args=following, name="gan_jax-order", daemon=True).start()
        return order.result()

    def _fulfil(self, epoch: int, order: Future[np.ndarray]) -> None:
        try:
            order.set_result(self._make(epoch))
        except BaseException as error:  # for all that wait; who asks later tries again
            with self._lock:
                self._orders.pop(epoch, None)
            order.set_exception(error)


def _permutation(num_examples: int, seed: int, epoch: int) -> np.ndarray:
    """The order of one epoch, int32 [num_examples].

    Sorting the raw output of the counter-based generator, and not `Generator.permutation`: numpy promises
    that the raw stream stays the same in later versions, and only that.
    """
    generator = np.random.Philox(key=np.array([seed, epoch], np.uint64))
    raw = np.empty(num_examples, np.uint64)
    for start in range(0, num_examples, _RAW_AT_ONCE):
        part = raw[start : start + _RAW_AT_ONCE]
        part[:] = generator.random_raw(len(part))
    order = stable_order(raw).astype(np.int32)
    order.flags.writeable = False
    return order


def stable_order(values: np.ndarray) -> np.ndarray:
    """`np.argsort(values, kind="stable")`, in half the time where no two values [N] are equal."""
    order = np.argsort(values)
    in_order = values[order]
    if (in_order[1:] == in_order[:-1]).any():
        return np.argsort(values, kind="stable")
    return order
