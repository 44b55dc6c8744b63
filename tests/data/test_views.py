"""Colours as L*a*b*, and sources and images exchanged: of pairs, and of unpaired sets."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data
from gan_jax.config import build
from gan_jax.config.components import with_dataset
from gan_jax.data import IndexSampler, make_feed
from gan_jax.data.codecs import Lab, Pixels
from gan_jax.evaluation.evaluate import held_out_split
from gan_jax.evaluation.sources.sources import dataset_source
from gan_jax.training.input import make_fetch
from gan_jax.utils.errors import UserError
from tests.data.test_unpaired import fill


@pytest.fixture
def pairs(tmp_path):
    """A file with 60 pairs, grey to colour, and what is in it."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "source": rng.integers(0, 256, (60, 6, 4, 1), np.uint8),
        "image": rng.integers(0, 256, (60, 6, 4, 3), np.uint8),
        "label": np.arange(60) % 3,
    }
    np.savez(tmp_path / "pairs.npz", **arrays)
    return str(tmp_path / "pairs.npz")


def test_exchanged(pairs):
    plain, seen = (data.load("npz_pairs", file=pairs, direction=way) for way in ("a_to_b", "b_to_a"))
    assert seen.image_shape == (6, 4, 1)
    assert seen.fields["source"].shape == (6, 4, 3)
    assert seen.options == {**plain.options, "direction": "b_to_a"}
    assert seen.fingerprint != plain.fingerprint
    rows = np.array([5, 2])
    found, expected = seen.gather(rows), plain.gather(rows)
    np.testing.assert_array_equal(found["image"], expected["source"])
    np.testing.assert_array_equal(found["source"], expected["image"])
    np.testing.assert_array_equal(found["label"], expected["label"])
    np.testing.assert_array_equal(seen.records([5])[0]["image"], expected["source"][0])
    np.testing.assert_array_equal(seen.arrays()["source"], plain.arrays()["image"])
    test = held_out_split(seen, None)
    assert test is not None
    assert (test.image_shape, test.split) == ((6, 4, 1), "test")


def test_in_lab(pairs):
    plain, seen = (data.load("npz_pairs", file=pairs, codec=codec) for codec in ("", "lab"))
    assert (seen.fields["image"].codec, seen.fields["source"].codec) == (Lab(), Pixels())
    assert plain.fields["image"].codec == Pixels()
    np.testing.assert_array_equal(seen.arrays()["image"], plain.arrays()["image"])
    feed = make_feed(seen, IndexSampler(len(seen), 4), steps_per_call=1)
    item = jax.tree.map(lambda x: x[0], feed.get(0, 1))
    batch = make_fetch(feed, ())(feed.constants, item, jax.random.key(0))
    stored = plain.arrays()["image"][item["index"]]
    np.testing.assert_array_equal(batch["image"], Lab().decode(jnp.asarray(stored)))
    test = held_out_split(seen, None)
    assert test is not None
    assert test.fields["image"].codec == Lab()
    assert dataset_source(test).codec == Lab()


def test_unpaired(tmp_path):
    names = [f"{i}" for i in range(30)]
    fill(tmp_path / "x" / "grey", names)
    fill(tmp_path / "x" / "red", names[:20], 100)
    options: dict[str, Any] = {"folder": str(tmp_path / "x"), "height": 8, "source_channels": 1}
    plain = data.load("unpaired", **options)
    seen = data.load("unpaired", **options, direction="b_to_a")
    assert len(seen) == len(plain.parts["source"]) != len(plain)
    assert {name: field.aligned for name, field in seen.fields.items()} == {"image": True, "source": False}
    assert seen.image_shape == (8, 8, 1)
    np.testing.assert_array_equal(
        seen.parts["source"].arrays()["image"], plain.parts["image"].arrays()["image"]
    )
    test = held_out_split(seen.parts["image"], None)
    assert test is not None
    assert (test.name, test.image_shape) == ("unpaired", (8, 8, 1))
    lab = data.load("unpaired", **options, codec="lab")
    assert (lab.fields["image"].codec, lab.parts["image"].fields["image"].codec) == (Lab(), Lab())
    assert lab.fields["source"].codec == Pixels()


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (
            {"direction": "b_to_a"},
            "exchanges source and image, and shapes has only image: set data.direction=a_to_b",
        ),
        ({"direction": "back"}, "data.direction='back': choose a_to_b (source to image) or b_to_a"),
        ({"codec": "hsv"}, "data.codec='hsv': choose lab"),
    ],
)
def test_what_cannot_be_seen(view, message):
    with pytest.raises(UserError, match=re.escape(message)):
        data.load("shapes", num_examples=9, **view)


def test_grey_images_and_points_have_no_colours(pairs):
    with pytest.raises(
        UserError, match=r"images of npz_pairs are images of 1 channels: leave data.codec empty"
    ):
        data.load("npz_pairs", file=pairs, direction="b_to_a", codec="lab")
    with pytest.raises(UserError, match=r"images of ring are points of 2 channels"):
        data.load("ring", codec="lab")


def test_a_config_says_the_view(pairs):
    config = build.base_config()
    config.data.update(name="npz_pairs", file=pairs, codec="lab", direction="a_to_b")
    opened = build.open_data(config)
    assert opened.fields["image"].codec == Lab()
    other = with_dataset(config, opened.name, opened.options)
    assert other.data.codec == "lab"
    assert with_dataset(config, "shapes", {}).data.codec == ""
    assert data.splits(opened.name, **opened.options) == ("train", "test")
