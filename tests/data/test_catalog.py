"""Names, splits, options and folders that will not do; sets that tfds prepared; no TensorFlow."""

import fcntl
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from gan_jax import data
from gan_jax.data.catalog import has_own_files
from gan_jax.data.shapes import Shapes
from gan_jax.utils.errors import UserError


class Toy(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Stands for a set that tfds itself prepared: PNG in an Image feature."""

    VERSION = tfds.core.Version("3.0.1")
    IMAGE = tfds.features.Image(shape=(4, 6, 3))

    def _info(self):
        features = {"image": self.IMAGE, "label": tfds.features.ClassLabel(names=["cat", "dog"])}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(5), "validation": self._generate_examples(2)}

    def _generate_examples(self, count):
        for i in range(count):
            yield i, {"image": png(np.full((4, 6, 3), i, np.uint8)), "label": i % 2}


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    stream.seek(0)
    return stream


@pytest.fixture
def toy(data_dir):
    builder = Toy(data_dir=data_dir, file_format="array_record")
    builder.download_and_prepare()
    return data_dir / "toy" / "3.0.1"


def test_a_set_that_tfds_prepared(toy):
    dataset = data.load("toy")
    assert (len(dataset), dataset.image_shape, dataset.num_classes) == (5, (4, 6, 3), 2)
    assert dataset.class_names == ("cat", "dog")
    arrays = dataset.arrays()
    np.testing.assert_array_equal(arrays["image"][:, 0, 0, 0] % 2, arrays["label"])
    assert sorted(arrays["image"][:, 3, 5, 2]) == [0, 1, 2, 3, 4]
    assert len(data.load("toy:3.0.1", split="validation")) == 2
    with pytest.raises(UserError, match=r"toy:2.0.0 .*nor prepared"):
        data.load("toy:2.0.0")


def test_a_set_prepared_for_tensorflow_only(toy):
    info = json.loads((toy / "dataset_info.json").read_text())
    info["fileFormat"] = "tfrecord"
    (toy / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(UserError, match=r"prepared as tfrecord.*gan-jax data prepare toy"):
        data.load("toy")


def test_pictures_of_many_sizes_are_refused(data_dir, monkeypatch):
    monkeypatch.setattr(Toy, "IMAGE", tfds.features.Image(shape=(None, None, 3)))
    Toy(data_dir=data_dir, file_format="array_record").download_and_prepare()
    with pytest.raises(UserError, match=r"\(None, None, 3\).*image_folder"):
        data.load("toy")


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_set_is_named(toy, text):
    (toy / "dataset_info.json").write_text(text)
    with pytest.raises(UserError, match=r"toy.*prepare the set again"):
        data.load("toy")


def test_a_missing_data_file_is_found(toy):
    next(toy.glob("toy-train*")).unlink()
    with pytest.raises(UserError, match=r"toy-train\.array_record-00000-of-00001 .*prepare the set again"):
        data.load("toy")


@pytest.mark.parametrize("damage", ["flipped bit", "cut off", "empty"])
def test_damaged_data_files_are_found(data_dir, damage):
    dataset = data.load("shapes", num_examples=200)
    path = next(data_dir.rglob("shapes-train*"))
    content = bytearray(path.read_bytes())
    content[3000] ^= 4
    path.write_bytes({"flipped bit": content, "cut off": content[: len(content) // 2], "empty": b""}[damage])
    with pytest.raises(UserError, match=r"files of shapes are damaged"):
        data.load("shapes", num_examples=200)
    with pytest.raises(UserError, match=r"files of shapes are damaged"):
        dataset.arrays()
    feed = data.StreamFeed(dataset, data.IndexSampler(200, 100), steps_per_call=2)
    with pytest.raises(UserError, match=r"files of shapes are damaged"):
        feed.get(0, 2)


def test_configurations_must_be_named(data_dir):
    data.load("shapes", num_examples=10)
    (data_dir / "shapes").rename(data_dir / "figures")
    with pytest.raises(UserError, match="figures/32x32x3_n10_seed0"):
        data.load("figures")
    assert len(data.load("figures/32x32x3_n10_seed0")) == 10


def test_unknown_names_splits_and_options(data_dir):
    with pytest.raises(UserError, match=r"shapes, mnist, fashion_mnist, kmnist, image_folder.*array_record"):
        data.load("fasion_mnist")
    with pytest.raises(UserError, match="neither one of"):
        data.load("")
    with pytest.raises(UserError, match="no split 'val': choose test, train"):
        data.load("shapes", num_examples=10, split="val")
    with pytest.raises(UserError, match="Cannot read the split 'train"):
        data.load("shapes", num_examples=10, split="train[:x]")
    with pytest.raises(UserError, match=r"Unknown option size.*resolution, channels, num_examples, seed"):
        data.load("shapes", size=64)
    with pytest.raises(UserError, match=r"Unknown option resolution .*mnist: it has none"):
        data.load("mnist", resolution=64)
    with pytest.raises(UserError, match=r"cifar10 is neither one of"):
        data.load("cifar10", resolution=64)
    with pytest.raises(UserError, match="from files in a folder: leave out"):
        data.prepare("shapes", source=str(data_dir))


def test_preparing_a_stock_set_asks_for_tensorflow(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install tensorflow"):
        data.prepare("cifar10")


@pytest.mark.parametrize("name", [name for name in data.DATASETS if has_own_files(name)])
def test_own_pictures_are_named_where_they_are_used(name):
    option = "file" if "npz" in name else "folder"
    with pytest.raises(UserError, match=rf"data.name={name} and data.{option}=pictures: nothing is to be"):
        data.prepare(name, source="pictures")


def test_a_data_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for call in (data.load, data.prepare):
        with pytest.raises(UserError, match="is a file"):
            call("mnist", data_dir=str(tmp_path / "file"))


def test_a_data_folder_that_cannot_be_written():
    with pytest.raises(UserError, match="Cannot write the data set shapes"):
        data.load("shapes", data_dir="/proc/nowhere", num_examples=10)


def test_an_interrupted_prepare_leaves_nothing_that_is_accepted(data_dir, monkeypatch):
    records = Shapes.records

    def interrupted(self, split):
        for number, record in enumerate(records(self, split)):
            if split == "test" and number == 1:
                raise KeyboardInterrupt
            yield record

    with monkeypatch.context() as patch:
        patch.setattr(Shapes, "records", interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.prepare("shapes", num_examples=30)
    assert not list(data_dir.rglob("dataset_info.json"))
    assert len(data.load("shapes", num_examples=30)) == 30


KILLED = """
import os
from gan_jax import data
from gan_jax.data.shapes import Shapes
records = Shapes.records
def killed(self, split):
    yield from records(self, split)
    if split == "test":
        os._exit(9)
Shapes.records = killed
data.prepare("shapes", num_examples=30)
"""


def test_a_killed_prepare_leaves_nothing_that_is_accepted(data_dir):
    assert subprocess.run([sys.executable, "-c", KILLED], check=False).returncode == 9
    assert any("incomplete" in path.name for path in data_dir.rglob("*"))
    assert not Shapes(Shapes.OPTIONS(num_examples=30), data_dir=data_dir).is_prepared
    assert len(data.load("shapes", num_examples=30)) == 30
    assert not list(data_dir.rglob("incomplete*"))


@pytest.mark.parametrize("place", ["shapes", "shapes/another"])
def test_what_a_killed_prepare_left_is_deleted_unless_somebody_prepares(place, data_dir):
    left = data_dir / place / "incomplete.ABCDEF_0.1.0"
    left.mkdir(parents=True)
    (left / "half").write_text("")
    with (data_dir / "shapes" / ".preparing").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # as by another process that is at it
        data.prepare("shapes", num_examples=20)
        assert (left / "half").exists()
    data.prepare("shapes", num_examples=30)
    assert not left.exists()


NO_TENSORFLOW = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("the network was touched")
socket.socket.connect = socket.getaddrinfo = refuse
import tensorflow_datasets
from gan_jax import data
data.prepare("shapes", num_examples=20)
dataset = data.load("shapes", num_examples=20)
dataset.arrays()
data.StreamFeed(dataset, data.IndexSampler(20, 4), steps_per_call=2).get(0, 2)
data.load("toy").arrays()
try:
    data.load("mnist")
except data.catalog.UserError:
    pass
assert "tensorflow" not in sys.modules and "torch" not in sys.modules
"""


def test_neither_tensorflow_nor_the_network_is_needed(toy):
    subprocess.run([sys.executable, "-c", NO_TENSORFLOW], check=True, env=os.environ)
