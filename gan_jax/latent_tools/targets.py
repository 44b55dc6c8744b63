"""Pictures that are to be projected, read as a generator's data are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from absl import logging

from gan_jax.data.decoding import Unreadable, decoded, read_header
from gan_jax.data.examination import Examination, in_threads
from gan_jax.data.given_pictures import reading_of, warn_of_range
from gan_jax.data.picture_files import all_pictures
from gan_jax.data.resizing import Resizing
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted


@dataclass(frozen=True)
class Targets:
    """Pictures.

    Attributes:
        names: of the files, below the folder.
        pictures: float32 [N, H, W, C], decoded.
    """

    names: tuple[str, ...]
    pictures: np.ndarray


def read_targets(given: str | Path, field: Field) -> Targets:
    """A picture, or those in a folder and below it, in the size and the channels of this field.

    What has another shape is enlarged or shrunk until it covers the field's, and cut, evenly; colours become
    grey or grey colours. A warning says so.

    Raises:
        UserError: no pictures, some that cannot be read, or a field that is no picture of 1, 3 or 4 channels.
    """
    codec, channels = field.codec, field.stored_shape[-1]
    if not codec.is_image or codec.dtype != np.uint8 or channels not in (1, 3, 4):
        raise UserError(
            f"pictures of 1, 3 or 4 channels can be projected, and the run makes {codec.noun} of the shape "
            f"{' x '.join(map(str, field.shape))}"
        )
    found = all_pictures(given)
    look = Examination(found, reading_of(field, channels), "")
    for path, header in in_threads(read_header, found.paths):
        if isinstance(header, Unreadable):
            look.bad[path] = str(header)
        else:
            look.headers[path] = header
    height, width = field.stored_shape[:2]
    resizing = Resizing(height, width)

    def read(path: Path) -> np.ndarray:
        with decoded(path, look.reading) as image:
            return resizing(image)

    pictures = []
    for path, picture in in_threads(read, list(look.headers), "reading"):
        if isinstance(picture, Unreadable):
            look.bad[path] = str(picture)
        else:
            pictures.append(picture)
    if look.bad:
        raise UserError(
            f"{len(look.bad)} of {counted(len(found.paths), 'picture')} cannot be read: {look.reasons()}"
        )
    look.warn()
    warn_of_range(look, list(look.headers))
    _warn_of_changes(look, height, width, channels)
    names = tuple(path.relative_to(found.folder).as_posix() for path in look.headers)
    return Targets(names, np.asarray(codec.decode(jnp.asarray(np.stack(pictures)))))


def _warn_of_changes(look: Examination, height: int, width: int, channels: int) -> None:
    def say(paths: Sequence[Path], what: str) -> None:
        if paths:
            logging.warning("%s (%s): %s", counted(len(paths), "picture"), look.found.named(paths), what)

    headers = look.headers.items()
    say(
        [path for path, header in headers if (header.height, header.width) != (height, width)],
        f"of another size, brought to the {height} x {width} pixels that the run makes, cut where they have "
        "another shape",
    )
    colours = min(channels, 3)
    say(
        [path for path, header in headers if header.channels > colours],
        "with colours, made grey as what the run makes",
    )
    say([path for path, header in headers if header.channels < colours], "grey, where the run makes colours")
