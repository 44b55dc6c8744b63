"""The safetensors format, read as its specification says it, and by the package where it is installed."""

import json

import numpy as np
import pytest

from gan_jax.utils.safetensors import encoded

ARRAYS: dict[str, np.ndarray] = {
    "b.bytes": np.arange(5, dtype=np.uint8),
    "a.kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "turned": np.arange(6, dtype=np.int32).reshape(2, 3).T,
    "one": np.array(2.5),
    "none": np.zeros((0, 3), np.float32),
    "said": np.array([True, False]),
}


def test_header_and_arrays_are_where_the_format_has_them():
    content = encoded(ARRAYS, {"config": '{"ä": 1}'})
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    assert header.pop("__metadata__") == {"config": '{"ä": 1}'}
    assert set(header) == set(ARRAYS)
    ends = sorted(tuple(about["data_offsets"]) for about in header.values())
    assert [first for first, _ in ends] == [0, *(last for _, last in ends[:-1])]  # no holes
    assert ends[-1][1] == len(data)
    for name, array in ARRAYS.items():
        first, last = header[name]["data_offsets"]
        assert header[name]["shape"] == list(array.shape)
        assert first % array.dtype.itemsize == 0
        read = np.frombuffer(data[first:last], array.dtype).reshape(array.shape)
        np.testing.assert_array_equal(read, array)
    assert header["a.kernel"]["dtype"] == "F32"


def test_numbers_that_the_format_lacks():
    with pytest.raises(ValueError, match="x: safetensors have no complex64, only "):
        encoded({"x": np.zeros(2, np.complex64)}, {})


def test_the_package_reads_it(tmp_path):
    numpy_of = pytest.importorskip("safetensors.numpy")
    (tmp_path / "x.safetensors").write_bytes(encoded(ARRAYS, {"a": "b"}))
    found = numpy_of.load_file(tmp_path / "x.safetensors")
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
