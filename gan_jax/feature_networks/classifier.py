"""In-domain classifiers of small images, as feature networks.

For MNIST and its kin a network of the set's own is the usual judge, since Inception was trained on large
photographs. `classifier_training` trains it, `classifier_cache` keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.codecs import to_float
from gan_jax.feature_networks.labelled import SMALLEST_SIDE, check_labelled
from gan_jax.feature_networks.network import FeatureNetwork, Outputs, digest_of
from gan_jax.models.layers.layers import Conv, Dense, Dropout
from gan_jax.models.layers.norms import Norm
from gan_jax.utils.tree import PyTree

Array = jax.Array

VERSION = 1  # of the architecture and the training: raise it with every change of what a seed gives
NUM_FEATURES = 128
_WIDTHS = (32, 64, 128)  # of the layers with stride 2; further ones are as wide as the last
_MOMENTUM = 0.9  # of the moving statistics
_PREDICTED_AT_A_TIME = 500


class Classifier(nn.Module):
    """Images [B, H, W, C] in [-1, 1] -> features [B, 128], logits [B, K], maps of the convolutions.

    Convolutions 5x5 and 3x3 with stride 2 down to a side of at most 8 and one more with stride 1, each with
    batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) and ReLU, a hidden layer whose 128
    activations are the features, and the logits. He's initialisation (He et al. 2015, arXiv:1502.01852).

    Attributes:
        num_classes: K.
        widths: of the convolutions that halve; further ones are as wide as the last.
    """

    num_classes: int
    widths: tuple[int, ...] = _WIDTHS

    @nn.compact
    def __call__(self, image: Array, train: bool = False, dropout: float = 0.0) -> tuple[Array, Array, list]:
        he = nn.initializers.he_normal()
        maps = _maps(image, layers_of(image.shape[1:3], self.widths), train)
        x = Dropout(dropout)(maps[-1].reshape(image.shape[0], -1), train)
        features = nn.relu(Dense(NUM_FEATURES, kernel_init=he, name="features")(x))
        logits = Dense(self.num_classes, name="logits")(Dropout(dropout)(features, train))
        return features, logits, maps


class ClassifierMaps(nn.Module):
    """The maps of a `Classifier` alone, with its weights, of images of any size.

    Attributes:
        count: of the convolutions.
    """

    count: int

    @nn.compact
    def __call__(self, image: Array) -> list[Array]:
        return _maps(image, layers(self.count - 1), train=False)


def _maps(image: Array, layers: list[tuple[int, int, int]], train: bool) -> list[Array]:
    """What each convolution makes; they become parts of the module in whose compact method this is."""
    x, maps, he = image, [], nn.initializers.he_normal()
    for index, (width, size, stride) in enumerate(layers):
        x = Conv(width, size, stride, use_bias=False, kernel_init=he, name=f"conv_{index}")(x)
        x = nn.relu(Norm("batch", momentum=_MOMENTUM, name=f"norm_{index}")(x, None, train))
        maps.append(x)
    return maps


def layers_of(size: tuple[int, ...], widths: tuple[int, ...] = _WIDTHS) -> list[tuple[int, int, int]]:
    """(width, kernel size, stride) of the convolutions for images of this (height, width)."""
    return layers(max(2, math.ceil(math.log2(max(size) / SMALLEST_SIDE))), widths)


def layers(halvings: int, widths: tuple[int, ...] = _WIDTHS) -> list[tuple[int, int, int]]:
    """Those of a classifier that halves the image so often."""
    widths = tuple(widths[min(index, len(widths) - 1)] for index in range(halvings + 1))
    first, *halving, last = widths
    return [(first, 5, 2), *((width, 3, 2) for width in halving), (last, 3, 1)]


def classifier_network(
    params: PyTree, image_shape: tuple[int, int, int], num_classes: int, name: str = "classifier"
) -> FeatureNetwork:
    """The trained classifier as a feature network, with the convolutions' activations as `maps`."""
    model = Classifier(num_classes)

    def whole(params: PyTree, images: Array) -> tuple[Array, Array, list[Array]]:
        with jax.default_matmul_precision("highest"):
            return model.apply(params, to_float(images))  # type: ignore[return-value]

    return FeatureNetwork(
        name=name,
        digest=digest_of(params, f"classifier {VERSION}, {image_shape}, {num_classes} classes"),
        resizer="none",
        image_shape=image_shape,
        num_features=NUM_FEATURES,
        num_classes=num_classes,
        params=params,
        apply=lambda params, images: Outputs(*whole(params, images)[:2]),
        maps=lambda params, images: whole(params, images)[2],
    )


def predict(network: FeatureNetwork, images: np.ndarray) -> np.ndarray:
    """The class int32 [N] with the largest logit of each image uint8 [N, H, W, C].

    Raises:
        UserError: images of another shape than the network's.
        ValueError: a network without logits.
    """
    if network.num_classes is None:
        raise ValueError(f"the feature network {network.name} has no logits: give a classifier")
    network.check_shape(images.shape[1:])
    classes = np.empty(len(images), np.int32)
    for start in range(0, len(images), _PREDICTED_AT_A_TIME):
        batch = images[start : start + _PREDICTED_AT_A_TIME]
        padding = [(0, _PREDICTED_AT_A_TIME - len(batch))] + [(0, 0)] * 3  # always one program
        found = _largest(network.apply, network.params, np.pad(batch, padding))
        classes[start : start + len(batch)] = np.asarray(found)[: len(batch)]
    return classes


def accuracy(network: FeatureNetwork, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of the images uint8 [N, H, W, C] that the network takes for their label [N].

    Raises:
        UserError: as `predict` and `check_labelled`.
    """
    check_labelled("the images", images, labels, network.num_classes or 0)
    return float(np.mean(predict(network, images) == labels))


@partial(jax.jit, static_argnums=0)
def _largest(apply: Callable[[PyTree, Array], Outputs], params: PyTree, images: Array) -> Array:
    logits: Any = apply(params, images).logits
    return jnp.argmax(logits, axis=-1).astype(jnp.int32)
