"""Images in an .npz file, as generators from elsewhere write them; read in blocks, never all at once."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_jax.data.codecs import Pixels
from gan_jax.evaluation.sources.image_source import Batch, ImageSource, rebatched
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors
from gan_jax.utils.names import printable
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import DAMAGE, MOST_BYTES, plain, read_header

_CHANNELS = (1, 3, 4)
_BLOCK_BYTES = 2**24  # read at a time while the file is checked
_NEAR = 0.05  # floats reach this near to both ends of a range, or it is not clear which range is meant
_REMEDY = (
    "write uint8: np.rint(np.clip((x + 1) * 127.5, 0, 255)).astype(np.uint8) for x in [-1, 1], "
    "np.rint(np.clip(x * 255, 0, 255)).astype(np.uint8) for x in [0, 1]"
)


@dataclass(frozen=True)
class _Array:
    """One array of the file, by its header."""

    path: Path
    member: str
    shape: tuple[int, ...]
    in_order: bool  # C order, not Fortran's
    dtype: np.dtype

    @property
    def name(self) -> str:
        return self.member.removesuffix(".npy")

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """All of it, `rows` at a time; a UserError if the file is damaged."""
        with _damages(self.path), zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
            read_header(stream)
            for start in range(0, self.shape[0], rows):
                number = min(rows, self.shape[0] - start)
                content = stream.read(number * self.row_bytes)
                if len(content) != number * self.row_bytes:
                    raise ValueError(f"{self.member} is cut short")
                yield np.frombuffer(content, self.dtype).reshape(number, *self.shape[1:])
            if stream.read(1):  # the end is also where zipfile compares the checksum
                raise ValueError(f"{self.member} is longer than its header says")


def npz_source(path: str | Path) -> ImageSource:
    """The images of an .npz file: the array `images`, or `arr_0`, or the only array there is.

    They are [N, H, W, C] with 1, 3 or 4 channels or [N, H, W], uint8, or floats that are clearly in [-1, 1]
    or in [0, 1]: within 0.05 of both ends over all images, and not beyond. Floats are rounded to uint8 as
    pictures are written. The labels are the integers `labels`, or `arr_1` beside `arr_0`, [N] from 0; there
    is one class more than the greatest label says, or as many as the strings `class_names` [K] if that is
    there. The whole file is read once to check it.

    Raises:
        UserError: damaged, no images in it, several arrays that could be meant, channels first, floats of an
            unclear range or not finite, another dtype, labels that do not fit.
    """
    path = expanded(path)
    arrays = _arrays(path)
    array, labels = _choose(path, arrays)
    grey = _check_shape(array)
    values = _check_labels(array, labels)
    names = None if values is None else _class_names(arrays.get("class_names"), int(values.max()))
    digest, to_pixels = _scan(array)
    if values is not None:
        digest = hashlib.sha256(digest.encode() + values.tobytes()).hexdigest()
    height, width = array.shape[1:3]
    channels = 1 if grey else array.shape[3]

    def parts(count: int) -> Iterator[Batch]:
        done = 0
        for block in array.blocks(max(1, _BLOCK_BYTES // array.row_bytes)):
            images = _PIXELS[to_pixels](block[: count - done]).reshape(-1, height, width, channels)
            yield images, None if values is None else values[done : done + len(images)]
            done += len(images)
            if done == count:
                return

    return ImageSource(
        name=f"npz {path.name}",
        fingerprint=f"{array.shape[0]} images {height} x {width} x {channels} sha256 {digest}",
        image_shape=(height, width, channels),
        num_classes=None if values is None else len(names or range(int(values.max()) + 1)),
        class_names=names,
        size=array.shape[0],
        read=lambda count, batch_size: rebatched(parts(count), batch_size),
    )


_PIXELS = {
    "uint8": lambda x: x,
    "floats in [-1, 1]": Pixels().encode,
    "floats in [0, 1]": lambda x: np.rint(x.astype(np.float32) * 255).astype(np.uint8),
}


@contextlib.contextmanager
def _damages(path: Path) -> Iterator[None]:
    """Turns what a damaged file makes zipfile and numpy raise into a UserError."""
    try:
        with disk_errors(f"read {path}"):
            yield
    except DAMAGE as error:
        raise UserError(
            f"{path} is damaged or no .npz file ({plain(error)}): write or copy it again"
        ) from error


def _arrays(path: Path) -> dict[str, _Array]:
    """The arrays by their names; only the headers are read, and nothing is ever unpickled."""
    found = {}
    with _damages(path), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as stream:
                    shape, fortran_order, dtype = read_header(stream)
                array = _Array(path, member, shape, not fortran_order, dtype)
                found[array.name] = array
    return found


def _choose(path: Path, arrays: dict[str, _Array]) -> tuple[_Array, _Array | None]:
    """The images and the labels."""
    if "images" in arrays:
        return arrays["images"], arrays.get("labels")
    if "arr_0" in arrays:
        return arrays["arr_0"], arrays.get("labels", arrays.get("arr_1"))
    others = [array for name, array in arrays.items() if name not in ("labels", "class_names")]
    if len(others) == 1:
        return others[0], arrays.get("labels")
    what = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items()) or "no array"
    if {"mu", "sigma"} <= arrays.keys():
        what += ": statistics, from which only one distance could be computed"
    raise UserError(f"{path} holds {what}. Save the images as np.savez(path, images=images, labels=labels)")


def _check_shape(array: _Array) -> bool:
    """Whether the images are grey without a dimension of channels; a UserError if they are no images."""
    shape, given = array.shape, f"{array.name} in {array.path} is {array.dtype} {list(array.shape)}"
    expected = "images are [N, H, W, C] with C = 1, 3 or 4, or grey [N, H, W]"
    if len(shape) == 4 and shape[1] in _CHANNELS and shape[3] not in _CHANNELS:
        raise UserError(f"{given}: its channels come first; save x.transpose(0, 2, 3, 1)")
    # [H, W, 3] is one image that lacks its N, rather than many that are three pixels wide.
    is_grey = len(shape) == 3 and shape[2] not in _CHANNELS
    if not is_grey and not (len(shape) == 4 and shape[3] in _CHANNELS):
        raise UserError(f"{given}: {expected}")
    if 0 in shape:
        raise UserError(f"{given}: there is no image in it")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise UserError(f"{given}: images are uint8, 0 to 255; {_REMEDY}")
    if array.row_bytes > MOST_BYTES:
        raise UserError(f"{given}: an image of {array.row_bytes} bytes, and at most {MOST_BYTES} are read")
    if not array.in_order:
        raise UserError(f"{given} in Fortran's order: save np.ascontiguousarray(x)")
    return is_grey


def _check_labels(images: _Array, labels: _Array | None) -> np.ndarray | None:
    """The labels, int32 [N]."""
    if labels is None:
        return None
    given = f"{labels.name} in {labels.path}"
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise UserError(
            f"{given} is {labels.dtype} {list(labels.shape)}: the labels are integers [{images.shape[0]}], "
            "one for each image"
        )
    if labels.shape[0] * 4 > max(MOST_BYTES, labels.path.stat().st_size):  # compressed to next to nothing
        raise UserError(
            f"{given} holds {labels.shape[0]} labels, which would take more than {MOST_BYTES} bytes"
        )
    values, done = np.empty(labels.shape[0], np.int32), 0
    for block in labels.blocks(_BLOCK_BYTES // 8):
        least, greatest = int(block.min()), int(block.max())
        if least < 0 or greatest >= np.iinfo(np.int32).max:
            raise UserError(
                f"{given} goes from {least} to {greatest}: labels are 0, 1, ... below the classes"
            )
        values[done : done + len(block)] = block
        done += len(block)
    return values


def _class_names(array: _Array | None, greatest: int) -> tuple[str, ...] | None:
    """What the labels up to `greatest` mean; None where the file does not say it."""
    if array is None:
        return None
    given = f"{array.name} in {array.path}"
    if array.dtype.kind != "U" or len(array.shape) != 1 or array.shape[0] <= greatest:
        raise UserError(
            f"{given} is {array.dtype} {list(array.shape)}: names are strings, one for each label from 0 to "
            f"{greatest}"
        )
    names = tuple(map(printable, np.concatenate(list(array.blocks(array.shape[0]))).tolist()))
    if len(set(names)) < len(names):
        raise UserError(f"{given} has the same name for several classes")
    return names


def _scan(array: _Array) -> tuple[str, str]:
    """A digest of all pixels, and which of `_PIXELS` they need; reads to the end, so damage is found now."""
    whole = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    low, high, bad = np.inf, -np.inf, 0
    for block in array.blocks(max(1, _BLOCK_BYTES // array.row_bytes)):
        whole.update(block.data)
        if array.dtype != np.uint8:
            bad += int((~np.isfinite(block)).any(axis=tuple(range(1, block.ndim))).sum())
            low, high = min(low, float(block.min())), max(high, float(block.max()))
    if array.dtype == np.uint8:
        return whole.hexdigest(), "uint8"
    if bad:
        raise UserError(
            f"{bad} of the {array.shape[0]} images in {array.path} have pixels that are not finite: "
            "make them again"
        )
    return whole.hexdigest(), _range(array, low, high)


def _range(array: _Array, low: float, high: float) -> str:
    for least in (-1, 0):
        if least <= low <= least + _NEAR and 1 - _NEAR <= high <= 1:
            return f"floats in [{least}, 1]"
    raise UserError(
        f"{array.name} in {array.path} holds {array.dtype} from {low:.4g} to {high:.4g}, which is neither "
        f"clearly [-1, 1] nor [0, 1]: {_REMEDY}"
    )
