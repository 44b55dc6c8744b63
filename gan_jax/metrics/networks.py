"""The feature networks by name, opened for the real set that they are to judge."""

from __future__ import annotations

from pathlib import Path

from gan_jax.errors import UserError
from gan_jax.metrics.classifier_cache import classifier, load_classifier
from gan_jax.metrics.inception_weights import inception
from gan_jax.metrics.network import FeatureNetwork
from gan_jax.metrics.simple_networks import pca_network, pixel_network, random_network
from gan_jax.metrics.sources import ImageSource
from gan_jax.metrics.stacked import stacked

NETWORKS = ("auto", "classifier", "inception", "random", "pixels", "pca")
SMALL = 64  # pixels: a larger side is no longer what an in-domain classifier is usual for
COMPONENTS = 64  # of pca
FITTED = 4_096  # images that pca is fitted to


def open_network(
    text: str,
    real: ImageSource,
    *,
    data_dir: str | None = None,
    resizer: str = "legacy",
    inception_weights: str | None = None,
) -> FeatureNetwork:
    """The network that `text` names.

    Args:
        text: "auto": the classifier of the real set where its images are small, grey and labelled, otherwise
            Inception; "classifier" (of the real set), "classifier:NAME" (of another data set) or
            "classifier:FILE"; "inception", "random", "pixels", "pca" (fitted to the real set).
        real: the real side.
        data_dir: the data folder, where a classifier has yet to be trained.
        resizer: of Inception: "legacy" or "clean".
        inception_weights: a file with Inception's weights.

    Raises:
        UserError: an unknown name, weights that are not there, or a network that does not take these images.
    """
    name, _, which = text.partition(":")
    if name not in NETWORKS or (which and name != "classifier"):
        raise UserError(
            f"--network={text}: choose one of {', '.join(NETWORKS)}, classifier:DATA_SET or classifier:FILE"
        )
    if name == "auto":
        name = "classifier" if _is_small(real) else "inception"
    if name == "classifier":
        network = _classifier(which, real, data_dir)
    elif name == "inception":
        network = inception(inception_weights, resizer=resizer)
    elif name == "random":
        network = random_network(real.image_shape)
    elif name == "pixels":
        network = pixel_network(real.image_shape)
    else:
        count = FITTED if real.size is None else min(real.size, FITTED)
        network = pca_network([batch for batch, _ in real.batches(count, 1024)], components=COMPONENTS)
    network.check_shape(real.image_shape)
    return network


def _is_small(real: ImageSource) -> bool:
    height, width, channels = real.image_shape
    return max(height, width) <= SMALL and channels == 1 and _labelled(real)


def _labelled(real: ImageSource) -> bool:
    return real.dataset is not None and real.num_classes is not None


def _classifier(which: str, real: ImageSource, data_dir: str | None) -> FeatureNetwork:
    if which.endswith(".npz") or Path(which).is_file():
        return load_classifier(Path(which))
    if which:
        return classifier(which, data_dir=data_dir)
    if real.dataset is None or not _labelled(real):
        raise UserError(
            f"--network=classifier: {real.name} is not a labelled data set, so there is no classifier of it; "
            "name one, as in --network=classifier:mnist, or choose another network: "
            f"{', '.join(NETWORKS[2:])}"
        )
    if real.dataset.name == "stacked_mnist":
        return stacked(classifier("mnist", data_dir=data_dir))
    return classifier(real.dataset.name, data_dir=data_dir, options=real.dataset.options)
