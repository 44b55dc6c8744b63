"""The baseline of the levels' experiment."""

import numpy as np
import pytest

from experiments.levels.markov import ColumnChain


def test_a_chain_makes_only_what_followed():
    windows = np.array([[[0, 1, 2, 0]], [[1, 2, 0, 1]]], np.uint8)
    made = ColumnChain(windows).sample(50)
    assert made.shape == (50, 1, 4)
    pairs = {(int(a), int(b)) for level in made for a, b in zip(level[0], level[0][1:], strict=False)}
    assert pairs == {(0, 1), (1, 2), (2, 0)}
    assert set(made[:, 0, 0].tolist()) == {0, 1}
    np.testing.assert_array_equal(made, ColumnChain(windows).sample(50))


@pytest.mark.parametrize("order", [1, 2])
def test_the_end_of_a_level_and_orders(order):
    windows = np.array([[[0, 0, 1, 2]], [[3, 0, 4, 2]]], np.uint8)
    made = {tuple(level[0].tolist()) for level in ColumnChain(windows, order).sample(400)}
    crossed = (0, 0, 4, 2) in made
    assert crossed == (order == 1)  # 4 follows 0, but not 0 behind 0
    assert {(0, 0, 1, 2), (3, 0, 4, 2)} <= made
