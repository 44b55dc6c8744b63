"""Points of a density as a data set: drawn from the seed, kept as they are, told apart by their options."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import catalog, feed, points
from gan_jax.densities import DENSITIES, Mixture, ring
from gan_jax.utils.errors import UserError


@pytest.fixture(scope="module")
def one():
    return data.load("ring", num_examples=400, seed=0)


@pytest.mark.parametrize("name", DENSITIES)
def test_every_density_is_a_data_set(name, data_dir):
    dataset = data.load(name, num_examples=30)
    assert dataset.density == DENSITIES[name]()
    dimension = dataset.density.dimension
    assert dataset.image_shape == (1, 1, dimension)
    assert (dataset.num_classes, dataset.class_names, [*dataset.fields]) == (None, (), ["image"])
    assert len(dataset) == 30
    drawn = dataset.arrays()["image"]
    assert drawn.shape == (30, 1, 1, dimension)
    assert drawn.dtype == np.float32
    assert name in data.DATASETS
    assert catalog.splits(name) == ("train", "test")
    assert not data_dir.exists()


def test_points_are_kept_as_they_are_drawn_and_lie_on_the_modes(one):
    drawn = one.arrays()["image"]
    assert not drawn.flags.writeable
    np.testing.assert_allclose(np.hypot(drawn[..., 0], drawn[..., 1]), 2.0, atol=0.1)
    assert set(ring().mode_of(drawn.reshape(-1, 2))) >= set(range(8))
    batch = one.gather(np.array([7, 3, 3]))
    assert batch["image"].dtype == np.float32
    np.testing.assert_array_equal(batch["image"], drawn[[7, 3, 3]])


def test_the_seed_says_which_points_and_the_test_split_has_others(one):
    again = data.load("ring", num_examples=400, seed=0).arrays()["image"]
    np.testing.assert_array_equal(one.arrays()["image"], again)
    other = data.load("ring", num_examples=400, seed=1).arrays()["image"]
    test = data.load("ring", num_examples=405, seed=0, split="test").arrays()["image"]
    assert len(test) == 41
    everything = np.concatenate([again, other, test]).reshape(-1, 2)
    assert len(np.unique(everything, axis=0)) == len(everything)


def test_more_points_begin_with_the_same_ones_across_blocks(monkeypatch):
    whole = points.draw(ring(), 0, 0, 30)
    monkeypatch.setattr(points, "_BLOCK", 8)
    blocks = points.draw(ring(), 0, 0, 30)
    np.testing.assert_array_equal(points.draw(ring(), 0, 0, 11), blocks[:11])
    np.testing.assert_array_equal(blocks[:8], whole[:8])
    assert len(np.unique(blocks, axis=0)) == 30


def test_an_option_reaches_the_density():
    dataset = data.load("ring", num_examples=200, modes=3, radius=5, std=0.5)
    assert dataset.density == ring(3, 5.0, 0.5)
    assert dataset.options == dict(modes=3, radius=5.0, std=0.5, num_examples=200, seed=0)
    line = data.load("mixture", num_examples=10, means=[0, 4], stds=(1.0, 2.0), weights=[1, 3])
    assert line.density == Mixture(((0.0,), (4.0,)), (1.0, 2.0), (1.0, 3.0))


@pytest.mark.parametrize(
    "changed", [dict(std=0.03), dict(modes=7), dict(radius=1.0), dict(num_examples=401), dict(seed=1)]
)
def test_any_option_changes_the_fingerprint(one, changed):
    assert data.load("ring", **{"num_examples": 400, "seed": 0, **changed}).fingerprint != one.fingerprint


def test_the_fingerprint_knows_the_name_and_the_split_and_nothing_else(one):
    def fingerprint(name="mixture", split="train", **options):
        return data.load(name, split=split, **options).fingerprint

    assert fingerprint(split="test") != fingerprint() != fingerprint(split="train[:50%]")
    assert fingerprint("swiss_roll", std=0.1) != fingerprint("two_moons", std=0.1)
    lists = json.loads(json.dumps(data.load("mixture", means=(1, 2), stds=(1, 1)).options))
    assert fingerprint(**lists) == fingerprint(means=(1.0, 2.0), stds=(1.0, 1.0)) != fingerprint()


@pytest.mark.parametrize(
    ("split", "part"),
    [
        ("train[:100]", slice(None, 100)),
        ("train[100:]", slice(100, None)),
        ("train[-50:]", slice(-50, None)),
        ("train[25%:50%]", slice(100, 200)),
        ("train[:]", slice(None)),
        ("train[390:1000]", slice(390, 400)),
    ],
)
def test_parts_of_a_split(one, split, part):
    dataset = data.load("ring", num_examples=400, split=split)
    assert dataset.split == split
    expected = one.arrays()["image"][part]
    assert len(dataset) == len(expected)
    np.testing.assert_array_equal(dataset.arrays()["image"], expected)
    np.testing.assert_array_equal(dataset.gather(np.array([2]))["image"], expected[[2]])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ring", dict(size=3), "Unknown option size .*ring: it has modes, radius, std, num_examples, seed"),
        ("ring", dict(std=-1.0), r"data set ring: std=-1\.0"),
        ("ring", dict(std="wide"), "std='wide'"),
        ("ring", dict(modes=2.5), r"modes=2\.5"),
        ("mixture", dict(means="ab"), "means='ab'"),
        ("mixture", dict(means=(1.0,)), "stds="),
        ("two_moons", dict(pieces=3), "multiple of 2"),
        ("swiss_roll", dict(num_examples=0), "num_examples=0"),
        ("swiss_roll", dict(num_examples=10.0), r"num_examples=10\.0"),
        ("swiss_roll", dict(seed=-1), "seed=-1"),
        ("swiss_roll", dict(seed=True), "seed=True"),
        ("swiss_roll", dict(seed=2**32), "seed=4294967296"),
        ("grid", dict(split="val"), "no split 'val': choose test, train"),
        ("grid", dict(split="train[1"), "Cannot read the split 'train"),
        ("grid", dict(split="train+test"), "Cannot read the split"),
        ("grid", dict(split="train[:0]"), "is empty"),
        ("grid", dict(split="test[20:]", num_examples=100), "is empty: test has 10 points"),
    ],
)
def test_what_makes_no_sense_is_refused(name, options, message):
    with pytest.raises(UserError, match=message):
        data.load(name, **options)


def test_nothing_is_to_be_prepared():
    with pytest.raises(UserError, match=r"Nothing is to be prepared: the points of ring"):
        data.prepare("ring")


def test_an_unknown_name_is_answered_with_these_names_too():
    with pytest.raises(UserError, match=r"shapes, .*ring, grid, swiss_roll"):
        data.load("rings")


def test_both_feeds_give_the_points_that_the_sampler_names(one):
    sampler = data.IndexSampler(400, 50, minibatches=2, seed=1)
    device = data.make_feed(one, sampler, steps_per_call=3)
    stream = data.make_feed(one, sampler, steps_per_call=3, placement="stream")
    assert isinstance(device, data.DeviceFeed)
    streamed = stream.get(4, 2)["image"]
    assert streamed.dtype == np.float32
    index = device.get(4, 2)["index"]
    np.testing.assert_array_equal(index[:2], sampler.indices(4, 2))
    constants, item = jax.tree.map(jnp.asarray, (device.constants, {"index": index}))
    np.testing.assert_array_equal(streamed[:2], device.fetch(constants, item)["image"][:2])
    stream.close()


def test_a_set_is_placed_by_its_size_in_bytes(one, monkeypatch):
    """400 points of the plane are 3,200 bytes; a set below the limit goes to the device."""
    sampler = data.IndexSampler(400, 50)
    for limit, kind in ((3200, data.StreamFeed), (3201, data.DeviceFeed)):
        monkeypatch.setattr(feed, "DEVICE_LIMIT_BYTES", limit)
        assert isinstance(data.make_feed(one, sampler, steps_per_call=1), kind)
