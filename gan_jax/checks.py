"""Checks of values that a config may hold; each raises a ValueError that says what was expected."""

from __future__ import annotations


def is_count(value: object) -> bool:
    """Whether it is a positive integer (a bool is none)."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def check_count(value: object, field: str) -> None:
    """A positive integer."""
    if not is_count(value):
        raise ValueError(f"{field}={value!r}: it must be a positive integer")


def check_widths(widths: object) -> None:
    """The widths of a network's layers."""
    if not isinstance(widths, tuple) or not widths or not all(map(is_count, widths)):
        raise ValueError(f"widths={widths!r}: it must be a tuple of positive integers, one per layer")


def check_decay(value: float, field: str) -> None:
    """The weight of the old value in a moving average."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{field}={value!r}: it must be in [0, 1)")
