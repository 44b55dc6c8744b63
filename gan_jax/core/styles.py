"""Styles of a generator that maps latents to w before it makes images of them, and their truncation."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax

from gan_jax.utils.checks import check_count, check_number
from gan_jax.utils.tree import PyTree

Array = jax.Array


class Truncation(NamedTuple):
    """How styles are drawn to their mean: w' = mean + psi (w - mean) in the first `cutoff` layers.

    Karras et al. 2019, arXiv:1812.04948, appendix B. Less variety, and fewer bad images.

    Attributes:
        psi: 1 leaves the styles as they are, 0 makes one image of all latents; beyond [0, 1] is possible.
        cutoff: None for all layers.
    """

    psi: float = 1.0
    cutoff: int | None = None


NO_TRUNCATION = Truncation()


def has_styles(generator: nn.Module) -> bool:
    """Whether a generator has the methods `mapping` and `synthesis`."""
    return all(hasattr(type(generator), method) for method in ("mapping", "synthesis"))


def check_truncation(truncation: Truncation, generator: nn.Module) -> None:
    """Raises a ValueError unless this generator's styles can be truncated so."""
    check_number(truncation.psi, "truncation psi")
    if truncation.cutoff is not None:
        check_count(truncation.cutoff, "truncation cutoff")
    if not has_styles(generator):
        raise ValueError(
            f"truncation={truncation.psi:g}: {type(generator).__name__} has no mean style to truncate to; "
            "only style generators (a mapping and a synthesis network) have one"
        )


def mean_style(stats: PyTree) -> Array:
    """The moving average of a generator's styles, [D].

    Raises:
        ValueError: it keeps none.
    """
    if "styles" not in stats:
        raise ValueError("truncation: this generator keeps no moving average of its styles")
    return stats["styles"]["mean"]


def truncate(styles: Array, mean: Array, truncation: Truncation) -> Array:
    """Styles [B, layers, D] drawn to their mean [D].

    Raises:
        ValueError: the cutoff is beyond the layers.
    """
    psi, cutoff = truncation
    layers = styles.shape[1]
    if cutoff is not None and cutoff > layers:
        raise ValueError(f"truncation cutoff={cutoff}: this generator has {layers} layers of styles")
    if psi == 1.0:
        return styles
    return styles.at[:, :cutoff].set(mean + psi * (styles[:, :cutoff] - mean))
