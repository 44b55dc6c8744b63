"""A prepared set is known by what its records hold, and not by its name, its options and its length."""

import hashlib
import os
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import identity
from gan_jax.data.idx import Mnist
from gan_jax.data.prepared import is_same_data
from gan_jax.data.spec import Field
from tests.data.conftest import idx_bytes

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 1), dtype=np.uint8)


def digest(images=IMAGES, labels=(0, 1, 2, 0, 1)):
    records = [{"image": image, "label": label} for image, label in zip(images, labels, strict=True)]
    fields = {"image": Field(images.shape[1:])}
    return identity.content_digest(data.Dataset("tiny", "train", records, fields, 3, tuple("abc"), ""))


def test_the_digest_is_of_pixels_labels_and_order():
    changed = IMAGES.copy()
    changed[4, 2, 3, 0] ^= 1
    others = [
        digest(changed),
        digest(labels=(0, 1, 2, 0, 0)),
        digest(IMAGES[::-1]),
        digest(IMAGES[:4], (0,) * 4),
    ]
    assert len({digest(), *others, digest(IMAGES.reshape(5, 4, 3, 1))}) == 6
    with mock.patch.object(identity, "_CHUNK", 2):
        assert len({digest(), *others}) == 5
        part = digest()
    assert part == digest()


def shard(folder, split="train"):
    (path,) = Path(folder).rglob(f"*-{split}.array_record*")
    return path


def replaced(path, by):
    """Puts another file in the place of one, of the same size and time of change."""
    times = path.stat()
    content = by.read_bytes()
    assert len(content) == times.st_size
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_other_records_under_the_same_name_and_number_are_another_set(data_dir, tmp_path):
    mine = data.load("shapes", num_examples=30, seed=0)
    other = tmp_path / "other"
    data.load("shapes", num_examples=30, seed=1, data_dir=other)
    replaced(shard(data_dir), shard(other))
    found = data.load("shapes", num_examples=30, seed=0)
    assert len(found) == len(mine)
    assert found.fingerprint != mine.fingerprint
    assert not is_same_data(mine.fingerprint, found.fingerprint)


def test_random_images_called_mnist_are_not_mnist(tiny_mnist, data_dir, tmp_path, monkeypatch):
    data.prepare("mnist", source=tiny_mnist)
    mnist = data.load("mnist").fingerprint
    digests = dict(Mnist.DIGESTS)
    for name in digests:
        content = (tiny_mnist / f"{name}.gz").read_bytes()
        if name == "train-images-idx3-ubyte":
            content = idx_bytes(np.random.default_rng(9).integers(0, 256, (30, 28, 28), dtype=np.uint8))
            (tiny_mnist / f"{name}.gz").unlink()
            (tiny_mnist / name).write_bytes(content)
            monkeypatch.setitem(Mnist.DIGESTS, name, hashlib.sha256(content).hexdigest())
    data.prepare("mnist", source=tiny_mnist, data_dir=tmp_path / "fake")
    monkeypatch.setattr(Mnist, "DIGESTS", digests)
    assert data.load("mnist", data_dir=tmp_path / "fake").fingerprint != mnist
    assert data.load("mnist", split="test", data_dir=tmp_path / "fake").fingerprint == (
        data.load("mnist", split="test").fingerprint
    )


def test_it_is_computed_once_and_at_preparation(data_dir):
    data.prepare("shapes", num_examples=30)
    with mock.patch.object(identity, "content_digest", side_effect=AssertionError):
        for split in ("train", "test", "train[:7]"):
            data.load("shapes", num_examples=30, split=split)


def test_a_set_from_before_is_read_once(data_dir, caplog):
    before = data.load("shapes", num_examples=30).fingerprint
    (kept,) = data_dir.rglob(identity.FILE)
    without = kept.read_text().replace('"sha256"', '"sha"')
    for content in (None, "{", "[]", 100_000 * "[", '{"train": 3}', without, "\x00"):
        kept.unlink()
        if content is not None:
            kept.write_text(content)
        assert data.load("shapes", num_examples=30).fingerprint == before
        with mock.patch.object(identity, "content_digest", side_effect=AssertionError):
            data.load("shapes", num_examples=30)


def test_a_large_set_is_said_to_be_read(data_dir, monkeypatch, caplog):
    monkeypatch.setattr(identity, "_LARGE", 1000)
    data.load("shapes", num_examples=30)
    assert "shapes (0 GiB) is read once, to know it again by its content" in caplog.text
    caplog.clear()
    data.load("shapes", num_examples=30)
    assert not caplog.text


def test_a_copy_is_the_same_set(data_dir, tmp_path):
    before = data.load("shapes", num_examples=30).fingerprint
    shutil.copytree(data_dir, tmp_path / "copy")
    assert data.load("shapes", num_examples=30, data_dir=tmp_path / "copy").fingerprint == before


def test_where_the_folder_cannot_be_written_the_cache_keeps_it(data_dir, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))
    before = data.load("shapes", num_examples=30).fingerprint
    (kept,) = data_dir.rglob(identity.FILE)
    kept.unlink()
    kept.mkdir()  # root may write everywhere else
    assert data.load("shapes", num_examples=30).fingerprint == before
    with mock.patch.object(identity, "content_digest", side_effect=AssertionError):
        data.load("shapes", num_examples=30)
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("")
    assert data.load("shapes", num_examples=30).fingerprint == before
    assert "is not kept, so the next start reads all again" in caplog.text


@pytest.mark.parametrize(
    ("recorded", "now", "same"),
    [
        ("mnist, decoded sha256 " + 64 * "a", "mnist, decoded sha256 " + 64 * "a", True),
        ("mnist, decoded sha256 " + 64 * "a", "mnist, decoded sha256 " + 64 * "b", False),
        ("mnist", "mnist, decoded sha256 " + 64 * "a", True),  # of before there were digests
        ("mnist, 200 examples", "mnist, 60000 examples, decoded sha256 " + 64 * "a", False),
        ("zip of a: x; b: y", "zip of a: x, decoded sha256 " + 64 * "a" + "; b: y", True),
        ("mnist, decoded sha256 " + 64 * "a", "mnist", False),
    ],
)
def test_records_of_before_are_compared_as_far_as_they_go(recorded, now, same):
    assert is_same_data(recorded, now) is same
