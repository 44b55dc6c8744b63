"""Distances by tiles against plain ones in float64, also where rounding would decide."""

import tracemalloc

import numpy as np
import pytest

from gan_jax.metrics import distances
from gan_jax.metrics.distances import nearest, nearest_squared, squared_of_pairs, tiles
from gan_jax.utils.errors import UserError


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """So that small sets are cut into many tiles, the last ones incomplete."""
    monkeypatch.setattr(distances, "_TILE", 32)


def plain(left, right):
    """All distances, by their definition, in float64."""
    difference = left.astype(np.float64)[:, None] - right.astype(np.float64)[None]
    return np.sqrt((difference**2).sum(-1))


def features(size, dims=16, seed=0, scale=1.0, shift=0.0):
    generator = np.random.default_rng(seed)
    return (generator.standard_normal((size, dims)) * scale + shift).astype(np.float32)


@pytest.mark.parametrize("shift", [0.0, 1e4])
@pytest.mark.parametrize("k", [1, 3, 40])
def test_nearest_are_those_of_plain_distances(k, shift):
    queries, references = features(75, seed=1, shift=shift), features(101, seed=2, shift=shift)
    index, found = nearest(queries, references, k)
    expected = np.sort(plain(queries, references), axis=1)[:, :k]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(plain(queries, references), index, 1), found, rtol=1e-12)
    assert (index.shape, index.dtype, found.dtype) == ((75, k), np.int64, np.float64)


@pytest.mark.parametrize("size", [5, 32, 33, 100])
def test_neighbours_in_the_same_set_leave_out_the_row_itself(size):
    rows = features(size)
    expected = np.sort(plain(rows, rows), axis=1)
    for k in (1, 2, 4):
        found = np.sqrt(nearest_squared(rows, None, k)[1])
        np.testing.assert_allclose(found, expected[:, 1 : k + 1], rtol=1e-12)


def test_points_on_a_line():
    rows = np.array([[0.0], [1.0], [3.0], [7.0]], np.float32)
    assert nearest_squared(rows, None, 2)[1].tolist() == [[1, 9], [1, 4], [4, 9], [16, 36]]
    index, found = nearest(np.array([[2.9], [100.0]]), rows, 2)
    assert index.tolist() == [[2, 1], [3, 2]]
    np.testing.assert_allclose(found, np.array([[0.1, 1.9], [93, 97]]), rtol=1e-6)


def test_a_copy_counts_as_another_row():
    rows = np.repeat(features(40), 2, axis=0)
    squared = nearest_squared(rows, None, 2)[1]
    assert (squared[:, 0] == 0).all()
    assert (squared[:, 1] > 0).all()


def test_near_copies_far_from_the_origin_keep_their_distance():
    """Two clusters at +-3000, with pairs of rows that are one step of float32 apart, or equal."""
    rows = features(60, dims=64, scale=1.0)
    rows[:30] += 3000
    rows[30:] -= 3000
    near = rows.copy()
    near[:, 0] = np.nextafter(near[:, 0], np.float32(np.inf))
    steps = near[:, 0].astype(np.float64) - rows[:, 0]
    assert steps.min() > 0
    index, found = nearest(near, rows, 1)
    assert index[:, 0].tolist() == list(range(60))
    np.testing.assert_array_equal(found[:, 0], steps)
    np.testing.assert_array_equal(nearest(rows, rows, 1)[1], 0)
    # Five rows, each a step from the next: their order is lost to the rounding of the product form.
    lined = [rows]
    for _ in range(4):
        lined.append(lined[-1].copy())
        lined[-1][:, 0] = np.nextafter(lined[-1][:, 0], np.float32(np.inf))
    references = np.concatenate(lined[::-1])
    expected = np.sort(plain(rows, references), axis=1)
    for k in (1, 2, 3):
        np.testing.assert_array_equal(nearest(rows, references, k)[1], expected[:, :k])
    # The product form loses them: that is what the second computation is for.
    in_float32 = (near**2).sum(1) + (rows**2).sum(1) - 2 * (near * rows).sum(1)
    assert not np.allclose(in_float32, steps**2, rtol=0.5)


def test_the_error_bound_holds_and_is_small():
    left, right = features(70, dims=300, seed=1, shift=50), features(50, dims=300, seed=2, shift=49)
    worst = 0.0
    for tile in tiles(left, right):
        i, j = np.meshgrid(
            np.arange(tile.rows.start, tile.rows.stop),
            np.arange(tile.columns.start, tile.columns.stop),
            indexing="ij",
        )
        exact = squared_of_pairs(left, right, i.ravel(), j.ravel()).reshape(tile.squared.shape)
        bound = tile.row_error[:, None] + tile.column_error
        assert (np.abs(tile.squared - exact) <= bound).all()
        worst = max(worst, float((bound / exact).max()))
    assert worst < 1e-9


def test_a_set_with_itself_has_the_tiles_above_the_diagonal():
    rows = features(100)
    seen = np.zeros((100, 100), int)
    for tile in tiles(rows):
        seen[tile.rows, tile.columns] += 1
        np.testing.assert_allclose(
            np.sqrt(np.abs(tile.squared)), plain(rows, rows)[tile.rows, tile.columns], atol=1e-6
        )
    assert (seen + seen.T >= 1).all()
    assert seen.max() == 1


def test_ties_are_exact():
    """Every pair at its own exact distance as the limit: <= takes all of them, < takes none."""
    left, right = features(50, dims=200, seed=1, shift=30), features(40, dims=200, seed=2, shift=30)
    for column in (0, 17, 39):
        limits = squared_of_pairs(right, left, np.full(50, column), np.arange(50))
        for strict in (False, True):
            pairs = set()
            for tile in tiles(left, right):
                pairs |= set(
                    zip(*(a.tolist() for a in tile.pairs_within(limits, strict=strict)), strict=True)
                )
            own = {(i, column) for i in range(50)}
            assert own <= pairs if not strict else not (own & pairs)
            others = {(i, j) for i, j in np.argwhere(plain(left, right) ** 2 < limits[:, None] * (1 - 1e-9))}
            assert others == pairs - own


def test_transposed_tiles_hold_the_same_pairs():
    left, right = features(50, seed=1), features(40, seed=2)
    limits = np.full(50, 20.0)
    for tile in tiles(left, right):
        i, j = tile.pairs_within(limits, strict=False)
        b, a = tile.transposed().pairs_within(limits[:40], strict=False)
        assert sorted(zip(i, j, strict=True)) == sorted(zip(a, b, strict=True))


def test_distances_in_falling_order_replace_all_that_were_kept():
    """Each tile is nearer than all before, so that every tile is looked through by a partition."""
    references = np.arange(200, 0, -1, dtype=np.float32)[:, None]
    index, found = nearest(np.zeros((3, 1)), references, 3)
    assert found.tolist() == [[1, 2, 3]] * 3
    assert index.tolist() == [[199, 198, 197]] * 3


def test_memory_does_not_grow_with_the_product(monkeypatch):
    monkeypatch.setattr(distances, "_TILE", 256)
    left, right = features(1500, dims=8, seed=1), features(3000, dims=8, seed=2)
    tracemalloc.start()
    nearest_squared(left, right, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6  # 1500 x 3000 in float64 would be 36e6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    rows = features(10)
    rows[3, 2] = bad
    with pytest.raises(UserError, match=r"references: 1 of 10 samples have NaN or infinite"):
        nearest(features(10), rows, 1)


def test_what_will_not_do():
    with pytest.raises(UserError, match="references: 2 samples are too few; at least 3"):
        nearest(features(5), features(2), 3)
    with pytest.raises(ValueError, match=r"real numbers \[N, D\].*\[2, 2, 2\]"):
        nearest(np.zeros((2, 2, 2)), features(5), 1)
    with pytest.raises(ValueError, match="16 and 8 features cannot be compared"):
        nearest(features(5), features(5, dims=8), 1)
    with pytest.raises(ValueError, match="from 1 to"):
        nearest(features(5), features(5), 0)
