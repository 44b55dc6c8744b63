"""The type of frozen feature networks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np

from gan_jax.data.codecs import Codec, Pixels
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

Array = jax.Array


class Outputs(NamedTuple):
    """What a feature network says of images.

    Attributes:
        features: float32 [B, D].
        logits: float32 [B, K] where the network is a classifier.
    """

    features: Array
    logits: Array | None = None


@dataclass(frozen=True)
class FeatureNetwork:
    """A frozen network.

    Attributes:
        name: "inception", "classifier", "random", "pixels" or "pca", and what else tells it apart.
        digest: of its architecture, preprocessing and weights; a score's protocol holds it.
        resizer: how images of another size come to the network's own: "none" where none does.
        image_shape: (H, W, C) of the images it takes; None for any, and for single entries.
        num_features: D.
        num_classes: K; None where it gives no logits.
        params: its weights.
        apply: (params, images [B, ...] as `codec` stores them) -> Outputs; of pixels uint8 [B, H, W, C], or
            float32 in 0 to 255. Pure; works under jit.
        note: how good it is, where that is known: "right on 99.47% of the test images".
        maps: the same arguments -> activations float32 [B, h, w, c] of several layers, first to last, for
            perceptual distances; None where there are none.
        codec: of the images that it takes.
    """

    name: str
    digest: str
    resizer: str
    image_shape: tuple[int | None, int | None, int | None]
    num_features: int
    num_classes: int | None
    params: PyTree
    apply: Callable[[PyTree, Array], Outputs]
    maps: Callable[[PyTree, Array], list[Array]] | None = None
    note: str = ""
    codec: Codec = field(default_factory=Pixels)

    def check_shape(self, image_shape: tuple[int, ...]) -> None:
        """Raises a UserError if the network does not take images [H, W, C] of this shape."""
        wanted = self.image_shape
        if len(image_shape) == 3 and all(w in (None, s) for w, s in zip(wanted, image_shape, strict=True)):
            return
        listed = " x ".join("any" if size is None else str(size) for size in wanted)
        raise UserError(
            f"the feature network {self.name} takes images {listed}, and these are "
            f"{' x '.join(map(str, image_shape))}: choose another network, or resize the images"
        )


def digest_of(params: PyTree, description: str) -> str:
    """16 hex digits of a sha256 over `description` and every array with its path, dtype and shape."""
    whole = hashlib.sha256(description.encode())
    for path, leaf in sorted(
        jax.tree_util.tree_leaves_with_path(params), key=lambda item: jax.tree_util.keystr(item[0])
    ):
        array = np.asarray(leaf)
        whole.update(f"\0{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\0".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:16]
