"""Photographs cut into tiles: which pixels, which labels, which are held out, and what is refused."""

import re

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.evaluation.evaluate import held_out_split
from gan_jax.utils.errors import UserError
from tests.data.conftest import SHARED

KODAK = SHARED / "kodak"
SIZES = {"p1": (20, 30), "p2": (30, 20), "p10": (17, 16)}  # height, width


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    rng = np.random.default_rng(0)
    for name, (height, width) in SIZES.items():
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path / f"{name}.png")
    return path


def opened(folder, split="train", **options):
    return data.load("photos", folder=str(folder), split=split, **{"tile": 16, "stride": 5, **options})


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def tiles(photo, tile, stride):
    """Every tile by its definition."""
    height, width, _ = photo.shape
    starts = [(y, x) for y in range(height) for x in range(width) if y % stride == x % stride == 0]
    return [photo[y : y + tile, x : x + tile] for y, x in starts if y + tile <= height and x + tile <= width]


def test_tiles_and_numbers(folder):
    train = opened(folder, held_out="p2")
    assert train.class_names == ("p1", "p2", "p10")
    assert train.image_shape == (16, 16, 3)
    expected = {name: tiles(pixels(folder / f"{name}.png"), 16, 5) for name in SIZES}
    arrays = train.arrays()
    np.testing.assert_array_equal(arrays["image"], np.stack(expected["p1"] + expected["p10"]))
    assert arrays["label"].tolist() == [0] * 3 + [2]
    test = held_out_split(train, None)
    assert test is not None
    assert test.class_names == train.class_names
    np.testing.assert_array_equal(test.arrays()["image"], np.stack(expected["p2"]))
    assert set(test.arrays()["label"].tolist()) == {1}


def test_folders_are_the_splits(folder):
    for split, names in {"train": ("p10", "p2"), "val": ("p1",)}.items():
        (folder / split).mkdir()
        for name in names:
            (folder / f"{name}.png").rename(folder / split / f"{name}.png")
    train = opened(folder)
    assert train.class_names == ("p1", "p2", "p10")
    assert train.arrays()["label"].tolist() == [1] * 3 + [2]
    assert len(opened(folder, split="validation")) == 3


def test_a_tenth_by_the_name(folder, caplog):
    assert len(opened(folder)) == 3 + 3 + 1
    assert "none of the 3 pictures is held out" in caplog.text


def test_grey(folder):
    train = opened(folder, held_out="p2", channels=1)
    with Image.open(folder / "p1.png") as image:
        np.testing.assert_array_equal(
            train.arrays()["image"][0, ..., 0], np.asarray(image.convert("L"))[:16, :16]
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"tile": 17},
            "1 of 3 pictures cannot be used: 1 smaller than 17x17 (p10.png). Mend or remove them, or",
        ),
        ({"tile": 0}, "tile is 0 and stride 5; both must be at least 1"),
        ({"stride": 0}, "tile is 16 and stride 0"),
        ({"channels": 4}, "channels is 4; choose one of 1, 3"),
        ({"held_out": "("}, "held_out is '(', which is no regular expression"),
        ({"held_out": "p"}, "held_out is 'p', which matches none of the 3 names (p1, p2, p10)"),
        ({"held_out": "p.*"}, "held_out is 'p.*', which matches all of the 3 names"),
        ({"folder": ""}, "photos: no folder is given"),
    ],
)
def test_what_does_not_fit_is_said(folder, options, message):
    with pytest.raises(UserError, match=re.escape(message)):
        data.load("photos", **{"folder": str(folder), "tile": 16, "stride": 5, **options})


def test_what_cannot_be_used_is_left_out(folder):
    (folder / "p10.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1 of no format that is read"):
        opened(folder, held_out="p2")
    train = opened(folder, held_out="p2", skip_bad=True)
    assert len(train) == 3
    assert set(train.left_out) == {"p10.png"}


@pytest.mark.skipif(not KODAK.is_dir(), reason="the Kodak photographs are not in ../shared/data/kodak")
def test_kodak(tmp_path):
    folder = tmp_path / "kodak"
    folder.mkdir()
    for photo in KODAK.glob("kodim*.png"):
        (folder / photo.name).symlink_to(photo)
    train = data.load("photos", folder=str(folder), held_out="kodim(19|2.)")
    assert (len(train), train.num_classes) == (18 * 77, 24)
    last = train.gather(np.array([18 * 77 - 1]))
    np.testing.assert_array_equal(last["image"][0], pixels(KODAK / "kodim18.png")[-128:, -128:])
    assert train.class_names[last["label"][0]] == "kodim18"
    test = held_out_split(train, None)
    assert test is not None
    assert len(test) == 6 * 77
    assert sorted(set(test.gather(np.arange(0, 462, 77))["label"].tolist())) == list(range(18, 24))
