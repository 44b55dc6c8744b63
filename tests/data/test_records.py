"""Prepared sets of several files, and batches that are read past tfds's decoding."""

import io
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from gan_jax import data
from gan_jax.data import builder, shapes
from gan_jax.data.records import PreparedRecords


@pytest.fixture
def small_files(monkeypatch):
    """Files of 8 pictures of `shapes` instead of a gibibyte."""
    monkeypatch.setattr(builder, "SHARD_BYTES", 8 * 16 * 16 * 3)


def test_a_large_set_lies_in_several_files(data_dir, small_files):
    dataset = data.load("shapes", num_examples=50, resolution=16)
    names = sorted(path.name for path in data_dir.rglob("shapes-train*"))
    assert names == [f"shapes-train.array_record-{i:05d}-of-00007" for i in range(7)]
    factors = shapes.sample_factors(50, 0)
    np.testing.assert_array_equal(dataset.arrays()["image"], shapes.draw(factors, 16, 3))
    np.testing.assert_array_equal(dataset.arrays()["label"], factors["shape"])
    np.testing.assert_array_equal(shapes.factors_of(dataset)["colour"], factors["colour"])
    assert len(data.load("shapes", num_examples=50, resolution=16, split="test")) == 5


def test_a_part_that_begins_and_ends_inside_of_files(small_files):
    whole = data.load("shapes", num_examples=50, resolution=16).arrays()
    part = data.load("shapes", num_examples=50, resolution=16, split="train[3:41]")
    assert len(part) == 38
    indices = np.array([37, 0, 12, 5, 12, 4])
    batch = part.gather(indices)
    np.testing.assert_array_equal(batch["image"], whole["image"][indices + 3])
    np.testing.assert_array_equal(batch["label"], whole["label"][indices + 3])
    np.testing.assert_array_equal(part.arrays()["image"], whole["image"][3:41])


def test_threads_may_read_at_once(small_files):
    dataset = data.load("shapes", num_examples=50, resolution=16)
    images = shapes.draw(shapes.sample_factors(50, 0), 16, 3)
    orders = [np.random.default_rng(i).permutation(50) for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for order, batch in zip(orders, pool.map(dataset.gather, orders), strict=True):
            np.testing.assert_array_equal(batch["image"], images[order])


@pytest.mark.parametrize(
    ("num_bytes", "num_examples", "files"),
    [(1, 1, 1), (2**30, 9, 1), (2**30 + 1, 9, 2), (10_000_000 * 64 * 64 * 3, 10_000_000, 115)],
)
def test_files_are_of_a_gibibyte(num_bytes, num_examples, files):
    assert builder.shard_count(num_bytes, num_examples) == files


def test_not_more_files_than_can_be_open_and_than_there_are_examples():
    assert builder.shard_count(2**50, 10**9) == 512
    assert builder.shard_count(2**40, 3) == 3


def test_preparing_keeps_no_picture_that_is_written(monkeypatch):
    """A file of a gibibyte must not need a gibibyte of memory."""

    class Picture(np.ndarray):
        pass

    references = []
    records = shapes.Shapes.records

    def watched(self, split):
        for record in records(self, split):
            image = np.array(record["image"]).view(Picture)
            references.append(weakref.ref(image))
            yield record | {"image": image}
            del image
            assert sum(reference() is not None for reference in references) <= 3

    monkeypatch.setattr(shapes.Shapes, "records", watched)
    data.load("shapes", num_examples=40)
    assert len(references) == 44


class Stored(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A set as others prepare it, with its pictures in the feature FEATURE."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURE: tfds.features.FeatureConnector

    def _info(self):
        features = tfds.features.FeaturesDict({"name": tfds.features.Text(), "image": self.FEATURE})
        return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i, image in enumerate(pictures()):
            png = io.BytesIO()
            Image.fromarray(image).save(png, "PNG")
            png.seek(0)
            is_image = isinstance(self.FEATURE, tfds.features.Image)
            yield i, {"name": str(i), "image": png if is_image else image}


def pictures():
    return np.random.default_rng(0).integers(0, 256, (9, 4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("feature", "quick"),
    [
        (tfds.features.Image(shape=(4, 6, 3)), True),
        (tfds.features.Tensor(shape=(4, 6, 3), dtype=np.uint8, encoding="bytes"), True),
        (tfds.features.Tensor(shape=(4, 6, 3), dtype=np.uint8, encoding="zlib"), False),
        (tfds.features.Tensor(shape=(4, 6, 3), dtype=np.uint8), False),
    ],
)
def test_sets_of_others_are_read_right_however_they_are_stored(data_dir, monkeypatch, feature, quick):
    monkeypatch.setattr(Stored, "FEATURE", feature, raising=False)
    Stored(data_dir=data_dir, file_format="array_record").download_and_prepare()
    dataset = data.load("stored")
    assert isinstance(dataset.source, PreparedRecords) == quick
    np.testing.assert_array_equal(dataset.gather(np.array([8, 0, 3, 3]))["image"], pictures()[[8, 0, 3, 3]])
    np.testing.assert_array_equal(dataset.source[4]["image"], pictures()[4])
    assert dataset.source[4]["name"] == b"4"
