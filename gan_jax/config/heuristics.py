"""Numbers that published recipes compute from others, for config files."""

from __future__ import annotations

from typing import Any


def r1_gamma(height: int, width: int, batch_size: Any) -> Any:
    """The weight of R1 where none has been searched for: 0.0002 height width / batch_size.

    The official code of StyleGAN2-ADA (Karras et al. 2020, arXiv:2006.06676), for its preset "auto". Good
    weights are within a factor of ten of it: try a fifth and five times as much where images lack variety or
    quality.

    Args:
        batch_size: a number, or a config's reference, which the weight then follows:
            `config.get_ref("batch_size")`.
    """
    return 0.0002 * height * width / batch_size
