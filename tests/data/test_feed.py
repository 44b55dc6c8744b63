"""Both ways of feeding give the same mini-batches, and they are the ones that the sampler names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data import (
    Dataset,
    DeviceFeed,
    Field,
    IndexSampler,
    StreamFeed,
    make_feed,
    random_flip,
    to_float,
)
from gan_jax.utils.errors import UserError


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (37, 6, 5, 3), dtype=np.uint8)
    records = [{"image": image, "label": i % 4, "other": 1.5} for i, image in enumerate(images)]
    return Dataset("tiny", "train", records, {"image": Field((6, 5, 3))}, 4, ("a", "b", "c", "d"), "tiny")


def batches(feed, step, num_steps):
    """What the compiled step would see: a list of mini-batches."""
    arrays = feed.get(step, num_steps)
    fetch = jax.jit(feed.fetch)
    return [
        jax.tree.map(np.asarray, fetch(feed.constants, jax.tree.map(lambda a: a[s, r], arrays)))  # noqa: B023
        for s in range(num_steps)
        for r in range(next(iter(arrays.values())).shape[1])
    ]


@pytest.mark.parametrize("remainder", ["drop", "carry"])
def test_streamed_and_resident_batches_are_equal(dataset, remainder):
    sampler = IndexSampler(len(dataset), 8, minibatches=2, seed=5, remainder=remainder)
    device = DeviceFeed(dataset, sampler, steps_per_call=3)
    stream = StreamFeed(dataset, sampler, steps_per_call=3)
    # In a row, a short call, the same again, back, and far ahead.
    for step, num_steps in ((0, 3), (3, 3), (6, 1), (7, 2), (7, 2), (2, 3), (100, 3)):
        resident, streamed = batches(device, step, num_steps), batches(stream, step, num_steps)
        named = sampler.indices(step, num_steps).reshape(-1, 8)
        for a, b, index in zip(resident, streamed, named, strict=True):
            assert a.keys() == b.keys() == {"image", "label"}
            np.testing.assert_array_equal(a["image"], b["image"])
            np.testing.assert_array_equal(a["label"], b["label"])
            np.testing.assert_array_equal(a["label"], index % 4)
            np.testing.assert_array_equal(a["image"][3], dataset.source[int(index[3])]["image"])
            assert (a["image"].dtype, a["label"].dtype) == (np.uint8, np.int32)
            assert (b["image"].dtype, b["label"].dtype) == (np.uint8, np.int32)
    device.close()
    stream.close()


def test_shapes_are_padded_to_a_whole_call(dataset):
    sampler = IndexSampler(len(dataset), 8, minibatches=2)
    device = DeviceFeed(dataset, sampler, steps_per_call=4)
    stream = StreamFeed(dataset, sampler, steps_per_call=4)
    assert device.get(0, 1)["index"].shape == (4, 2, 8)
    assert {k: v.shape for k, v in stream.get(0, 1).items()} == {
        "image": (4, 2, 8, 6, 5, 3),
        "label": (4, 2, 8),
    }
    assert stream.constants == {}
    assert {k: v.shape for k, v in device.constants.items()} == {"image": (37, 6, 5, 3), "label": (37,)}


def test_unlabelled(dataset):
    plain = Dataset("plain", "train", dataset.source, dataset.fields, None, (), "plain")
    sampler = IndexSampler(len(plain), 8)
    assert plain.arrays().keys() == {"image"}
    assert StreamFeed(plain, sampler, steps_per_call=1).get(0, 1).keys() == {"image"}
    assert batches(DeviceFeed(plain, sampler, steps_per_call=1), 0, 1)[0].keys() == {"image"}


def test_arrays_are_decoded_once_and_read_only(dataset):
    assert dataset.arrays()["image"] is dataset.arrays()["image"]
    with pytest.raises(ValueError, match="read-only"):
        dataset.arrays()["image"][0] = 0


def test_placement(dataset, monkeypatch):
    sampler = IndexSampler(len(dataset), 8)
    assert isinstance(make_feed(dataset, sampler, steps_per_call=1), DeviceFeed)
    assert isinstance(make_feed(dataset, sampler, steps_per_call=1, placement="stream"), StreamFeed)
    monkeypatch.setattr("gan_jax.data.feed.DEVICE_LIMIT_BYTES", 37 * 6 * 5 * 3)
    assert isinstance(make_feed(dataset, sampler, steps_per_call=1), StreamFeed)
    assert isinstance(make_feed(dataset, sampler, steps_per_call=1, placement="device"), DeviceFeed)
    with pytest.raises(UserError, match="auto, device, stream"):
        make_feed(dataset, sampler, steps_per_call=1, placement="gpu")  # type: ignore[arg-type]


def test_sampler_of_another_data_set_is_refused(dataset):
    with pytest.raises(UserError, match="36 examples, but tiny has 37"):
        make_feed(dataset, IndexSampler(36, 8), steps_per_call=1)
    with pytest.raises(UserError, match="at least 1"):
        make_feed(dataset, IndexSampler(37, 8), steps_per_call=0)


def test_to_float_is_exact_at_the_ends_and_right_between():
    levels = np.arange(256, dtype=np.uint8)
    floats = jax.jit(to_float)(levels)
    assert floats.dtype == jnp.float32
    assert floats[0] == -1.0
    assert floats[255] == 1.0
    np.testing.assert_allclose(floats, levels.astype(np.float64) / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(np.rint((np.asarray(floats) + 1) * 127.5), levels)


def test_random_flip_mirrors_about_half_and_depends_only_on_each_key():
    images = jnp.asarray(np.random.default_rng(0).normal(size=(400, 3, 4, 1)).astype(np.float32))
    keys = jax.random.split(jax.random.key(0), 400)
    flipped = jax.jit(random_flip)(images, keys)
    mirrored = np.array([np.array_equal(f, i[:, ::-1]) for f, i in zip(flipped, images, strict=True)])
    same = np.array([np.array_equal(f, i) for f, i in zip(flipped, images, strict=True)])
    assert (mirrored ^ same).all()
    assert 150 < mirrored.sum() < 250
    np.testing.assert_array_equal(random_flip(images[50:60], keys[50:60]), flipped[50:60])
