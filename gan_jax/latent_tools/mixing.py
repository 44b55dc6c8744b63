"""Style mixing: some layers of a picture with the styles of another.

Karras et al. 2019, arXiv:1812.04948, section 3.1 and figure 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gan_jax.latent_tools.generator import Latents
from gan_jax.utils.errors import UserError

BANDS = ("coarse", "middle", "fine")


def layer_bands(layers: int) -> dict[str, range]:
    """Coarse, middle and fine layers: thirds of all, the last the longest where they do not divide evenly.

    The paper's bands at 1024 pixels are layers 0-3 (4 and 8 pixels), 4-7 and 8-17; thirds serve any size.
    Fewer than three layers have no middle ones.
    """
    cuts = [layers * part // 3 for part in range(4)]
    return {name: range(*cuts[i : i + 2]) for i, name in enumerate(BANDS) if cuts[i + 1] > cuts[i]}


def chosen_layers(text: str, layers: int) -> list[int]:
    """The layers that a user named: "coarse", "middle", "fine", "all", "3", "0-3", or some with commas.

    Raises:
        UserError: no such layers, with the choices.
    """
    bands = layer_bands(layers) | {"all": range(layers)}
    found: set[int] = set()
    for part in map(str.strip, text.split(",")):
        first, dash, last = part.partition("-")
        if part in bands:
            found |= set(bands[part])
        elif first.isdigit() and (last.isdigit() if dash else True) and int(first) <= int(last or first):
            found |= set(range(int(first), int(last or first) + 1))
        else:
            raise UserError(f"layers={text}: {part!r} is none of {', '.join(bands)}, nor a number or 0-3")
    if max(found) >= layers:
        raise UserError(f"layers={text}: the generator has layers of styles 0 to {layers - 1}")
    return sorted(found)


def mixed(rows: Latents, columns: Latents, layers: Sequence[int]) -> Latents:
    """Every row's styles with those of every column in these layers, row by row.

    Args:
        rows: w of R pictures, with their labels, which the mixed ones get.
        columns: w of C pictures.

    Returns:
        w [R * C, layers, D].
    """
    row, column = np.divmod(np.arange(len(rows) * len(columns)), len(columns))
    made = rows.take(row)
    values = made.values.copy()
    values[:, layers] = columns.values[column][:, layers]
    return made.moved(values)
