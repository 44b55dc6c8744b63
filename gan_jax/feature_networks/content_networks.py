"""The frozen networks in whose features a content compares pictures, by name.

What a network has learned from is a part of what it calls near, so its name says it: "vgg19" is VGG19 with
the weights of a file of the user's, "classifier photos" was trained by this library on that data set,
"random" has learned nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp

from gan_jax.feature_networks.classifier import ClassifierMaps
from gan_jax.feature_networks.classifier_cache import classifier, load_classifier
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.feature_networks.simple_networks import random_maps, random_network
from gan_jax.feature_networks.vgg19 import read_vgg19, vgg19_maps
from gan_jax.utils.paths import expanded
from gan_jax.utils.tree import PyTree

Array = jax.Array
Maps = Callable[[PyTree, Array, tuple[str, ...]], list[Array]]

NETWORKS = ("vgg19", "classifier:NAME", "classifier:FILE", "random")
_VGG19_USUAL = ("relu1_2", "relu2_2", "relu3_4", "relu4_4", "relu5_4")
RANDOM_SHAPE = (64, 64, 3)  # of the pictures for which the random network has its layers, four of them


@dataclass(frozen=True)
class ContentNetwork:
    """A network as a content needs it.

    Attributes:
        name: under which its weights are in a run's frozen constants, and their digest in its record.
        load: its weights, NumPy arrays.
        maps: (weights, pictures [B, H, W, C] in [-1, 1], names of layers) -> their activations
            [B, h, w, c]. Pure; raises a ValueError that lists the layers if one is unknown.
        usual_layers: weights -> the layers that a perceptual distance reads: of vgg19 the last of each of its
            five stages, which are LPIPS's of VGG16 (Zhang et al. 2018, arXiv:1801.03924), of others all.
    """

    name: str
    load: Callable[[], PyTree]
    maps: Maps
    usual_layers: Callable[[PyTree], tuple[str, ...]]


def content_network(text: str, weights: str, where: str) -> ContentNetwork:
    """The network that `text` names.

    Args:
        text: "vgg19", with layers "conv1_1", "relu1_1" ... "relu5_4"; "classifier:NAME" (of a data set; it is
            trained where it is not in the cache) or "classifier:FILE" (which `gan-jax train-classifier`
            wrote); "random". The layers of these are "relu_0", "relu_1", ..., after the rectifiers.
        weights: of vgg19: the file; "" for the others.
        where: the content, for messages.

    Raises:
        ValueError: an unknown name; weights for a network that has its own.
    """
    kind, _, which = text.partition(":")
    if weights and text != "vgg19":
        raise ValueError(f"weights={weights!r}: network={text!r} has its own; they are vgg19's")
    if text == "vgg19":
        name = f"vgg19 {expanded(weights).stem}".strip()
        load = partial(_vgg19, weights, f"{where}.weights")
        return ContentNetwork(name, load, vgg19_maps, lambda params: _VGG19_USUAL)
    if text == "random":
        return ContentNetwork(
            text,
            lambda: random_network(RANDOM_SHAPE).params,
            _random_maps,
            lambda params: _names(len(params)),
        )
    if kind == "classifier" and which:
        is_file = which.endswith(".npz")
        name = expanded(which).stem if is_file else which
        return ContentNetwork(
            f"classifier {name}",
            lambda: _classifier(which, is_file).params,
            _classifier_maps,
            lambda params: _names(_convolutions(params)),
        )
    raise ValueError(f"network={text!r}: choose one of {', '.join(NETWORKS)}")


def _vgg19(weights: str, option: str) -> PyTree:
    """As `read_vgg19`; the contents and phases of a run have the same file, which is read once."""
    file = expanded(weights)
    if not weights or not file.is_file():
        return read_vgg19(weights, option)  # which says what is wrong
    status = file.stat()
    return _vgg19_of(file.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1)
def _vgg19_of(file: Path, size: int, changed_ns: int) -> PyTree:
    """Read-only arrays, because every caller gets the same ones."""
    params = read_vgg19(file, "weights")
    jax.tree.map(lambda array: array.setflags(write=False), params)
    return params


def _classifier(which: str, is_file: bool) -> FeatureNetwork:
    return load_classifier(which) if is_file else classifier(which)


def _classifier_maps(params: PyTree, image: Array, layers: tuple[str, ...]) -> list[Array]:
    image = _with_channels(image, params["params"]["conv_0"]["kernel"].shape[2])
    maps = ClassifierMaps(_convolutions(params)).apply(params, image)
    return _chosen(maps, layers)  # type: ignore[arg-type]


def _convolutions(params: PyTree) -> int:
    return sum(name.startswith("conv_") for name in params["params"])


def _random_maps(params: PyTree, image: Array, layers: tuple[str, ...]) -> list[Array]:
    return _chosen(random_maps(params, (_with_channels(image, 3) + 1.0) * 127.5), layers)


def _chosen(maps: list[Array], layers: tuple[str, ...]) -> list[Array]:
    """The maps with these names."""
    names = _names(len(maps))
    if not layers or not set(layers) <= set(names):
        raise ValueError(f"layers={layers!r}: choose some of {', '.join(names)}")
    return [maps[names.index(name)] for name in layers]


def _names(count: int) -> tuple[str, ...]:
    """Of the layers of a classifier or the random network."""
    return tuple(f"relu_{index}" for index in range(count))


def _with_channels(image: Array, channels: int) -> Array:
    """One channel is repeated where a network sees three."""
    if image.shape[3] == 1 and channels == 3:
        return jnp.repeat(image, 3, axis=3)
    if image.shape[3] != channels:
        raise ValueError(f"the network takes pictures of {channels} channels, not of {image.shape[3]}")
    return image
