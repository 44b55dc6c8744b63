"""Hostile JSON and .npz: damage is a ValueError, and nothing grows beyond its bound."""

import io
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest

from gan_jax.utils import untrusted
from gan_jax.utils.untrusted import parse_json, read_npz


def npz(*members, compression=zipfile.ZIP_DEFLATED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    content.seek(0)
    return content


def npy(header, data=b""):
    text = (header + " " * (-len(header) % 16) + "\n").encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def header(shape, dtype="<f4"):
    return f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}"


def test_arrays_come_back():
    content = io.BytesIO()
    given: dict[str, Any] = {
        "a": np.arange(6.0).reshape(2, 3),
        "b/c": np.array(3),
        "d": np.empty((0, 5), np.uint8),
    }
    np.savez_compressed(content, **given)
    content.seek(0)
    found = read_npz(content)
    assert found.keys() == given.keys()
    for name, array in given.items():
        np.testing.assert_array_equal(found[name], array)


HOSTILE = {
    "no zip": io.BytesIO(b"nothing"),
    "no array": npz(("a.npy", b"not an array")),
    "cut off": npz(("a.npy", npy(header((4,)), b"abc"))),
    "claims all memory": npz(("a.npy", npy(header((10**12,)), b"abc"))),
    "claims more than 64 bits count": npz(("a.npy", npy(header((2**62, 2**62)), b"abc"))),
    "negative shape": npz(("a.npy", npy(header((-1, -5)), b"abc"))),
    "objects": npz(("a.npy", npy(header((1,), "|O"), b"abc"))),
    "tokens": npz(("a.npy", npy("{'descr': (((((", b"abc"))),
    "string in the header": npz(("a.npy", npy("'''", b"abc"))),
    "deep header": npz(("a.npy", npy("(" * 5000, b"abc"))),
    "structures of another version": npz(("a.npy", b"\x93NUMPY\x03\x00" + bytes(50))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_arrays_are_value_errors_on_one_line(name):
    with pytest.raises(ValueError, match=r"\S") as told:
        read_npz(HOSTILE[name])
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 300


def test_what_is_compressed_grows_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(untrusted, "MOST_BYTES", 2**20)
    bomb = npz(("a.npy", npy(header((2**24,), "|u1"), bytes(2**24))))
    tracemalloc.start()
    with pytest.raises(ValueError, match="bytes that would become"):
        read_npz(bomb)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    stored = npz(("a.npy", npy(header((2**21,), "|u1"), bytes(2**21))), compression=zipfile.ZIP_STORED)
    assert read_npz(stored)["a"].shape == (2**21,)  # its file was as large


@pytest.mark.parametrize("text", ["[" * 100_000, "{" * 9, "", b"\xff\xfe", "1" * 5000])
def test_hostile_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)
    assert parse_json('{"a": [1, null]}') == {"a": [1, None]}
