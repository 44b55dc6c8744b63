"""Reading the arrays of a PyTorch file without PyTorch, and without running anything that it holds.

Both of PyTorch's formats are read: the zip of 1.6 and later (data.pkl, and data/KEY for each storage), and
the one before (four pickles, then the storages one after the other, each behind its length). The pickles are
carried out by `pth_pickle`, which knows state dicts and refuses all else.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.feature_networks.pth_pickle import STATE_DICT, Refused, Tensor, checked, count, run_pickle
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors

_MAGIC = 0x1950A86A20F9469CFC6C  # what the first pickle of the old format makes
_PROTOCOL = 1001  # the second
_BIG_ENDIAN = "is of a big-endian machine: load it there, and save it on another kind"
# What a wrong byte can make the readers of zip files, of .npy and of pickles raise.
_DAMAGE = (
    *(ValueError, TypeError, LookupError, ArithmeticError, EOFError, RuntimeError, MemoryError, OSError),
    *(struct.error, zipfile.BadZipFile, zlib.error, SyntaxError),
)


def read_pth(path: Path | str) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name.

    Args:
        path: what `torch.save(module.state_dict(), path)` wrote, in either format; or an .npz file of arrays.

    Returns:
        name -> array of the tensor's shape and dtype (ml_dtypes.bfloat16 for bfloat16). From PyTorch's files
        they are read-only views, strided as the tensors were; tensors that shared a storage share it here.

    Raises:
        UserError: the file cannot be read, is damaged, cut off or no PyTorch file, asks for anything that a
            dictionary of tensors does not need, or holds something else than tensors.
    """
    with disk_errors(f"read {path}"):
        blob = Path(path).read_bytes()
    try:
        return _read_zip(blob) if blob.startswith(b"PK") else _read_legacy(blob)
    except Refused as refusal:
        raise UserError(f"{path} {refusal}.") from None
    except _DAMAGE as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise UserError(
            f"{path} is damaged, cut off, or no file of tensors ({reason}). Get it again."
        ) from error


def _read_zip(blob: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        names = archive.namelist()
        if names and all(name.endswith(".npy") for name in names):
            with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise Refused("is a zip file, but neither PyTorch's (it has no data.pkl) nor an .npz of arrays")
        root = roots[0]
        if f"{root}byteorder" in names and _member(archive, f"{root}byteorder") != b"little":
            raise Refused(_BIG_ENDIAN)
        tensors = _tensors(run_pickle(io.BytesIO(_member(archive, f"{root}data.pkl"))))
        keys = {tensor.storage.key for tensor in tensors.values()}
        contents = {key: _member(archive, f"{root}data/{key}") for key in keys}
    return {name: _array(name, tensor, contents) for name, tensor in tensors.items()}


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member's bytes; zipfile compares them with their CRC."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:  # so nothing can grow when it is read
        raise Refused(
            f"holds {name} compressed, which PyTorch's files never do: get it from its source again"
        )
    return archive.read(info)


def _read_legacy(blob: bytes) -> dict[str, np.ndarray]:
    if _MAGIC.to_bytes(10, "little") not in blob[:32]:
        raise Refused("is no PyTorch file: it is no zip, nor does it start as the files before 1.6 do")
    stream = io.BytesIO(blob)
    _, protocol, system, value, keys = (run_pickle(stream) for _ in range(5))
    if protocol != _PROTOCOL:
        raise Refused(f"is of an unknown format: its protocol is {protocol}, expected {_PROTOCOL}")
    if checked(system, dict, "the description of its machine").get("little_endian") is not True:
        raise Refused(_BIG_ENDIAN)
    tensors = _tensors(value)
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    contents = {}
    for key in checked(keys, list, "the list of its storages"):
        (numel,) = struct.unpack("<q", stream.read(8))
        size = count(numel, "the length of a storage") * dtypes[key].itemsize
        contents[key] = stream.read(size)
        if len(contents[key]) != size:
            raise Refused(f"is cut off within the storage {key!r}: get it again")
    return {name: _array(name, tensor, contents) for name, tensor in tensors.items()}


def _tensors(value: Any) -> dict[str, Tensor]:
    """The state dict, if that is what the pickle makes."""
    for name, entry in checked(value, dict, "what it holds").items():
        if not isinstance(name, str) or not isinstance(entry, Tensor):
            raise Refused(f"holds {type(entry).__name__} under {name!r}, expected a tensor: {STATE_DICT}")
    return value


def _array(name: str, tensor: Tensor, contents: dict[str, bytes]) -> np.ndarray:
    """The tensor as a view of its storage's bytes."""
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    size = storage.dtype.itemsize
    held = min(len(contents[storage.key]) // size, storage.numel)
    first = storage.start + tensor.offset
    last = first + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, storage.dtype)
    if last >= held or math.prod(shape) > max(held, 1 << 32):
        raise Refused(
            f"is damaged: {name!r} {shape} begins at entry {first} of its storage and ends at {last}, where "
            f"the storage has {held} entries. Get it again"
        )
    return np.ndarray(
        shape, storage.dtype, contents[storage.key], first * size, tuple(size * stride for stride in strides)
    )
