"""Examples that a program holds, in every form in which it may give them."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.data import feed, given
from gan_jax.data.given import as_dataset
from gan_jax.utils.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
FLOATS = (IMAGES / 127.5 - 1).astype(np.float32)
RECORDS = [{"image": image, "label": label, "id": "x"} for image, label in zip(IMAGES, LABELS, strict=True)]
NAMES = ("cat", "dog", "owl")


class Records(list):
    """A list with what libraries say of their sets."""

    def __init__(self, records, **said):
        super().__init__(records)
        self.__dict__.update(said)


FEATURES = {"label": SimpleNamespace(names=list(NAMES))}


@pytest.mark.parametrize(
    "examples",
    [
        IMAGES,
        FLOATS,
        jnp.asarray(FLOATS),
        [{"img": Image.fromarray(image)} for image in IMAGES],
        [{"image": image} for image in FLOATS],
        list(IMAGES),
    ],
    ids=["uint8", "floats", "jax", "pillow", "records of floats", "list"],
)
def test_images_in_every_form(examples):
    dataset = as_dataset(examples)
    np.testing.assert_array_equal(dataset.arrays()["image"], IMAGES)
    assert dataset.num_classes is None


@pytest.mark.parametrize(
    ("examples", "names"),
    [
        ((IMAGES, LABELS), ("0", "1", "2")),
        ((FLOATS, LABELS.tolist()), ("0", "1", "2")),
        (RECORDS, ("0", "1", "2")),
        (list(zip(IMAGES, LABELS, strict=True)), ("0", "1", "2")),
        (Records(RECORDS, features=FEATURES), NAMES),
        (Records(RECORDS, dataset_info=SimpleNamespace(features=FEATURES)), NAMES),
        (Records(list(zip(map(Image.fromarray, IMAGES), LABELS, strict=True)), classes=list(NAMES)), NAMES),
    ],
    ids=["pair", "pair with a list", "records", "pairs", "Hugging Face", "tfds", "torchvision"],
)
def test_labels_in_every_form(examples, names):
    dataset = as_dataset(examples)
    np.testing.assert_array_equal(dataset.arrays()["image"], IMAGES)
    np.testing.assert_array_equal(dataset.arrays()["label"], LABELS)
    assert dataset.class_names == names
    assert dataset.fingerprint == as_dataset(IMAGES, LABELS).fingerprint
    assert as_dataset(dataset) is dataset


def test_a_data_set_of_hugging_face():
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(NAMES))})
    columns = {"image": [Image.fromarray(image) for image in IMAGES], "label": LABELS.tolist()}
    dataset = as_dataset(datasets.Dataset.from_dict(columns, features=features))
    np.testing.assert_array_equal(dataset.arrays()["image"], IMAGES)
    np.testing.assert_array_equal(dataset.arrays()["label"], LABELS)
    assert dataset.class_names == NAMES


def test_pictures_of_pillow_become_grey_or_colour_as_the_first_is():
    grey = Image.new("L", (5, 4), 7)
    colour = Image.new("RGB", (5, 4), (255, 255, 255))
    assert as_dataset([grey, colour]).arrays()["image"][:, 0, 0].tolist() == [[7], [255]]
    assert as_dataset([colour, grey]).arrays()["image"][1, 0, 0].tolist() == [7, 7, 7]
    clear = Image.new("RGBA", (5, 4), (0, 0, 0, 0))
    assert as_dataset([clear]).arrays()["image"][0, 0, 0].tolist() == [255, 255, 255]


def test_a_large_set_is_read_while_it_is_trained_on(monkeypatch):
    monkeypatch.setattr(given, "DEVICE_LIMIT_BYTES", 0)
    dataset = as_dataset(RECORDS, class_names=NAMES)
    assert isinstance(dataset.source, given._Records)
    assert dataset.fingerprint == as_dataset(IMAGES, LABELS).fingerprint
    np.testing.assert_array_equal(dataset.gather(np.array([4, 0]))["image"], IMAGES[[4, 0]])
    with pytest.raises(UserError, match="give class_names"):
        as_dataset(RECORDS)
    assert given.DEVICE_LIMIT_BYTES < feed.DEVICE_LIMIT_BYTES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist"], "examples are str: give arrays"),
        ([iter(IMAGES)], "give arrays, a pair"),
        ([IMAGES, LABELS[:5]], "must be integers"),
        ([(IMAGES, LABELS), LABELS], "labels are given twice"),
        ([RECORDS, LABELS], "labels belong to an array of images"),
        ([IMAGES / 255], "float64 and none is below 0, which looks like"),
        ([IMAGES / 1.0], "from 0 to 255: floats must be in"),
        ([list(IMAGES / 255)], "the images are floats and none is below 0"),
        ([[]], "there are no examples"),
        ([[{"picture": 1}]], "example 0 has picture: its image must be called 'image'"),
        ([[IMAGES[0], IMAGES[0, :3]]], r"example 1 is \[3, 5, 3\] and example 0 \[4, 5, 3\]"),
        ([[IMAGES[0, 0, 0]]], r"the pixels of example 0 are \[3\]"),
        ([["x"]], "the pixels of example 0 are str"),
        ([[(IMAGES[0], 0.5)]], "the label of example 0 is 0.5"),
        ([[(IMAGES[0], -1)]], "labels go from 0 on"),
        ([[RECORDS[0], {"image": IMAGES[1]}]], "example 1 has no label"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_data_set(arguments, message):
    with pytest.raises(UserError, match=message):
        as_dataset(*arguments)


def test_labels_beyond_the_names():
    with pytest.raises(UserError, match="the label of example 2 is 2: labels go from 0 to 1"):
        as_dataset(RECORDS, class_names=NAMES[:2])
