"""What a program gives as examples, as a data set: arrays, or anything that gives examples by index."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from gan_jax.data.arrays import ARRAYS, checked_images, from_arrays
from gan_jax.data.codecs import Pixels
from gan_jax.data.dataset import Dataset
from gan_jax.data.decoding import GREY, converted
from gan_jax.data.feed import DEVICE_LIMIT_BYTES
from gan_jax.data.identity import content_digest
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import printable

_IMAGE, _LABEL = ("image", "img"), "label"  # the names of entries in records
_MIDDLE = 128  # what 0 of [-1, 1] becomes in 8 bits
_UNIT = "which looks like [0, 1]: of those give 2 * x - 1"
_KINDS = (
    "arrays, a pair (images, labels), or an object with a length that gives examples by index, each a dict "
    "with 'image' (and 'label'), a pair or an image"
)


def as_dataset(examples: Any, labels: Any = None, *, class_names: Sequence[str] = ()) -> Dataset:
    """A data set of examples that a program holds: `gan_jax.train(..., dataset=...)` trains on it.

    Args:
        examples: one of

            - images [N, H, W, C], or grey [N, H, W]: uint8 from 0 to 255, or floats in [-1, 1], which are
              rounded to 8 bits; of NumPy, JAX or anything else that NumPy can read;
            - a pair (images, labels) of such arrays;
            - anything with `len(examples)` and `examples[i]`: a source of tfds (`as_data_source`) or grain, a
              Hugging Face `datasets.Dataset`, a PyTorch data set that is read by index, a list. An example is
              a dict with "image" (or "img") and, where there are classes, "label"; a pair (image, label); or
              an image. An image is a picture of Pillow or an array [H, W, C] or [H, W], all of one size. Up
              to 1 GiB are read into memory; larger sets are read while they are trained on.
        labels: integers [N] from 0, where `examples` are images alone; None for none.
        class_names: what the labels mean, in order. Empty: what a tfds source, a Hugging Face set
            (`features["label"].names`) or torchvision (`classes`) says; otherwise "0", "1", ...

    Returns:
        The data set; `dataset.arrays()` has all of it, as uint8 images and int32 labels.

    Raises:
        UserError: other types, shapes or ranges, images of several sizes (the first one that differs is
            named), or labels without a name.

    Examples:
        >>> import numpy as np
        >>> import gan_jax
        >>> images = np.zeros((10, 28, 28, 1), np.uint8)
        >>> dataset = gan_jax.as_dataset(images, np.arange(10) % 2, class_names=["cat", "dog"])
        >>> len(dataset), dataset.image_shape, dataset.class_names
        (10, (28, 28, 1), ('cat', 'dog'))
        >>> records = [{"image": image, "label": 0} for image in images]
        >>> gan_jax.as_dataset(records).num_classes
        1
    """
    if isinstance(examples, tuple) and len(examples) == 2 and np.ndim(examples[1]) == 1:
        if labels is not None:
            raise UserError("labels are given twice: as the second of a pair and as labels")
        examples, labels = examples
    if _is_array(examples):
        numbers = None if labels is None else np.asarray(labels)
        return from_arrays(as_pixels(examples), numbers, class_names=class_names)
    if labels is not None:
        raise UserError(f"labels belong to an array of images, and these are {type(examples).__name__}")
    if isinstance(examples, Dataset):
        if class_names:
            raise UserError("a Dataset has its class_names already: leave them out")
        return examples
    if isinstance(examples, str | bytes | dict) or not _gives_by_index(examples):
        raise UserError(f"examples are {type(examples).__name__}: give {_KINDS}")
    return _of_records(examples, tuple(map(printable, class_names)) or _names_in(examples))


def as_pixels(images: Any, called: str = "the images") -> np.ndarray:
    """Images as they are stored: uint8 [N, H, W, C], grey ones also from [N, H, W].

    Args:
        images: uint8, or floats in [-1, 1], which are rounded.
        called: in messages.

    Raises:
        UserError: another type, shape or range.
    """
    given = np.asarray(images)
    pixels = checked_images(in_8_bits(given, called), called)
    if given.dtype.kind == "f" and _all_bright(pixels):
        raise UserError(f"{called} are {given.dtype} and none is below 0, {_UNIT}")
    return pixels


def in_8_bits(given: np.ndarray, called: str) -> np.ndarray:
    """uint8 of floats in [-1, 1]; anything else as it is."""
    if given.dtype.kind != "f" or not given.size:
        return given
    low, high = float(given.min()), float(given.max())
    if not (low >= -1 and high <= 1):  # nor where one is NaN
        raise UserError(
            f"{called} are {given.dtype} from {low:.4g} to {high:.4g}: floats must be in [-1, 1] "
            "(of x from 0 to 255 give x.astype(np.uint8))"
        )
    return Pixels().encode(given)


def _all_bright(pixels: np.ndarray) -> bool:
    """Whether no pixel is darker than the middle, 0 of [-1, 1], and some are bright."""
    return bool(pixels.min() >= _MIDDLE and pixels.max() > (_MIDDLE + 255) // 2)


class _Records:
    """Examples by index, as records of a data set: {"image": uint8 [H, W, C], "label": int}."""

    def __init__(self, examples: Any, class_names: tuple[str, ...]) -> None:
        self._examples = examples
        image, label = _parts(examples[0], 0)
        self._channels = _channels(image)
        self.is_labelled = label is not None
        self.class_names = class_names
        self.is_float = False
        self.image_shape = self._pixels(image, 0).shape

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        image, label = _parts(self._examples[index], index)
        pixels = self._pixels(image, index)
        if pixels.shape != self.image_shape:
            raise UserError(
                f"example {index} is {list(pixels.shape)} and example 0 {list(self.image_shape)}: all images "
                "must have one size and number of channels"
            )
        if (label is not None) != self.is_labelled:
            raise UserError(f"example {index} has {'no' if label is None else 'a'} label, unlike example 0")
        return {"image": pixels} if label is None else {"image": pixels, "label": self._label(label, index)}

    def _pixels(self, image: Any, index: int) -> np.ndarray:
        called = f"the pixels of example {index}"
        if isinstance(image, Image.Image):
            return np.asarray(converted(image, self._channels)).reshape(image.height, image.width, -1)
        if not _is_array(image):
            raise UserError(f"{called} are {type(image).__name__}: give a picture of Pillow or an array")
        array = np.asarray(image)
        if array.ndim not in (2, 3):
            raise UserError(f"{called} are {list(array.shape)}: they must be [H, W, C], or grey [H, W]")
        self.is_float = self.is_float or array.dtype.kind == "f"
        return checked_images(in_8_bits(array[None], called), called)[0]

    def _label(self, label: Any, index: int) -> int:
        try:
            number = operator.index(label)
        except TypeError:
            raise UserError(f"the label of example {index} is {label!r}: it must be an integer") from None
        if number < 0 or (self.class_names and number >= len(self.class_names)):
            most = f"to {len(self.class_names) - 1}" if self.class_names else "on"
            raise UserError(f"the label of example {index} is {number}: labels go from 0 {most}")
        return number


def _of_records(examples: Any, class_names: tuple[str, ...]) -> Dataset:
    if not len(examples):
        raise UserError("there are no examples: give at least one")
    records = _Records(examples, class_names)
    names = class_names if records.is_labelled else ()
    if len(records) * int(np.prod(records.image_shape)) < DEVICE_LIMIT_BYTES:
        return _in_memory(records, names)
    if records.is_labelled and not names:
        raise UserError("nothing says which classes there are, and the set is large: give class_names")
    fields = {"image": Field(records.image_shape)}
    dataset = Dataset(
        name=ARRAYS,
        split="train",
        source=records,
        fields=fields,
        num_classes=len(names) or None,
        class_names=names,
        fingerprint="",
    )
    digest = content_digest(dataset)
    return replace(dataset, fingerprint=f"{ARRAYS} [train] {len(records)} examples {digest}")


def _in_memory(records: _Records, names: tuple[str, ...]) -> Dataset:
    images = np.empty((len(records), *records.image_shape), np.uint8)
    labels = np.empty(len(records), np.int64)
    for index in range(len(records)):
        record = records[index]
        images[index], labels[index] = record["image"], record.get("label", 0)
    if records.is_float and _all_bright(images):
        raise UserError(f"the images are floats and none is below 0, {_UNIT}")
    return from_arrays(images, labels if records.is_labelled else None, class_names=names)


def _parts(example: Any, index: int) -> tuple[Any, Any]:
    """(the image, the label or None) of an example in any of its forms."""
    if isinstance(example, Mapping):
        name = next((name for name in _IMAGE if name in example), None)
        if name is None:
            listed = ", ".join(map(str, example)) or "nothing"
            raise UserError(f"example {index} has {listed}: its image must be called 'image' (or 'img')")
        return example[name], example.get(_LABEL)
    if isinstance(example, tuple | list) and len(example) == 2:
        return example[0], example[1]
    return example, None


def _channels(image: Any) -> int:
    """The channels to which pictures of Pillow are brought: those of the first one."""
    if not isinstance(image, Image.Image):
        return 3
    return 1 if image.mode in GREY else 3


def _names_in(examples: Any) -> tuple[str, ...]:
    """The names of the classes, where the object says them in one of the usual ways."""
    for said in (examples, getattr(examples, "dataset_info", None)):  # Hugging Face; tfds
        features: Any = getattr(said, "features", None)
        if hasattr(features, "__getitem__") and _LABEL in features:
            names = getattr(features[_LABEL], "names", None)
            if names:
                return tuple(map(printable, names))
    classes = getattr(examples, "classes", None)  # torchvision
    usable = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
    return tuple(map(printable, classes)) if usable and classes else ()


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and not isinstance(value, Image.Image)


def _gives_by_index(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__getitem__")
