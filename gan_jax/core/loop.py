"""The loop over training steps: several steps inside a compiled call, and periodic work between the calls.

`run_steps` is the only place that calls train steps one call after the other. It serves any state and any
number of runs: a call is (state, first step, number of steps) -> (state, metrics), and what is done at
intervals (rows of a log, pictures, scores, checkpoints) is a list of callbacks. Nothing waits for the devices
but where something is due: until then the metrics of every step stay on the devices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.launches import are_costly
from gan_jax.core.update import Metrics
from gan_jax.utils.checks import is_count
from gan_jax.utils.tree import PyTree

Array = jax.Array
State = TypeVar("State")
StepMetrics = dict[str, np.ndarray]  # by name, [..., n]: the values of n steps, one after the other
# (state, completed steps, number of steps) -> (state, metrics [..., steps_per_call], on the devices)
StepsCall = Callable[[State, int, int], tuple[State, Metrics]]


class Callback(Protocol):
    """Periodic work of a run."""

    @property
    def every_steps(self) -> int:
        """It is due after every step that this divides, and after the last one."""

    def __call__(self, step: int, state: Any, metrics: StepMetrics) -> None:
        """Does the work; what it raises ends the run.

        Args:
            step: completed steps.
            state: after that step, on the devices. The next call writes over it: copy what is to be kept.
            metrics: of every step since the work was last done, or since this process began.
        """


@dataclass(frozen=True)
class Every:
    """A function as periodic work of a run; see `Callback`.

    Attributes:
        every_steps: it is called after every step that this divides, and after the last one.
        function: is called with the completed steps, the state, and the metrics of every step since it was
            last called, arrays [n] by name. The next steps write over the state: copy what is to be kept.

    Examples:
        >>> import gan_jax
        >>> show = gan_jax.Every(100, lambda step, state, metrics: print(step, sorted(metrics)))
        >>> show.every_steps
        100
    """

    every_steps: int
    function: Callable[[int, Any, StepMetrics], None]

    def __call__(self, step: int, state: Any, metrics: StepMetrics) -> None:
        """Calls the function."""
        self.function(step, state, metrics)


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Raises a ValueError unless every one can be called and has an interval."""
    for index, callback in enumerate(callbacks):
        every = getattr(callback, "every_steps", None)
        if not callable(callback) or not is_count(every):
            raise ValueError(
                f"callbacks[{index}] is {callback!r} with every_steps={every!r}: a callback is called with "
                "(step, state, metrics), and its attribute every_steps must be a positive integer; "
                "gan_jax.core.loop.Every(100, function) makes one of a function"
            )


class PeriodicWork:
    """The periodic work of a run; it lives as long as the run, over all its stretches of steps.

    Args:
        callbacks: in the order in which they are done where several are due.
        last_step: of the run; everything is due there.
        record: is given the metrics of every step once, (completed steps, metrics): before anything that is
            due, and where the run is stopped between two intervals.
    """

    def __init__(
        self, callbacks: Sequence[Callback], last_step: int, record: Callable[[int, StepMetrics], None]
    ) -> None:
        self._callbacks = callbacks
        self._last_step = last_step
        self._record = record
        self._unseen: list[list[StepMetrics]] = [[] for _ in callbacks]  # since each was last done

    def boundary(self, step: int) -> int:
        """The next step after which something is due."""
        due = [(step // callback.every_steps + 1) * callback.every_steps for callback in self._callbacks]
        return min([self._last_step, *due])

    def collect(self, step: int, pending: list[tuple[int, Metrics]]) -> None:
        """Brings the metrics of calls to the host and records them.

        Args:
            step: completed steps.
            pending: the number of steps and the metrics of each call since metrics were last collected.
        """
        fetched = jax.device_get(pending)
        metrics = _joined([{name: x[..., :count] for name, x in found.items()} for count, found in fetched])
        self._record(step, metrics)
        for unseen in self._unseen:
            unseen.append(metrics)

    def do(self, step: int, state: Any) -> None:
        """Does what is due after this step."""
        for callback, unseen in zip(self._callbacks, self._unseen, strict=True):
            if step == self._last_step or step % callback.every_steps == 0:
                metrics = _joined(unseen)
                unseen.clear()
                callback(step, state, metrics)


def run_steps(
    call: StepsCall[State],
    state: State,
    first_step: int,
    last_step: int,
    steps_per_call: int,
    work: PeriodicWork,
    stop: Callable[[], Any] = lambda: None,
) -> tuple[State, int, Any]:
    """A stretch of steps with one compiled call, and the run's periodic work between the calls.

    Args:
        call: makes at most `steps_per_call` steps; it may write over its state.
        state: after `first_step` steps.
        last_step: of the stretch: the run's, or that of one of its phases.
        stop: asked before every call; what is true ends the loop there.

    Returns:
        The state, the completed steps, and what `stop` answered if it ended the loop.
    """
    step, reason = first_step, None
    while step < last_step and not reason:
        boundary = min(work.boundary(step), last_step)
        pending = []
        while step < boundary and not (reason := stop()):
            count = min(boundary - step, steps_per_call)
            state, metrics = call(state, step, count)
            pending.append((count, metrics))
            step += count
        if pending:
            work.collect(step, pending)
        if step == boundary:
            work.do(step, state)
    return state, step, reason


def repeat_step(
    step: Callable[[PyTree, PyTree, PyTree], tuple[PyTree, Metrics]], steps_per_call: int
) -> Callable[[PyTree, PyTree, PyTree, Array], tuple[PyTree, Metrics]]:
    """Up to `steps_per_call` steps as one function, to be compiled.

    The number of steps is an argument, so one program serves every interval, and the bits never depend on how
    the steps were grouped.

    Args:
        step: (state, constants, one step's item) -> (state, metrics, scalars by name).

    Returns:
        call(state, constants, items, count) -> (state, metrics): `items` leaves are [steps_per_call, ...], of
        which the first `count`, int32 [], are run. Metrics are [steps_per_call], NaN beyond `count`.
    """

    def numbered(state: PyTree, constants: PyTree, items: PyTree, index: Array) -> tuple[PyTree, Metrics]:
        return step(state, constants, jax.tree.map(lambda x: x[index], items))

    def call(state: PyTree, constants: PyTree, items: PyTree, count: Array) -> tuple[PyTree, Metrics]:
        shapes = jax.eval_shape(numbered, state, constants, items, jnp.int32(0))[1]
        metrics = jax.tree.map(lambda x: jnp.full((steps_per_call, *x.shape), jnp.nan, x.dtype), shapes)

        def body(index: Array, carry: tuple[PyTree, Metrics]) -> tuple[PyTree, Metrics]:
            state, metrics = carry
            state, new = numbered(state, constants, items, index)
            return state, jax.tree.map(lambda all_, x: _put(all_, x, index), metrics, new)

        return jax.lax.fori_loop(0, count, body, (state, metrics))

    return call


def _put(all_: jax.Array, x: jax.Array, index: jax.Array) -> jax.Array:
    """The row written, which is there; on an accelerator without a kernel that looks whether it is."""
    if are_costly():
        return jax.lax.dynamic_update_index_in_dim(all_, x, index, 0)
    return all_.at[index].set(x)


def _joined(parts: list[StepMetrics]) -> StepMetrics:
    """The metrics of several stretches in a row; NaN where one has no metric of that name."""
    names = dict.fromkeys(name for part in parts for name in part)

    def values(part: StepMetrics, name: str) -> np.ndarray:
        return part[name] if name in part else np.full_like(next(iter(part.values())), np.nan)

    return {name: np.concatenate([values(part, name) for part in parts], axis=-1) for name in names}
