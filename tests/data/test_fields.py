"""A data set with more fields than an image: through files, both feeds, all hosts and devices."""

from collections.abc import Iterator

import jax
import numpy as np
import pytest

from gan_jax.data import Dataset, Field, IndexSampler, make_feed
from gan_jax.data.builder import LocalBuilder, NoOptions
from gan_jax.data.codecs import Lab, Pixels, Points, Tiles, Wave
from gan_jax.data.prepared import open_folder
from gan_jax.data.records import PreparedRecords
from gan_jax.data.transforms import flip
from gan_jax.distributed import parallel
from gan_jax.training.input import make_fetch
from gan_jax.utils.errors import UserError

COUNT = 40
FIELDS = {
    "image": Field((4, 6, 3)),
    "source": Field((4, 6, 3), Lab()),
    "level": Field((5, 3, 4), Tiles(np.arange(12).reshape(4, 3))),
    "sound": Field((32, 1, 1), Wave(16_000)),
    "place": Field((1, 1, 2), Points()),
}
IMAGES = {name: FIELDS[name] for name in ("image", "source")}


def stored(name: str) -> np.ndarray:
    """All examples of a field."""
    field, rng = FIELDS[name], np.random.default_rng(len(name))
    shape = (COUNT, *field.stored_shape)
    if field.codec.dtype == np.float32:
        return rng.normal(size=shape).astype(np.float32)
    low = -(2**15) if field.codec.dtype == np.int16 else 0
    high = {"tiles": 4, "wave": 2**15}.get(field.codec.name, 256)
    return rng.integers(low, high, shape, dtype=field.codec.dtype)


ARRAYS = {name: stored(name) for name in FIELDS}


class Several(LocalBuilder):
    """As later builders write them."""

    SPLITS = ("train",)

    def fields(self) -> dict[str, Field]:
        return FIELDS

    def class_names(self) -> tuple[str, ...]:
        return ("a", "b", "c")

    def num_examples(self, split: str) -> int:
        return COUNT

    def records(self, split: str) -> Iterator[dict]:
        for i in range(COUNT):
            yield {"label": i % 3, **{name: values[i] for name, values in ARRAYS.items()}}


@pytest.fixture(params=["records", "files"])
def dataset(request, data_dir):
    """In memory, and prepared."""
    if request.param == "records":
        records = list(Several(NoOptions(), data_dir=data_dir).records("train"))
        return Dataset("several", "train", records, FIELDS, 3, ("a", "b", "c"), "several")
    folder = Several(NoOptions(), data_dir=data_dir).prepare()
    return open_folder(folder, name="several", split="train", content="x", options={}, fields=FIELDS)


def test_all_fields_are_read_as_they_were_written(dataset):
    assert (len(dataset), dataset.image_shape, dataset.num_classes) == (COUNT, (4, 6, 3), 3)
    assert dataset.example_bytes == 72 + 72 + 15 + 64 + 8
    arrays = dataset.arrays()
    assert arrays.keys() == {*FIELDS, "label"}
    for name, values in ARRAYS.items():
        assert arrays[name].dtype == FIELDS[name].codec.dtype
        np.testing.assert_array_equal(arrays[name], values)
    np.testing.assert_array_equal(arrays["label"], np.arange(COUNT) % 3)
    batch = dataset.gather(np.array([7, 39, 7]))
    np.testing.assert_array_equal(batch["sound"], ARRAYS["sound"][[7, 39, 7]])
    np.testing.assert_array_equal(dataset.records([5])[0]["level"], ARRAYS["level"][5])


def test_fields_of_files_are_read_past_tfds(data_dir):
    folder = Several(NoOptions(), data_dir=data_dir).prepare()
    dataset = open_folder(folder, name="several", split="train", content=None, options={}, fields=FIELDS)
    assert isinstance(dataset.source, PreparedRecords)
    assert "40 examples" in dataset.fingerprint
    # Who does not know the builder finds the pictures in "image".
    plain = open_folder(folder, name="several", split="train", content=None, options={})
    assert plain.fields == {"image": Field((4, 6, 3))}
    np.testing.assert_array_equal(plain.arrays()["image"], ARRAYS["image"])


@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize("placement", ["device", "stream"])
def test_every_feed_gives_all_fields_of_the_named_examples(dataset, placement, hosts):
    sampler = IndexSampler(COUNT, 8, minibatches=2, seed=4)
    named = sampler.indices(3, 2)
    for host in range(hosts):
        feed = make_feed(dataset, sampler, steps_per_call=3, placement=placement, host=host, hosts=hosts)
        batch = jax.jit(feed.fetch)(feed.constants, feed.get(3, 2))
        assert feed.fields == FIELDS
        mine = named[:, :, host * 8 // hosts : (host + 1) * 8 // hosts]
        for name, values in ARRAYS.items():
            assert batch[name].dtype == values.dtype
            np.testing.assert_array_equal(batch[name][:2], values[mine])
        np.testing.assert_array_equal(batch["label"][:2], mine % 3)
        feed.close()


@pytest.mark.parametrize("placement", ["device", "stream"])
def test_a_step_sees_decoded_fields_and_the_same_on_any_number_of_devices(dataset, placement):
    sampler = IndexSampler(COUNT, 16, minibatches=2, seed=4)
    feed = make_feed(dataset, sampler, steps_per_call=1, placement=placement)
    fetch, key = make_fetch(feed, (flip(IMAGES),)), jax.random.key(9)
    item = jax.tree.map(lambda x: x[0], feed.get(5, 1))
    found = []
    for devices in (1, 8):
        mesh = parallel.mesh_of_at_most(devices)
        constants = parallel.place(feed.constants, parallel.replicated(mesh))
        placed = parallel.place(item, parallel.split_on(mesh, 1))
        found.append(jax.jit(fetch)(constants, placed, key))
    one, eight = found
    named, mirrored = sampler.indices(5, 1)[0], {}
    for name, field in FIELDS.items():
        assert (one[name].dtype, one[name].shape) == (np.float32, (2, 16, *field.shape))
        tolerance = 2e-6 if field.codec == Lab() else 0  # a vector of cube roots is rounded as it comes
        np.testing.assert_allclose(one[name], eight[name], rtol=0, atol=tolerance)
        seen = np.asarray(jax.jit(field.codec.decode)(ARRAYS[name][named]))
        if name in IMAGES:
            turned = np.abs(one[name] - seen[:, :, :, ::-1]).max(axis=(2, 3, 4), keepdims=True) < 2e-6
            seen = np.where(turned, seen[:, :, :, ::-1], seen)
            mirrored[name] = turned
        np.testing.assert_allclose(one[name], seen, atol=2e-6)
    np.testing.assert_array_equal(mirrored["image"], mirrored["source"])
    assert 0 < mirrored["image"].sum() < 32
    np.testing.assert_array_equal(one["label"], named % 3)
    feed.close()


def test_a_field_of_another_dtype_is_refused():
    records = [{"image": np.zeros((4, 6, 3), np.uint8), "sound": np.zeros((32, 1, 1), np.int32)}]
    fields = {name: FIELDS[name] for name in ("image", "sound")}
    dataset = Dataset("several", "train", records, fields, None, (), "several")
    with pytest.raises(UserError, match="several should hold int16 and example 0 is int32"):
        dataset.arrays()


def test_the_field_is_a_pixel_field_where_nothing_else_is_said():
    assert Field((4, 6, 3)) == Field((4, 6, 3), Pixels(), aligned=True)
