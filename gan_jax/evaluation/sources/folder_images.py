"""A folder of pictures as it is: unlike in the data set image_folder, nothing is resized or cropped.

Resampling can change a Frechet distance by more than methods differ (Parmar et al. 2022, "On Aliased Resizing
and Surprising Subtleties in GAN Evaluation", arXiv:2104.11222), so pictures of several sizes are refused.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from gan_jax.data.decoding import MAX_MEGAPIXELS, PIXELS_AT_A_TIME, Reading, Unreadable, decoded
from gan_jax.data.examination import Examination, decode_all, digest, examine, in_threads, warn_if_dark
from gan_jax.data.picture_files import find_pictures
from gan_jax.evaluation.sources.image_source import Batch, ImageSource, spelled
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import listed, printable

OPTION = "--"  # what messages put before an option's name


def folder_source(
    folder: str | Path, *, value_range: Sequence[float] = (), max_megapixels: float = MAX_MEGAPIXELS
) -> ImageSource:
    """The pictures of a folder, class after class or in the order of their names; found as for training.

    They are decoded as for training too (see `decoding`), with as many channels as show all of them but for
    transparency, 1 or 3; `ImageSource.in_channels` gives them with others. Of a folder with splits it is
    train, or the only one. All files are read once to check them and for the fingerprint, which depends on
    their content and order, not on their names and place.

    Args:
        value_range, max_megapixels: as in `decoding.Reading`.

    Raises:
        UserError: no pictures, files that cannot be used, more than one size; while reading: damaged files.
    """
    try:
        reading = Reading(3, tuple(value_range), max_megapixels)
    except ValueError as error:
        raise UserError(f"{OPTION}{error}") from error
    found = find_pictures(folder).one_split()
    look = examine(found, reading, OPTION)
    _check_sizes(look)
    if look.bad or look.problems:
        raise look.complaint()
    ((_, files),) = found.splits.items()
    paths = [path for path, _ in files]
    labels = None if found.class_names is None else np.array([label for _, label in files], np.int32)
    content = hashlib.sha256(b"" if labels is None else labels.tobytes())
    for _, part in in_threads(digest, paths, f"reading {printable(found.folder.name)}"):
        content.update(bytes.fromhex(str(part)))
    headers = look.headers.values()
    names = tuple(printable(path.relative_to(found.folder).with_suffix("")) for path in paths)
    is_deep = any(header.is_deep for header in headers)
    size = next((header.height, header.width) for header in headers)

    def in_channels(channels: int) -> ImageSource:
        here = replace(look, reading=replace(look.reading, channels=channels))
        values = here.reading.value_range or here.reading.deep_range if is_deep else here.reading.value_range
        kind = spelled((*size, channels)) + (f" values {values[0]:g} to {values[1]:g}" if values else "")
        return ImageSource(
            name=f"folder {printable(folder_name(found.folder))}",
            fingerprint=f"{len(paths)} pictures {kind} sha256 {content.hexdigest()}",
            image_shape=(*size, channels),
            num_classes=None if found.class_names is None else len(found.class_names),
            size=len(paths),
            read=lambda count, batch_size: _read(here, paths[:count], labels, batch_size),
            class_names=found.class_names,
            in_channels=in_channels,
            names=names,
            value_range=values or None,
        )

    return in_channels(max(header.channels for header in headers))


def folder_name(folder: Path) -> str:
    """What a folder is called, also if it was given as "." or through a link."""
    return folder.resolve().name


def _check_sizes(look: Examination) -> None:
    """Adds a problem if the pictures are of several sizes."""
    sizes: dict[tuple[int, int], list[Path]] = {}
    for path, header in look.headers.items():
        sizes.setdefault((header.height, header.width), []).append(path)
    if len(sizes) > 1:
        common = sorted(sizes, key=lambda size: -len(sizes[size]))
        said = [
            f"{len(sizes[size])} of {size[0]} x {size[1]} ({look.found.named(sizes[size])})"
            for size in common
        ]
        look.problems.append(
            f"pictures of {len(sizes)} sizes: {listed(said, between='; ')}. They are compared as they are: "
            "bring them to one size first"
        )
        decode_all(look)


def _read(
    look: Examination, paths: list[Path], labels: np.ndarray | None, batch_size: int
) -> Iterator[Batch]:
    """Decoded by several threads, one batch ahead of the one that is asked for."""
    look.warn()
    header = look.headers[paths[0]]
    shape, brightest = (header.height, header.width, look.reading.channels), 0
    ahead = max(1, min(2 * batch_size, PIXELS_AT_A_TIME // (header.height * header.width)))
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        coming = iter(paths)
        decoding = deque(pool.submit(_decode, path, look.reading) for path in itertools.islice(coming, ahead))
        for start in range(0, len(paths), batch_size):
            part = paths[start : start + batch_size]
            images = np.empty((len(part), *shape), np.uint8)
            for number, path in enumerate(part):
                try:
                    image = decoding.popleft().result()
                except Unreadable as error:  # its header was intact: now all are decoded before it is said
                    look.bad[path] = str(error)
                    decode_all(look)
                    raise look.complaint() from error
                if image.shape != shape:
                    raise UserError(
                        f"the picture {printable(path)} is {spelled(image.shape)} once turned as its EXIF "
                        f"tag says, and others are {spelled(shape)}: write pictures without that tag"
                    )
                images[number] = image
                decoding.extend(
                    pool.submit(_decode, path, look.reading) for path in itertools.islice(coming, 1)
                )
            brightest = max(brightest, int(images[..., :3].max()))
            yield images, None if labels is None else labels[start : start + len(part)]
        warn_if_dark(look, brightest)
    finally:  # also where the caller wants no more
        pool.shutdown(cancel_futures=True)


def _decode(path: Path, reading: Reading) -> np.ndarray:
    """A picture as uint8 [H, W, channels]."""
    with decoded(path, reading) as image:
        return np.asarray(image).reshape(image.height, image.width, reading.channels)
