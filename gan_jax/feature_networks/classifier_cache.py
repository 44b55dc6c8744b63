"""Classifiers of whole data sets: found in the cache, or trained, tested and kept there.

A file is an npz without pickles: the weights as "weights/params/conv_0/kernel" and so on, and "about", the
UTF-8 bytes of a JSON object that says what the classifier is and how it came about.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging
from flax import traverse_util

from gan_jax import data
from gan_jax.data.dataset import Dataset
from gan_jax.data.sound_codecs import Sound
from gan_jax.feature_networks.classifier import VERSION, accuracy, classifier_network
from gan_jax.feature_networks.classifier_training import Recipe, operations, train_classifier
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.feature_networks.sound_networks import grey_pictures, hearing, is_of_sounds, picture_shape
from gan_jax.utils import files
from gan_jax.utils.cache import cache_folder
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded
from gan_jax.utils.provenance import describe_environment
from gan_jax.utils.tree import PyTree
from gan_jax.utils.untrusted import parse_json, plain, read_npz

MIRRORED = (
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "shapes",
    "photos",
)  # whose mirrored images are of the same class
POOR = 0.8  # of the test images: a classifier below is named in a warning
_ABOUT = "about"
_WEIGHTS = "weights"
_OPERATIONS_PER_SECOND = 5e10  # of two x86 cores with AVX-512 and other work; idle ones make twice that


@dataclass(frozen=True)
class StoredClassifier:
    """A classifier and its file.

    Attributes:
        path: the file.
        network: from images to features, logits and maps.
        about: dataset, options, class_names, fingerprint (of the train split), recipe, seed, version,
            image_shape, num_classes, num_images, test_accuracy and num_test_images (None without a labelled
            test split), seconds (of the training), environment, digest.
    """

    path: Path
    network: FeatureNetwork
    about: Mapping[str, Any]

    @property
    def test_accuracy(self) -> float | None:
        """The share of the test split that it gets right; None where that has no labels, or other classes."""
        return self.about["test_accuracy"]

    def summary(self) -> str:
        """The test accuracy, the digest and the path, a line each."""
        rate = self.test_accuracy
        if rate is None:
            lacking = "no test split with labels of these classes"
            tested = f"{self.about['dataset']} has {lacking}: its accuracy is unknown"
        else:
            tested = f"right on {rate:.2%} of the {self.about['num_test_images']:,} test images"
        return f"classifier of {self.about['dataset']}: {tested}\ndigest {self.network.digest}\n{self.path}\n"


def classifier(
    dataset_name: str,
    *,
    data_dir: str | Path | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    progress: bool = True,
) -> FeatureNetwork:
    """The classifier of a data set's train split; arguments and errors as in `prepare_classifier`."""
    return prepare_classifier(
        dataset_name, data_dir=data_dir, seed=seed, options=options, recipe=recipe, progress=progress
    ).network


def prepare_classifier(
    dataset_name: str,
    *,
    data_dir: str | Path | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> StoredClassifier:
    """Finds the classifier of a data set, or trains and tests one and keeps it.

    Kept in the cache's folder "classifiers" under the fingerprint of the train split, the recipe, the seed
    and the version of the training. Of two processes at once both train, and either's file is whole.

    Args:
        dataset_name: as for `data.load`.
        data_dir: likewise.
        seed: of the training.
        options: the data set's own, such as {"resolution": 64}.
        recipe: None for `default_recipe`.
        out: a file to write as well; what is returned then has its path.
        progress: say what is done, and how far it is, on standard error.

    Raises:
        UserError: no such data set, no labels, or too small images; a damaged file in the cache; `out` is
            there already; a disk that refuses.
    """
    out = None if out is None else expanded(out)
    recipe = recipe or default_recipe(dataset_name)
    reals = data.load(dataset_name, data_dir=data_dir, split="train", **(options or {}))
    if reals.num_classes is None:
        raise UserError(
            f"the data set {dataset_name} has no labels, so there can be no classifier of it: choose the "
            "classifier of a labelled set with images of the same kind and size, or another network "
            "(inception, random, pixels, pca)"
        )
    codec = reals.fields["image"].codec
    if not codec.is_image and not is_of_sounds(codec):
        raise UserError(f"a classifier takes images, and the data set {dataset_name} holds {codec.noun}")
    if out is not None:
        files.checked_suffix(out, (".npz",))
    if out is not None and out.exists():
        raise UserError(f"{out} is there already: give another path, or remove it first")
    key = _key(reals, recipe, seed)
    name = dataset_name.replace("/", "_").replace(":", "_")
    path = cache_folder("classifiers") / f"{name}_{_short(key)}.npz"
    for target in (path, *([out] if out else [])):
        _check_writable(target.parent)  # before the training and not after it
    if not path.exists():
        held_out = _test_split(dataset_name, data_dir, options or {})
        files.write_atomically(path, _trained(reals, held_out, recipe, seed, key, progress))
    stored = read_classifier(path)
    if any(stored.about.get(field) != value for field, value in key.items()):
        raise UserError(f"{path} is the classifier of something else: delete it and give the command again")
    if out is None:
        return stored
    with files.disk_errors(f"read {path}"):
        content = path.read_bytes()
    files.write_atomically(out, content)
    return read_classifier(out)


def default_recipe(dataset_name: str) -> Recipe:
    """The recipe of a data set: images are mirrored where that makes another image of the same class."""
    return Recipe(flip=dataset_name.partition(":")[0] in MIRRORED)


def load_classifier(path: Path | str) -> FeatureNetwork:
    """The classifier in a file that `prepare_classifier` wrote; errors as in `read_classifier`."""
    return read_classifier(path).network


def read_classifier(path: Path | str) -> StoredClassifier:
    """The classifier in a file, with all that is known of it.

    Raises:
        UserError: no such file, or it is damaged, something else, or of another version.
    """
    path = expanded(path)
    if not path.is_file():
        raise UserError(f"there is no classifier {path}: gan-jax train-classifier makes one")
    with files.disk_errors(f"read {path}"):
        content = path.read_bytes()
    mine = cache_folder("classifiers") in path.parents
    again = f"{'Delete it' if mine else 'Give another file'}; gan-jax train-classifier makes one"
    try:
        params, about = _decode(content)
        if about["version"] != VERSION:
            raise UserError(
                f"{path} is a classifier of version {about['version']}, and this is {VERSION}. {again}"
            )
        network = _network(params, about)
        rate = about["test_accuracy"]
        tested = (
            f"right on {rate:.2%} of {about['num_test_images']:,} test images" if rate is not None else ""
        )
    except UserError:
        raise
    except Exception as error:  # the readers of zip, npy and JSON raise many kinds
        raise UserError(
            f"{path} is damaged, or no classifier of gan_jax ({plain(error)}). {again}"
        ) from error
    if rate is not None and rate < POOR:
        logging.warning("%s is right on only %.1f%% of its test images: a poor judge", path, 100 * rate)
    return StoredClassifier(path, replace(network, note=tested or "accuracy unknown"), about)


def _network(params: PyTree, about: Mapping[str, Any]) -> FeatureNetwork:
    """The network in a file; an error of any kind if the file does not hold it."""
    shape, num_classes = tuple(about["image_shape"]), about["num_classes"]
    sound = about.get("sound")  # what the images are spectrograms of
    if sound is not None and shape != picture_shape(sound["length"]):
        raise ValueError(f"its pictures are {shape}, which those of {sound['length']} samples are not")
    network = classifier_network(params, shape, num_classes, f"classifier:{about['dataset']}")
    if network.digest != about["digest"]:
        raise ValueError(f"its weights have the digest {network.digest}, and it says {about['digest']}")
    image = jax.ShapeDtypeStruct((1, *shape), np.uint8)
    jax.eval_shape(network.apply, params, image)  # the layers' shapes are those of its images and classes
    return network if sound is None else hearing(network, sound["length"], sound["rate"])


def _key(reals: Dataset, recipe: Recipe, seed: int) -> dict[str, Any]:
    """All that a classifier depends on, other than the machine; plain JSON values."""
    return {"version": VERSION, "fingerprint": reals.fingerprint, "recipe": asdict(recipe), "seed": seed}


def _short(key: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def _check_writable(folder: Path) -> None:
    with files.disk_errors(f"make {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise UserError(f"cannot write into {folder}: choose another folder (GAN_JAX_CACHE for the cache)")


def _test_split(name: str, data_dir: str | Path | None, options: Mapping[str, Any]) -> Dataset | None:
    """The split "test"; None where there is none."""
    there = "test" in data.splits(name, data_dir=data_dir, **options)
    return data.load(name, data_dir=data_dir, split="test", **options) if there else None


def _trained(
    reals: Dataset,
    held_out: Dataset | None,
    recipe: Recipe,
    seed: int,
    key: Mapping[str, Any],
    progress: bool,
) -> bytes:
    """The file of a new classifier.

    Where the test split has none of the train split's classes, as where whole photographs are held out, it is
    of those in the train split alone (exemplar networks: Dosovitskiy et al. 2014, arXiv:1406.6909), and its
    accuracy is unknown.
    """
    assert reals.num_classes is not None
    arrays = _seen(reals)
    images, labels, classes, names = arrays["image"], arrays["label"], reals.num_classes, reals.class_names
    tested = _seen(held_out) if held_out is not None and held_out.num_classes is not None else None
    if tested is not None and not np.isin(tested["label"], labels).any():
        # Each class is one thing, and other things are held out: the classes here are those to be learnt.
        present, labels = np.unique(labels, return_inverse=True)
        classes, names, tested = len(present), tuple(names[number] for number in present), None
    if progress:
        sys.stderr.write(f"{_announcement(reals, images.shape[1:], recipe)}\n")
    begun = time.monotonic()
    params = train_classifier(images, labels, classes, recipe=recipe, seed=seed, progress=progress)
    params = jax.device_get(params)
    seconds = time.monotonic() - begun
    network = classifier_network(params, images.shape[1:], classes)
    about = {
        "dataset": reals.name,
        "options": reals.options,
        "class_names": names,
        "image_shape": images.shape[1:],
        "num_classes": classes,
        "num_images": len(reals),
        **key,
        "test_accuracy": accuracy(network, tested["image"], tested["label"]) if tested else None,
        "num_test_images": len(tested["label"]) if tested else None,
        "seconds": round(seconds, 1),
        "environment": describe_environment(),
        "digest": network.digest,
    }
    codec = reals.fields["image"].codec
    if isinstance(codec, Sound):
        about["sound"] = {"length": reals.fields["image"].stored_shape[0], "rate": codec.rate}
    return _encode(params, about)


def _seen(dataset: Dataset) -> dict[str, np.ndarray]:
    """All examples, sounds as grey spectrograms."""
    arrays = dict(dataset.arrays())
    if is_of_sounds(dataset.fields["image"].codec):
        arrays["image"] = grey_pictures(arrays["image"])
    return arrays


def _announcement(reals: Dataset, image_shape: tuple[int, int, int], recipe: Recipe) -> str:
    total = operations(recipe, image_shape, len(reals))
    minutes = total / _OPERATIONS_PER_SECOND / 60
    return (
        f"training a classifier of {reals.name} (once): {recipe.epochs} epochs of {len(reals):,} images, "
        f"about {max(minutes, 0.1):.2g} minutes on two busy CPU cores"
    )


def _encode(params: PyTree, about: Mapping[str, Any]) -> bytes:
    arrays = traverse_util.flatten_dict({_WEIGHTS: params}, sep="/")
    buffer = io.BytesIO()
    arrays[_ABOUT] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _decode(content: bytes) -> tuple[PyTree, dict[str, Any]]:
    arrays = read_npz(io.BytesIO(content))
    about = parse_json(arrays.pop(_ABOUT).tobytes())
    return traverse_util.unflatten_dict(arrays, sep="/")[_WEIGHTS], about
