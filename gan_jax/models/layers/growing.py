"""What networks share that grow from one resolution to the next: widths, levels, the fade between two levels.

Karras et al. 2018, arXiv:1710.10196. Such a network has the layers of all levels and the static field
`resolution`, which says up to where they are used. Images are as large as the data at every level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.utils.checks import check_count

Array = jax.Array
Size = tuple[int, int]


def level_width(level: int, base: int, most: int) -> int:
    """Channels at a level, 0 being the lowest: base / 2^(level + 1), and no more than `most`.

    The official code's nf(stage), whose stage 1 is the lowest resolution.

    Raises:
        ValueError: nothing is left, or a number that is no count.
    """
    check_count(base, "width_base")
    check_count(most, "width_max")
    width = min(base // 2 ** (level + 1), most)
    if width < 1:
        raise ValueError(
            f"width_base={base}: level {level} has width_base / {2 ** (level + 1)} channels, which is none: "
            "choose a larger one"
        )
    return width


def level_at(resolution: int, sizes: list[Size]) -> int:
    """The number of the level, among all `sizes` (height, width), with this height; the last one for 0.

    Raises:
        ValueError: there is none.
    """
    heights = [height for height, _ in sizes]
    if resolution == 0:
        return len(sizes) - 1
    if resolution not in heights:
        known = ", ".join(f"{height} ({height}x{width})" for height, width in sizes)
        raise ValueError(
            f"resolution={resolution!r}: images of {sizes[-1][0]}x{sizes[-1][1]} have the levels {known}; "
            "choose one of these heights, or 0 for the last"
        )
    return heights.index(resolution)


def top_level(network: Any, sizes: list[Size]) -> int:
    """The number of the highest level that a module with `resolution` computes: of all where layers are made.

    Raises:
        ValueError: see `level_at`.
    """
    level = level_at(network.resolution, sizes)
    makes_layers = network.scope is not None and network.is_initializing()
    return len(sizes) - 1 if makes_layers else level


def told_apart(told: Any) -> tuple[Array | None, Array | None]:
    """The labels and the fade in what a network is told: {"label", "fade"}, or the labels alone.

    The fade is None where nothing is faded in.
    """
    return (told.get("label"), told.get("fade")) if isinstance(told, Mapping) else (told, None)


def faded(coarse: Array, fine: Array, fade: Array) -> Array:
    """From coarse (fade 0) to fine (fade 1), both exactly; float32 in between."""
    return ((1.0 - fade) * coarse + fade * fine).astype(fine.dtype)


def enlarge(x: Array, factor: int) -> Array:
    """Every pixel of [B, h, w, C] as factor x factor pixels."""
    if factor == 1:
        return x
    count, height, width, channels = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None, :], (count, height, factor, width, factor, channels))
    return x.reshape(count, height * factor, width * factor, channels)


def box_down(x: Array, factor: int) -> Array:
    """Means of factor x factor pixels of [B, H, W, C], whose sides are multiples of the factor."""
    if factor == 1:
        return x
    count, height, width, channels = x.shape
    return x.reshape(count, height // factor, factor, width // factor, factor, channels).mean((2, 4))


def grown_image(
    maps: Sequence[Array], fade: Array | None, size: Size, to_image: Callable[[Array, int], Array]
) -> Array:
    """Images [B, *size, C] of the highest level's maps, faded in from those of the level before.

    Args:
        maps: [B, h, w, F] of every level up to the highest that is used.
        fade: None for none.
        to_image: maps and their level -> images [B, h, w, C].
    """
    top = len(maps) - 1
    image = to_image(maps[top], top)
    if fade is not None and top > 0:
        image = faded(enlarge(to_image(maps[top - 1], top - 1), 2), image, fade)
    return enlarge(image, size[0] // image.shape[1])
