"""The resolutions of networks that double and halve evenly, without a power of two being demanded."""

from __future__ import annotations

SMALLEST = 4  # pixels of a side at the lowest resolution (Karras et al. 2018, arXiv:1710.10196)


def level_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """(height, width) of every level from the lowest to `size`, each twice the one before.

    The lowest is what halving as often as possible leaves: evenly, and no side below 4. 28x28 gives 7, 14
    and 28; 72x72 gives 9, 18, 36 and 72; 14x28 gives 7x14 and itself; 1024x1024 nine levels from 4x4.

    Raises:
        ValueError: a side below 4.
    """
    height, width = size
    if min(size) < SMALLEST:
        raise ValueError(
            f"images of {height}x{width} pixels: this network needs at least {SMALLEST} pixels a side; "
            "use larger images, or an mlp or dcgan network"
        )
    sizes = [(height, width)]
    while height % 2 == width % 2 == 0 and min(height, width) >= 2 * SMALLEST:
        height, width = height // 2, width // 2
        sizes.insert(0, (height, width))
    return sizes
