"""PyTorch's files as PyTorch writes them, and files that it does not write: damaged, cut off, malicious."""

import collections
import os
import pickle
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.feature_networks.pth import read_pth
from gan_jax.utils.errors import UserError

torch = pytest.importorskip("torch", reason="it writes the files that are read here")

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex64", "complex128"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
)


def save(value, path, zipped=True, **options):
    torch.save(value, path, _use_new_zipfile_serialization=zipped, **options)
    return path


def tensors():
    """Every dtype, and every way to lie in a storage."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(6, 7, 8, generator=generator)
    shared = torch.arange(1000.0)
    return {f"dtype.{name}": (base * 20).abs().to(getattr(torch, name)) for name in DTYPES} | {
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


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_come_back_with_dtype_shape_and_values(tmp_path, zipped, protocol):
    expected = tensors()
    found = read_pth(save(expected, tmp_path / "a.pth", zipped, pickle_protocol=protocol))
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        tensor = tensor.detach()
        bfloat16 = tensor.dtype == torch.bfloat16
        wanted = tensor.float().numpy().astype(jnp.bfloat16) if bfloat16 else tensor.numpy()
        assert found[name].dtype == wanted.dtype, name
        assert found[name].shape == wanted.shape, name
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)
    assert not found["shared.a"].flags.writeable
    assert found["shared.a"].base is found["shared.b"].base  # the bytes of the storage


@FORMATS
def test_the_state_dict_of_a_module_is_read_with_its_buffers(tmp_path, zipped):
    """It is an OrderedDict with attributes, so more than the dictionary above."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    found = read_pth(save(module.state_dict(), tmp_path / "a.pt", zipped))
    assert set(found) == set(module.state_dict())
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_npz_files_are_read_too(tmp_path):
    weight = np.arange(6.0).reshape(2, 3)
    for number, write in enumerate((np.savez, np.savez_compressed)):
        write(tmp_path / f"{number}.npz", allow_pickle=False, **{"conv.weight": weight, "count": np.array(3)})
        found = read_pth(tmp_path / f"{number}.npz")
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
    for function, argument, name in (
        (os.system, f"touch {witness}", "(posix|nt).system"),
        (eval, f"open({str(witness)!r}, 'w')", "__builtin__.eval"),
        (os.mkdir, str(witness), "(posix|nt).mkdir"),
    ):
        evil = Evil(function, argument)
        path = save({"a": torch.ones(2), "b": evil} if inside else evil, tmp_path / "a.pth", zipped)
        with pytest.raises(UserError, match=f"asks for {name}.*nothing in the file was run"):
            read_pth(path)
        assert not witness.exists()
    torch.load(path, weights_only=False)  # the file is what it is said to be: PyTorch itself runs it
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
        ({"state_dict": {"a": torch.ones(2)}}, "holds dict under 'state_dict', expected a tensor"),
        ({"a": torch.ones(2), "epoch": 3}, "holds int under 'epoch'"),
        ([torch.ones(2)], "holds list, expected a dictionary of tensors"),
        ({3: torch.ones(2)}, "holds Tensor under 3"),
        ({(1, 2): torch.ones(2)}, "has tuple as a key"),
        ({"a": np.float32(3)}, "asks for numpy"),
        ({"a": torch.ones(2).to_sparse()}, "asks for torch._utils._rebuild_sparse_tensor"),
        ({"a": b"abc"}, "asks for _codecs.encode"),
        ({"a": 1 << 3000}, "is damaged.*KeyError"),
    ],
)
def test_what_is_no_dictionary_of_tensors_is_refused_with_what_it_is(tmp_path, zipped, value, said):
    with pytest.raises(UserError, match=said):
        read_pth(save(value, tmp_path / "a.pth", zipped))


def small_file(folder, zipped):
    value = collections.OrderedDict(a=torch.randn(5, 4).T, b=torch.arange(100)[:7])
    return save(value, folder / "small.pth", zipped).read_bytes()


@FORMATS
def test_a_file_cut_off_anywhere_is_refused(tmp_path, zipped):
    """The last entries of b's storage are in no tensor. A name that is cut off is an unknown name."""
    whole, path = small_file(tmp_path, zipped), tmp_path / "cut.pth"
    for length in [*range(300), *range(300, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut\.pth .*(damaged|cut off|no PyTorch file|asks for)"):
            read_pth(path)


@FORMATS
def test_a_file_with_a_wrong_byte_is_refused_or_read_but_raises_nothing_else(tmp_path, zipped):
    """The old format has no checksum, so a number that changed goes unnoticed there."""
    whole, path = small_file(tmp_path, zipped), tmp_path / "wrong.pth"
    rng, refused = np.random.default_rng(0), 0
    for place in [*range(500), *rng.integers(0, len(whole), 400)]:
        wrong = bytearray(whole)
        wrong[place] ^= int(rng.integers(1, 256))
        path.write_bytes(wrong)
        try:
            assert all(isinstance(array, np.ndarray) for array in read_pth(path).values())
        except UserError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\3\4", b"\x80", b"\x80\2.", b"hello", b"\0" * 300])
def test_what_is_no_pytorch_file_is_refused(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.pth .*(damaged|no PyTorch file)"):
        read_pth(tmp_path / "a.pth")


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(UserError, match="cannot read"):
            read_pth(path)


def encode(value):
    """The instructions that make a value, by the definition of the format; bytes are instructions."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        items = b"".join(encode(part) for item in value.items() for part in item)
        return pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS
    if isinstance(value, tuple):
        return pickle.MARK + b"".join(map(encode, value)) + pickle.TUPLE
    return pickle.dumps(value, protocol=2)[2:-1]  # without the protocol and the stop


def named(module, name):
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def storage(*reference):
    return encode(("storage", *reference)) + pickle.BINPERSID


def call(module, name, *arguments):
    return named(module, name) + encode(arguments) + pickle.REDUCE


def write_zip(path, program, stored=b"", byteorder="little", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x/data.pkl", program + pickle.STOP)
        archive.writestr("x/data/0", stored)
        archive.writestr("x/byteorder", byteorder)
    return path


def by_hand(path, *, numel=12, offset=0, shape=(3, 4), strides=(4, 1), stored=12, **more):
    """A zip of one tensor, `a`, of `stored` floats."""
    numbers = storage(named("torch", more.pop("kind", "FloatStorage")), more.pop("key", "0"), "cpu", numel)
    function = more.pop("function", "_rebuild_tensor_v2")
    value = {"a": call("torch._utils", function, numbers, offset, shape, strides, False, None)}
    return write_zip(path, encode(value), np.arange(stored, dtype="<f4").tobytes(), **more)


def test_a_file_by_hand_is_read(tmp_path):
    found = read_pth(by_hand(tmp_path / "a.pth", offset=1, shape=(2, 3), strides=(4, 2)))
    np.testing.assert_array_equal(found["a"], [[1, 3, 5], [5, 7, 9]])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(stored=11), "ends at 11, where the storage has 11 entries"),
        (dict(numel=11), "ends at 11, where the storage has 11 entries"),
        (dict(offset=1), "begins at entry 1 of its storage and ends at 12"),
        (dict(offset=-1), "do not go together"),
        (dict(strides=(4, -1)), "do not go together"),
        (dict(shape=(3, 4, 1)), "do not go together"),
        (dict(shape=(1 << 40, 1 << 40), strides=(0, 0)), "is damaged: 'a'"),
        (dict(shape=(1 << 70, 1), strides=(0, 0)), "do not go together"),
        (dict(shape=(1,) * 70, strides=(0,) * 70), "is damaged"),
        (dict(shape=(3, 4.0)), "do not go together"),
        (dict(shape=(3, True)), "do not go together"),
        (dict(shape=[3, 4]), "do not go together"),
        (dict(numel=-1), "reference to a storage is none"),
        (dict(key="7"), "There is no item named 'x/data/7'"),
        (dict(key="../data.pkl"), "There is no item"),
        (dict(key=0), "reference to a storage is none"),
        (dict(kind="QInt8Storage"), "asks for torch.QInt8Storage"),
        (dict(function="_rebuild_qtensor"), "asks for torch._utils._rebuild_qtensor"),
        (dict(byteorder="big"), "big-endian"),
        (dict(compression=zipfile.ZIP_DEFLATED), "compressed"),
    ],
)
def test_tensors_that_do_not_fit_their_storage_are_refused(tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        read_pth(by_hand(tmp_path / "a.pth", **options))


FUNCTION = named("torch._utils", "_rebuild_tensor_v2")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        # The hash of a tuple that is nested deep enough crashes Python, or takes for ever.
        (b"}" + b"N" + b"\x85" * 1_000_000 + b"Ns", "has tuple as a key"),
        (b"}" + b"N" + b"q\0h\0\x86" * 64 + b"Ns", "has tuple as a key"),
        (b"}r\xff\xff\xff\x7f", ""),  # a memo of 2^31 entries, were it an array
        (b"}X\xff\xff\xff\x7fa", "is damaged"),  # a text of 2 GB, of which one letter is there
        (b"\x95" + b"\xff" * 8 + b"}", "is damaged"),
        # Attributes: an OrderedDict's are left out, and no function gets any.
        (FUNCTION + encode({"__doc__": "changed"}) + b"b", "holds function"),
        (FUNCTION + encode((None, {"__doc__": "changed"})) + b"b", "holds function"),
        (b"\x82\1", "KeyError"),  # an extension of copyreg
        (b"C\1a\x97", "KeyError"),  # a buffer of protocol 5
        (named("torch", "FloatStorage") + b"(t\x81", "KeyError"),  # a new object of a class
        (b"(" + FUNCTION + b"o", "KeyError"),
        (b"ccollections\nOrderedDict\n(NtR", "is damaged"),
    ],
)
def test_instructions_that_pytorch_does_not_write_do_no_harm(tmp_path, program, said):
    path = write_zip(tmp_path / "a.pth", program)
    if said:
        with pytest.raises(UserError, match=said):
            read_pth(path)
    else:
        assert read_pth(path) == {}


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
    numbers = storage(named("torch", "FloatStorage"), "5", "cpu", 12, ("6", 3, 9))
    tensor = call("torch._utils", "_rebuild_tensor", numbers, 1, (2, 2), (2, 1))
    values = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"a": tensor}, ["5"])
    pickles = b"".join(encode(value) + pickle.STOP for value in values)
    stored = (12).to_bytes(8, "little") + np.arange(12, dtype="<f4").tobytes()
    (tmp_path / "a.pth").write_bytes(pickles + stored)
    np.testing.assert_array_equal(read_pth(tmp_path / "a.pth")["a"], [[4, 5], [6, 7]])


NESTED = (
    b"(" + b")q\0" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(60)) + b"t"
)  # 2^60 tuples, written out


@pytest.mark.parametrize(
    "program",
    [
        NESTED,
        b"}X\1\0\0\0a" + NESTED + b"s",
        b"}X\1\0\0\0a" + NESTED + b"Qs",
        b"}X\1\0\0\0a(X\7\0\0\0storage" + NESTED + b"h\1h\2h\3h\4tQs",
        b"}X\1\0\0\0a" + FUNCTION + NESTED + b"Rs",
        b"}X\1\0\0\0a" + FUNCTION + b"(" + NESTED + b"h\1h\2h\3tRs",
        NESTED + b")R",
        NESTED + b"K\1a",
        NESTED + b"K\1K\1s",
        NESTED + b"h\1\x93",
        b"ccollections\nOrderedDict\n" + NESTED + b"\x85R",
        b"ctorch\nFloatStorage\n" + NESTED + b"R",
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_no_message_writes_out_what_a_file_nests(tmp_path, program, zipped):
    path = tmp_path / "a.pth"
    if zipped:
        write_zip(path, program)
    else:
        magic = b"\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3."
        path.write_bytes(magic + (b"\x80\2" + program + b".") * 3)
    with pytest.raises(UserError) as told:
        read_pth(path)
    assert len(str(told.value)) < 1000


def test_arrays_of_an_npz_that_are_none(tmp_path):
    for content in (b"not an array", b"\x93NUMPY\1\0\x10\0(((((((((((((((\n"):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("a.npy", content)
        with pytest.raises(UserError, match=r"a\.npz is damaged"):
            read_pth(tmp_path / "a.npz")
