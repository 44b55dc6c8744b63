"""Sample grids as they grew: which of a run's pictures are shown, and a slider over their steps."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from absl import logging
from PIL import Image

from gan_jax.reports.page import Embedded, data_uri, escaped, image
from gan_jax.summaries.pictures import encode_png

MOST = 20  # steps on a slider
_MOST_PICTURES = 48  # of a page, of all kinds together
_SIDE = 1024  # pixels of a picture's longer side, at most
_AS_IT_IS = 48 * 1024  # bytes of a PNG that is not encoded anew
_FIGURE_BYTES = 2**20
_QUALITY = 80  # of WebP, where a PNG is large
_NAME = re.compile(r"step_(\d+)(?:_(.+))?\.png")
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def sample_grids(folder: Path) -> dict[str, dict[int, Path]]:
    """A run's pictures of samples by kind, "" where it makes one kind, and by step, rising."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted((folder / "samples").glob("step_*.png")):
        if match := _NAME.fullmatch(path.name):
            found.setdefault(match[2] or "", {})[int(match[1])] = path
    return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}


def main_grids(folder: Path) -> dict[int, Path]:
    """Of `sample_grids` the kind that is compared with the data."""
    found = sample_grids(folder)
    return found.get("") or found.get("image") or next(iter(found.values()), {})


def spread(steps: Sequence[int], most: int) -> list[int]:
    """At most so many of the steps, evenly chosen, the first and the last among them."""
    ordered = sorted(set(steps))
    if len(ordered) <= most:
        return ordered
    places = np.linspace(0, len(ordered) - 1, most).round().astype(int)
    return [ordered[place] for place in places]


def embedded(path: Path, *, figure: bool = False) -> Embedded | None:
    """A picture's file, made smaller where it is large; None if it cannot be read.

    Args:
        figure: its lines and letters are to stay sharp: as it is unless it is a large file.
    """
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            small = len(content) <= (_FIGURE_BYTES if figure else _AS_IT_IS)
            if opened.format == "PNG" and small and (figure or max(opened.size) <= _SIDE):
                opened.verify()
                return Embedded(data_uri(content, "image/png"), *opened.size)
            picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
        picture.thumbnail((_SIDE, _SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=_QUALITY, method=2)
        return Embedded(data_uri(buffer.getvalue(), "image/webp"), *picture.size)
    except _UNREADABLE as error:
        logging.warning("%s is left out: it cannot be read (%s)", path, error)
        return None


def embedded_pixels(pixels: np.ndarray) -> Embedded:
    """A picture, uint8 [H, W, C] with C = 1, 3 or 4."""
    return Embedded(data_uri(encode_png(pixels), "image/png"), pixels.shape[1], pixels.shape[0])


def grown(series: Mapping[str, Mapping[int, Path]], beside: Mapping[str, Embedded] | None = None) -> str:
    """Pictures beside each other, each with its newest of the step that the slider is at; "" for none.

    Args:
        series: by a name, and by step.
        beside: pictures that do not change, by a name.
    """
    series = {name: pictures for name, pictures in series.items() if pictures}
    most = min(MOST, max(6, _MOST_PICTURES // max(1, len(series))))
    steps = spread([step for pictures in series.values() for step in pictures], most)
    figures = [_figure(name, pictures, steps) for name, pictures in series.items()]
    still = [_still(name, picture) for name, picture in (beside or {}).items()]
    shown = [figure for figure in (*figures, *still) if figure]
    if not shown:
        return ""
    controls = (
        '<div class="controls" hidden><button type="button">Play</button>'
        f'<input type="range" min="0" max="{len(steps) - 1}" value="{len(steps) - 1}" '
        'aria-label="training step"><output></output></div>'
    )
    listed = ",".join(map(str, steps))
    return "\n".join(
        [
            f'<div class="grown" data-steps="[{listed}]">' if len(steps) > 1 else "<div>",
            *([controls] if len(steps) > 1 else []),
            '<div class="beside">',
            *shown,
            "</div>",
            "</div>",
        ]
    )


def _figure(name: str, pictures: Mapping[int, Path], steps: Sequence[int]) -> str:
    """The pictures of one name; all but the newest are hidden until the slider asks for them."""
    newest = [max((step for step in pictures if step <= due), default=min(pictures)) for due in steps]
    found = {step: embedded(pictures[step]) for step in dict.fromkeys(newest)}
    there = {step: picture for step, picture in found.items() if picture is not None}
    if not there:
        return ""
    last = max(there)
    images = [
        image(picture, f"{name}, {step:,}", f'data-step="{step}"{" hidden" * (step != last)}')
        for step, picture in sorted(there.items())
    ]
    caption = f'<figcaption><b>{escaped(name)}</b> <span class="step">step {last:,}</span></figcaption>'
    return "\n".join(["<figure>", caption, *images, "</figure>"])


def _still(name: str, picture: Embedded) -> str:
    caption = f"<figcaption><b>{escaped(name)}</b></figcaption>"
    return f"<figure>\n{caption}\n{image(picture, name)}\n</figure>"
