"""Photographs cut into tiles: which pixels, which labels, which are held out, and what is refused."""

import re
import zlib

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import photos
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


def tiles(folder, *names):
    """All tiles of 16 x 16 that begin at multiples of 5, in the mixed order, and their photographs' names."""
    found = []
    for name in names:
        photo = pixels(folder / f"{name}.png")
        for top in range(0, SIZES[name][0] - 15, 5):
            for left in range(0, SIZES[name][1] - 15, 5):
                order = zlib.crc32(f"{name} {top} {left}".encode())
                found.append((order, name, photo[top : top + 16, left : left + 16]))
    found.sort(key=lambda one: one[0])
    return [name for _, name, _ in found], np.stack([tile for _, _, tile in found])


def test_tiles_and_numbers(folder):
    train = opened(folder, held_out="p2")
    assert train.class_names == ("p1", "p2", "p10")
    assert train.image_shape == (16, 16, 3)
    names, expected = tiles(folder, "p1", "p10")
    assert names.count("p1") == 3
    arrays = train.arrays()
    np.testing.assert_array_equal(arrays["image"], expected)
    assert [train.class_names[label] for label in arrays["label"]] == names
    test = held_out_split(train, None)
    assert test is not None
    assert test.class_names == train.class_names
    np.testing.assert_array_equal(test.arrays()["image"], tiles(folder, "p2")[1])
    assert set(test.arrays()["label"].tolist()) == {1}


def test_folders_are_the_splits(folder):
    for split, names in {"train": ("p10", "p2"), "val": ("p1",)}.items():
        (folder / split).mkdir()
        for name in names:
            (folder / f"{name}.png").rename(folder / split / f"{name}.png")
    train = opened(folder)
    assert train.class_names == ("p1", "p2", "p10")
    assert sorted(train.arrays()["label"].tolist()) == [1] * 3 + [2]
    assert len(opened(folder, split="validation")) == 3
    with pytest.raises(UserError, match=r"held_out is 'p2', and the sub-folders train, val are the splits"):
        opened(folder, held_out="p2")


def test_a_tenth_by_the_name(folder, caplog):
    assert len(opened(folder)) == 3 + 3 + 1
    assert "none of the 3 pictures is held out" in caplog.text


def test_grey(folder):
    train = opened(folder, held_out="p[12]", channels=1)
    with Image.open(folder / "p10.png") as image:
        np.testing.assert_array_equal(
            train.arrays()["image"][0, ..., 0], np.asarray(image.convert("L"))[:16, :16]
        )


def test_few_photographs_are_in_memory_at_a_time(folder, monkeypatch):
    monkeypatch.setattr(photos, "PIXELS_AT_A_TIME", 1)
    assert opened(folder, held_out="p10").arrays()["label"].tolist() == [0] * 3 + [1] * 3


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
    labels = train.arrays()["label"]
    assert np.bincount(labels, minlength=24).tolist() == [77] * 18 + [0] * 6
    assert len(set(labels[:64].tolist())) > 12  # the first ones are of many photographs
    corner = pixels(KODAK / "kodim18.png")[-128:, -128:]
    assert (train.arrays()["image"][labels == 17] == corner).all(axis=(1, 2, 3)).sum() == 1
    test = held_out_split(train, None)
    assert test is not None
    assert len(test) == 6 * 77
    assert np.bincount(test.arrays()["label"])[18:].tolist() == [77] * 6
