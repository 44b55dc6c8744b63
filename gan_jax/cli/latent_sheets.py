"""What the commands about latents write: rows of pictures, films, the folder of a projection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gan_jax.data.codecs import Codec
from gan_jax.latent_tools.latent_files import save_latents
from gan_jax.latent_tools.projection import Projection
from gan_jax.latent_tools.targets import Targets
from gan_jax.summaries.animations import save_animation
from gan_jax.summaries.columns import strips_picture, with_column_names
from gan_jax.summaries.pictures import PICTURED, grid, save_picture, with_row_names
from gan_jax.summaries.plotting import new_figure, save_figure


def save_rows(
    out: Path, pictures: np.ndarray, columns: int, names: Sequence[str] = (), *, scale: int | None
) -> None:
    """Writes pictures uint8 [N, H, W, C], so many in a row, with names of the rows."""
    save_picture(out, with_row_names(grid(pictures, columns, scale=scale), names))


def save_film(out: Path, frames: np.ndarray, fps: int, scale: int | None) -> None:
    """Writes frames uint8 [N, H, W, C] as an animation."""
    save_animation(out, frames, fps, scale)


def save_projection(folder: Path, targets: Targets, found: Projection, codec: Codec) -> None:
    """Writes projected.png (first targets beside what was found), latents.npz, and loss.png of descents."""
    kinds = {"source": targets.pictures[:PICTURED], "made": found.images[:PICTURED]}
    picture, names = strips_picture({kind: codec.picture(images) for kind, images in kinds.items()})
    shown = {"source": "target", "made": "projected"}
    save_picture(folder / "projected.png", with_column_names(picture, [shown[name] for name in names]))
    save_latents(folder / "latents.npz", found.latents)
    if found.distances.shape[1] == 1:
        return
    figure = new_figure(6, 3.5)
    axes = figure.subplots()
    axes.plot(
        found.distances.T, color="tab:blue", alpha=0.3 if len(found.distances) > 1 else 1.0, linewidth=0.8
    )
    if len(found.distances) > 1:
        axes.plot(np.median(found.distances, axis=0), color="black", label="median")
        axes.legend()
    axes.set(xlabel="descents", ylabel="distance to the target", yscale="log")
    save_figure(figure, folder / "loss.png")
