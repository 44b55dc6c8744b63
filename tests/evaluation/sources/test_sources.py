"""What a name on the command line stands for, and what is said where it stands for nothing."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data.builder import LocalBuilder, NoOptions
from gan_jax.data.spec import Field
from gan_jax.evaluation.sources.image_source import subset
from gan_jax.evaluation.sources.sources import array_source, dataset_source, is_run, open_source
from gan_jax.utils.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 4, 6, 1), np.uint8)


class Toy(LocalBuilder):
    """Stands for a set that tfds itself prepared."""

    SPLITS = ("train", "test")

    def fields(self):
        return {"image": Field((4, 6, 1))}

    def class_names(self):
        return ("cat", "dog", "cow")

    def num_examples(self, split):
        return 15 if split == "train" else 5

    def records(self, split):
        for number in range(15) if split == "train" else range(15, 20):
            yield {"image": PIXELS[number], "label": number % 3}


@pytest.fixture(scope="module")
def root(data_dir):
    Toy(NoOptions(), data_dir=data_dir).prepare()
    return str(data_dir)


def read(source, count=None, batch_size=4):
    images, labels = zip(*source.batches(count or source.size, batch_size), strict=True)
    assert [len(batch) for batch in images[:-1]] == [batch_size] * (len(images) - 1)
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)


@pytest.mark.parametrize(
    ("text", "name", "part"),
    [
        ("toy", "toy:train", range(15)),
        ("toy:train", "toy:train", range(15)),
        ("toy:test", "toy:test", range(15, 20)),
        ("toy:train[:7]", "toy:train[:7]", range(7)),
        ("toy:train[20%:40%]", "toy:train[20%:40%]", range(3, 6)),
        ("toy:0.1.0", "toy:0.1.0:train", range(15)),
        ("toy:0.1.0:test[1:]", "toy:0.1.0:test[1:]", range(16, 20)),
    ],
)
def test_splits_of_data_sets(text, name, part, root):
    source = open_source(text, data_dir=root)
    assert (source.name, source.image_shape, source.num_classes) == (name, (4, 6, 1), 3)
    assert source.dataset is not None
    assert len(source.dataset) == source.size
    assert source.size == len(part)
    images, labels = read(source)
    np.testing.assert_array_equal(images, PIXELS[part])
    np.testing.assert_array_equal(labels, np.array(part) % 3)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(read(source, 2)[0], PIXELS[part][subset(len(part), 2)])
    with pytest.raises(UserError, match=r"holds .* images, and 99 are asked for"):
        source.batches(99, 4)


def test_fingerprints_tell_splits_and_parts_apart(root):
    texts = ("toy", "toy:test", "toy:train[:5]", "toy:train[1:6]")
    assert len({open_source(text, data_dir=root).fingerprint for text in texts}) == len(texts)
    again = open_source("toy:train", data_dir=root)
    assert again.fingerprint == open_source("toy", data_dir=root).fingerprint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("toy:validation", "no split 'validation': choose test, train"),
        ("toy:train[:x]", "Cannot read the split"),
        ("toy:train[:0]", "Cannot read the split"),
        (
            "toys",
            r"'toys' is neither a folder nor a file .* nor a data set \(shapes, mnist.*Give the workdir",
        ),
        ("toy:9.9.9", "'toy:9.9.9' is neither a folder nor a file"),
        ("runs/mispelt", "'runs/mispelt' is neither a folder nor a file"),
        ("not_there.npz", "'not_there.npz' is neither a folder nor a file"),
        ("toy:", "'toy:' is neither"),
        ("toy[:5]", "'toy.:5.' is neither"),
        ("", "'' is neither"),
        ("mnist:test", "The data set mnist is not prepared"),
        ("image_folder", "name the folder of pictures or the .npz file itself"),
        ("npz_pairs:train", "name the folder of pictures or the .npz file itself"),
    ],
)
def test_names_that_stand_for_nothing(text, words, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        open_source(text, data_dir=root)


def test_a_folder_of_pictures(root, tmp_path):
    for number in range(3):
        Image.fromarray(PIXELS[number, ..., 0]).save(tmp_path / f"{number}.png")
    source = open_source(str(tmp_path), data_dir=root)
    assert source.name == f"folder {tmp_path.name}"
    np.testing.assert_array_equal(read(source)[0], PIXELS[:3])


def test_an_npz_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "made.npz", images=PIXELS)
    source = open_source("~/made.npz")
    assert source.name == "npz made.npz"
    np.testing.assert_array_equal(read(source)[0], PIXELS)


def test_another_file_is_refused(tmp_path):
    np.save(tmp_path / "made.npy", PIXELS)
    with pytest.raises(UserError, match=r"made\.npy is a file, but not an \.npz file"):
        open_source(str(tmp_path / "made.npy"))


def test_a_folder_with_the_name_of_a_data_set_is_unclear(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").mkdir()
    Image.fromarray(PIXELS[0, ..., 0]).save(tmp_path / "shapes" / "a.png")
    with pytest.raises(UserError, match=r"write shapes:train or \./shapes"):
        open_source("shapes")
    assert open_source("./shapes").name == "folder shapes"


def test_runs_are_for_the_caller(tmp_path):
    assert not is_run(tmp_path)
    assert not is_run(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "reals.png").write_text("")
    assert is_run(tmp_path)
    assert is_run(str(tmp_path))
    with pytest.raises(ValueError, match="is a run"):
        open_source(str(tmp_path))


def test_pixels_of_another_dtype_are_refused(root):
    dataset = data.load("toy", data_dir=root)

    class Deep:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return {"image": PIXELS[index].astype(np.uint16), "label": 0}

    source = dataset_source(dataclasses.replace(dataset, source=Deep()))
    with pytest.raises(UserError, match="toy should hold uint8 and example 0 is uint16"):
        read(source)


def test_a_set_without_labels(root):
    dataset = dataclasses.replace(data.load("toy", data_dir=root), num_classes=None)
    source = dataset_source(dataset)
    assert source.num_classes is None
    assert read(source)[1] is None


def test_arrays_are_a_source():
    labels = np.arange(20) % 3
    source = array_source("mine", PIXELS, labels, 3)
    images, found = read(source, 15)
    np.testing.assert_array_equal(images, PIXELS[subset(20, 15)])
    np.testing.assert_array_equal(found, labels[subset(20, 15)])
    assert found.dtype == np.int32
    assert (source.name, source.size, source.image_shape, source.num_classes) == ("mine", 20, (4, 6, 1), 3)
    plain = array_source("mine", PIXELS)
    assert read(plain)[1] is None
    others = [array_source("mine", PIXELS[::-1]), array_source("mine", PIXELS, labels[::-1].copy(), 3)]
    assert len({s.fingerprint for s in (source, plain, *others)}) == 4
    assert array_source("yours", PIXELS.copy()).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    ("images", "labels", "classes"),
    [
        (PIXELS.astype(np.float32), None, None),
        (PIXELS[0], None, None),
        (PIXELS[:0], None, None),
        (PIXELS, np.zeros(20), None),
        (PIXELS, np.zeros(19), 3),
    ],
)
def test_wrong_arrays(images, labels, classes):
    with pytest.raises(ValueError, match="mine: "):
        array_source("mine", images, labels, classes)


def test_a_part_of_a_source_is_a_fair_one():
    """Files are often sorted by class: the first so many would lack the last ones."""
    images = np.repeat(np.arange(10, dtype=np.uint8), 100)[:, None, None, None]
    batches = list(array_source("sorted", images).batches(200, 64))
    assert [len(images) for images, _ in batches] == [64, 64, 64, 8]
    found = np.concatenate([images for images, _ in batches]).ravel()
    assert (np.diff(found.astype(int)) >= 0).all()  # in the source's own order
    assert np.bincount(found, minlength=10).min() > 8
    np.testing.assert_array_equal(found, images.ravel()[subset(1000, 200)])
    assert len(np.unique(subset(1000, 200))) == 200
