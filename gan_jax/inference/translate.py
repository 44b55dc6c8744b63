"""Pictures of any size through a method's translation.

A network takes sides that are multiples of something, and each size is a program that takes seconds to
compile. So a picture is reflected at its edges until its sides are on a coarse grid (eight sizes from each
power of two to the next), and what is made of it is cut to size again. A network whose norms take their
statistics over space (instance norm) sees the reflected margin in them too: at most an eighth of each side,
but for pictures of few multiples, which grow to the next one.

Every picture is translated by itself and with the same key: what is made of it does not depend on what other
pictures there are, and frames of a video get the same noise.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.spec import DataSpec
from gan_jax.distributed.memory import check_devices, device_free_bytes
from gan_jax.distributed.parallel import mesh_of_at_most
from gan_jax.inference.sample import drawable
from gan_jax.inference.tiles import in_tiles
from gan_jax.utils.errors import UserError

UNTILED = 256  # pixels: no side up to this is cut into tiles unless it is asked for
_LEAST = 16  # pixels: what is smaller is enlarged by reflection; networks halve sides a few times
_SIZES = 8  # from each power of two to the next
_SHARE = 2  # one part in so many of the free memory is meant for one call
_STRIP_PIXELS = 2**20  # encoded at a time


class PictureTranslator:
    """picture uint8 [H, W, C] -> uint8 [H * scale, W * scale, C'], for pictures of any size.

    Args:
        algorithm: translates in this direction.
        spec: what the networks know of the data; their codecs read the pictures and write what is made.
        state: of a run.
        direction: one of the algorithm's.
        seed: of what the network draws.
        tile: the longest side that the network is given; what is larger is cut into tiles. None: no limit.

    Attributes:
        field: of the data, which its pictures are as one of.
        channels: of the pictures it is given: 1, 3 or 4; with `reads_alpha` 4, the last the alpha.
        reads_alpha: whether transparent pixels are those that the method fills in.
        tile: as given, rounded down to what the network takes; it may be set until the first picture.

    Raises:
        UserError: the method does not translate, not in this direction, or no pictures; a tile that is too
            small.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        spec: DataSpec,
        state: TrainState,
        *,
        direction: str,
        seed: int = 0,
        tile: int | None = None,
    ) -> None:
        if direction not in algorithm.directions:
            raise UserError(f"direction={direction}: {what_it_translates(algorithm)}")
        self.field = spec.fields[algorithm.input_field(direction)]
        codec, channels = self.field.codec, self.field.stored_shape[-1]
        if not codec.is_image or codec.dtype != np.uint8 or channels not in (1, 3, 4):
            raise UserError(
                f"pictures of 1, 3 or 4 channels can be translated, and the method translates {codec.noun} "
                f"of the shape {self.field.shape}"
            )
        self.reads_alpha = algorithm.reads_alpha
        self.channels = 4 if self.reads_alpha else channels
        self._codec = spec.fields["source" if direction == "b_to_a" else "image"].codec
        self._algorithm, self._direction = algorithm, direction
        self._state = drawable(state)
        self._key = jax.random.key(seed)
        self._geometry = algorithm.geometry(direction)
        self._programs: dict[tuple[int, int], jax.stages.Compiled] = {}
        self.tile = None if tile is None else self._checked(tile)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """What the method makes of a picture.

        Args:
            picture: uint8 [H, W, channels].

        Raises:
            UserError: the network does not take pictures of this size, or not enough memory for it.
        """
        height, width = picture.shape[:2]
        scale = self._geometry.scale
        padded, top, left = reflected(picture, *self.padded_sides(height, width))
        if self.is_tiled(height, width):
            made = in_tiles(self._made, padded, self.tile or 0, self._geometry.multiple, scale)
        else:
            made = self._made(padded)
        rows = slice(scale * top, scale * (top + height))
        return self._encoded(made[rows, scale * left : scale * (left + width)])

    def padded_sides(self, height: int, width: int) -> tuple[int, int]:
        """The sides to which a picture is reflected."""
        return padded_side(height, self._geometry.multiple), padded_side(width, self._geometry.multiple)

    def is_tiled(self, height: int, width: int) -> bool:
        """Whether a picture of this size is cut into tiles."""
        return self.tile is not None and max(self.padded_sides(height, width)) > self.tile

    def largest_tile(self) -> int:
        """The side of the largest square that the memory is enough for, by what a small one takes."""
        side = padded_side(UNTILED, self._geometry.multiple)
        each = sum(self._needed(self._program(side, side)).values()) / side**2
        there = device_free_bytes(mesh_of_at_most(1)) / _SHARE
        return max(self._rounded(math.isqrt(int(there / each))), side, 2 * self._geometry.multiple)

    def _checked(self, tile: int) -> int:
        least = max(2 * self._geometry.multiple, _LEAST)
        if tile < least:
            raise UserError(f"tile={tile}: the tiles of this network must be at least {least} pixels wide")
        return self._rounded(tile)

    def _rounded(self, side: int) -> int:
        return side // self._geometry.multiple * self._geometry.multiple

    def _made(self, picture: np.ndarray) -> np.ndarray:
        """Of a picture of a size that the network takes, decoded: float32 [H * scale, W * scale, C']."""
        program = self._program(*picture.shape[:2])
        return np.asarray(program(self._state, np.ascontiguousarray(picture[None]), self._key))[0]

    def _program(self, height: int, width: int) -> jax.stages.Compiled:
        """The translation of one picture of this size."""
        if (height, width) in self._programs:
            return self._programs[height, width]
        colours = self.channels - self.reads_alpha

        def translate(state: TrainState, stored: jax.Array, key: jax.Array) -> jax.Array:
            picture = self.field.codec.decode(self._of_field(stored[..., :colours]))
            if self.reads_alpha:
                picture = jnp.concatenate([picture, stored[..., colours:] * np.float32(1 / 255)], axis=-1)
            return self._algorithm.translate(state, picture, key, self._direction)

        picture = jax.ShapeDtypeStruct((1, height, width, self.channels), np.uint8)
        try:
            made = jax.eval_shape(translate, self._state, picture, self._key)
        except (ValueError, TypeError) as error:
            raise UserError(f"the network takes no pictures of {height} x {width}: {error}") from error
        scale = self._geometry.scale
        if made.shape[:3] != (1, height * scale, width * scale):
            raise UserError(
                f"{type(self._algorithm).__name__} makes {made.shape[1]} x {made.shape[2]} of {height} x "
                f"{width}, and its geometry says {scale} times as much"
            )
        program = jax.jit(translate).lower(self._state, picture, self._key).compile()
        check_devices(
            self._needed(program),
            mesh_of_at_most(1),
            f"cut pictures of {height} x {width} into smaller tiles, or let other programs end first",
        )
        self._programs[height, width] = program
        return program

    def _of_field(self, colours: jax.Array) -> jax.Array:
        """Colours as the field stores them; grey of the three that come with an alpha (ITU-R BT.601)."""
        if colours.shape[-1] == self.field.stored_shape[-1]:
            return colours
        luma = colours.astype(jnp.float32) @ jnp.array([[0.299], [0.587], [0.114]])
        return jnp.round(luma).astype(jnp.uint8)

    def _needed(self, program: jax.stages.Compiled) -> dict[str, int]:
        found = program.memory_analysis()
        if found is None:  # a back end that does not say it
            return {"activations": 1}
        return {"activations": found.temp_size_in_bytes, "the picture": found.output_size_in_bytes}

    def _encoded(self, made: np.ndarray) -> np.ndarray:
        """The picture of a decoded one, some rows at a time: a codec may work in float64."""
        rows = max(1, _STRIP_PIXELS // made.shape[1])
        strips = [self._codec.picture(made[None, top : top + rows])[0] for top in range(0, len(made), rows)]
        return np.concatenate(strips)


def what_it_translates(algorithm: Algorithm) -> str:
    """For messages: in which directions a method translates."""
    if not algorithm.directions:
        return f"{type(algorithm).__name__} makes no pictures of pictures"
    return f"{type(algorithm).__name__} translates {' and '.join(algorithm.directions)}"


def padded_side(side: int, multiple: int) -> int:
    """The least side on the grid that is not smaller: a multiple of `multiple`, exactly up to 16 of them.

    Beyond, eight sizes from each power of two to the next: a side grows by an eighth at most.
    """
    units = -(-max(side, _LEAST) // multiple)
    step = 2 ** max(0, (units - 1).bit_length() - _SIZES.bit_length())
    return -(-units // step) * step * multiple


def reflected(picture: np.ndarray, height: int, width: int) -> tuple[np.ndarray, int, int]:
    """A picture [h, w, C] reflected at its edges, evenly, to [height, width, C]; its first row and column.

    A picture that is smaller than its margin is reflected again and again.
    """
    top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    below, right = height - picture.shape[0] - top, width - picture.shape[1] - left
    return np.pad(picture, ((top, below), (left, right), (0, 0)), mode="reflect"), top, left
