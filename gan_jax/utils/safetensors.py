"""Arrays as a safetensors file, by the published format (github.com/huggingface/safetensors).

Eight bytes with the length of a JSON header (little-endian), the header, and the arrays one after the other.
Nothing in it is run when it is read, and every framework reads it. Written here in a few lines, so that
nothing has to be installed for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

_ALIGNMENT = 8  # bytes: where the arrays begin
_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}


def encoded(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """The content of a safetensors file.

    Args:
        arrays: by name. Those of larger numbers come first, so that each lies where its numbers may.
        metadata: text by name.

    Raises:
        ValueError: an array whose numbers the format does not know.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    parts, begin = [], 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = arrays[name]
        if array.dtype.name not in _DTYPES:
            raise ValueError(f"{name}: safetensors have no {array.dtype}, only {', '.join(_DTYPES)}")
        little = array.dtype.newbyteorder("<") if array.dtype.kind in "fiu" else array.dtype
        parts.append(np.ascontiguousarray(array, little).tobytes())
        end = begin + len(parts[-1])
        header[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])
