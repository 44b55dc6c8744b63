"""Classifiers of data sets: trained once, found again, and never mistaken for another."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.feature_networks import classifier_cache
from gan_jax.feature_networks.classifier import accuracy, classifier_network, predict
from gan_jax.feature_networks.classifier_cache import (
    classifier,
    default_recipe,
    load_classifier,
    prepare_classifier,
)
from gan_jax.feature_networks.classifier_training import Recipe, train_classifier
from gan_jax.utils.errors import UserError

OPTIONS: dict[str, Any] = {"resolution": 16, "channels": 1, "num_examples": 300}
RECIPE = Recipe(epochs=2, batch_size=64, shift=1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The data and the cache of this module: it trains in the first test and finds afterwards."""
    base = tmp_path_factory.mktemp("classifiers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(base / "data"))
        patch.setenv("GAN_JAX_CACHE", str(base / "cache"))
        yield base


@pytest.fixture(scope="module")
def stored(folders):
    return prepare_classifier("shapes", options=OPTIONS, recipe=RECIPE, progress=False)


@pytest.fixture
def never_trains(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("it trains again")

    monkeypatch.setattr(classifier_cache, "train_classifier", train)


@pytest.fixture
def empty_cache(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "classifiers"


@pytest.fixture
def trains_at_once(stored, monkeypatch):
    """A training takes no time, and gives what `stored` has; the arguments of each are kept."""
    calls = []

    def train(images, labels, num_classes, **rest):
        calls.append(rest)
        return stored.network.params

    monkeypatch.setattr(classifier_cache, "train_classifier", train)
    return calls


def test_what_is_kept_is_what_a_training_gives(stored):
    train, test = (data.load("shapes", split=split, **OPTIONS) for split in ("train", "test"))
    arrays = train.arrays()
    params = train_classifier(
        arrays["image"], arrays["label"], train.num_classes or 0, recipe=RECIPE, progress=False
    )
    network = classifier_network(params, (16, 16, 1), train.num_classes or 0)
    assert network.digest == stored.network.digest == stored.about["digest"]
    held_out = test.arrays()
    assert stored.test_accuracy == accuracy(network, held_out["image"], held_out["label"])
    assert stored.about["num_test_images"] == len(test) == 30
    assert stored.about["fingerprint"] == train.fingerprint
    assert stored.about["class_names"] == list(train.class_names)
    assert stored.about["environment"]["packages"]["jax"]
    assert stored.network.name == "classifier:shapes"
    assert f"{stored.test_accuracy:.2%} of the 30" in stored.summary()
    assert stored.network.digest in stored.summary()
    assert str(stored.path) in stored.summary()


def test_it_is_found_again(stored, never_trains):
    again = classifier("shapes", options=OPTIONS, recipe=RECIPE)
    assert again.digest == stored.network.digest
    images = data.load("shapes", **OPTIONS).arrays()["image"][:20]
    np.testing.assert_array_equal(predict(again, images), predict(load_classifier(stored.path), images))
    for leaf in again.params["params"]["features"].values():
        assert leaf.dtype == np.float32


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"recipe": Recipe(epochs=2, batch_size=64, shift=1, dropout=0.2)},
        {"options": {**OPTIONS, "seed": 5}},
    ],
)
def test_another_seed_recipe_or_data_set_has_a_file_of_its_own(changes, stored, trains_at_once):
    arguments: dict[str, Any] = {"options": OPTIONS, "recipe": RECIPE, **changes}
    other = prepare_classifier("shapes", progress=False, **arguments)
    assert len(trains_at_once) == 1
    assert other.path.parent == stored.path.parent
    assert other.path != stored.path
    assert trains_at_once[0]["seed"] == arguments.get("seed", 0)
    assert trains_at_once[0]["recipe"] == arguments["recipe"]


def test_a_file_to_take_along(stored, never_trains, tmp_path):
    out = tmp_path / "deep" / "shapes.npz"
    arguments: dict[str, Any] = {"options": OPTIONS, "recipe": RECIPE, "out": out}
    given = prepare_classifier("shapes", **arguments)
    assert given.path == out
    assert out.read_bytes() == stored.path.read_bytes()
    assert load_classifier(out).digest == stored.network.digest
    with pytest.raises(UserError, match="there already"):
        prepare_classifier("shapes", **arguments)


def test_it_says_what_it_does_and_how_long_that_takes(empty_cache, trains_at_once, capsys):
    prepare_classifier("shapes", options=OPTIONS, recipe=RECIPE)
    said = capsys.readouterr().err
    assert "training a classifier of shapes (once): 2 epochs of 300 images, about 0.1 minutes" in said


# Damage


def changed(content, change):
    """The file with the arrays that `change` makes of its arrays."""
    with np.load(io.BytesIO(content)) as npz:
        arrays = dict(npz)
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def about_with(**changes):
    def change(arrays):
        about = json.loads(arrays["about"].tobytes()) | changes
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)

    return change


def one_weight(arrays):
    arrays["weights/params/logits/bias"] = arrays["weights/params/logits/bias"] + 1


def flip_a_bit(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def deep_about(arrays):
    arrays["about"] = np.frombuffer(b"[" * 100_000, np.uint8)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "damaged, or no classifier"),
        (lambda content: b"", "damaged, or no classifier"),
        (lambda content: b"something else", "damaged, or no classifier"),
        (flip_a_bit, "damaged"),
        (lambda content: changed(content, lambda arrays: arrays.pop("about")), "damaged, or no classifier"),
        (lambda content: changed(content, one_weight), "the digest"),
        (lambda content: changed(content, about_with(num_classes=3)), "the digest"),
        (lambda content: changed(content, about_with(image_shape=5)), "damaged, or no classifier"),
        (lambda content: changed(content, about_with(test_accuracy="much")), "damaged, or no classifier"),
        (lambda content: changed(content, deep_about), "nested too deeply"),
        (lambda content: changed(content, about_with(version=0)), "version 0"),
    ],
)
def test_damaged_files_are_named(damage, message, stored, tmp_path):
    path = tmp_path / "damaged.npz"
    path.write_bytes(damage(stored.path.read_bytes()))
    with pytest.raises(UserError, match=message) as error:
        load_classifier(path)
    assert str(path) in str(error.value)
    assert "Give another file" in str(error.value)  # only what is ours, in the cache, may be deleted


def test_a_damaged_cache_is_not_used(empty_cache, stored, trains_at_once):
    arguments: dict[str, Any] = {"options": OPTIONS, "recipe": RECIPE, "progress": False}
    path = prepare_classifier("shapes", **arguments).path
    assert path.parent == empty_cache
    path.write_bytes(flip_a_bit(path.read_bytes()))
    with pytest.raises(UserError, match="Delete it"):
        classifier("shapes", **arguments)
    other = changed(stored.path.read_bytes(), about_with(seed=7))
    path.write_bytes(other)
    with pytest.raises(UserError, match="of something else"):
        classifier("shapes", **arguments)
    path.unlink()
    assert classifier("shapes", **arguments).digest == stored.network.digest


def test_files_with_pickles_are_not_read(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "bomb.npz"
    np.savez(path, about=np.array([Bomb()], dtype=object))
    with pytest.raises(UserError, match="no classifier"):
        load_classifier(path)
    assert not (tmp_path / "exploded").exists()


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="there is no classifier"):
        load_classifier(tmp_path / "none.npz")


def test_a_kill_leaves_no_half_file(empty_cache, trains_at_once, monkeypatch):
    def killed(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare_classifier("shapes", options=OPTIONS, recipe=RECIPE, progress=False)
    assert list(empty_cache.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_found_before_the_training(
    folders, never_trains, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot make"):
        classifier("shapes", options=OPTIONS, recipe=Recipe(epochs=9))


# Data sets


def picture_folder(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return {"folder": str(folder), "height": 8, "channels": 1}


def test_a_set_without_labels(folders, tmp_path):
    options = picture_folder(tmp_path / "pictures", ["a.png", "b.png"])
    with pytest.raises(UserError, match=r"no labels.*another network"):
        classifier("image_folder", options=options)


def test_a_set_without_a_test_split(folders, tmp_path):
    options = picture_folder(tmp_path / "pictures", ["a/0.png", "b/0.png", "b/1.png"])
    stored = prepare_classifier("image_folder", options=options, recipe=Recipe(epochs=1), progress=False)
    assert stored.test_accuracy is None
    assert "accuracy is unknown" in stored.summary()
    assert stored.network.num_classes == 2


def test_what_is_mirrored():
    assert default_recipe("fashion_mnist").flip
    assert not default_recipe("mnist").flip
    assert not default_recipe("kmnist").flip
