"""What a translator's input is: a field of the batch, or made of the image on the device.

All values are as the codecs decode them: pixels in [-1, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from gan_jax.core.update import Batch
from gan_jax.data.codecs import Lab, Pixels, rounded
from gan_jax.data.spec import Field
from gan_jax.utils.checks import check_count, check_range
from gan_jax.utils.tables import Table

Array = jax.Array


class Source(ABC):
    """How the input of a translator comes from a batch.

    Attributes:
        field: the field of the batch that it is made of; of a picture that a user gives too.
        factor: the image is so many times as high and as wide as the source.
        reads_alpha: whether a given picture has a channel more, see `core.Algorithm.reads_alpha`.
    """

    field: str = "image"
    factor: int = 1
    reads_alpha: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, batch: Batch, keys: Array) -> Array:
        """The network's input [B, h, w, c], of decoded fields [B, H, W, C].

        Args:
            keys: typed PRNG keys [B], one per example.
        """

    def check(self, fields: Mapping[str, Field]) -> None:
        """Raises a ValueError where it cannot be made of data with these fields."""
        if self.field not in fields:
            raise ValueError(
                f"the source is the field {self.field} of the data, and they have {', '.join(fields)}: take "
                "a data set of pairs, or a source that is made of the image"
            )

    def of_picture(self, picture: Array) -> Array:
        """The network's input, of a picture that a user gives as the field `field`: as it is by default."""
        return picture

    def complete(self, made: Array, source: Array) -> Array:
        """The image that the network's output [B, H, W, C] stands for: itself by default."""
        return made

    def beside(self, image: Array, source: Array) -> Array:
        """What a discriminator sees of an image, real or made, and its source: both as channels by default.

        Isola et al. 2017, arXiv:1611.07004, equation 1.
        """
        return jnp.concatenate([image, source], axis=-1)

    def pictured(self, source: Array, shape: tuple[int, ...]) -> Array:
        """The source as an image [B, *shape] to be looked at, in the image's codec.

        Its channels are repeated where it has one, or averaged where the image has one.
        """
        height, width, channels = shape
        if source.shape[-1] not in (1, channels):
            source = jnp.mean(source, axis=-1, keepdims=True)
        if source.shape[1:3] != (height, width):
            source = jax.image.resize(source, (source.shape[0], height, width, source.shape[3]), "nearest")
        return jnp.broadcast_to(source, (source.shape[0], height, width, channels))


@dataclass(frozen=True)
class OfField(Source):
    """A field of the data: "source" of pairs, or "image", the picture itself, as style transfer takes it."""

    field: str = "source"

    def check(self, fields: Mapping[str, Field]) -> None:
        super().check(fields)
        if not fields[self.field].aligned:
            raise ValueError(
                "the sources and the images of these data are no pairs, of which a translator learns: take a "
                "data set of pairs, or algorithm.name=cyclegan"
            )

    def __call__(self, batch: Batch, keys: Array) -> Array:
        return batch[self.field]


@dataclass(frozen=True)
class Downscale(Source):
    """The image made smaller, rounded to 8 bits: what super-resolution is taught to undo.

    Bicubic with a = -1/2, antialiased: as Pillow's and MATLAB's, so that scores are comparable with those
    published; without the antialiasing they are dBs higher.

    Attributes:
        factor: by which height and width shrink.
    """

    factor: int = 4

    def __post_init__(self) -> None:
        check_count(self.factor, "factor")
        if self.factor < 2:
            raise ValueError(f"factor={self.factor}: it must be at least 2")

    def check(self, fields: Mapping[str, Field]) -> None:
        super().check(fields)
        image = fields["image"]
        height, width, _ = image.shape
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"source.factor={self.factor} does not divide the images' {height}x{width}: take images "
                "whose sides are multiples of it"
            )
        if image.codec != Pixels():
            raise ValueError(f"the source downscale is for pixels, and the images are {image.codec.noun}")

    def __call__(self, batch: Batch, keys: Array) -> Array:
        count, height, width, channels = batch["image"].shape
        shape = (count, height // self.factor, width // self.factor, channels)
        return rounded(jax.image.resize(batch["image"], shape, "cubic", antialias=True))

    def beside(self, image: Array, source: Array) -> Array:
        """The image alone, as in SRGAN: it says what the source is (Ledig et al. 2017, equation 2)."""
        return image


@dataclass(frozen=True)
class Lightness(Source):
    """The lightness L of images in L*a*b* (data.codec="lab"): the network adds a and b, which is colouring.

    Isola et al. 2017, arXiv:1611.07004, section 4.2; L as it is given stays.
    """

    def check(self, fields: Mapping[str, Field]) -> None:
        super().check(fields)
        if not isinstance(fields["image"].codec, Lab):
            raise ValueError(
                f"the source lightness is that of images in L*a*b*, and these are "
                f'{fields["image"].codec.noun}: set data.codec="lab"'
            )

    def __call__(self, batch: Batch, keys: Array) -> Array:
        return batch["image"][..., :1]

    def of_picture(self, picture: Array) -> Array:
        """Its lightness, whatever its colours."""
        return picture[..., :1]

    def complete(self, made: Array, source: Array) -> Array:
        """L as given, a and b as made."""
        return jnp.concatenate([source, made[..., 1:]], axis=-1)

    def beside(self, image: Array, source: Array) -> Array:
        """The image alone, which holds the lightness."""
        return image

    def pictured(self, source: Array, shape: tuple[int, ...]) -> Array:
        """Grey."""
        return jnp.pad(source, ((0, 0), (0, 0), (0, 0), (0, 2)))


@dataclass(frozen=True)
class Masked(Source):
    """The image with a square hole at a random place, which the network fills: in-painting.

    The hole is grey, and a channel more says where it is: 1 known, -1 hole. Pathak et al. 2016,
    arXiv:1604.07379, section 3.3.

    Attributes:
        hole: its side as a share of the image's sides.
    """

    hole: float = 0.5
    reads_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range(self.hole, "hole", 0.0, 1.0)

    def check(self, fields: Mapping[str, Field]) -> None:
        super().check(fields)
        image = fields["image"]
        if not image.codec.is_image:
            raise ValueError(f"the source masked is for images, and these are {image.codec.noun}")
        if min(round(self.hole * side) for side in image.shape[:2]) < 1:
            raise ValueError(f"source.hole={self.hole} of images {image.shape[:2]} is no pixel: enlarge it")

    def __call__(self, batch: Batch, keys: Array) -> Array:
        _, height, width, _ = batch["image"].shape
        sides = round(self.hole * height), round(self.hole * width)

        def known(key: Array) -> Array:
            limits = jnp.array([height - sides[0] + 1, width - sides[1] + 1])
            top, left = jax.random.randint(key, (2,), 0, limits)
            rows, columns = jnp.arange(height)[:, None] - top, jnp.arange(width) - left
            inside = (rows >= 0) & (rows < sides[0]) & (columns >= 0) & (columns < sides[1])
            return 1.0 - inside[..., None]

        return self.of_picture(jnp.concatenate([batch["image"], jax.vmap(known)(keys)], axis=-1))

    def of_picture(self, picture: Array) -> Array:
        """Of a picture and its alpha, which is 0 in the holes."""
        alpha = picture[..., -1:]
        return jnp.concatenate([picture[..., :-1] * alpha, 2 * alpha - 1], axis=-1)

    def complete(self, made: Array, source: Array) -> Array:
        """What is known stays."""
        alpha = (source[..., -1:] + 1) / 2
        return source[..., :-1] + (1 - alpha) * made

    def pictured(self, source: Array, shape: tuple[int, ...]) -> Array:
        """With its grey hole."""
        return source[..., :-1]


SOURCES: Table[Callable[..., Source]] = Table(
    "source",
    {
        "field": OfField,
        "downscale": Downscale,
        "lightness": Lightness,
        "masked": Masked,
    },
)
