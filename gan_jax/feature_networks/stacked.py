"""Feature network for Stacked-MNIST, made of a classifier of digits."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.feature_networks.network import FeatureNetwork, Outputs
from gan_jax.utils.tree import PyTree


def stacked(digits: FeatureNetwork) -> FeatureNetwork:
    """The network of Stacked-MNIST (arXiv:1611.02163, section 3.3.1), from one of digits with K classes.

    A picture [H, W, 3] is three digits a, b, c, judged one by one. Features: those of the three in a row,
    3 D. Logits over the K^3 combinations, class K^2 a + K b + c: the sum of the three log-probabilities, so
    that their softmax is the joint probability.
    """
    height, width, channels = digits.image_shape
    classes = digits.num_classes
    if channels != 1 or classes is None:
        raise ValueError(f"stacked needs a classifier of grey images; {digits.name} is not one")

    def apply(params: PyTree, images: jax.Array) -> Outputs:
        count = images.shape[0]
        channel_first = jnp.moveaxis(images, -1, 1).reshape(-1, *images.shape[1:3], 1)
        features, logits = digits.apply(params, channel_first)
        assert logits is not None
        a, b, c = jnp.moveaxis(jax.nn.log_softmax(logits).reshape(count, 3, classes), 1, 0)
        joint = a[:, :, None, None] + b[:, None, :, None] + c[:, None, None, :]
        return Outputs(features.reshape(count, -1), joint.reshape(count, -1))

    return FeatureNetwork(
        name=f"stacked {digits.name}",
        digest=f"3x{digits.digest}",
        resizer=digits.resizer,
        image_shape=(height, width, 3),
        num_features=3 * digits.num_features,
        num_classes=classes**3,
        params=digits.params,
        apply=apply,
        note=digits.note,
    )
