"""Pictures: grids of images, PNG files, loss curves."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from gan_jax.data.codecs import Codec
from gan_jax.summaries.point_pictures import PICTURED_POINTS, points_picture
from gan_jax.utils import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURED = 64  # images in a grid
_COMFORTABLE = 448  # pixels: a smaller grid's images are enlarged until its longer side comes near this
_POINTS = 2000  # drawn per line: more than the picture has columns


def examples_picture(examples: np.ndarray, codec: Codec, columns: int | None = None) -> np.ndarray:
    """A picture of examples: each one's own, laid out by `grid`, or all of them as `points_picture` draws.

    Args:
        examples: float32 [N, H, W, C], decoded.
        columns: pictures per row.

    Returns:
        uint8 [h, w, C] with C = 1, 3 or 4.
    """
    if codec.pictured:
        return grid(codec.picture(examples), columns)
    return points_picture(examples, codec.density)


def pictured_examples(codec: Codec) -> int:
    """How many examples a picture of a run shows."""
    return PICTURED if codec.pictured else PICTURED_POINTS


def grid(images: np.ndarray, columns: int | None = None, pad: int = 2) -> np.ndarray:
    """Lays pictures out row by row, white between them.

    Small images are enlarged by a whole number (nearest neighbour), so that 64 of 28 x 28 are
    comfortable to look at.

    Args:
        images: uint8 [N, H, W, C], N >= 1.
        columns: images per row; by default the grid is as near to a square as can be.
        pad: pixels between images, before enlarging.

    Returns:
        uint8 [h, w, C].
    """
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise ValueError(
            f"a grid is made of images uint8 [N, H, W, C] with N >= 1, not {images.dtype} {images.shape}"
        )
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cell_h, cell_w = height + pad, width + pad
    cells = np.full((rows * columns, cell_h, cell_w, channels), 255, np.uint8)
    cells[:n, :height, :width] = images
    board = cells.reshape(rows, columns, cell_h, cell_w, channels).swapaxes(1, 2)
    board = board.reshape(rows * cell_h, columns * cell_w, channels)[
        : rows * cell_h - pad, : columns * cell_w - pad
    ]
    scale = max(1, round(_COMFORTABLE / max(board.shape[:2])))
    return board.repeat(scale, axis=0).repeat(scale, axis=1)


def encode_png(image: np.ndarray) -> bytes:
    """The PNG file of a picture, uint8 [H, W, C] with C = 1, 3 or 4."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3, 4):
        raise ValueError(f"a picture is uint8 [H, W, 1, 3 or 4], not {image.dtype} {list(image.shape)}")
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def save_png(path: Path | str, image: np.ndarray) -> None:
    """Writes a picture, uint8 [H, W, C] with C = 1, 3 or 4, atomically; makes the folders above it.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    files.write_atomically(path, encode_png(image))


def curves(losses: np.ndarray, path: Path | str) -> None:
    """Draws loss per batch and the discriminator's outputs against the step, as a PNG.

    Args:
        losses: structured array; row i is step i + 1, fields are metric names, NaN where not
            trained. Every `*_loss` is drawn, and in a second panel `discriminator_real` and
            `discriminator_fake`, if they are there: probabilities, or what else the loss makes of logits.
        path: the file to write, atomically.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    # Slow to import, and needed by nobody else. No pyplot: it keeps figures and picks a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True)
    names = losses.dtype.names or ()
    _panel(upper, losses, {name: name for name in names if name.endswith("_loss")})
    upper.set_ylabel("loss per batch")
    outputs = {"discriminator_real": "D(x)", "discriminator_fake": "D(G(z))"}
    _panel(lower, losses, {name: label for name, label in outputs.items() if name in names})
    lower.set(ylabel="mean output of D", xlabel="step")
    drawn = [losses[name] for name in outputs if name in names]
    if all(np.nanmin(x, initial=0.0) >= 0.0 and np.nanmax(x, initial=1.0) <= 1.0 for x in drawn):
        lower.set_ylim(-0.02, 1.02)  # probabilities
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    files.write_atomically(path, buffer.getvalue())


def _panel(axes: Axes, losses: np.ndarray, labels: dict[str, str]) -> None:
    """Each field twice: thin and pale as it is, thick and smoothed."""
    for n, (name, label) in enumerate(labels.items()):
        trained = np.flatnonzero(np.isfinite(losses[name]))
        values = losses[name][trained].astype(np.float64)
        steps = trained + 1
        axes.plot(*_thinned(steps, values), color=f"C{n}", linewidth=0.5, alpha=0.35)
        axes.plot(*_smoothed(steps, values), color=f"C{n}", linewidth=1.5, label=label)
    axes.grid(visible=True, alpha=0.3)
    if labels:
        axes.legend(loc="upper right")


def _thinned(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `_POINTS` points that look like all of them: each stretch's least and greatest value."""
    if len(values) <= _POINTS:
        return steps, values
    starts = np.linspace(0, len(values), _POINTS // 2, endpoint=False).astype(int)
    least, greatest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return np.repeat(steps[starts], 2), np.stack([least, greatest], axis=1).ravel()


def _smoothed(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The moving mean over a hundredth of the run, thinned out by leaving points away."""
    window = max(1, len(values) // 100)
    total = np.cumsum(np.concatenate([[0.0], values]))
    means = (total[window:] - total[:-window]) / window
    centres = steps[window // 2 : window // 2 + len(means)]
    stride = max(1, math.ceil(len(means) / _POINTS))
    return centres[::stride], means[::stride]
