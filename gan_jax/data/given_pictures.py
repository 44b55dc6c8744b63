"""Pictures that a user gives to a run: read as its data were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import logging

from gan_jax.data.decoding import Reading
from gan_jax.data.examination import Examination
from gan_jax.data.spec import Field
from gan_jax.utils.names import counted


def reading_of(field: Field, channels: int) -> Reading:
    """How files become values of this field.

    A range that 8 bits can have (its end is above 1, where floats end, and at most 255) is that of all files,
    as it was of the data; another says nothing about files of 8 bits, which are read as they are.
    """
    ends = field.file_range
    is_of_8_bits = bool(ends) and 1 < ends[1] <= 255
    return Reading(channels, value_range=ends if is_of_8_bits else (), deep_range=ends)


def warn_of_range(look: Examination, paths: Sequence[Path]) -> None:
    """Says what becomes black and white, where it is not 0 and 255.

    Args:
        paths: those of the pictures that are used.
    """
    ends = look.reading.value_range
    paths = [path for path in paths if ends or look.headers[path].is_deep]
    ends = ends or look.reading.deep_range
    if not paths:
        return
    if ends:
        what, said = "", f"{ends[0]:g} becomes black and {ends[1]:g} white, as in the run's data"
    else:  # a picture alone cannot tell how many bits are used, as all of a training set can
        what = " of more than 8 bits"
        said = (
            "65535 becomes white, since nothing says that the run's data had another range; if they had, "
            "bring these to 8 bits as they were"
        )
    logging.warning("%s%s (%s): %s", counted(len(paths), "picture"), what, look.found.named(paths), said)
