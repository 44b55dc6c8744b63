"""Numbers and tables as Markdown, for reports."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from gan_jax.study.statistics import Interval

_LISTED = 20  # named one by one; more are counted


def interval_text(interval: Interval, sign: bool = False) -> str:
    """ "7.50 [7.10, 7.75]": decimals as its width deserves, and no brackets where there is no interval.

    "" where there is no mean.

    Args:
        interval: the mean and its limits.
        sign: whether a positive mean gets a plus.
    """
    if not interval.n:
        return ""
    plus = "+" if sign and interval.mean > 0 else ""
    if interval.n < 2:
        return plus + number(interval.mean)
    half = (interval.high - interval.low) / 2
    decimals = 1 - math.floor(math.log10(half)) if half > 0 else -1
    if not 0 <= decimals <= 6:
        mean, low, high = (number(value) for value in (interval.mean, interval.low, interval.high))
    else:
        mean, low, high = (
            f"{round(value, decimals) + 0.0:,.{decimals}f}"
            for value in (interval.mean, interval.low, interval.high)
        )
    return f"{plus}{mean} [{low}, {high}]"


def number(value: float) -> str:
    """Four digits; "" for NaN."""
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value + 0.0:.4g}"


def p_value(value: float) -> str:
    """Two digits; "" for NaN."""
    return "" if math.isnan(value) else f"{value:.2g}"


def json_text(value: Any) -> str:
    """A config's value on one line."""
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)


def plural(count: int, noun: str) -> str:
    """ "1 run", "2,000 runs"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(texts: Sequence[str]) -> str:
    """The first 20 with semicolons between, as names may hold commas, and how many more there are."""
    more = len(texts) - _LISTED
    return "; ".join(texts[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def escaped(text: str) -> str:
    """Text that cannot end a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table; the first row is its head."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
