"""Checks of values that a config may hold; each raises a ValueError that says what was expected."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

FLOAT32_MAX = (2 - 2**-23) * 2.0**127
MOST_KERNEL = 1023  # larger than any picture's side; how padding is laid out is found by trying
MOST = 2**31 - 1  # steps and sizes are 32-bit numbers on the devices


def is_count(value: object) -> bool:
    """Whether it is a positive integer (a bool is none), at most MOST."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST


def whole(value: object) -> Any:
    """A number without a fraction as an int, also the numbers in a tuple or list: 1e5 is 100000."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return type(value)(map(whole, value)) if isinstance(value, tuple | list) else value


def check_count(value: object, field: str) -> None:
    """A positive integer."""
    if not is_count(value):
        raise ValueError(f"{field}={value!r}: it must be a positive integer, at most {MOST}")


def check_kernel(value: object, field: str = "kernel_size") -> None:
    """The side of a convolution's kernel, in pixels."""
    if not is_count(value) or value > MOST_KERNEL:  # type: ignore[operator]
        raise ValueError(f"{field}={value!r}: it must be a positive integer, at most {MOST_KERNEL}")


def check_widths(widths: object, field: str = "widths") -> None:
    """The widths of a network's layers."""
    if not isinstance(widths, tuple) or not widths or not all(map(is_count, widths)):
        raise ValueError(
            f"{field}={widths!r}: it must be a tuple of positive integers, one per layer, at most {MOST}"
        )


def check_decay(value: float, field: str) -> None:
    """The weight of the old value in a moving average."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{field}={value!r}: it must be in [0, 1)")


def check_number(value: object, field: str, expected: str = "a finite number") -> float:
    """The value as a float: a number (a bool is none) that float32 can hold."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not abs(number) <= FLOAT32_MAX:
        raise ValueError(f"{field}={value!r}: it must be {expected}")
    return number


def check_range(value: object, field: str, low: float = 0.0, high: float = math.inf) -> float:
    """The value as a float that is finite and in [low, high]."""
    expected = f"a finite number in [{low:g}, {high:g}{')' if high == math.inf else ']'}"
    number = check_number(value, field, expected)
    if not low <= number <= high:
        raise ValueError(f"{field}={value!r}: it must be {expected}")
    return number
