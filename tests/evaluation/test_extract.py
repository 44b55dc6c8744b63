"""The one pass: the same features in any batches, on any devices, from the cache or not."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from gan_jax import data
from gan_jax.distributed import parallel
from gan_jax.evaluation import extract
from gan_jax.evaluation.extract import Extractor
from gan_jax.evaluation.sources.sources import dataset_source
from gan_jax.feature_networks import classifier_cache
from gan_jax.feature_networks.classifier_training import Recipe
from gan_jax.feature_networks.network import Outputs
from gan_jax.utils.errors import UserError
from tests.metrics import toy

IMAGES = toy.images(50)
LABELS = (np.arange(50) % 3).astype(np.int32)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path))
    return tmp_path / "features"


def one_device():
    return parallel.make_mesh(jax.devices()[:1])


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_features_logits_labels_and_images_are_those_of_the_source(batch_size):
    source = toy.source(IMAGES[:45], LABELS[:45], num_classes=3)
    extractor = Extractor(toy.network(), mesh=one_device(), batch_size=batch_size)
    sample = extractor(source, 45, images=20)
    flat = IMAGES[:45].reshape(45, -1).astype(np.float32)
    np.testing.assert_array_equal(sample.features, flat / 2)
    assert sample.logits is not None
    np.testing.assert_allclose(sample.logits, flat[:, :3] / 64)
    np.testing.assert_array_equal(sample.labels, LABELS[:45])
    kept = np.random.default_rng(0).permutation(45)[:20]
    np.testing.assert_array_equal(sample.images, IMAGES[kept])
    np.testing.assert_array_equal(sample.image_labels, LABELS[kept])
    assert (sample.name, sample.num_classes, len(sample)) == ("toy", 3, 45)


def test_eight_devices_see_what_one_sees():
    source = toy.source(IMAGES)
    one = Extractor(toy.network(), mesh=one_device(), batch_size=16)(source, 50)
    mesh = parallel.make_mesh()
    assert mesh.size == 8
    eight = Extractor(toy.network(), mesh=mesh, batch_size=12)(source, 50)
    np.testing.assert_array_equal(one.features, eight.features)
    np.testing.assert_array_equal(one.logits, eight.logits)


def test_one_program_serves_all_batches_and_sources():
    calls = []
    network = toy.network()

    def traced(params, given):
        calls.append(given.shape)
        return network.apply(params, given)

    extractor = Extractor(dataclasses.replace(network, apply=traced), mesh=one_device(), batch_size=16)
    extractor(toy.source(IMAGES), 50)
    extractor(toy.source(toy.images(9)), 9)
    assert calls == [(16, 4, 4, 1)]


def test_matmuls_have_full_precision_where_the_hardware_has_less_by_default():
    network = toy.network()

    def product(params, given):
        flat = network.apply(params, given).features
        return Outputs(flat @ flat.T)

    extractor = Extractor(dataclasses.replace(network, apply=product), mesh=one_device(), batch_size=4)
    text = extractor.apply.lower(network.params, IMAGES[:4]).as_text()
    assert "precision = [HIGHEST, HIGHEST]" in text


def test_the_cache_has_what_was_computed(cache):
    source = toy.source(IMAGES, LABELS, fingerprint="abc", num_classes=3)
    first = Extractor(toy.network(), mesh=one_device()).cached(source, 50, images=5)
    assert len(list(cache.iterdir())) == 1

    def never(params, given):
        raise AssertionError("computed again")

    again = Extractor(dataclasses.replace(toy.network(), apply=never), mesh=one_device())
    second = again.cached(source, 50, images=7)
    np.testing.assert_array_equal(second.features, first.features)
    np.testing.assert_array_equal(second.logits, first.logits)
    np.testing.assert_array_equal(second.labels, first.labels)
    kept = np.random.default_rng(0).permutation(50)[:7]
    np.testing.assert_array_equal(second.images, IMAGES[kept])
    np.testing.assert_array_equal(second.image_labels, LABELS[kept])
    np.testing.assert_array_equal(first.images, IMAGES[kept[:5]])  # whatever their number, they begin so
    assert second.num_classes == 3


def test_other_images_numbers_or_networks_are_not_taken_from_the_cache(cache):
    extractor = Extractor(toy.network(), mesh=one_device())
    extractor.cached(toy.source(IMAGES, fingerprint="abc"), 50)
    extractor.cached(toy.source(IMAGES, fingerprint="abd"), 50)
    extractor.cached(toy.source(IMAGES, fingerprint="abc"), 49)
    Extractor(toy.network("other"), mesh=one_device()).cached(toy.source(IMAGES, fingerprint="abc"), 50)
    assert len(list(cache.iterdir())) == 4


def test_a_generator_is_never_cached(cache):
    Extractor(toy.network(), mesh=one_device()).cached(toy.source(IMAGES, fingerprint=None), 50)
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "fewer"])
def test_a_damaged_file_is_computed_anew(cache, damage, caplog):
    source = toy.source(IMAGES, fingerprint="abc")
    extractor = Extractor(toy.network(), mesh=one_device())
    first = extractor.cached(source, 50)
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "fewer":
        np.savez(path, features=first.features[:3])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else content)
    again = extractor.cached(source, 50)
    np.testing.assert_array_equal(again.features, first.features)
    assert "is damaged" in caplog.text
    with np.load(path) as mended:
        np.testing.assert_array_equal(mended["features"], first.features)


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "file"))
    sample = Extractor(toy.network(), mesh=one_device()).cached(toy.source(IMAGES, fingerprint="a"), 50)
    assert len(sample) == 50
    assert "are not kept" in caplog.text


def test_features_that_are_not_finite_are_refused():
    network = dataclasses.replace(toy.network(), params={"scale": np.float32(np.nan)})
    with pytest.raises(UserError, match="of 50 of 50 images are not finite"):
        Extractor(network, mesh=one_device())(toy.source(IMAGES), 50)


def test_images_of_another_shape_are_refused():
    with pytest.raises(UserError, match="takes images any x any x 1, and these are 4 x 4 x 3"):
        Extractor(toy.network(), mesh=one_device())(toy.source(toy.images(5, shape=(4, 4, 3))), 5)


def test_fewer_images_than_asked_for():
    with pytest.raises(UserError, match="holds 50 images, and 51 are asked for"):
        Extractor(toy.network(), mesh=one_device())(toy.source(IMAGES), 51)


def test_the_format_is_part_of_the_key(cache, monkeypatch):
    extractor = Extractor(toy.network(), mesh=one_device())
    extractor.cached(toy.source(IMAGES, fingerprint="abc"), 50)
    monkeypatch.setattr(extract, "_FORMAT", extract._FORMAT + 1)
    extractor.cached(toy.source(IMAGES, fingerprint="abc"), 50)
    assert len(list(cache.iterdir())) == 2


def test_other_records_under_the_same_name_are_not_taken_from_the_cache(cache, tmp_path):
    """Nor is the classifier of what was there before."""

    def seen(images):
        dataset = data.load("shapes", data_dir=tmp_path / "data", resolution=16, channels=1, num_examples=20)
        source = dataset_source(dataset)
        features = Extractor(toy.network(), mesh=one_device()).cached(source, 20).features
        np.testing.assert_array_equal(features, images.reshape(20, -1).astype(np.float32) / 2)
        return json.dumps(classifier_cache._key(dataset, Recipe(), 0))

    folders = (tmp_path / "data", tmp_path / "other")
    mine, others = (
        data.load("shapes", data_dir=folder, resolution=16, channels=1, num_examples=20, seed=seed)
        for seed, folder in enumerate(folders)
    )
    before = seen(mine.arrays()["image"])
    here, there = (next(folder.rglob("*-train.array_record*")) for folder in folders)
    here.write_bytes(there.read_bytes())
    assert seen(others.arrays()["image"]) != before
