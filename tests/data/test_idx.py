"""MNIST and its kin: the right bytes in the right order, and what damaged or missing files get."""

import gzip
import hashlib
import http.server
import struct
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data.idx import FashionMnist, Kmnist, Mnist, parse_idx
from gan_jax.utils.errors import UserError
from tests.data.conftest import idx_bytes

REAL = Path(__file__).parents[3] / "shared" / "data"


def unpacked(folder, name):
    return gzip.decompress((folder / f"{name}.gz").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "builder", "mean", "std"),
    [("mnist", Mnist, 0.1307, 0.3081), ("fashion_mnist", FashionMnist, 0.2860, 0.3530)],
)
def test_the_real_sets(name, builder, mean, std):
    folder = REAL / name
    if not folder.is_dir():
        pytest.skip(f"the real files of {name} are not beside this checkout")
    data.prepare(name, source=str(folder))
    for split, prefix, count in (("train", "train", 60_000), ("test", "t10k", 10_000)):
        images = unpacked(folder, f"{prefix}-images-idx3-ubyte")
        labels = unpacked(folder, f"{prefix}-labels-idx1-ubyte")
        assert struct.unpack(">IIII", images[:16]) == (0x803, count, 28, 28)
        dataset = data.load(name, split=split)
        arrays = dataset.arrays()
        assert len(dataset) == count
        assert arrays["image"].tobytes() == images[16:]
        assert arrays["label"].astype(np.uint8).tobytes() == labels[8:]
        for i in (0, 1, count // 2, count - 1):
            assert dataset.source[i]["image"].tobytes() == images[16 + 784 * i : 16 + 784 * (i + 1)]
            assert dataset.source[i]["label"] == labels[8 + i]
        if split == "train":  # the published mean and standard deviation
            assert arrays["image"].mean() / 255 == pytest.approx(mean, abs=5e-5)
            assert arrays["image"].std() / 255 == pytest.approx(std, abs=5e-5)
            assert dataset.image_shape == (28, 28, 1)
            assert dataset.class_names == builder.CLASS_NAMES


def test_the_md5_of_real_files_are_the_published_ones():
    published = {
        "mnist": "6bbc9ace898e44ae57da46a324031adb",
        "fashion_mnist": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    }
    for name, md5 in published.items():
        if not (REAL / name).is_dir():
            pytest.skip(f"the real files of {name} are not beside this checkout")
        content = unpacked(REAL / name, "train-images-idx3-ubyte")
        assert hashlib.md5(content).hexdigest() == md5
        digests = {"mnist": Mnist, "fashion_mnist": FashionMnist}[name].DIGESTS
        assert hashlib.sha256(content).hexdigest() == digests["train-images-idx3-ubyte"]


def test_tiny_files_packed_and_unpacked(tiny_mnist, data_dir):
    folder = data.prepare("mnist", source=str(tiny_mnist))
    assert folder.is_relative_to(data_dir)
    assert (len(data.load("mnist")), len(data.load("mnist", split="test"))) == (30, 20)
    assert len(data.load("mnist", split="train[:7]")) == 7
    for path in tiny_mnist.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    other = data_dir / "other"
    data.prepare("mnist", data_dir=str(other), source=str(tiny_mnist))
    a, b = data.load("mnist"), data.load("mnist", data_dir=str(other))
    np.testing.assert_array_equal(a.arrays()["image"], b.arrays()["image"])
    assert a.fingerprint == b.fingerprint
    assert a.fingerprint != data.load("mnist", split="test").fingerprint


def test_a_missing_set_names_the_file_and_the_command(data_dir):
    with pytest.raises(UserError) as caught:
        data.load("fashion_mnist", data_dir=str(data_dir))
    message = str(caught.value)
    assert str(data_dir / "fashion_mnist") in message
    assert f"gan-jax data prepare fashion_mnist --data_dir {data_dir}" in message
    assert "train-images-idx3-ubyte.gz" in message
    assert "--from FOLDER" in message
    with pytest.raises(UserError, match=r"gan-jax data prepare mnist \("):
        data.load("mnist")


def test_a_missing_file_is_named(tiny_mnist, data_dir):
    (tiny_mnist / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte"):
        data.prepare("mnist", source=str(tiny_mnist))
    assert not data_dir.exists()
    with pytest.raises(UserError, match="is not there"):
        data.prepare("mnist", source=str(tiny_mnist / "nowhere"))


def damage_content(blob):
    content = bytearray(gzip.decompress(blob))
    content[-1] ^= 1
    return gzip.compress(bytes(content))


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-50], lambda b: b[:60] + b"\0\0\0" + b[63:], lambda b: b"<html>", damage_content]
)
def test_a_damaged_file_is_refused_by_name_before_anything_is_written(tiny_mnist, data_dir, damage):
    path = tiny_mnist / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte.gz is damaged"):
        data.prepare("mnist", source=str(tiny_mnist))
    assert not data_dir.exists()


def test_kmnist_takes_only_what_it_can_verify(tiny_mnist, monkeypatch):
    path = tiny_mnist / "train-images-idx3-ubyte.gz"
    digests = {p.stem: hashlib.sha256(p.read_bytes()).hexdigest() for p in tiny_mnist.glob("*.gz")}
    monkeypatch.setattr(Kmnist, "DIGESTS", digests)
    data.prepare("kmnist", source=str(tiny_mnist))
    assert data.load("kmnist").class_names[:3] == ("o", "ki", "su")
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    with pytest.raises(UserError, match=r"only train-images-idx3-ubyte.gz itself"):
        data.prepare("kmnist", data_dir=str(tiny_mnist / "other"), source=str(tiny_mnist))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "nothing"),
        (b"\x89PNG", "89 50 4e 47"),
        (b"\0\0\x0d\x03", "00 00 0d 03"),
        (idx_bytes(np.zeros((3, 4), np.uint8))[:-1], r"23 bytes.*\(3, 4\).*24"),
        (idx_bytes(np.zeros((3, 4), np.uint8)) + b"\0", "too long"),
        (idx_bytes(np.zeros((3, 4), np.uint8))[:7], "cut off"),
    ],
)
def test_bad_idx_files(content, message):
    with pytest.raises(UserError, match=message):
        parse_idx(content, "digits")


def test_pictures_and_labels_must_belong_together(tiny_mnist, monkeypatch):
    content = idx_bytes(np.zeros(29, np.uint8))
    (tiny_mnist / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))
    monkeypatch.setitem(Mnist.DIGESTS, "train-labels-idx1-ubyte", hashlib.sha256(content).hexdigest())
    with pytest.raises(UserError, match="do not belong together"):
        data.prepare("mnist", source=str(tiny_mnist))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    """A web server of tmp_path on this machine: its address."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path))
    ) as s:
        thread = threading.Thread(target=s.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{s.server_port}"
        s.shutdown()
        thread.join()


def test_download_goes_on_to_the_next_mirror(tiny_mnist, tmp_path, server, monkeypatch):
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in tiny_mnist.glob("*.gz"):
        (bad / path.name).write_bytes(damage_content(path.read_bytes()))
    monkeypatch.setattr(Mnist, "MIRRORS", (f"{server}/nowhere/", f"{server}/bad/", f"{server}/files/"))
    data.prepare("mnist")
    assert (
        data.load("mnist").arrays()["image"].tobytes()
        == (unpacked(tiny_mnist, "train-images-idx3-ubyte")[16:])
    )


def test_a_failed_download_says_what_each_mirror_did(tiny_mnist, tmp_path, server, monkeypatch, data_dir):
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in tiny_mnist.glob("*.gz"):
        (bad / path.name).write_bytes(damage_content(path.read_bytes()))
    monkeypatch.setattr(Mnist, "MIRRORS", (f"{server}/nowhere/", f"{server}/bad/", "http://127.0.0.1:9/"))
    with pytest.raises(UserError) as caught:
        data.prepare("mnist")
    message = str(caught.value)
    expected = Mnist.DIGESTS["train-images-idx3-ubyte"]
    for part in ("404", "/bad/train-images", expected, "127.0.0.1:9", "--from FOLDER"):
        assert part in message
    assert not data_dir.exists()
