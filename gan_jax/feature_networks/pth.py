"""Reader of PyTorch's files of tensors, without PyTorch and without running anything that a file holds.

Both of PyTorch's formats are read: the zip of 1.6 and later (data.pkl, and data/KEY for each storage), and
the one before (five pickles, then the storages one after the other, each behind its length).

A pickle is a program for a stack machine: its instructions may look up and call any function. The machine
here is the one that Python's own library has in Python, with the instructions left out that a dictionary of
tensors does not need; names are looked up in a short table and nowhere else. The one in C would not do: a
crafted file can make it hash tuples nested deep enough to crash, or ask for a memo of 64 GB.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np

from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import DAMAGE, plain, read_npz

_MAGIC = 0x1950A86A20F9469CFC6C  # what the first pickle of the old format makes
_PROTOCOL = 1001  # the second
_LARGEST = 1 << 48  # no count in a file is larger: entries, offsets, strides
_BIG_ENDIAN = "is of a big-endian machine: load it there, and save it on another kind"
_STATE_DICT = "give the state dict alone, as torch.save(module.state_dict(), path) writes it"
_DAMAGE = (*DAMAGE, OSError, pickle.UnpicklingError)


class _Refused(Exception):
    """What is wrong with a file; completes the sentence "FILE ..."."""


class _Storage(NamedTuple):
    """The numbers that tensors lie in: `key` in the file, and where a view of it starts, in entries."""

    key: str
    dtype: np.dtype[Any]
    numel: int
    start: int


class _Tensor(NamedTuple):
    """A tensor whose storage has yet to be read. Offset and strides count entries, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


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
        blob = expanded(path).read_bytes()
    try:
        return _read_zip(blob) if blob.startswith(b"PK") else _read_legacy(blob)
    except _Refused as refusal:
        raise UserError(f"{path} {str(refusal)[:500]}.") from None
    except _DAMAGE as error:
        raise UserError(
            f"{path} is damaged, cut off, or no file of tensors ({plain(error)}). Get it again."
        ) from error


def _read_zip(blob: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        names = archive.namelist()
        if names and all(name.endswith(".npy") for name in names):
            return read_npz(io.BytesIO(blob))
        roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise _Refused("is a zip file, but neither PyTorch's (it has no data.pkl) nor an .npz of arrays")
        root = roots[0]
        if f"{root}byteorder" in names and _member(archive, f"{root}byteorder") != b"little":
            raise _Refused(_BIG_ENDIAN)
        tensors = _tensors(_Unpickler(io.BytesIO(_member(archive, f"{root}data.pkl"))).load())
        keys = {tensor.storage.key for tensor in tensors.values()}
        contents = {key: _member(archive, f"{root}data/{key}") for key in keys}
    return {name: _array(name, tensor, contents) for name, tensor in tensors.items()}


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member's bytes; zipfile compares them with their CRC."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:  # so nothing can grow when it is read
        raise _Refused(
            f"holds {name} compressed, which PyTorch's files never do: get it from its source again"
        )
    return archive.read(info)


def _read_legacy(blob: bytes) -> dict[str, np.ndarray]:
    if _MAGIC.to_bytes(10, "little") not in blob[:32]:
        raise _Refused("is no PyTorch file: it is no zip, nor does it start as the files before 1.6 do")
    stream = io.BytesIO(blob)
    _, protocol, system, value, keys = (_Unpickler(stream).load() for _ in range(5))
    if protocol != _PROTOCOL:
        raise _Refused(f"is of an unknown format, not of PyTorch's old one with the protocol {_PROTOCOL}")
    if system["little_endian"] is not True:
        raise _Refused(_BIG_ENDIAN)
    tensors = _tensors(value)
    sizes = {tensor.storage.key: tensor.storage.dtype.itemsize for tensor in tensors.values()}
    contents = {}
    for key in keys:
        (numel,) = struct.unpack("<q", stream.read(8))
        if not (isinstance(key, str) and _are_counts(numel)):
            raise _Refused("is damaged: its storages have no names or no lengths")
        contents[key] = stream.read(numel * sizes[key])
        if len(contents[key]) != numel * sizes[key]:
            raise _Refused(f"is cut off within the storage {key!r}: get it again")
    return {name: _array(name, tensor, contents) for name, tensor in tensors.items()}


def _tensors(value: Any) -> dict[str, _Tensor]:
    """The state dict, if that is what the pickle makes."""
    if not isinstance(value, dict):
        raise _Refused(f"holds {type(value).__name__}, expected a dictionary of tensors: {_STATE_DICT}")
    for name, entry in value.items():
        if not isinstance(name, str) or not isinstance(entry, _Tensor):
            kind = type(entry).__name__.removeprefix("_")
            raise _Refused(f"holds {kind} under {name!r}, expected a tensor: {_STATE_DICT}")
    return value


def _array(name: str, tensor: _Tensor, contents: dict[str, bytes]) -> np.ndarray:
    """The tensor as a view of its storage's bytes."""
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    size = storage.dtype.itemsize
    held = min(len(contents[storage.key]) // size, storage.numel)
    first = storage.start + tensor.offset
    last = first + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, storage.dtype)
    if last >= held or math.prod(shape) > max(held, 1 << 32):
        raise _Refused(
            f"is damaged: {name!r} {shape} begins at entry {first} of its storage and ends at {last}, where "
            f"the storage has {held} entries. Get it again"
        )
    return np.ndarray(
        shape, storage.dtype, contents[storage.key], first * size, tuple(size * stride for stride in strides)
    )


def _are_counts(*values: Any) -> bool:
    return all(type(value) is int and 0 <= value < _LARGEST for value in values)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    """What follows (requires_grad, hooks, metadata) does not matter for its values."""
    tuples = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides)
    if not (isinstance(storage, _Storage) and tuples and _are_counts(offset, *shape, *strides)):
        raise _Refused("is damaged: a tensor's offset, shape and strides do not go together")
    return _Tensor(storage, offset, shape, strides)


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _ordered_dict(pairs: Any = ()) -> dict[str | int, Any]:
    """Python 2 gives the items here, Python 3 puts them in afterwards."""
    made: dict[str | int, Any] = {}
    for key, value in pairs:
        _put(made, key, value)
    return made


def _put(target: Any, key: Any, value: Any) -> None:
    if not isinstance(key, (str, int)):  # the hash of a nested tuple may take for ever, or crash
        raise _Refused(f"has {type(key).__name__} as a key: {_STATE_DICT}")
    target[key] = value


_STORAGES = dict(
    Double="<f8", Float="<f4", Half="<f2", BFloat16=jnp.bfloat16, Long="<i8", Int="<i4", Short="<i2"
)
_STORAGES |= dict(Char="i1", Byte="u1", Bool="?", ComplexFloat="<c8", ComplexDouble="<c16")
# All that a pickle can name: functions to call, and the storages' dtypes, all little-endian.
_GLOBALS: dict[str, Callable[..., Any] | np.dtype[Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _rebuild_tensor,  # PyTorch before 0.4
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    **{f"torch.{name}Storage": np.dtype(kind) for name, kind in _STORAGES.items()},
}
# All that a pickle can do, with three more below.
_INSTRUCTIONS = (
    *("PROTO", "FRAME", "STOP", "MARK", "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET"),
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),  # the latter two are Python 2's
    *("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "APPEND", "APPENDS"),
    *("GLOBAL", "STACK_GLOBAL", "BINPERSID", "REDUCE"),
)
_CODES = [getattr(pickle, name)[0] for name in _INSTRUCTIONS]


class _Unpickler(pickle._Unpickler):
    """The stack machine. It makes dicts, lists, tuples, numbers, strings, tensors and storages."""

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, encoding="latin-1")

    def find_class(self, module: str, name: str) -> Any:
        """The entry of `_GLOBALS`; nothing is imported."""
        if f"{module}.{name}" not in _GLOBALS:
            raise _Refused(
                f"asks for {module}.{name}, which a dictionary of tensors does not need (nothing in the file "
                f"was run): {_STATE_DICT}, and take it only from a source that you trust"
            )
        return _GLOBALS[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> _Storage:
        """From ("storage", type, key, device, entries); in old files None or (key, start, entries) follow."""
        kind, dtype, key, _, numel, *view = pid
        start = view[0][1] if view and view[0] is not None else 0
        known = kind == "storage" and isinstance(dtype, np.dtype) and isinstance(key, str)
        if not (known and _are_counts(numel, start)):
            raise _Refused("is damaged: a reference to a storage is none")
        return _Storage(key, dtype, numel, start)

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _put(self.stack[-1], key, value)

    def _set_items(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            _put(self.stack[-1], key, value)

    def _skip_state(self) -> None:
        """The attributes of an OrderedDict are the versions of the modules (`_metadata`)."""
        self.stack.pop()

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **{code: pickle._Unpickler.dispatch[code] for code in _CODES},
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.BUILD[0]: _skip_state,
    }
