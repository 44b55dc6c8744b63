"""Ranges and ticks of axes, in plain numbers: "20,000" and "0.05", no powers beside the axis."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_ROOM = 0.04  # of a range, beside what is drawn
_WIDE = 100.0  # from this ratio on an axis of positive values is logarithmic


def value_range(
    lines: Iterable[np.ndarray],
    behind: Iterable[np.ndarray] = (),
    *,
    linear: bool = False,
    shares: bool = False,
) -> tuple[float, float, bool]:
    """The least and greatest value of an axis, and whether it is logarithmic.

    Args:
        lines: the values to be seen, all of them.
        behind: what is drawn behind them; its outermost hundredths may lie outside.
        linear: never logarithmic.
        shares: values that all lie in [0, 1] and fill much of it have an axis from 0 to 1.
    """
    seen = _finite(lines)
    if not len(seen):
        return 0.0, 1.0, False
    noise = _finite(behind)
    least, most = seen.min(), seen.max()
    logarithmic = bool(not linear and least > 0 and most > _WIDE * least)
    if len(noise):
        low, high = np.quantile(noise, (0.01, 0.99))
        least = min(least, low) if not logarithmic or low > 0 else least
        most = max(most, high)
    if logarithmic:
        room = (most / least) ** _ROOM
        return float(least / room), float(most * room), True
    room = _ROOM * (most - least) or abs(most) * 0.1 or 1.0
    if shares and least >= 0.0 and most <= 1.0 and most - least > 0.3:
        return -0.02, 1.02, False
    return float(least - room), float(most + room), False


def ticks(low: float, high: float, logarithmic: bool = False, most: int = 5) -> list[float]:
    """At most so many round numbers from low to high, rising."""
    if logarithmic:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        every = max(1, math.ceil((last - first + 1) / most))
        return [10.0**power for power in range(first, last + 1, every)]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    for step in (factor * power for factor in (*_STEPS, 20.0)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [step * number + 0.0 for number in range(first, last + 1)]
    raise AssertionError((low, high))


def tick_label(value: float) -> str:
    """A tick's number in full."""
    if value and not 1e-5 <= abs(value) < 1e9:
        return f"{value:g}"
    return f"{value:,.7f}".rstrip("0").rstrip(".") if value else "0"


def _finite(arrays: Iterable[np.ndarray]) -> np.ndarray:
    every = np.concatenate([np.asarray(array, np.float64).ravel() for array in (*arrays, np.empty(0))])
    return every[np.isfinite(every)]
