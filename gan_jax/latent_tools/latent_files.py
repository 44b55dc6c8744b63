"""Latents in .npz files: the array z [N, L] or w [N, layers, D], and labels [N] of a conditional run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.latent_tools.generator import LatentGenerator, Latents, Space
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import printable
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import read_npz

SUFFIX = ".npz"


def save_latents(path: Path | str, latents: Latents) -> None:
    """Writes latents, atomically.

    Raises:
        UserError: another ending than .npz; the disk is full or the folder cannot be written to.
    """
    files.checked_suffix(path, (SUFFIX,))
    arrays: dict[str, Any] = {latents.space: latents.values}
    if latents.labels is not None:
        arrays["labels"] = latents.labels
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    files.write_atomically(path, buffer.getvalue())


def read_latents(path: Path | str, generator: LatentGenerator) -> Latents:
    """Latents of this generator from a file that `save_latents`, or anybody else, wrote.

    Raises:
        UserError: no such file, damaged, or latents of another generator.
    """
    path = expanded(path)
    shown = printable(path)
    try:
        with path.open("rb") as file:
            arrays = read_npz(file)
    except OSError as error:
        raise UserError(f"{shown} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{shown} is no .npz file of latents: {error}") from error
    spaces: list[Space] = [space for space in ("z", "w") if space in arrays]
    if len(spaces) != 1:
        raise UserError(f"{shown} holds {', '.join(arrays) or 'nothing'}: expected one of the arrays z, w")
    space, values = spaces[0], arrays[spaces[0]]
    generator.chosen_space(space)
    one = generator.in_space(generator.drawn([0], _zero(generator)), space)
    if values.shape[1:] != one.values.shape[1:] or values.dtype.kind != "f" or not len(values):
        wanted = ", ".join(map(str, one.values.shape[1:]))
        raise UserError(
            f"{shown}: {space} is {values.dtype} {list(values.shape)}, and the run's is [N, {wanted}]"
        )
    if not np.isfinite(values).all():
        raise UserError(f"{shown}: {space} holds values that are not finite")
    return Latents(
        space, values.astype(np.float32), _labels(shown, arrays.get("labels"), len(values), generator)
    )


def _zero(generator: LatentGenerator) -> list[int] | None:
    return None if generator.algorithm.num_classes is None else [0]


def _labels(
    shown: str, labels: np.ndarray | None, count: int, generator: LatentGenerator
) -> np.ndarray | None:
    """The file's labels, checked; None of an unconditional generator, and where there are none."""
    classes = generator.algorithm.num_classes
    if classes is None or labels is None:
        return None
    if (
        labels.shape != (count,)
        or labels.dtype.kind not in "iu"
        or labels.min() < 0
        or labels.max() >= classes
    ):
        raise UserError(f"{shown}: labels are integers [{count}] from 0 to {classes - 1}, not {labels.dtype}")
    return labels.astype(np.int32)
