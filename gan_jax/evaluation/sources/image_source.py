"""Images to be compared, wherever they come from: the first so many, in order, as their codec stores them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import jax
import numpy as np
from absl import logging

from gan_jax.data import Dataset
from gan_jax.data.classes import described, matching
from gan_jax.data.codecs import Codec, Pixels
from gan_jax.data.sound_codecs import Sound
from gan_jax.densities.density import Density
from gan_jax.utils.errors import UserError

# Images [b, ...] as stored, uint8 [b, H, W, C] for pixels, and their labels int32 [b] where they have some.
Batch = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class ImageSource:
    """One side of a comparison.

    Attributes:
        name: for the protocol: "fashion_mnist:test", "folder NAME", "npz NAME", "run NAME".
        fingerprint: text that is equal only for the same pixels and labels in the same order; None for a
            generator.
        image_shape: (H, W, C) of every image, as the networks see it.
        num_classes: the labels are below it; None where the images have none.
        size: how many images there are; None for as many as are asked for.
        read: what `batches` gives, once the numbers are known to be right.
        dataset: the split, where the images are one.
        codec: how the images are stored: those of a generator are encoded, so that both sides are alike.
        class_names: what the labels mean, in order; None where they are numbers only, or there are none.
        in_channels: the same pictures with 1, 3 or 4 channels; None where they are what they are.
        names: what the images are called, in order; None where they have no names.
        value_range: what became black and white, where the pictures have other values than 0 to 255.
    """

    name: str
    fingerprint: str | None
    image_shape: tuple[int, int, int]
    num_classes: int | None
    size: int | None
    read: Callable[[int, int], Iterator[Batch]]
    dataset: Dataset | None = None
    codec: Codec = field(default_factory=Pixels)
    class_names: tuple[str, ...] | None = None
    in_channels: Callable[[int], ImageSource] | None = None
    names: tuple[str, ...] | None = None
    value_range: tuple[float, ...] | None = None

    @property
    def density(self) -> Density | None:
        """The known density that these are draws of; None where there is none."""
        return None if self.dataset is None else self.dataset.density

    def batches(self, count: int, batch_size: int) -> Iterator[Batch]:
        """`count` images, `batch_size` at a time, the last time what is left.

        Of a generator the first; of anything else that has more, those of `subset`, in their own order: files
        and data sets are often sorted. May be called again and gives the same images then.

        Raises:
            UserError: there are fewer; later, while reading: an image that cannot be used.
        """
        if count < 1 or batch_size < 1:
            raise ValueError(f"{count} images in batches of {batch_size}: both must be at least 1")
        if self.size is not None and count > self.size:
            raise UserError(f"{self.name} holds {self.size} images, and {count} are asked for: ask for fewer")
        if self.size is None or count == self.size:
            return self.read(count, batch_size)
        chosen = subset(self.size, count)
        return rebatched(_chosen(self.read(int(chosen[-1]) + 1, batch_size), chosen), batch_size)


def subset(size: int, count: int) -> np.ndarray:
    """Which `count` of `size` images stand for all: always the same random ones, ascending, int64 [count]."""
    return np.sort(np.random.default_rng(0).permutation(size)[:count])


def _chosen(batches: Iterable[Batch], chosen: np.ndarray) -> Iterator[Batch]:
    """Of consecutive batches only the images with these ascending indices."""
    start = 0
    for images, labels in batches:
        here = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, start + len(images))] - start
        yield images[here], None if labels is None else labels[here]
        start += len(images)


def rebatched(parts: Iterable[Batch], batch_size: int) -> Iterator[Batch]:
    """The same images and labels in batches of another size."""
    held: list[Batch] = []
    rows = 0
    for part in parts:
        held.append(part)
        rows += len(part[0])
        if rows >= batch_size:
            images, labels = _joined(held)
            whole = rows // batch_size * batch_size
            for start in range(0, whole, batch_size):
                end = start + batch_size
                yield images[start:end], None if labels is None else labels[start:end]
            held = [(images[whole:], None if labels is None else labels[whole:])]
            rows -= whole
    if rows:
        yield _joined(held)


def _joined(parts: list[Batch]) -> Batch:
    labels = [label for _, label in parts if label is not None]
    return np.concatenate([images for images, _ in parts]), np.concatenate(labels) if labels else None


def array_source(
    name: str,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    num_classes: int | None = None,
    *,
    codec: Codec | None = None,
) -> ImageSource:
    """Images that are there already, of whatever origin.

    Args:
        name: for the protocol.
        images: [N, ...] as stored, N >= 1; pixels are uint8 [N, H, W, C].
        labels: integers [N] in 0 to num_classes - 1.
        num_classes: given with labels.
        codec: None for pixels.

    Raises:
        ValueError: other shapes or types, or labels without classes.
    """
    codec = codec or Pixels()
    height, width, channels = _decoded_shape(name, images, codec)
    if labels is not None and (num_classes is None or labels.shape != images.shape[:1]):
        raise ValueError(f"{name}: labels {labels.shape} of {num_classes} classes for {len(images)} images")
    given = None if labels is None else np.asarray(labels, np.int32)
    content = hashlib.sha256(f"{'' if codec == Pixels() else f'{codec.name} '}{images.shape}".encode())
    for array in (images, *([] if given is None else [given])):
        content.update(np.ascontiguousarray(array).tobytes())

    def read(count: int, batch_size: int) -> Iterator[Batch]:
        for start in range(0, count, batch_size):
            part = slice(start, min(start + batch_size, count))
            yield images[part], None if given is None else given[part]

    return ImageSource(
        name=name,
        fingerprint=f"arrays {content.hexdigest()}",
        image_shape=(height, width, channels),
        num_classes=None if given is None else num_classes,
        size=len(images),
        read=read,
        codec=codec,
    )


def _decoded_shape(name: str, images: np.ndarray, codec: Codec) -> tuple[int, ...]:
    """(H, W, C) of stored images [N, ...] as the networks see them."""
    problem = f"{name}: expected {codec.noun}, {codec.dtype} [N, ...], got {images.dtype} {images.shape}"
    if images.dtype != codec.dtype or images.ndim < 2 or not images.size:
        raise ValueError(problem)
    shape = jax.eval_shape(codec.decode, images).shape[1:]
    try:
        if len(shape) != 3 or codec.stored_shape(shape) != images.shape[1:]:
            raise ValueError(problem)
    except ValueError as error:
        raise ValueError(problem) from error
    return shape


def pictured(source: ImageSource) -> ImageSource:
    """The pictures of these images in their place: pixels of 1, 3 or 4 channels.

    Raises:
        UserError: single images have no pictures, as points have none.
    """
    codec = source.codec
    if not codec.pictured:
        raise UserError(f"{source.name} holds {codec.noun}, which are no pictures")
    if codec == Pixels() and source.image_shape[2] in (1, 3, 4):
        return source
    decode = jax.jit(codec.decode)

    def read(count: int, batch_size: int) -> Iterator[Batch]:
        for images, labels in source.read(count, batch_size):
            yield codec.picture(np.asarray(decode(images))), labels

    height, width, channels = codec.picture(np.zeros((1, *source.image_shape), np.float32)).shape[1:]
    fingerprint = source.fingerprint and f"pictures of {source.fingerprint} by {codec.name} {codec.digest}"
    return replace(
        source,
        fingerprint=fingerprint,
        image_shape=(height, width, channels),
        read=read,
        codec=Pixels(),
    )


def seen_by(source: ImageSource, codec: Codec) -> ImageSource:
    """The source as a network takes it that is made for `codec`: as it is, or as pictures.

    Raises:
        UserError: it cannot be had in that form.
    """
    if source.codec.name == codec.name:
        return source
    if isinstance(source.codec, Sound) and isinstance(codec, Sound):  # which are stored alike
        stored = source.codec.stored_shape(source.image_shape)
        height, width, channels = jax.eval_shape(
            codec.decode, jax.ShapeDtypeStruct(stored, codec.dtype)
        ).shape
        return replace(source, codec=codec, image_shape=(height, width, channels))
    if codec != Pixels():
        raise UserError(f"{source.name} holds {source.codec.noun}, and {codec.noun} are needed")
    return pictured(source)


def like(source: ImageSource, other: ImageSource) -> ImageSource:
    """The source with the channels of the other side where it can be read so; of two such sides the more."""
    channels = other.image_shape[2]
    if other.in_channels is not None:
        channels = max(channels, source.image_shape[2])
    if source.in_channels is None or channels == source.image_shape[2] or channels not in (1, 3, 4):
        return source
    logging.warning("%s is read with %d channels, as %s has", source.name, channels, other.name)
    return source.in_channels(channels)


def class_numbers(source: ImageSource, real: ImageSource) -> tuple[np.ndarray, str]:
    """For each class of a source its number among those of the reals, int32 [K], and a note.

    Classes are matched by name where both sides have names. A side that has none has numbers: they are the
    names where the other side's names are numbers too, else the places in the other side's order, as the
    note says.

    Raises:
        ValueError: they are not the same classes; in words.
    """
    counts = source.num_classes or 0, real.num_classes or 0
    named = source.class_names or real.class_names or ()
    both = source.class_names is not None and real.class_names is not None
    without = real if source.class_names else source
    note = "" if both else f"the labels of {without.name} have no names: classes are matched by number"
    if not both and not (named and all(name.isdigit() for name in named)):
        if counts[0] != counts[1]:
            raise ValueError(f"{source.name} has {counts[0]} classes and {real.name} {counts[1]}")
        return np.arange(counts[0], dtype=np.int32), f"{note} ({described(named)})" if named else note
    mine = source.class_names or tuple(map(str, range(counts[0])))
    theirs = real.class_names or tuple(map(str, range(counts[1])))
    try:
        return np.array(matching(mine, theirs), np.int32), note
    except ValueError as error:
        raise ValueError(f"of {source.name} and {real.name}, {error}") from None


def relabelled(source: ImageSource, numbers: np.ndarray, names: tuple[str, ...] | None) -> ImageSource:
    """The source with the label numbers[i] in the place of i; `names` are those of the new labels."""
    if (numbers == np.arange(len(numbers))).all():
        return replace(source, class_names=names)

    def read(count: int, batch_size: int) -> Iterator[Batch]:
        for images, labels in source.read(count, batch_size):
            assert labels is not None
            yield images, numbers[labels]

    fingerprint = source.fingerprint and f"{source.fingerprint} with labels {numbers.tolist()}"
    return replace(source, fingerprint=fingerprint, class_names=names, read=read)


def spelled(image_shape: tuple[int, ...]) -> str:
    """A shape as a message writes it: "28 x 28 x 1"."""
    return " x ".join(map(str, image_shape))
