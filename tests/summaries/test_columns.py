"""Several pictures of each example beside each other, in columns that are named."""

import numpy as np
import pytest

from gan_jax.summaries.columns import in_order, strips, strips_picture, with_column_names


def plain(value, count=5, height=4, width=4, channels=3):
    return np.full((count, height, width, channels), value, np.uint8)


def test_the_source_comes_first_and_the_truth_last():
    assert in_order({"truth": 0, "cycle": 1, "made": 2, "source": 3}) == ["source", "made", "cycle", "truth"]
    assert in_order(["image", "source"]) == ["source", "image"]


def test_each_example_has_its_pictures_beside_each_other():
    examples = np.arange(2, dtype=np.uint8)[:, None, None, None]
    found = strips({"made": 10 + examples + plain(0, 2), "source": examples + plain(0, 2)})
    assert found.shape == (2, 4, 10, 3)
    for number in range(2):
        assert (found[number, :, :4] == number).all()
        assert (found[number, :, 4:6] == 255).all()
        assert (found[number, :, 6:] == 10 + number).all()


def test_small_grey_and_opaque_pictures_become_like_the_others():
    small = np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1)
    found = strips({"source": small, "made": plain(9, 1, 4, 4, 4)})
    assert found.shape == (1, 4, 10, 4)
    np.testing.assert_array_equal(found[0, :, :4, 0], small[0, ..., 0].repeat(2, 0).repeat(2, 1))
    assert (found[0, :, :4, 3] == 255).all()
    assert (found[0, :, 6:] == 9).all()


@pytest.mark.parametrize(
    ("count", "kinds", "columns"), [(16, 4, 2), (16, 3, 2), (64, 4, 4), (1, 3, 1), (9, 1, 3)]
)
def test_a_picture_is_near_to_a_square(count, kinds, columns):
    picture, names = strips_picture({str(i): plain(i, count) for i in range(kinds)}, scale=1)
    assert len(names) == columns * kinds
    rows = -(-count // columns)
    assert picture.shape == (10 * rows - 6, columns * (kinds * 6 + 4) - 6, 3)


def test_names_stand_over_their_columns():
    picture, names = strips_picture(
        {"source": plain(200, 4, 32, 32), "made": plain(100, 4, 32, 32)}, columns=2
    )
    assert names == ["source", "made"] * 2
    named = with_column_names(picture, names)
    above = named[: -len(picture)]
    np.testing.assert_array_equal(named[len(above) :], picture)
    width = picture.shape[1] / 4
    for column in range(4):
        part = above[:, int(column * width) : int((column + 1) * width)]
        assert (part < 100).any()
        assert (part[:, :2] == 255).all()
    np.testing.assert_array_equal(with_column_names(picture, ()), picture)
