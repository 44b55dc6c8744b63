"""Small sources and networks for tests of what works with any."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from gan_jax.evaluation.sources.image_source import Batch, ImageSource
from gan_jax.feature_networks.network import FeatureNetwork, Outputs


def images(count: int, seed: int = 0, shape: tuple[int, int, int] = (4, 4, 1)) -> np.ndarray:
    """uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def source(
    pixels: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    name: str = "toy",
    fingerprint: str | None = None,
    num_classes: int | None = None,
) -> ImageSource:
    """A source of these images."""

    def read(count: int, batch_size: int) -> Iterator[Batch]:
        for start in range(0, count, batch_size):
            part = slice(start, min(start + batch_size, count))
            yield pixels[part], None if labels is None else labels[part]

    shape = (pixels.shape[1], pixels.shape[2], pixels.shape[3])
    return ImageSource(name, fingerprint, shape, num_classes, len(pixels), read)


def network(digest: str = "toy", classes: int | None = 3) -> FeatureNetwork:
    """Features: the pixels times a weight; logits: the first pixels."""

    def apply(params, given):
        flat = given.astype(jnp.float32).reshape(len(given), -1)
        return Outputs(flat * params["scale"], None if classes is None else flat[:, :classes] / 64)

    return FeatureNetwork(
        name="toy",
        digest=digest,
        resizer="none",
        image_shape=(None, None, 1),
        num_features=16,
        num_classes=classes,
        params={"scale": jnp.float32(0.5)},
        apply=apply,
    )
