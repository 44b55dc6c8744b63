"""Feature networks by name, opened for a real set."""

from __future__ import annotations

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from gan_jax.data import load
from gan_jax.data.codecs import Pixels
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
from gan_jax.feature_networks.stacked import stacked
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

NETWORKS = ("auto", "classifier", "inception", "random", "pixels", "pca", "points")
SMALL = 64  # pixels: a larger side is no longer what an in-domain classifier is usual for
COMPONENTS = 64  # of pca
FITTED = 4_096  # images that pca is fitted to
STACKED = "stacked_mnist"  # judged digit by digit


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
        text: "auto": "points" where the real set holds points, "random" where it holds tiles or sounds, its
            classifier where its images are small, grey and labelled, or stacked digits, otherwise Inception;
            "classifier" (of the real set),
            "classifier:NAME" (of another data set) or "classifier:FILE"; "inception" (FID's),
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
    allowed = {"classifier": which != "", "inception": which in VARIANTS}
    if name not in NETWORKS or (colon and not allowed.get(name, False)):
        raise UserError(
            f"network={text}: choose one of {', '.join(NETWORKS)}, classifier:DATA_SET, classifier:FILE or "
            "inception:torchvision"
        )
    if name == "auto":
        name = _usual(real)
    _check_kind(text, name, real)
    if inception_weights is not None and name != "inception":
        raise UserError(f"inception_weights={inception_weights} is of no use to network={name}: leave it out")
    if name == "classifier":
        network = _classifier(which, real, data_dir)
    elif name == "inception":
        network = _inception(text, real, which or "fid", resizer, inception_weights)
    elif name == "points":
        network = point_network(real.image_shape[2])
    else:
        network = _simple(name, real)
    network.check_shape(seen_by(real, network.codec).image_shape)
    return network


def _simple(name: str, real: ImageSource) -> FeatureNetwork:
    """A network without weights from elsewhere: random, pixels or pca."""
    if name == "random":
        network = random_network(real.image_shape)
    elif name == "pixels":
        network = pixel_network(real.image_shape)
    else:
        count = FITTED if real.size is None else min(real.size, FITTED)
        images = [batch for batch, _ in real.batches(count, 1024)]
        if real.codec != Pixels():
            images = [np.asarray(as_pixels(jnp.asarray(batch), real.codec)) for batch in images]
        network = pca_network(
            images, components=max(1, min(COMPONENTS, count - 1, math.prod(real.image_shape)))
        )
    return network if real.codec == Pixels() else decoding_network(network, real.codec)


def _inception(
    text: str, real: ImageSource, variant: str, resizer: str, weights: str | Path | None
) -> FeatureNetwork:
    try:
        return inception(weights, variant=variant, resizer=resizer)
    except UserError as error:
        if text != "auto":
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
        raise UserError(
            f"network={text}: it takes images, and {real.name} holds {real.codec.noun} of "
            f"{real.image_shape[2]} coordinates: choose points, or leave the network out"
        )
    if name == "points" and real.codec.pictured:
        raise UserError(
            f"network=points: it takes points, and {real.name} holds {real.codec.noun}: choose one of "
            f"{', '.join(NETWORKS[:-1])}"
        )
    if name == "classifier" and not real.codec.is_image:
        raise UserError(
            f"network={text}: it takes images, and {real.name} holds {real.codec.noun}: choose one of "
            f"{', '.join(NETWORKS[2:-1])}"
        )


def _has_usual_classifier(real: ImageSource) -> bool:
    """Whether papers judge these images with a classifier of their own."""
    if real.dataset is None or real.num_classes is None:
        return False
    height, width, channels = real.image_shape
    return real.dataset.name == STACKED or (max(height, width) <= SMALL and channels == 1)


def _classifier(which: str, real: ImageSource, data_dir: str | Path | None) -> FeatureNetwork:
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
            f"{', '.join(NETWORKS[2:-1])}"
        )
    if real.dataset.name == STACKED:
        return stacked(classifier("mnist", data_dir=data_dir))
    return classifier(real.dataset.name, data_dir=data_dir, options=real.dataset.options)


def _classifier_of_another(name: str, real: ImageSource, data_dir: str | Path | None) -> FeatureNetwork:
    """The classifier of another data set, which is not trained in vain where its images are others."""
    shape = load(name, data_dir=data_dir, split="train").image_shape
    if shape != real.image_shape:
        raise UserError(
            f"network=classifier:{name}: it takes images {spelled(shape)}, and those of {real.name} are "
            f"{spelled(real.image_shape)}: choose another network, or resize the images"
        )
    return classifier(name, data_dir=data_dir)
