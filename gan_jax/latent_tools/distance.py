"""How far pictures are from targets: in pixels, and in the layers of a frozen network."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gan_jax.core.update import Array
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.feature_networks.content_networks import ContentNetwork, content_network
from gan_jax.feature_networks.lpips import maps_distance
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree


@dataclass(frozen=True)
class Distance:
    """Perceptual distance plus `pixel_weight` times the mean square of the difference, of each picture.

    Attributes:
        network: None for pixels alone.
        layers: of the network, whose distances are added up.
        weights: of the network.
        pixel_weight: of pixels in [-1, 1].
    """

    network: ContentNetwork | None = None
    layers: tuple[str, ...] = ()
    weights: PyTree = ()
    pixel_weight: float = 1.0

    def seen(self, weights: PyTree, image: Array) -> list[Array]:
        """What is compared of images [B, H, W, C]: the activations of the layers, and the image itself."""
        maps = [] if self.network is None else self.network.maps(weights, image, self.layers)
        return [*maps, image]

    def between(self, made: list[Array], wanted: list[Array]) -> Array:
        """The distances [B] of what `seen` gave."""
        pixels = jnp.mean((made[-1] - wanted[-1]) ** 2, axis=(1, 2, 3))
        if len(made) == 1:
            return pixels
        return maps_distance(made[:-1], wanted[:-1]) + self.pixel_weight * pixels


def open_distance(name: str, weights: str, field: Field, pixel_weight: float) -> Distance:
    """The distance in the network that `name` names, loaded.

    Args:
        name: as `content_network` takes it; "none" for pixels alone; "" for "random" where pictures are grey
            or RGB, else "none".
        weights: of vgg19: torchvision's file.
        field: of the images, whose channels the network must take.

    Raises:
        UserError: an unknown network, one without its weights, one that does not take such pictures.
    """
    is_usual = field.codec == Pixels() and field.shape[2] in (1, 3)
    name = name or ("random" if is_usual else "none")
    if name == "none":
        return Distance(pixel_weight=1.0)
    try:
        network = content_network(name, weights, "project")
        params = network.load()
        layers = network.usual_layers(params)
        image = jax.ShapeDtypeStruct((1, *field.shape), jnp.float32)
        jax.eval_shape(lambda image: network.maps(params, image, layers), image)
    except ValueError as error:
        raise UserError(f"{error}; none compares pixels alone") from error
    return Distance(network, layers, params, pixel_weight)
