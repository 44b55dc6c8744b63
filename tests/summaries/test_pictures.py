"""Pictures show the numbers they are made of."""

import errno

import numpy as np
import pytest
from PIL import Image

from gan_jax.data.codecs import Pixels, Points, Tiles
from gan_jax.densities import ring
from gan_jax.summaries import pictures
from gan_jax.summaries.point_pictures import points_picture
from gan_jax.utils.errors import UserError


def uint8_picture(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_every_grey_survives_the_way_to_the_grid():
    """Images made from uint8 by x / 127.5 - 1 come back exactly."""
    greys = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    back = pictures.examples_picture(greys.astype(np.float32) / 127.5 - 1, Pixels())
    scale = len(back) // 16
    np.testing.assert_array_equal(back[::scale, ::scale], greys[0])


def test_a_picture_of_points_shows_all_of_them_and_of_tiles_each():
    points = np.random.default_rng(0).normal(size=(30, 1, 1, 2)).astype(np.float32)
    shown = pictures.examples_picture(points, Points(ring()))
    np.testing.assert_array_equal(shown, points_picture(points, ring()))
    tiles = Tiles(np.array([[0, 0, 0], [255, 0, 0]]))
    levels = np.eye(2, dtype=np.float32)[np.arange(24).reshape(6, 2, 2) % 2]
    shown = pictures.examples_picture(levels, tiles, columns=6)
    np.testing.assert_array_equal(shown, pictures.grid(tiles.picture(levels), columns=6))
    assert pictures.pictured_examples(tiles) == 64
    assert pictures.pictured_examples(Points()) == 2500


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_layout_is_row_by_row(channels):
    n, height, width, pad, columns = 5, 4, 6, 2, 3
    images = uint8_picture(n, height, width, channels)
    board = pictures.grid(images, columns=columns, pad=pad)
    scale = len(board) // (2 * height + pad)
    assert board.shape == ((2 * height + pad) * scale, (3 * width + 2 * pad) * scale, channels)
    small = board[::scale, ::scale]
    np.testing.assert_array_equal(small.repeat(scale, 0).repeat(scale, 1), board)
    seen = np.zeros(small.shape[:2], bool)
    for i in range(n):
        top, left = i // columns * (height + pad), i % columns * (width + pad)
        there = slice(top, top + height), slice(left, left + width)
        np.testing.assert_array_equal(small[there], images[i])
        seen[there] = True
    assert (small[~seen] == 255).all()


@pytest.mark.parametrize(
    ("n", "size", "shape"),
    [
        (64, 28, (476, 476)),
        (64, 64, (526, 526)),
        (16, 256, (1030, 1030)),
        (1, 8, (360, 360)),
        (10, 28, (352, 472)),
    ],
)
def test_size_is_comfortable(n, size, shape):
    assert pictures.grid(np.zeros((n, size, size, 1), np.uint8))[..., 0].shape == shape


@pytest.mark.parametrize(("shape", "dtype"), [((0, 8, 8, 1), "u1"), ((8, 8, 1), "u1"), ((2, 8, 8, 1), "f4")])
def test_grid_of_nothing(shape, dtype):
    with pytest.raises(ValueError, match="images"):
        pictures.grid(np.zeros(shape, dtype))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_holds_the_picture(tmp_path, channels):
    picture = uint8_picture(7, 9, channels)
    path = tmp_path / "samples" / "0001.png"
    pictures.save_png(path, picture)
    pictures.save_png(path, picture)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image).reshape(7, 9, channels), picture)
    assert [p.name for p in path.parent.iterdir()] == ["0001.png"]


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 2), np.uint8)]
)
def test_png_of_no_picture(tmp_path, picture):
    with pytest.raises(ValueError, match="a picture is uint8"):
        pictures.save_png(tmp_path / "a.png", picture)


def test_png_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*Check the folder"):
        pictures.save_png(tmp_path / "file" / "a.png", uint8_picture(2, 2, 3))


def test_png_on_a_full_disk_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    pictures.save_png(path, uint8_picture(2, 2, 3))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gan_jax.utils.files.flush_to_disk", full)
    with pytest.raises(UserError, match=r"a\.png: No space left on device\. Free some space"):
        pictures.save_png(path, uint8_picture(2, 2, 3, seed=1))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
