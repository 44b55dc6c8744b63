"""PyTorch's files as PyTorch writes them, and files that it does not write: damaged, cut off, malicious."""

import collections
import os
import pickle
import zipfile
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.feature_networks.pth import read_pth
from gan_jax.utils.errors import UserError

torch = pytest.importorskip("torch", reason="it writes the files that are read here")

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def save(value, path, zipped, **options):
    torch.save(value, path, _use_new_zipfile_serialization=zipped, **options)
    return path


def tensors():
    """Every dtype, and every way to lie in a storage."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(6, 7, 8, generator=generator)
    made = {
        f"dtype.{str(dtype).removeprefix('torch.')}": (base * 20).abs().to(dtype)
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64)
    }
    for dtype in (
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
        torch.complex128,
    ):
        made[f"dtype.{str(dtype).removeprefix('torch.')}"] = (base * 20).abs().to(dtype)
    shared = torch.arange(1000.0)
    return made | {
        "scalar": torch.tensor(3.5),
        "count": torch.tensor(12),
        "empty": torch.zeros(3, 0, 2),
        "parameter": torch.nn.Parameter(torch.ones(2, 3)),
        "transposed": base.permute(2, 0, 1),
        "strided": base[1::2, ::3, 5:],
        "channels_last": torch.randn(2, 3, 4, 5, generator=generator).to(memory_format=torch.channels_last),
        "shared.a": shared[10:30],
        "shared.b": shared[500:].reshape(20, 25).T,
        "expanded": torch.tensor([1.0, 2.0])[:, None].expand(2, 5),
    }


def as_numpy(tensor):
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.float().numpy().astype(jnp.bfloat16)
    return tensor.numpy()


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_come_back_with_dtype_shape_and_values(tmp_path, zipped, protocol):
    expected = tensors()
    found = read_pth(save(expected, tmp_path / "a.pth", zipped, pickle_protocol=protocol))
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        wanted = as_numpy(tensor)
        assert found[name].dtype == wanted.dtype, name
        assert found[name].shape == wanted.shape, name
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)


@FORMATS
def test_the_state_dict_of_a_module_is_read_with_its_buffers(tmp_path, zipped):
    """It is an OrderedDict with attributes, so more than the dictionary above."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    found = read_pth(save(module.state_dict(), tmp_path / "a.pt", zipped))
    assert set(found) == set(module.state_dict())
    assert found["1.num_batches_tracked"].shape == ()
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_tensors_that_shared_a_storage_share_it(tmp_path):
    found = read_pth(save(tensors(), tmp_path / "a.pth", True))
    assert np.shares_memory(found["shared.a"], read_base(found["shared.b"]))
    assert not found["shared.a"].flags.writeable


def read_base(array):
    """The whole storage that an array lies in."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return np.frombuffer(array, np.float32)


def test_npz_files_are_read_too(tmp_path):
    weight = np.arange(6.0).reshape(2, 3)
    for number, write in enumerate((np.savez, np.savez_compressed)):
        path = tmp_path / f"{number}.npz"
        write(path, allow_pickle=False, **{"conv.weight": weight, "count": np.array(3)})
        found = read_pth(path)
        assert set(found) == {"conv.weight", "count"}
        np.testing.assert_array_equal(found["conv.weight"], weight)


class Evil:
    """Its pickle says: call this function with these arguments."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@FORMATS
@pytest.mark.parametrize("inside", [False, True])
def test_a_malicious_pickle_is_refused_by_name_and_did_not_run(tmp_path, zipped, inside):
    witness = tmp_path / "it_ran"
    for function, arguments, name in (
        (os.system, (f"touch {witness}",), "(posix|nt).system"),
        (eval, (f"open({str(witness)!r}, 'w')",), "__builtin__.eval"),
        (os.mkdir, (str(witness),), "(posix|nt).mkdir"),
    ):
        evil = Evil(function, *arguments)
        value = {"a": torch.ones(2), "b": evil} if inside else evil
        with pytest.raises(UserError, match=f"asks for {name}.*nothing in the file was run"):
            read_pth(save(value, tmp_path / "a.pth", zipped))
        assert not witness.exists()
    # The file is what it is said to be: PyTorch itself would have run it.
    torch.load(tmp_path / "a.pth", weights_only=False)
    assert witness.exists()


def test_a_malicious_npz_is_refused_and_did_not_run(tmp_path):
    witness = tmp_path / "it_ran"
    np.savez(tmp_path / "a.npz", a=np.array([Evil(os.mkdir, str(witness))], dtype=object))
    with pytest.raises(UserError, match=r"a\.npz is damaged.*Object arrays"):
        read_pth(tmp_path / "a.npz")
    assert not witness.exists()


@FORMATS
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.nn.ReLU(), "asks for torch.nn.modules.activation.ReLU"),
        ({"a": torch.Size([2])}, "asks for torch.Size"),
        (
            {"state_dict": {"a": torch.ones(2)}, "epoch": 3},
            "holds dict under 'state_dict', expected a tensor",
        ),
        ({"a": torch.ones(2), "epoch": 3}, "holds int under 'epoch'"),
        ([torch.ones(2)], "what it holds is list, expected dict"),
        ({3: torch.ones(2)}, "holds Tensor under 3"),
        ({(1, 2): torch.ones(2)}, "has tuple as a key"),
        ({"a": np.float32(3)}, "asks for numpy"),
        ({"a": {1, 2}}, "asks for __builtin__.set"),
        ({"a": torch.ones(2).to_sparse()}, "asks for torch._utils._rebuild_sparse_tensor"),
        ({"a": b"abc"}, "asks for _codecs.encode"),
        ({"a": 1 << 3000}, "has the instruction LONG4"),
    ],
)
def test_what_is_no_dictionary_of_tensors_is_refused_with_what_it_is(tmp_path, zipped, value, said):
    with pytest.raises(UserError, match=said):
        read_pth(save(value, tmp_path / "a.pth", zipped))


def small_file(folder, zipped):
    return save(
        collections.OrderedDict(a=torch.randn(5, 4).T, b=torch.arange(7)), folder / "small.pth", zipped
    ).read_bytes()


@FORMATS
def test_a_file_cut_off_anywhere_is_refused(tmp_path, zipped):
    whole = small_file(tmp_path, zipped)
    path = tmp_path / "cut.pth"
    for length in [*range(0, min(300, len(whole))), *range(300, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut\.pth .*(damaged|cut off|no PyTorch file)"):
            read_pth(path)


def test_an_old_file_cut_off_behind_the_last_entry_that_is_used_is_refused_too(tmp_path):
    path = save({"a": torch.arange(100.0)[:5]}, tmp_path / "a.pth", zipped=False)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="is cut off within the storage"):
        read_pth(path)


@FORMATS
def test_a_file_with_a_wrong_byte_is_refused_or_read_but_raises_nothing_else(tmp_path, zipped):
    """The old format has no checksum, so a number that changed goes unnoticed there."""
    whole = small_file(tmp_path, zipped)
    path = tmp_path / "wrong.pth"
    rng = np.random.default_rng(0)
    refused = 0
    for place in [*range(0, min(500, len(whole))), *rng.integers(0, len(whole), 400)]:
        wrong = bytearray(whole)
        wrong[place] ^= int(rng.integers(1, 256))
        path.write_bytes(wrong)
        try:
            found = read_pth(path)
            assert all(isinstance(array, np.ndarray) for array in found.values())
        except UserError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\3\4", b"\x80", b"\x80\2.", b"hello", b"\0" * 300])
def test_what_is_no_pytorch_file_is_refused(tmp_path, content):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.pth .*(damaged|no PyTorch file)"):
        read_pth(path)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*none\.pth: No such file"):
        read_pth(tmp_path / "none.pth")
    with pytest.raises(UserError, match="cannot read"):
        read_pth(tmp_path)


class Named(NamedTuple):
    """A global by name, in a pickle made by hand."""

    module: str
    name: str


class Call(NamedTuple):
    """A call of a global."""

    function: Named
    arguments: tuple[object, ...]


class Stored(NamedTuple):
    """A reference to a storage."""

    reference: tuple[object, ...]


def encode(value):
    """The instructions that make a value, by the definition of the format."""
    if isinstance(value, Named):
        return pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return encode(value.function) + encode(value.arguments) + pickle.REDUCE
    if isinstance(value, Stored):
        return encode(value.reference) + pickle.BINPERSID
    if isinstance(value, dict):
        items = b"".join(encode(part) for item in value.items() for part in item)
        return pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS
    if isinstance(value, tuple):
        return pickle.MARK + b"".join(map(encode, value)) + pickle.TUPLE
    return pickle.dumps(value, protocol=2)[2:-1]  # without the protocol and the stop


def by_hand(
    path, *, numel=12, offset=0, shape=(3, 4), strides=(4, 1), stored=12, kind="FloatStorage", **more
):
    """A zip of one tensor, `a`, of `stored` floats."""
    storage = Stored(("storage", Named("torch", kind), more.get("key", "0"), "cpu", numel))
    function = Named("torch._utils", more.get("function", "_rebuild_tensor_v2"))
    value = {"a": Call(function, (storage, offset, shape, strides, False, None))}
    with zipfile.ZipFile(path, "w", more.get("compression", zipfile.ZIP_STORED)) as archive:
        archive.writestr("x/data.pkl", encode(value) + pickle.STOP)
        archive.writestr("x/data/0", np.arange(stored, dtype="<f4").tobytes())
        archive.writestr("x/byteorder", more.get("byteorder", "little"))
    return path


def test_a_file_by_hand_is_read(tmp_path):
    found = read_pth(by_hand(tmp_path / "a.pth", offset=1, shape=(2, 3), strides=(4, 2)))
    np.testing.assert_array_equal(found["a"], [[1, 3, 5], [5, 7, 9]])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(stored=11), "ends at 11, where the storage has 11 entries"),
        (dict(numel=11), "ends at 11, where the storage has 11 entries"),
        (dict(offset=1), "begins at entry 1 of its storage and ends at 12"),
        (dict(offset=-1), "an offset is -1"),
        (dict(strides=(4, -1)), "a stride is -1"),
        (dict(shape=(3, -4)), "a shape is -4"),
        (dict(shape=(3, 4, 1)), "has the strides"),
        (dict(shape=(1 << 40, 1 << 40), strides=(0, 0)), "is damaged: 'a'"),
        (dict(shape=(1 << 70, 1), strides=(0, 0)), "a shape is"),
        (dict(shape=(1,) * 70, strides=(0,) * 70), "is damaged"),
        (dict(shape=(3, 4.0)), "a shape is float, expected int"),
        (dict(shape=(3, True)), "a shape is bool"),
        (dict(shape=[3, 4]), "a shape is list, expected tuple"),
        (dict(numel=-1), "a storage's length is -1"),
        (dict(key="7"), "There is no item named 'x/data/7'"),
        (dict(key="../data.pkl"), "There is no item"),
        (dict(key=0), "a storage's key is int, expected str"),
        (dict(kind="QInt8Storage"), "asks for torch.QInt8Storage"),
        (dict(function="_rebuild_qtensor"), "asks for torch._utils._rebuild_qtensor"),
        (dict(byteorder="big"), "big-endian"),
        (dict(compression=zipfile.ZIP_DEFLATED), "compressed"),
    ],
)
def test_tensors_that_do_not_fit_their_storage_are_refused(tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        read_pth(by_hand(tmp_path / "a.pth", **options))


def test_another_zip_and_a_changed_storage_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match="is a zip file, but neither PyTorch's"):
        read_pth(tmp_path / "b.pth")
    whole = by_hand(tmp_path / "a.pth").read_bytes()
    (tmp_path / "c.pth").write_bytes(whole.replace(np.float32(5).tobytes(), np.float32(6).tobytes()))
    with pytest.raises(UserError, match=r"c\.pth is damaged.*CRC"):
        read_pth(tmp_path / "c.pth")


def test_a_view_in_an_old_file_begins_where_its_part_of_the_storage_does(tmp_path):
    """Files of PyTorch before 0.4 have them; today's writes None there."""
    storage = Stored(("storage", Named("torch", "FloatStorage"), "5", "cpu", 12, ("6", 3, 9)))
    tensor = Call(Named("torch._utils", "_rebuild_tensor"), (storage, 1, (2, 2), (2, 1)))
    values = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"a": tensor}, ["5"])
    pickles = b"".join(encode(value) + pickle.STOP for value in values)
    stored = (12).to_bytes(8, "little") + np.arange(12, dtype="<f4").tobytes()
    (tmp_path / "a.pth").write_bytes(pickles + stored)
    np.testing.assert_array_equal(read_pth(tmp_path / "a.pth")["a"], [[4, 5], [6, 7]])
