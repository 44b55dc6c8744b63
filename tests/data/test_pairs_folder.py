"""Pairs in a folder: every layout, sizes and channels, who is held out, and what is refused."""

import re
import zlib

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.evaluation.evaluate import held_out_split
from gan_jax.utils.errors import UserError

RNG = np.random.default_rng(0)
PICTURES = {f"{i}": RNG.integers(0, 256, (2, 8, 6, 3), np.uint8) for i in range(24)}  # source and image
HELD_OUT = [name for name in PICTURES if zlib.crc32(name.encode()) % 10 == 0]


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    """Two sub-folders, of which the images are BMP."""
    path = tmp_path / "pairs"
    for name, (source, image) in PICTURES.items():
        save(path / "a" / f"{name}.png", source)
        save(path / "b" / f"{name}.bmp", image)
    return path


def opened(folder, split="train", **options):
    return data.load("pairs_folder", folder=str(folder), split=split, **{"height": 8, "width": 6, **options})


def check(dataset, names):
    """The pairs with these names, pixel by pixel, in the order of their names."""
    arrays = dataset.arrays()
    expected = [PICTURES[name] for name in sorted(names)]
    np.testing.assert_array_equal(arrays["source"], [source for source, _ in expected])
    np.testing.assert_array_equal(arrays["image"], [image for _, image in expected])
    assert all(field.aligned for field in dataset.fields.values())


def test_two_sub_folders(folder, caplog):
    assert HELD_OUT
    train = opened(folder)
    assert f"in {folder} the pictures of a are sources, those of b images" in caplog.text
    check(train, set(PICTURES) - set(HELD_OUT))
    check(held_out_split(train, None), HELD_OUT)
    swapped = opened(folder, source="b", image="a").arrays()
    np.testing.assert_array_equal(swapped["image"], train.arrays()["source"])


@pytest.mark.parametrize("place", ["{split}/{side}", "{side}/{split}", "{split}{side}", "{split}_{side}"])
def test_splits_by_sub_folders(tmp_path, place):
    for number, (name, pair) in enumerate(PICTURES.items()):
        split = ("train", "val", "test")[number % 3]
        for side, picture in zip("AB", pair, strict=True):
            save(tmp_path / place.format(split=split, side=side) / f"{name}.png", picture)
    names = list(PICTURES)
    for start, split in enumerate(("train", "validation", "test")):
        check(opened(tmp_path, split=split), names[start::3])


def test_side_by_side(tmp_path, caplog):
    for number, (name, pair) in enumerate(PICTURES.items()):
        save(tmp_path / ("train", "test")[number % 2] / f"{name}.png", np.concatenate(pair, axis=1))
    train = opened(tmp_path)
    check(train, list(PICTURES)[::2])
    check(held_out_split(train, None), list(PICTURES)[1::2])
    assert "are taken as pairs side by side: the left half is the source" in caplog.text


def test_side_by_side_in_classes_of_two_channels_numbers(tmp_path):
    for name, pair in PICTURES.items():
        kind = ("ant", "bee", "cat")[int(name) % 3]
        save(tmp_path / kind / f"{name}.png", np.concatenate(pair, axis=1))
    train = opened(tmp_path, family="[0-9]+", source_channels=1)
    kept = [name for name in PICTURES if name not in HELD_OUT]
    in_order = sorted(kept, key=lambda name: (int(name) % 3, name))
    assert train.class_names == ("ant", "bee", "cat")
    arrays = train.arrays()
    assert arrays["label"].tolist() == [int(name) % 3 for name in in_order]
    np.testing.assert_array_equal(arrays["image"], [PICTURES[name][1] for name in in_order])
    grey = [np.asarray(Image.fromarray(PICTURES[name][0]).convert("L")) for name in in_order]
    np.testing.assert_array_equal(arrays["source"][..., 0], grey)


def test_classes_of_both_sides(tmp_path):
    for name, pair in PICTURES.items():
        for side, picture in zip("ab", pair, strict=True):
            save(tmp_path / side / f"kind{int(name) % 2}" / f"{name}.png", picture)
    train = opened(tmp_path)
    assert train.class_names == ("kind0", "kind1")
    names = [f"kind{int(name) % 2}/{name}" for name in PICTURES]
    kept = sorted(name for name in names if zlib.crc32(name.encode()) % 10)
    assert train.arrays()["label"].tolist() == [int(name[4]) for name in kept]


def test_a_source_of_another_size_is_resized_to_its_image_first(folder, caplog):
    name = next(name for name in sorted(PICTURES) if name not in HELD_OUT)
    save(folder / "a" / f"{name}.png", np.full((30, 40, 3), 77, np.uint8))
    save(folder / "b" / f"{name}.bmp", np.full((5, 9, 3), 99, np.uint8))
    train = opened(folder)
    assert f"1 picture in {folder} (b/{name}.bmp) are smaller than 8x6 and enlarged" in caplog.text
    assert "have sources of another size, which are resized to theirs first" in caplog.text
    assert (train.arrays()["source"][0] == 77).all()
    assert (train.arrays()["image"][0] == 99).all()


def test_both_of_a_pair_are_cropped_at_the_same_place(tmp_path):
    wide = RNG.integers(0, 256, (8, 20, 3), np.uint8)
    for name in "12":
        save(tmp_path / "a" / f"{name}.png", wide)
        save(tmp_path / "b" / f"{name}.png", 255 - wide)
    arrays = opened(tmp_path, crop="cut").arrays()
    np.testing.assert_array_equal(arrays["image"][0], 255 - wide[:, 7:13])
    np.testing.assert_array_equal(arrays["source"], 255 - arrays["image"])


def test_turned_and_transparent_pictures(tmp_path):
    upright = RNG.integers(0, 256, (8, 6, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    for name in "12":
        save(tmp_path / "a" / f"{name}.png", np.rot90(upright).copy(), exif=exif)
        save(tmp_path / "b" / f"{name}.png", np.dstack([upright, np.zeros((8, 6), np.uint8)]))
    arrays = opened(tmp_path).arrays()
    np.testing.assert_array_equal(arrays["source"][0], upright)
    assert (arrays["image"] == 255).all()


def test_pictures_without_a_partner(folder):
    for name in ("3", "5", "7", "9"):
        (folder / "a" / f"{name}.png").unlink()
    (folder / "b" / "11.bmp").unlink()
    save(folder / "a" / "1.bmp", PICTURES["1"][0])
    message = (
        "6 of 44 pictures cannot be used: 1 with the same name as another on the same side (a/1.png); "
        "1 without an image of the same name (a/11.png); 4 without a source of the same name (b/3.bmp, "
        "b/5.bmp, b/7.bmp and 1 more). Mend or remove them, or leave them out with data.skip_bad=True"
    )
    with pytest.raises(UserError, match=re.escape(message)):
        opened(folder)
    train = opened(folder, skip_bad=True)
    check(train, set(PICTURES) - set(HELD_OUT) - {"3", "5", "7", "9", "11"})
    assert train.left_out["b/3.bmp"] == "without a source of the same name"


def test_a_bad_file_takes_its_partner_along(folder):
    name = next(name for name in PICTURES if name not in HELD_OUT)
    (folder / "a" / f"{name}.png").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match=r"1 of 48 pictures cannot be used: 1 of no format that is read"):
        opened(folder)
    train = opened(folder, skip_bad=True)
    check(train, set(PICTURES) - set(HELD_OUT) - {name})
    assert list(train.left_out) == [f"a/{name}.png"]


def test_an_odd_width(tmp_path):
    for name, pair in PICTURES.items():
        save(tmp_path / f"{name}.png", np.concatenate(pair, axis=1)[:, : 11 if name == "4" else 12])
    with pytest.raises(UserError, match=r"1 of 24 pictures cannot be used: 1 of an odd width, .* \(4.png\)"):
        opened(tmp_path)


def test_a_folder_beside_those_of_splits_is_refused(tmp_path):
    for name in ("trainA", "trainB", "notes"):
        save(tmp_path / name / "1.png", PICTURES["1"][0])
    with pytest.raises(UserError, match=r"has trainA, trainB and beside them notes: move what is no side"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("test_side", "message"),
    [
        ("", r"has two sides in train \(a, b\) and not in test: give every split the same two sub-folders"),
        ("aa", r"has the sides aa, b in test and a, b in train: give both the same names"),
        ("c", r"has the sides b, c in test and a, b in train: give both the same names"),
        ("A", ""),
    ],
)
def test_splits_have_the_same_two_sides(tmp_path, test_side, message):
    """Else pictures of both sides would be taken as pairs side by side, or sources as images."""
    for folder in ("train/a", "train/b", f"test/{test_side}", "test/b"):
        for name, (source, _) in PICTURES.items():
            save(tmp_path / folder / f"{name}.png", source)
    if not test_side:
        for path in (tmp_path / "test").glob("*.png"):
            path.unlink()
    if not message:
        assert len(opened(tmp_path)) == len(PICTURES)
        return
    with pytest.raises(UserError, match=message):
        opened(tmp_path)


@pytest.mark.parametrize("names", [("{}A", "{}_A", "{}B"), ("{}/a", "{}/b", "{}ing/a", "{}ing/b")])
def test_two_folders_of_one_split_are_refused(tmp_path, names):
    for name in names:
        save(tmp_path / name.format("train") / "1.png", PICTURES["1"][0])
    with pytest.raises(UserError, match=r"train.* and train.* both are the side A of the split train: keep"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "a", "image": "a"}, "data.source=a and data.image=a are in each other: name two"),
        ({"source": ".", "image": "b"}, "data.source=. and data.image=b are in each other"),
        ({"source": "a"}, "data.image is not given: name both sub-folders of"),
        ({"source": "../a", "image": "b"}, "data.source=../a: name a sub-folder of"),
        ({"height": 9, "crop": "cut"}, "24 of 48 pictures cannot be used: 24 smaller than 9x6"),
        ({"source_channels": 2}, "source_channels is 2; choose one of 1, 3, 4"),
        ({"family": "x"}, "pairs_folder: 48 names (0, 1, 10 and 45 more) have no part of the form 'x'"),
        ({"folder": ""}, "pairs_folder: no folder is given"),
        ({"split": "val"}, "has no split 'val': choose test, train"),
    ],
)
def test_what_does_not_fit_is_said(folder, options, message):
    with pytest.raises(UserError, match=re.escape(message)):
        opened(**{"folder": folder, **options})
