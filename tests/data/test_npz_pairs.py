"""Pairs from an .npz file: what a batch holds, who is held out, and what is refused."""

import zlib

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.evaluation.evaluate import held_out_split
from gan_jax.utils.errors import UserError
from tests.data.conftest import SHARED

NAMES = [f"{family:x}-{member}" for family in range(40) for member in range(3)]


@pytest.fixture
def arrays():
    """120 pairs in 40 families of three; grey 12 x 10 to colour."""
    rng = np.random.default_rng(0)
    return {
        "source": rng.integers(0, 256, (120, 12, 10), np.uint8),
        "image": rng.integers(0, 256, (120, 12, 10, 3), np.uint8),
        "name": np.array(NAMES),
        "label": np.arange(120) % 4,
        "class_names": np.array(["ant", "bee", "cat", "dog"]),
    }


@pytest.fixture
def opened(tmp_path):
    """(arrays, options) -> the data set."""

    def make(arrays, split="train", **options):
        np.savez_compressed(tmp_path / "pairs.npz", **arrays)
        return data.load("npz_pairs", split=split, file=str(tmp_path / "pairs.npz"), **options)

    return make


def test_pairs_with_labels_as_they_are(opened, arrays):
    train = opened(arrays, family="[^-]+")
    assert {name: field.shape for name, field in train.fields.items()} == {
        "source": (12, 10, 1),
        "image": (12, 10, 3),
    }
    assert all(field.aligned for field in train.fields.values())
    assert train.class_names == ("ant", "bee", "cat", "dog")
    kept = [i for i, name in enumerate(NAMES) if zlib.crc32(name.split("-")[0].encode()) % 10]
    assert 0 < len(kept) < 120
    found = train.arrays()
    np.testing.assert_array_equal(found["source"], arrays["source"][kept][..., None])
    np.testing.assert_array_equal(found["image"], arrays["image"][kept])
    np.testing.assert_array_equal(found["label"], arrays["label"][kept])
    test = held_out_split(train, None)
    assert test is not None
    held_out = sorted(set(range(120)) - set(kept))
    np.testing.assert_array_equal(test.arrays()["image"], arrays["image"][held_out])


def test_without_names_and_labels(opened, arrays):
    train = opened({side: arrays[side] for side in ("source", "image")})
    assert train.num_classes is None
    assert len(train) == sum(zlib.crc32(str(i).encode()) % 10 != 0 for i in range(120))


@pytest.mark.parametrize("crop", ["center", "none", "cut"])
def test_another_size(opened, arrays, crop):
    found = opened(arrays, height=6, width=4, crop=crop, filter="box").arrays()
    first = next(i for i, name in enumerate(NAMES) if zlib.crc32(name.encode()) % 10)
    expected = {
        "cut": arrays["image"][first, 3:9, 3:7],
        "none": np.asarray(Image.fromarray(arrays["image"][first]).resize((4, 6), Image.Resampling.BOX)),
        "center": np.asarray(
            Image.fromarray(arrays["image"][first]).resize((4, 6), Image.Resampling.BOX, (1, 0, 9, 12))
        ),
    }[crop]
    np.testing.assert_array_equal(found["image"][0], expected)
    assert found["source"].shape[1:] == (6, 4, 1)


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({"source": None}, {}, r"holds class_names, image, label, name, and no source: it must have"),
        ({"source": np.zeros((119, 12, 10), np.uint8)}, {}, r"has 119 sources and 120 images"),
        ({"image": np.zeros((120, 12, 10, 3))}, {}, r"images are float64 .*must be uint8 \[N, H, W, C\]"),
        ({"name": np.arange(7)}, {}, r"name is \[7\]; it must be \[120\]"),
        ({"label": np.arange(120)}, {}, r"labels go from 0 to 119: they must be 0 to 3 at most"),
        (
            {},
            {"family": "x(.)"},
            r"120 names \(0-0, 0-1, 0-2 and 117 more\) have no part of the form 'x\(.\)'",
        ),
        ({}, {"family": "("}, r"family is '\(', which is no regular expression"),
        ({"name": np.array(["0-0"] * 120)}, {"family": "."}, None),
        ({}, {"height": 13, "crop": "cut"}, r"sources are 12x10, smaller than the 13x13 that data.crop=cut"),
        ({"image": np.zeros((120, 12, 10, 2), np.uint8)}, {"height": 8}, r"image has 2 channels"),
        ({}, {"width": 8}, r"width is 8 and height is 0"),
        ({}, {"crop": "left"}, r"crop is 'left'; choose one of center, none, cut"),
    ],
)
def test_what_does_not_fit_is_said(opened, arrays, changed, options, message, caplog):
    arrays = {name: value for name, value in {**arrays, **changed}.items() if value is not None}
    if message is None:
        assert len(opened(arrays, **options)) == 120
        assert "none of the 120 pictures is held out" in caplog.text
        return
    with pytest.raises(UserError, match=message):
        opened(arrays, **options)


def test_no_such_file_and_no_npz(tmp_path):
    with pytest.raises(UserError, match=r"npz_pairs: no file is given"):
        data.load("npz_pairs")
    with pytest.raises(UserError, match=r"npz_pairs: .*none.npz is not there"):
        data.load("npz_pairs", file=str(tmp_path / "none.npz"))
    with pytest.raises(UserError, match=r"pairs.npz is not there: experiments/emoji/prepare.py makes it"):
        data.load("npz_pairs", file=str(tmp_path / "emoji" / "pairs.npz"))
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(UserError, match=r"text.npz is no .npz file that can be read"):
        data.load("npz_pairs", file=str(tmp_path / "text.npz"))


@pytest.mark.slow
def test_openmoji(emoji):
    file = str(emoji / "openmoji_pairs.npz")
    train = data.load("npz_pairs", file=file, family="[^-]+", height=64, crop="cut")
    test = held_out_split(train, None)
    assert test is not None
    assert (len(train), len(test)) == (1696, 180)
    packed = np.load(SHARED / "openmoji" / "openmoji.npz")
    names = packed["codepoints"].tolist()
    kept = np.load(emoji / "openmoji_pairs.npz")["name"].tolist()
    held_out = [zlib.crc32(name.split("-")[0].encode()) % 10 == 0 for name in kept]
    rows = [names.index(name) for name, is_out in zip(kept, held_out, strict=True) if is_out]
    pairs = test.arrays()
    np.testing.assert_array_equal(pairs["image"], packed["images"][rows][:, 4:-4, 4:-4])
    np.testing.assert_array_equal(pairs["source"][..., 0], packed["line"][rows][:, 4:-4, 4:-4])
    groups = [test.class_names[label] for label in pairs["label"]]
    assert groups == packed["group"][rows].tolist()
    distance = np.abs(pairs["image"].astype(float) - pairs["source"]).mean() / 255
    np.testing.assert_allclose(distance, 0.098, atol=5e-4)  # of the line itself
