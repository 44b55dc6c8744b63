"""Unpaired data sets as the fields of one: each drawn from in an order of its own, whatever its length."""

import jax
import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import Dataset, Field, IndexSampler, make_feed
from gan_jax.data.codecs import Lab
from gan_jax.data.zipped import zipped
from gan_jax.utils.errors import UserError


def part(count, name, start=0, codec=None, **fields):
    """Examples that show their own number."""
    field = Field((2, 2, 3)) if codec is None else Field((2, 2, 3), codec)
    records = [{"image": np.full((2, 2, 3), start + i, np.uint8), "label": i % 3} for i in range(count)]
    return Dataset(name, "train", records, {"image": field, **fields}, 3, ("a", "b", "c"), f"{name} {count}")


@pytest.fixture(scope="module")
def both():
    return zipped({"image": part(37, "horses"), "source": part(23, "zebras", 100, Lab())}, {"option": 1})


def numbers(batch):
    """Which examples a batch holds: {field: [..]}."""
    return {name: np.asarray(batch[name])[..., 0, 0, 0].astype(int) for name in ("image", "source")}


def batches(feed, step, count):
    """Stored batches of these steps, [count, minibatches, B, ...]."""
    fetched = jax.jit(feed.fetch)(feed.constants, feed.get(step, count))
    return jax.tree.map(lambda x: np.asarray(x[:count]), fetched)


def test_the_whole_is_as_long_as_its_images_and_has_their_labels(both):
    assert (both.name, len(both), both.num_classes, both.image_shape) == ("zip", 37, 3, (2, 2, 3))
    assert both.fields == {"image": Field((2, 2, 3)), "source": Field((2, 2, 3), Lab(), aligned=False)}
    assert both.fingerprint == "zip of image: horses 37; source: zebras 23"
    assert both.options == {"option": 1}
    batch = both.gather(np.array([0, 30, 36]))
    np.testing.assert_array_equal(numbers(batch)["image"], [0, 30, 36])
    np.testing.assert_array_equal(numbers(batch)["source"], [100, 107, 113])
    np.testing.assert_array_equal(batch["label"], [0, 0, 0])
    record = both.records([30])[0]
    assert (record["image"][0, 0, 0], record["source"][0, 0, 0], record["label"]) == (30, 107, 0)


@pytest.mark.parametrize("placement", ["device", "stream"])
def test_a_batch_is_a_function_of_the_step(both, placement):
    sampler = IndexSampler(37, 8, minibatches=2, seed=5)
    feed = make_feed(both, sampler, steps_per_call=4, placement=placement)
    assert feed.fields == both.fields
    whole = batches(feed, 0, 4)
    np.testing.assert_array_equal(numbers(whole)["image"], sampler.indices(0, 4))
    np.testing.assert_array_equal(whole["label"], sampler.indices(0, 4) % 3)
    again = make_feed(both, IndexSampler(37, 8, minibatches=2, seed=5), steps_per_call=4, placement=placement)
    for first, count in ((3, 1), (0, 2), (2, 2), (1, 3)):  # resumed anywhere, in calls of any length
        part = batches(again, first, count)
        for name, values in part.items():
            np.testing.assert_array_equal(values, whole[name][first : first + count])
    feed.close()
    again.close()


def test_both_placements_and_all_hosts_give_the_same(both):
    sampler = IndexSampler(37, 8, seed=5)
    whole = batches(make_feed(both, sampler, steps_per_call=3, placement="device"), 7, 3)
    for placement in ("device", "stream"):
        shares = []
        for host in range(2):
            feed = make_feed(both, sampler, steps_per_call=3, placement=placement, host=host, hosts=2)
            shares.append(batches(feed, 7, 3))
            feed.close()
        for name, values in whole.items():
            joined = np.concatenate([share[name] for share in shares], axis=2)
            np.testing.assert_array_equal(joined, values)


def test_each_part_is_shuffled_by_itself_and_shown_once_an_epoch(both):
    def order(seed, name, parts=both):
        """The first two epochs of a part, example by example."""
        feed = make_feed(parts, IndexSampler(len(parts), 1, seed=seed), steps_per_call=74)
        return numbers(batches(feed, 0, 74))[name].ravel()

    images, sources = order(5, "image"), order(5, "source")
    assert sorted(images[:37]) == list(range(37)) == sorted(images[37:])
    assert sorted(sources[:23]) == list(range(100, 123)) == sorted(sources[23:46])
    assert (sources[:23] != sources[23:46]).any()
    assert (order(6, "source") != sources).any()
    twins = zipped({"image": part(37, "horses"), "source": part(37, "horses")}, {})
    assert (order(5, "image", twins) == images).all()
    assert (order(5, "source", twins) != images).mean() > 0.8
    turned = zipped({"source": part(23, "zebras", 100), "image": part(37, "horses")}, {})
    np.testing.assert_array_equal(order(5, "source", turned), sources)


def test_a_batch_that_is_larger_than_a_part_is_refused(both):
    with pytest.raises(UserError, match=r"part source of the zip: The batch size is 30.*only 23 examples"):
        make_feed(both, IndexSampler(37, 30), steps_per_call=1)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "zip of nothing: give the part image"),
        ({"image": part(3, "a")}, "zip of image: .*at least one more"),
        ({"source": part(3, "a"), "target": part(3, "b")}, "give the part image"),
        ({"image": part(3, "a"), "label": part(3, "b")}, "none of them called label"),
        (
            {"image": part(3, "a"), "source": part(3, "b", depth=Field((2, 2, 1)))},
            "part source of a zip is b, with the fields image, depth",
        ),
    ],
)
def test_what_makes_no_zip(parts, said):
    with pytest.raises(UserError, match=said):
        zipped(parts, {})


def test_a_zip_is_opened_by_its_parts(data_dir):
    parts = {
        "image": {"name": "shapes", "num_examples": 30, "resolution": 16},
        "source": {"name": "shapes", "num_examples": 50, "resolution": 16, "seed": 1, "split": "test"},
    }
    dataset = data.load("zip", data_dir=str(data_dir), parts=parts)
    assert (len(dataset), len(dataset.parts["source"])) == (30, 5)
    assert (dataset.split, dataset.parts["source"].split) == ("train", "test")
    assert dataset.options == {"parts": parts}
    alone = data.load("shapes", data_dir=str(data_dir), num_examples=30, resolution=16)
    np.testing.assert_array_equal(dataset.gather(np.arange(30))["image"], alone.arrays()["image"])
    assert alone.fingerprint in dataset.fingerprint


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "has the option parts and no other"),
        ({"parts": {"image": {"name": "ring"}}, "seed": 1}, "has the option parts and no other"),
        ({"parts": "shapes"}, r"not \{'parts': 'shapes'\}"),
        ({"parts": {"image": {"name": "ring"}, "source": {"seed": 1}}}, "part source of a zip must be dict"),
        ({"parts": {"image": {"name": "ring"}, "source": "ring"}}, "part source of a zip must be dict"),
        (
            {"parts": {"image": {"name": "ring"}, "source": {"name": "ring", "size": 1}}},
            "Unknown option size",
        ),
    ],
)
def test_a_zip_that_cannot_be_opened(options, said):
    with pytest.raises(UserError, match=said):
        data.load("zip", **options)


def test_a_zip_is_not_prepared():
    with pytest.raises(UserError, match="Nothing is to be prepared of a zip: prepare its parts"):
        data.prepare("zip")
