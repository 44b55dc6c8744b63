"""Patterns, copies and pipes, on levels that can be counted by hand."""

import math

import numpy as np
import pytest

from gan_jax.data.games import MARIO
from gan_jax.data.level_text import parse_level
from gan_jax.metrics.levels.copies import copies
from gan_jax.metrics.levels.patterns import EPSILON, pattern_divergences, patterns, tile_shares
from gan_jax.metrics.levels.pipes import broken_pipes

CHECKERED = np.array([[[0, 1, 0], [1, 0, 1]]], np.uint8)


def test_patterns_are_counted_everywhere():
    assert patterns(CHECKERED, 2) == {bytes([0, 1, 1, 0]): 1, bytes([1, 0, 0, 1]): 1}
    assert patterns(CHECKERED, 1) == {b"\0": 3, b"\1": 3}
    assert patterns(np.repeat(CHECKERED, 5, axis=0), 2) == {bytes([0, 1, 1, 0]): 5, bytes([1, 0, 0, 1]): 5}
    assert tile_shares(CHECKERED, 3).tolist() == [0.5, 0.5, 0]
    with pytest.raises(ValueError, match="at least 3 x 3"):
        patterns(CHECKERED, 3)


def test_divergences():
    one, other = {b"a": 3, b"b": 1}, {b"a": 1, b"b": 1}
    new, missing = pattern_divergences(one, other)
    assert new == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), abs=1e-5)
    assert missing == pytest.approx(0.5 * math.log(2 / 3) + 0.5 * math.log(2), abs=1e-5)
    assert pattern_divergences(one, {b"a": 6, b"b": 2}) == pytest.approx((0, 0), abs=1e-6)
    new, missing = pattern_divergences({b"a": 1}, {b"a": 1, b"b": 1})
    assert new == pytest.approx(math.log(2), abs=1e-4)
    assert missing == pytest.approx(0.5 * math.log(0.5) + 0.5 * math.log(0.5 / EPSILON), abs=1e-3)


def test_copies():
    real = np.stack([np.zeros((2, 5), np.uint8), np.ones((2, 5), np.uint8)])
    fake = real[[0, 0, 1, 1]].copy()
    fake[3, 0, 0] = 7
    found = copies(fake, real)
    assert (found.distinct, found.copied, found.nearest) == (0.75, 0.75, 0.025)
    with pytest.raises(ValueError, match="one size"):
        copies(fake[:, :1], real)


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        (("<>--", "[]--", "XXXX"), 0),
        (("<>--", "XXXX"), 0),
        (("<>--", "[]--"), 0),
        ((">--<", "]--["), 0),  # cut by the edges
        (("[]--", "[]--"), 0),  # likewise
        (("<---", "[]--"), 2),
        (("<]--", "[]--"), 2),
        (("----", "[]--"), 2),
        (("<>--", "----"), 2),
        (("-<>-", "-[]-", "----", "-[]-"), 2),
        (("-><-", "-][-"), 4),
    ],
)
def test_broken_pipes(rows, broken):
    assert broken_pipes(parse_level("\n".join(rows), MARIO.alphabet, "it")).sum() == broken
