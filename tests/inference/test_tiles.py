"""Tiles cover a picture, overlap as they say, and put together what was taken apart."""

import itertools

import numpy as np
import pytest

from gan_jax.inference.tiles import in_tiles, tile_starts, tile_weights

CASES = [(64, 64, 1), (65, 64, 1), (100, 32, 4), (512, 96, 32), (4096, 512, 8), (40, 16, 8), (129, 17, 1)]


@pytest.mark.parametrize(("length", "tile", "multiple"), CASES)
def test_tiles_cover_the_axis_and_overlap(length, tile, multiple):
    starts = tile_starts(length, tile, multiple)
    assert starts[0] == 0
    assert starts[-1] + min(tile, length) == length
    assert all(start % multiple == 0 for start in starts)
    least = max(tile // 4 // multiple, 1) * multiple
    assert all(before + tile - start >= least for before, start in itertools.pairwise(starts))


@pytest.mark.parametrize(("length", "tile", "multiple"), CASES)
@pytest.mark.parametrize("scale", [1, 4])
def test_weights_add_up_to_one_and_leave_out_a_third_of_the_overlap(length, tile, multiple, scale):
    starts = tile_starts(length, tile, multiple)
    wide = min(tile, length)
    total = np.zeros(length * scale, np.float32)
    for number, (start, weights) in enumerate(zip(starts, tile_weights(starts, wide, scale), strict=True)):
        assert (weights >= 0).all()
        total[start * scale : (start + wide) * scale] += weights
        if number:
            third = scale * (starts[number - 1] + tile - start) / 3
            assert (weights[: int(third)] == 0).all()
            assert weights[int(third) + 1] > 0
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("scale", [1, 2])
def test_what_is_taken_apart_is_put_together(scale):
    picture = np.random.default_rng(0).integers(0, 256, (72, 50, 3), np.uint8)

    def enlarge(tile):
        return tile.astype(np.float32).repeat(scale, 0).repeat(scale, 1)

    found = in_tiles(enlarge, picture, 32, 2, scale)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, enlarge(picture), atol=1e-3)
