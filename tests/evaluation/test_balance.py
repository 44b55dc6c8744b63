"""What is read of a folder of generated pictures, and what is said of a classifier that is measured."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.evaluation import balance
from gan_jax.evaluation.balance import measure, read_extra, summary
from gan_jax.feature_networks.balanced_training import Training
from gan_jax.utils.errors import UserError

NAMES = ("T-shirt/top", "Ankle boot", "Bag")
COUNTS = (20, 12, 4)


def dataset(counts=COUNTS, side=8):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    images = np.zeros((len(labels), side, side, 1), np.uint8)
    images[:, 0, 0, 0] = labels
    return data.from_arrays(images, labels, class_names=NAMES)


def fill(folder: Path, names, count=3, side=8, mode="L"):
    for at, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new(mode, (side, side), 10 * at + 200).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def guesses(monkeypatch):
    """Classifiers that are not trained and say what their test image's first pixel is, or 0 for bags."""
    seen: dict[str, Any] = {}

    def train(real, classes, training, *, generated=None, seed=0, progress=True):
        seen.update(real=real, generated=generated, seed=seed)
        return "weights"

    monkeypatch.setattr(balance, "train_balanced", train)
    monkeypatch.setattr(
        balance, "predict_with", lambda weights, training, classes, images: images[:, 0, 0, 0] % 2
    )
    return seen


def test_classes_are_found_by_their_names_or_their_folders(tmp_path):
    found = read_extra(fill(tmp_path / "a", ["Bag", "T-shirt_top", "Ankle boot"]), dataset())
    assert found.pictures.images.shape == (9, 8, 8, 1)
    by_label = {
        int(label): int(image[0, 0, 0]) for image, label in zip(*vars(found.pictures).values(), strict=True)
    }
    assert by_label == {2: 200, 0: 210, 1: 220}
    assert found.about["per_class"] == {"T-shirt/top": 3, "Ankle boot": 3, "Bag": 3}
    assert found.about["record"] is None
    some = read_extra(fill(tmp_path / "b", ["ankle_boot"], mode="RGB"), dataset())
    assert some.pictures.images.shape == (3, 8, 8, 1)  # grey, as the data
    assert set(some.pictures.labels) == {1}
    (tmp_path / "b" / "augment.json").write_text('{"request": {"seed": 3}}')
    assert read_extra(tmp_path / "b", dataset()).about["record"] == {"request": {"seed": 3}}


def test_folders_that_are_refused(tmp_path):
    with pytest.raises(UserError, match=re.escape("nowhere is not there")):
        read_extra(tmp_path / "nowhere", dataset())
    with pytest.raises(
        UserError, match=r"no classes of arrays \(Cat\): its classes are T-shirt_top, Ankle boot"
    ):
        read_extra(fill(tmp_path / "a", ["Bag", "Cat"]), dataset())
    with pytest.raises(UserError, match="its pictures are 9 x 9 x 1, and those of arrays 8 x 8 x 1"):
        read_extra(fill(tmp_path / "b", ["Bag"], side=9), dataset())
    Image.new("L", (8, 8)).save(tmp_path / "flat.png")
    (tmp_path / "c").mkdir()
    (tmp_path / "flat.png").rename(tmp_path / "c" / "0.png")
    with pytest.raises(UserError, match="its pictures have no classes: put them into sub-folders"):
        read_extra(tmp_path / "c", dataset())


def test_what_is_measured(guesses, tmp_path):
    extra = read_extra(fill(tmp_path, ["Bag"]), dataset())
    found = measure(dataset(), dataset((5, 4, 6)), Training(ratio=1.0), extra=extra, seed=7)
    assert found["recall"] == {"T-shirt/top": 1.0, "Ankle boot": 1.0, "Bag": 0.0}
    assert found["balanced_accuracy"] == pytest.approx(2 / 3)
    assert found["accuracy"] == pytest.approx(9 / 15)
    assert found["rare_classes"] == ["Bag"]
    assert found["rare_recall"] == 0.0
    assert found["data"]["per_class"] == dict(zip(NAMES, COUNTS, strict=True))
    assert (found["seed"], guesses["seed"]) == (7, 7)
    assert guesses["generated"] is extra.pictures
    said = summary(found).splitlines()
    assert said[2] == "Bag          recall 0.000  (4 + 3 generated, rare)"
    assert said[3] == "balanced accuracy 0.6667, accuracy 0.6000, recall of the rare classes 0.0000"
    even = measure(dataset((4, 4, 4)), dataset((5, 4, 0)), Training())
    assert (even["rare_recall"], even["recall"]["Bag"]) == (None, None)
    assert "Bag          recall no test image  (4)" in summary(even)


def test_what_cannot_be_measured(guesses):
    with pytest.raises(
        UserError, match=r"arrays has no picture of 1 class \(Ankle boot\): a classifier cannot"
    ):
        measure(dataset((3, 0, 2)), dataset(), Training())
    unlabelled = data.from_arrays(np.zeros((3, 8, 8, 1), np.uint8))
    with pytest.raises(UserError, match="no labelled set with a test split"):
        measure(unlabelled, unlabelled, Training())
