"""Feature networks by name, opened for a real set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from gan_jax.data import load
from gan_jax.data.codecs import Pixels
from gan_jax.data.cut import whole
from gan_jax.data.sound_codecs import Sound
from gan_jax.evaluation.names import USUAL_NETWORKS
from gan_jax.evaluation.sources.image_source import seen_by, spelled
from gan_jax.evaluation.sources.sources import ImageSource
from gan_jax.feature_networks.classifier_cache import classifier, load_classifier
from gan_jax.feature_networks.inception import VARIANTS
from gan_jax.feature_networks.inception_weights import inception
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.feature_networks.simple_networks import (
    as_pixels,
    decoding_network,
    pca_network,
    pixel_network,
    point_network,
    random_network,
)
from gan_jax.feature_networks.sound_networks import is_of_sounds, spectral_network
from gan_jax.feature_networks.stacked import stacked
from gan_jax.utils import plugins
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded
from gan_jax.utils.tables import Table

SMALL = 64  # pixels: a larger side is no longer what an in-domain classifier is usual for
COMPONENTS = 64  # of pca
FITTED = 4_096  # images that pca is fitted to
STACKED = "stacked_mnist"  # judged digit by digit
AUTO = "auto"


@dataclass(frozen=True)
class Asked:
    """What a feature network is made for.

    Attributes:
        real: the real side, of images `real.image_shape` [H, W, C] as `real.codec` stores them.
        text: as it was named, such as "classifier:mnist"; "auto" too.
        which: what stands behind the colon; "" for nothing.
        data_dir: the data folder; None for the usual one.
        resizer: of Inception, as `resize.RESIZERS` has them.
        weights: a file with Inception's weights; None for the usual place.
    """

    real: ImageSource
    text: str
    which: str = ""
    data_dir: str | Path | None = None
    resizer: str = "legacy"
    weights: str | Path | None = None


def open_network(
    text: str,
    real: ImageSource,
    *,
    data_dir: str | Path | None = None,
    resizer: str = "legacy",
    inception_weights: str | Path | None = None,
) -> FeatureNetwork:
    """The network that `text` names.

    Args:
        text: "auto": "points" where the real set holds points, "random" where it holds tiles, "spectral"
            where it holds sounds, its classifier where its images are small, grey and labelled, or stacked
            digits, otherwise Inception; "classifier" (of the real set), "classifier:NAME" (of another data
            set) or "classifier:FILE"; "inception" (FID's),
            "inception:torchvision", "random", "pixels", "pca" (fitted to the real set), "points" (the
            coordinates of points, which no other takes). "random", "pixels" and "pca" see what the real set
            holds decoded; Inception sees pictures of it.
        real: the real side.
        data_dir: the data folder, where a classifier has yet to be trained.
        resizer: of Inception, as `resize.RESIZERS` has them.
        inception_weights: a file with Inception's weights.

    Raises:
        UserError: an unknown name, weights that are not there, or a network that does not take these images.
    """
    name, colon, which = text.partition(":")
    if name not in (AUTO, *NETWORKS):
        plugins.load_installed()
    allowed = {
        "classifier": which != "",
        "inception": which in VARIANTS,
        **dict.fromkeys(NETWORKS.own(), True),
    }
    if name not in (AUTO, *NETWORKS) or (colon and not allowed.get(name, False)):
        raise UserError(
            f"network={text}: choose one of {', '.join((AUTO, *NETWORKS))}, classifier:DATA_SET, "
            "classifier:FILE or inception:torchvision"
        )
    if name == AUTO:
        name = _usual(real)
    if name not in NETWORKS.own():
        _check_kind(text, name, real)
    if inception_weights is not None and name != "inception":
        raise UserError(f"inception_weights={inception_weights} is of no use to network={name}: leave it out")
    network = NETWORKS[name](Asked(real, text, which, data_dir, resizer, inception_weights))
    network.check_shape(seen_by(real, network.codec).image_shape)
    return network


def _random(asked: Asked) -> FeatureNetwork:
    return _decoding(random_network(asked.real.image_shape), asked.real)


def _pixels(asked: Asked) -> FeatureNetwork:
    return _decoding(pixel_network(asked.real.image_shape), asked.real)


def _pca(asked: Asked) -> FeatureNetwork:
    real = asked.real
    count = FITTED if real.size is None else min(real.size, FITTED)
    images = [batch for batch, _ in real.batches(count, 1024)]
    if real.codec != Pixels():
        images = [np.asarray(as_pixels(jnp.asarray(batch), real.codec)) for batch in images]
    components = max(1, min(COMPONENTS, count - 1, math.prod(real.image_shape)))
    return _decoding(pca_network(images, components=components), real)


def _decoding(network: FeatureNetwork, real: ImageSource) -> FeatureNetwork:
    """The network of pixels, for what the real set holds."""
    return network if real.codec == Pixels() else decoding_network(network, real.codec)


def _points(asked: Asked) -> FeatureNetwork:
    return point_network(asked.real.image_shape[2])


def _inception(asked: Asked) -> FeatureNetwork:
    real = asked.real
    try:
        return inception(asked.weights, variant=asked.which or "fid", resizer=asked.resizer)
    except UserError as error:
        if asked.text != AUTO:
            raise
        raise UserError(
            f"{error} (network=auto is Inception here: only a data set by name, of small, grey, labelled "
            f"images, has its own classifier, and {real.name} is none; classifier:NAME, random, pixels and "
            "pca need no download)"
        ) from error


def _usual(real: ImageSource) -> str:
    """What "auto" is."""
    if real.codec.name in USUAL_NETWORKS:
        return USUAL_NETWORKS[real.codec.name]
    return "classifier" if _has_usual_classifier(real) else "inception"


def _check_kind(text: str, name: str, real: ImageSource) -> None:
    """Raises a UserError where a network is asked for what it does not take."""
    if not real.codec.pictured and name != "points":
        takes = "sounds" if name == "spectral" else "images"
        raise UserError(
            f"network={text}: it takes {takes}, and {real.name} holds {real.codec.noun} of "
            f"{real.image_shape[2]} coordinates: choose points, or leave the network out"
        )
    if name == "points" and real.codec.pictured:
        others = _others("points") if is_of_sounds(real.codec) else _others("points", "spectral")
        raise UserError(
            f"network=points: it takes points, and {real.name} holds {real.codec.noun}: choose one of "
            f"{', '.join((AUTO, *others))}"
        )
    if name == "spectral" and not is_of_sounds(real.codec):
        raise UserError(
            f"network=spectral: it takes sounds, and {real.name} holds {real.codec.noun}: choose one of "
            f"{', '.join((AUTO, *_others('points', 'spectral')))}"
        )
    if name == "classifier" and not (real.codec.is_image or is_of_sounds(real.codec)):
        raise UserError(
            f"network={text}: it takes images, and {real.name} holds {real.codec.noun}: choose one of "
            f"{', '.join(_others('points', 'classifier'))}"
        )


def _has_usual_classifier(real: ImageSource) -> bool:
    """Whether papers judge these images with a classifier of their own."""
    if real.dataset is None or real.num_classes is None:
        return False
    height, width, channels = real.image_shape
    return real.dataset.name == STACKED or (max(height, width) <= SMALL and channels == 1)


def _others(*left_out: str) -> list[str]:
    return [name for name in NETWORKS if name not in left_out]


def _spectral(asked: Asked) -> FeatureNetwork:
    codec = asked.real.codec
    assert isinstance(codec, Sound)  # `_check_kind`
    return spectral_network(codec.stored_shape(asked.real.image_shape)[0], codec.rate)


def _classifier(asked: Asked) -> FeatureNetwork:
    which, real, data_dir = asked.which, asked.real, asked.data_dir
    file = expanded(which)
    if which.endswith(".npz") or (which and file.is_file()):
        return load_classifier(file)
    if which and (real.dataset is None or which != real.dataset.name):
        return _classifier_of_another(which, real, data_dir)
    if real.dataset is None or real.num_classes is None:
        lacking = "has no labels" if real.num_classes is None else "is no data set, only the images of one"
        raise UserError(
            f"network=classifier: {real.name} {lacking}, and a classifier is trained on the labelled train "
            "split of a data set; name the classifier of another one, as in classifier:mnist, or choose "
            f"{', '.join(_others('points', 'classifier'))}"
        )
    if real.dataset.name == STACKED:
        return stacked(classifier("mnist", data_dir=data_dir))
    return classifier(real.dataset.name, data_dir=data_dir, options=whole(real.dataset.options))


def _classifier_of_another(name: str, real: ImageSource, data_dir: str | Path | None) -> FeatureNetwork:
    """The classifier of another data set, which is not trained in vain where its images are others."""
    shape = load(name, data_dir=data_dir, split="train").image_shape
    if shape != real.image_shape:
        raise UserError(
            f"network=classifier:{name}: it takes images {spelled(shape)}, and those of {real.name} are "
            f"{spelled(real.image_shape)}: choose another network, or resize the images"
        )
    return classifier(name, data_dir=data_dir)


NETWORKS: Table[Callable[[Asked], FeatureNetwork]] = Table(
    "feature network",
    {
        "classifier": _classifier,
        "inception": _inception,
        "random": _random,
        "pixels": _pixels,
        "pca": _pca,
        "points": _points,
        "spectral": _spectral,
    },
)
