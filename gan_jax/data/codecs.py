"""Codecs: how a field of the data is stored, what the networks see of it, and what a picture of it is.

What differs between pixels, points, tiles and waves is asked of the codec, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.codec import Codec, Shape
from gan_jax.data.sound_codecs import Spectrogram, Wave
from gan_jax.densities import DENSITIES, Density
from gan_jax.utils.tables import Table

__all__ = [
    "CODECS",
    "Codec",
    "Lab",
    "Pixels",
    "Points",
    "Spectrogram",
    "Tiles",
    "Wave",
    "codec_from",
    "rounded",
    "srgb_levels",
    "to_float",
]

Array = jax.Array


@dataclass(frozen=True)
class Pixels(Codec):
    """Pictures: uint8 and [-1, 1], of any number of channels."""

    name = "pixels"
    noun = "images"
    values = "x = v / 127.5 - 1, of v from 0 (black) to 255"
    dtype = np.dtype(np.uint8)
    is_image = True
    flips = True

    def decode(self, stored: Array) -> Array:
        """As `to_float`."""
        return to_float(stored)

    def encode(self, decoded: np.ndarray) -> np.ndarray:
        """round((x + 1) * 127.5), values outside of [-1, 1] clipped."""
        x = np.asarray(decoded, np.float32)
        return np.rint(np.clip((x + 1) * 127.5, 0, 255)).astype(np.uint8)

    def picture(self, decoded: np.ndarray) -> np.ndarray:
        """1, 3 or 4 channels as grey, RGB or RGBA; of another number all side by side, in grey."""
        pixels = self.encode(decoded)
        if pixels.shape[-1] in (1, 3, 4):
            return pixels
        count, height, width, channels = pixels.shape
        return pixels.transpose(0, 1, 3, 2).reshape(count, height, channels * width, 1)


@dataclass(frozen=True)
class Points(Codec):
    """Points of R^D, [1, 1, D], float32 of any range; never rounded.

    Attributes:
        density: that they are draws of, where it is known.
        recipe: its name in DENSITIES and its options, {"name": "ring", "modes": 8}: what is written down.
    """

    density: Density | None = None
    recipe: Mapping[str, Any] | None = field(default=None, compare=False)

    name = "points"
    noun = "points"
    values = "coordinates, in the units of the density"
    dtype = np.dtype(np.float32)
    bounded = False
    pictured = False

    @classmethod
    def named(cls, name: str, **options: Any) -> Points:
        """Draws of the density with this name in DENSITIES."""
        return cls(DENSITIES[name](**options), {"name": name, **options})

    def stored_shape(self, shape: Shape) -> Shape:
        """[1, 1, D]."""
        if len(shape) != 3 or shape[:2] != (1, 1):
            raise ValueError(f"points have the shape (1, 1, D), not {shape}")
        return shape

    def decode(self, stored: Array) -> Array:
        """As they are."""
        return stored

    def encode(self, decoded: np.ndarray) -> np.ndarray:
        """As they are."""
        return np.asarray(decoded, np.float32)

    def picture(self, decoded: np.ndarray) -> np.ndarray:
        """There is none of a single point."""
        raise ValueError("a point has no picture of its own: summaries.pictures draws a set of them")

    def describe(self) -> dict[str, Any]:
        """With the density, where it has a recipe."""
        return {"name": self.name, "density": self.recipe and dict(self.recipe)}


@dataclass(frozen=True, eq=False)
class Tiles(Codec):
    """Levels of tiles: tile numbers uint8 [H, W] and one-hot float32 [H, W, K].

    Attributes:
        palette: what each of the K tiles looks like: colours uint8 [K, 1, 3 or 4], or sprites of one size,
            uint8 [K, h, w, 1, 3 or 4].
        alphabet: the character of each tile in a level's text, K of them; "" where it has none.
        flips: False where a tile has a left and a right side.
    """

    palette: np.ndarray
    alphabet: str = ""
    flips: bool = True

    name = "tiles"
    noun = "levels of tiles"
    values = "the largest of the last axis says which tile"
    dtype = np.dtype(np.uint8)

    def __post_init__(self) -> None:
        given = np.asarray(self.palette)
        if given.ndim not in (2, 4) or given.shape[-1] not in (1, 3, 4) or not 1 <= len(given) <= 256:
            raise ValueError(
                "a palette of K tiles, 1 <= K <= 256, is colours [K, 1, 3 or 4] or sprites [K, h, w, 1, 3 or "
                f"4], not {list(given.shape)}"
            )
        if given.dtype.kind not in "iu" or given.min() < 0 or given.max() > 255:
            raise ValueError(f"the colours of tiles are integers from 0 to 255, not {given.dtype}")
        if self.alphabet and not len(set(self.alphabet)) == len(self.alphabet) == len(given):
            raise ValueError(
                f"alphabet={self.alphabet!r}: {len(given)} tiles have a character each, or none has"
            )
        palette = given.astype(np.uint8)
        palette.flags.writeable = False
        object.__setattr__(self, "palette", palette)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tiles) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.palette.tobytes(), self.alphabet, self.flips))

    def stored_shape(self, shape: Shape) -> Shape:
        """[H, W, K] -> [H, W]."""
        if len(shape) != 3 or shape[2] != len(self.palette):
            raise ValueError(
                f"levels of {len(self.palette)} tiles have (H, W, {len(self.palette)}), not {shape}"
            )
        return shape[:2]

    def decode(self, stored: Array) -> Array:
        """One-hot; all zeros for a number without a tile."""
        return jax.nn.one_hot(stored, len(self.palette), dtype=jnp.float32)

    def encode(self, decoded: np.ndarray) -> np.ndarray:
        """The tile with the largest value."""
        return np.asarray(decoded).argmax(axis=-1).astype(np.uint8)

    def picture(self, decoded: np.ndarray) -> np.ndarray:
        """Colours [B, H, W, C], or sprites side by side [B, H * h, W * w, C]."""
        tiles = self.palette[self.encode(decoded)]
        if tiles.ndim == 4:
            return tiles
        count, rows, columns, height, width, channels = tiles.shape
        return tiles.swapaxes(2, 3).reshape(count, rows * height, columns * width, channels)

    def describe(self) -> dict[str, Any]:
        """With the palette, and the alphabet and the sides where there are some."""
        described = {"name": self.name, "palette": self.palette.tolist()}
        return (
            described
            | ({"alphabet": self.alphabet} if self.alphabet else {})
            | ({} if self.flips else {"flips": False})
        )


# sRGB (IEC 61966-2-1) to CIE XYZ, for the white point D65; each row is divided by the white's X, Y, Z, so
# that greys have a = b = 0.
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO_WHITE = _XYZ / _XYZ.sum(axis=1, keepdims=True)
_FROM_WHITE = np.linalg.inv(_TO_WHITE)
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)
_BEND = 6 / 29  # where CIE's cube root becomes a line
_AB = 110.0  # what a and b are divided by, as in pix2pix; of sRGB colours none reaches it


@dataclass(frozen=True)
class Lab(Codec):
    """Colour pictures, stored as uint8 RGB and seen as CIE L*a*b*: L / 50 - 1, a / 110, b / 110."""

    name = "lab"
    noun = "images in L*a*b*"
    values = "L / 50 - 1, a / 110, b / 110"
    dtype = np.dtype(np.uint8)
    is_image = True
    flips = True

    def stored_shape(self, shape: Shape) -> Shape:
        """[H, W, 3]."""
        if len(shape) != 3 or shape[2] != 3:
            raise ValueError(f"pictures in L*a*b* have the shape (H, W, 3), not {shape}")
        return shape

    def decode(self, stored: Array) -> Array:
        """RGB to scaled L*a*b*."""
        linear = jnp.asarray(_LINEAR, jnp.float32)[stored]
        xyz = (linear[..., None, :] * np.float32(_TO_WHITE)).sum(axis=-1)  # no product that a GPU may round
        f = jnp.where(xyz > _BEND**3, jnp.cbrt(xyz), xyz / (3 * _BEND**2) + 4 / 29)
        lightness = 116 * f[..., 1] - 16
        a, b = 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])
        return jnp.stack([lightness / 50 - 1, a / _AB, b / _AB], axis=-1)

    def encode(self, decoded: np.ndarray) -> np.ndarray:
        """Scaled L*a*b* to RGB; what no screen shows is clipped channel by channel."""
        return np.rint(255 * srgb_levels(np.asarray(decoded, np.float64), np)).astype(np.uint8)

    def picture(self, decoded: np.ndarray) -> np.ndarray:
        """The RGB."""
        return self.encode(decoded)


def srgb_levels(lab: Any, xp: Any) -> Any:
    """Scaled L*a*b* [..., 3] as sRGB in [0, 1], clipped.

    Args:
        xp: numpy, or jax.numpy for what is traced.
    """
    y = ((lab[..., 0] + 1) * 50 + 16) / 116
    f = xp.stack([y + lab[..., 1] * _AB / 500, y, y - lab[..., 2] * _AB / 200], axis=-1)
    xyz = xp.where(f > _BEND, f**3, 3 * _BEND**2 * (f - 4 / 29))
    linear = xp.clip(xyz @ _FROM_WHITE.T.astype(lab.dtype), 0, 1)
    return xp.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


CODECS: Table[Any] = Table(
    "codec", {kind.name: kind for kind in (Pixels, Points, Tiles, Wave, Spectrogram, Lab)}, named=True
)


def codec_from(described: Mapping[str, Any]) -> Codec:
    """The codec that `Codec.describe` described.

    Raises:
        ValueError: there is no such codec.
    """
    name, options = described["name"], {key: value for key, value in described.items() if key != "name"}
    if name not in CODECS:
        raise ValueError(f"the codec {name!r} is not one of {', '.join(CODECS)}")
    if name == Points.name:
        recipe = options.get("density")
        return Points() if recipe is None else Points.named(**recipe)
    codec: Codec = CODECS[name](**options)
    return codec


def to_float(image: Array) -> Array:
    """uint8 pictures of any shape -> float32 in [-1, 1]: x / 127.5 - 1, with 0 and 255 exactly at the ends.

    Written as a product, because a device may divide inexactly; 127.5 * float32(1 / 127.5) is exactly 1.
    """
    return (image.astype(jnp.float32) - 127.5) * np.float32(1 / 127.5)


def rounded(image: Array) -> Array:
    """Pictures in [-1, 1] as they come back from a file of 8 bits, values outside clipped. Traceable."""
    return to_float(jnp.round(jnp.clip((image + 1) * 127.5, 0, 255)))
