"""A machine for the pickles of PyTorch's state dicts, and for nothing else.

A pickle is a program for a stack machine: its instructions may look up and call any function. This machine
carries out only the instructions that a dictionary of tensors needs. A global is to it a text to compare
with a short list; it imports nothing and calls nothing but the functions below. The splitting of bytes into
instructions is Python's own (`pickletools.genops`).
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

_LARGEST = 1 << 48  # no count in a file is larger: entries, offsets, strides
_STORAGES = {  # all little-endian
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.BFloat16Storage": np.dtype(jnp.bfloat16),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
    "torch.ComplexFloatStorage": np.dtype("<c8"),
    "torch.ComplexDoubleStorage": np.dtype("<c16"),
}
STATE_DICT = "give the state dict alone, as torch.save(module.state_dict(), path) writes it"


class Refused(Exception):
    """What is wrong with a file; completes the sentence "FILE ..."."""


class Storage(NamedTuple):
    """Where a tensor's numbers lie.

    Attributes:
        key: its name in the file.
        dtype: of its entries.
        numel: its entries.
        start: those before the tensor's own, where the tensor lies in a part of it.
    """

    key: str
    dtype: np.dtype[Any]
    numel: int
    start: int


class Tensor(NamedTuple):
    """A tensor whose storage has yet to be read. Offset and strides count entries, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Global(NamedTuple):
    """A name that the pickle asks for. It is never looked up."""

    name: str


def run_pickle(stream: IO[bytes]) -> Any:
    """What the pickle at the stream's place makes; the stream is left behind it.

    Returns:
        dicts, lists, tuples, numbers, strings, `Tensor`, `Storage` and `Global`.

    Raises:
        Refused: an instruction or a global that a state dict does not need, or counts that cannot be.
        ValueError, TypeError, LookupError: a damaged pickle.
    """
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name == "STOP":
            break
        machine.step(opcode.name, argument)
    return machine.stack.pop()


def checked(value: Any, kind: type, what: str) -> Any:
    """`value`, if it is of this type."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refused(f"is damaged: {what} is {type(value).__name__}, expected {kind.__name__}")
    return value


def count(value: Any, what: str) -> int:
    """`value`, if it is an integer that can count something."""
    if not 0 <= checked(value, int, what) < _LARGEST:
        raise Refused(f"is damaged: {what} is {value}")
    return value


def _counts(value: Any, what: str) -> tuple[int, ...]:
    return tuple(count(entry, what) for entry in checked(value, tuple, what))


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    """What follows (requires_grad, hooks, metadata) does not matter for its values."""
    shape, strides = _counts(shape, "a shape"), _counts(strides, "a stride")
    if len(shape) != len(strides):
        raise Refused(f"is damaged: a tensor of the shape {shape} has the strides {strides}")
    return Tensor(checked(storage, Storage, "a storage"), count(offset, "an offset"), shape, strides)


def _rebuild_parameter(tensor: Any, *_: Any) -> Tensor:
    return checked(tensor, Tensor, "a parameter")


def _ordered_dict(items: Any = ()) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    _fill(made, items)  # Python 2 gives the items here, Python 3 puts them in afterwards
    return made


def _fill(target: Any, items: Iterable[Any]) -> None:
    for key, value in items:
        if not isinstance(key, (str, int)):
            raise Refused(f"has {type(key).__name__} as a key: {STATE_DICT}")
        checked(target, dict, "what is filled")[key] = value


_CALLS: Mapping[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _rebuild_tensor,  # PyTorch before 0.4
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
}


def _global(name: str) -> Global:
    if name not in _CALLS and name not in _STORAGES:
        raise Refused(
            f"asks for {name}, which a dictionary of tensors does not need (nothing in the file was run): "
            f"{STATE_DICT}, and take it only from a source that you trust"
        )
    return Global(name)


def _storage(reference: Any) -> Storage:
    """Of ("storage", type, key, device, entries) and, in old files, None or (view's key, offset, entries)."""
    kind, storage_type, key, _, numel, *view = checked(reference, tuple, "a reference to a storage")
    name = checked(storage_type, Global, "a storage's type").name
    if kind != "storage" or name not in _STORAGES:
        raise Refused(f"is damaged: it refers to a {kind!r} of the type {name}, expected a storage")
    start = view[0][1] if view and view[0] is not None else 0
    return Storage(
        checked(key, str, "a storage's key"),
        _STORAGES[name],
        count(numel, "a storage's length"),
        count(start, "a view's offset"),
    )


_IGNORED = {"PROTO", "FRAME"}
_LITERALS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"}  # the latter two are Python 2's
_EMPTY: Mapping[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """The stack, the marks that divide it, and the memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Carries out one instruction."""
        push, pop = self.stack.append, self.stack.pop
        if name in _LITERALS:
            push(_LITERALS[name])
        elif name in _NUMBERS or name in _TEXTS:
            push(argument)
        elif name in _EMPTY:
            push(_EMPTY[name]())
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name == "TUPLE":
            push(tuple(self._since_mark()))
        elif name in _TUPLES:
            items = [pop() for _ in range(_TUPLES[name])]
            push(tuple(reversed(items)))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            push(self.memo[argument])
        elif name == "BINPERSID":
            push(_storage(pop()))
        elif name not in _IGNORED:
            self._fill_or_call(name, argument)

    def _fill_or_call(self, name: str, argument: Any) -> None:
        push, pop = self.stack.append, self.stack.pop
        if name in ("SETITEM", "SETITEMS"):
            items = [pop(-2), pop()] if name == "SETITEM" else self._since_mark()
            _fill(self.stack[-1], zip(items[::2], items[1::2], strict=True))
        elif name in ("APPEND", "APPENDS"):
            items = [pop()] if name == "APPEND" else self._since_mark()
            checked(self.stack[-1], list, "what is appended to").extend(items)
        elif name == "GLOBAL":
            push(_global(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            qualified, module = pop(), pop()
            push(_global(f"{module}.{qualified}"))
        elif name == "REDUCE":
            arguments, function = checked(pop(), tuple, "a call's arguments"), pop()
            called = checked(function, Global, "what is called").name
            push(_CALLS[called](*arguments))
        elif name == "BUILD":
            pop()  # attributes of an OrderedDict: the versions of the modules (`_metadata`)
            checked(self.stack[-1], dict, "what has attributes")
        else:
            raise Refused(f"has the instruction {name}, which no dictionary of tensors needs: {STATE_DICT}")

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items
