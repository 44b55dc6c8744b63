"""JSON and .npz files that anybody may have written: damage is a ValueError, and the memory is bounded."""

from __future__ import annotations

import json
import lzma
import struct
import tokenize
import zipfile
import zlib
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

MOST_BYTES = 2**29  # that a smaller file may become; a larger one that is not compressed may be larger
# What a wrong byte can make the readers of zip files and of .npy raise. NumPy reads a header with Python's
# own tokenizer and parser.
DAMAGE = (
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError, RuntimeError),
    *(MemoryError, SyntaxError, tokenize.TokenError),
    *(struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, or lists are nested deeper than Python's stack.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_npz(file: BinaryIO) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name, without unpickling anything.

    Raises:
        ValueError: damaged, a member that is no array, or one that would take more memory than it may.
        OSError: the disk.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            check_growth(archive)
            return {info.filename.removesuffix(".npy"): _array(archive, info) for info in archive.infolist()}
    except OSError:
        raise
    except DAMAGE as error:
        raise ValueError(plain(error)) from error


def check_growth(archive: zipfile.ZipFile) -> None:
    """Raises a ValueError if what the archive holds is larger than MOST_BYTES, and larger than its file."""
    held, stored = (
        sum(getattr(i, size) for i in archive.infolist()) for size in ("file_size", "compress_size")
    )
    if held > max(MOST_BYTES, stored):
        raise ValueError(f"{stored} bytes that would become {held}: more than {MOST_BYTES} is not unpacked")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as stream:
        shape, _, dtype = read_header(stream)
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > info.file_size:
            raise ValueError(f"{info.filename} is too short for its shape {shape}")
    with archive.open(info) as stream:
        array: np.ndarray = npy.read_array(stream, allow_pickle=False)
        return array


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran's order and type of an array in .npy's format.

    Raises:
        ValueError, and others of DAMAGE: it is none, or has a negative shape.
    """
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array in the format {version}, which is for structures")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran_order, dtype = read(stream)
    if any(length < 0 for length in shape):
        raise ValueError(f"an array of the shape {shape}")
    return shape, fortran_order, dtype


def plain(error: BaseException) -> str:
    """What an error says, on one short line; its kind where it says nothing."""
    text = " ".join(str(error).split())[:200]
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__} {text}".strip()
