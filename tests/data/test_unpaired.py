"""Two folders without pairs: layouts, who is held out, what is drawn together, and what is refused."""

import json
import re
import zlib

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.config.record import describe_data, recorded_spec
from gan_jax.data import IndexSampler, make_feed
from gan_jax.evaluation.evaluate import held_out_split
from gan_jax.utils.errors import UserError
from tests.data.conftest import SHARED


def fill(folder, names, shade=0, side=8):
    """Pictures that show their own number, plus a shade."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(np.full((side, side, 3), shade + number, np.uint8)).save(folder / f"{name}.png")


def shades(images):
    return images[:, 0, 0, 0].tolist()


def mixed(names):
    """In the order of the prepared set."""
    return sorted(names, key=lambda name: zlib.crc32(name.encode()))


@pytest.fixture
def folder(tmp_path):
    """The official layout: 5 and 7 to train, 3 and 2 to test, of other names."""
    path = tmp_path / "horse2zebra"
    fill(path / "trainA", [f"h{i}" for i in range(5)])
    fill(path / "trainB", [f"z{i}" for i in range(7)], 50)
    fill(path / "testA", [f"h{i}" for i in range(5, 8)], 100)
    fill(path / "testB", [f"z{i}" for i in range(7, 9)], 150)
    return path


def opened(folder, split="train", **options):
    return data.load("unpaired", folder=str(folder), split=split, **{"height": 8, **options})


def test_two_sides_of_their_own_lengths(folder):
    train = opened(folder)
    assert {side: len(part) for side, part in train.parts.items()} == {"source": 5, "image": 7}
    assert {name: field.aligned for name, field in train.fields.items()} == {"source": False, "image": True}
    assert (len(train), train.num_classes, train.name) == (7, None, "unpaired")
    assert shades(train.parts["source"].arrays()["image"]) == [
        int(name[1]) for name in mixed([f"h{i}" for i in range(5)])
    ]
    test = held_out_split(train, None)
    assert test is not None
    assert not test.fields["source"].aligned
    assert sorted(shades(test.gather(np.arange(2))["image"])) == [150, 151]


def test_both_sides_are_drawn_by_themselves(folder):
    train = opened(folder)
    feed = make_feed(train, IndexSampler(7, 2, seed=3), steps_per_call=70)
    drawn = jax.tree.map(np.asarray, jax.jit(feed.fetch)(feed.constants, feed.get(0, 70)))
    source, image = (drawn[side][..., 0, 0, 0].ravel() for side in ("source", "image"))
    assert np.bincount(source, minlength=5).min() > 20
    assert set(image.tolist()) == set(range(50, 57))
    together = np.zeros((5, 7), int)
    np.add.at(together, (source, image - 50), 1)
    assert together.min() > 0


def test_equal_names_are_the_truth(folder, caplog):
    for number in range(3):
        (folder / "testA" / f"h{number + 5}.png").rename(folder / "testA" / f"{9 - number}.png")
    fill(folder / "testB", ["7", "9", "8"], 200)
    for name in ("z7", "z8"):
        (folder / "testB" / f"{name}.png").unlink()
    with caplog.at_level("INFO"):
        test = opened(folder, split="test")
    assert "have the same names on both sides and are taken as pairs" in caplog.text
    assert not test.parts
    assert all(field.aligned for field in test.fields.values())
    arrays = test.arrays()
    shown = {"7": (102, 200), "8": (101, 202), "9": (100, 201)}
    pairs = list(zip(shades(arrays["source"]), shades(arrays["image"]), strict=True))
    assert pairs == [shown[name] for name in mixed(shown)]
    assert not opened(folder, split="test", truth=False).fields["source"].aligned
    assert opened(folder).parts


def test_two_sub_folders_hold_out_families_of_both(tmp_path):
    names = [f"{family}-{member}" for family in range(30) for member in range(2)]
    fill(tmp_path / "x" / "summer", names)
    fill(tmp_path / "x" / "winter", names[:40], 100)
    held_out = {name for name in names if zlib.crc32(name.split("-")[0].encode()) % 10 == 0}
    train = opened(tmp_path / "x", family="[^-]+")
    assert len(train.parts["source"]) == len(set(names) - held_out)
    assert len(train.parts["image"]) == len(set(names[:40]) - held_out)
    test = opened(tmp_path / "x", family="[^-]+", split="test")
    assert len(test) == len(held_out & set(names[:40])) > 0
    swapped = opened(tmp_path / "x", family="[^-]+", source="winter", image="summer")
    assert len(swapped.parts["image"]) == len(train.parts["source"])


def test_sides_of_other_channels_and_sizes(folder):
    fill(folder / "trainA", ["h0"], 30, side=20)
    train = opened(folder, height=6, width=4, source_channels=1)
    shapes = {name: field.shape for name, field in train.fields.items()}
    assert shapes == {"source": (6, 4, 1), "image": (6, 4, 3)}
    assert train.gather(np.array([0]))["source"].shape == (1, 6, 4, 1)


def test_each_side_knows_its_range_of_values(folder):
    """Also where they are exchanged, and in a run's record."""
    for side, white in (("trainA", 4095), ("trainB", 1023)):
        Image.fromarray(np.full((8, 8), white, np.uint16)).save(folder / side / "deep.png")
    ends = {"a_to_b": ((0, 4095), (0, 1023)), "b_to_a": ((0, 1023), (0, 4095))}
    for direction, expected in ends.items():
        train = opened(folder, direction=direction)
        recorded = recorded_spec(json.loads(json.dumps(describe_data(train))))
        for fields in (train.fields, recorded.fields):
            assert (fields["source"].file_range, fields["image"].file_range) == expected


def test_what_cannot_be_used(folder):
    (folder / "testA" / "h5.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"1 of 8 pictures cannot be used: 1 empty \(testA/h5.png\)"):
        opened(folder)
    train = opened(folder, skip_bad=True)
    assert set(train.left_out) == {"testA/h5.png"}
    assert len(opened(folder, skip_bad=True, split="test").parts["source"]) == 2


@pytest.mark.parametrize(
    ("moved", "options", "message"),
    [
        (
            {"trainB": "apart/x"},
            {},
            "horse2zebra has testA, testB, trainA and beside them apart: move what is no side of",
        ),
        ({"testB": "../gone"}, {}, "horse2zebra has testA and no side B of the same split"),
        ({}, {"source": "trainA"}, "data.image is not given: name both sub-folders of"),
        ({}, {"source": "trainA", "image": "none"}, "horse2zebra/none is not there"),
        ({}, {"height": 9, "crop": "cut"}, "5 of 8 pictures cannot be used: 8 smaller than 9x9"),
        ({}, {"channels": 2}, "channels is 2; choose one of 1, 3, 4"),
        ({}, {"family": "["}, "family is '[', which is no regular expression"),
    ],
)
def test_what_does_not_fit_is_said(folder, moved, options, message):
    for name, to in moved.items():
        (folder / to).parent.mkdir(exist_ok=True)
        (folder / name).rename(folder / to)
    message = message.replace("5 of 8", "8 of 8")
    with pytest.raises(UserError, match=re.escape(message)):
        opened(folder, **options)


def test_a_folder_without_two_sides(tmp_path):
    for name in ("a", "b", "c"):
        fill(tmp_path / name, ["1"])
    message = (
        r"holds the sub-folders a, b, c, and no two sides: give them as A and B, trainA and trainB .*, or "
        r"name two sub-folders with data.source and data.image"
    )
    with pytest.raises(UserError, match=message):
        opened(tmp_path)
    assert opened(tmp_path, source="c", image="a").parts


@pytest.mark.slow
def test_twemoji_and_noto(emoji):
    folder = emoji / "twemoji_noto"
    train = opened(folder, height=64)
    assert {side: len(part) for side, part in train.parts.items()} == {"source": 729, "image": 758}
    seen = [
        {path.stem.split("-")[0] for path in (folder / part).iterdir()}
        for part in ("trainA", "trainB", "testA")
    ]
    assert sum(map(len, seen)) == len(set().union(*seen))  # no family is in two of them
    test = held_out_split(train, None)
    assert test is not None
    assert (len(test), test.fields["source"].aligned) == (149, True)
    assert 729 + 758 + 149 == 1636
    arrays = opened(folder, height=72, split="test").arrays()
    packed = np.load(SHARED / "twemoji" / "twemoji.npz")
    names = mixed([path.stem for path in (folder / "testA").iterdir()])
    rows = [packed["codepoints"].tolist().index(name) for name in names]
    np.testing.assert_array_equal(arrays["source"], packed["images"][rows])
