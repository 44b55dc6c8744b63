"""MNIST and the two sets made in its form: four IDX files each, 70,000 grey pictures of 28x28.

The digests are sha256 of the uncompressed content, since the same content is passed on under several
compressions. They were computed from files whose MD5 are the published ones. For KMNIST only digests of
the compressed files are published (sha256, in tfds and in torchvision's ports), so its .gz files are needed.
"""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from gan_jax.data.builder import LocalBuilder
from gan_jax.data.download import download
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors

_MOST_BYTES = 2**26  # the largest of the files, unpacked, has 47 million
_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class IdxBuilder(LocalBuilder):
    """A data set of four IDX files, from a folder or from one of its mirrors."""

    FETCHED = True
    MIRRORS: ClassVar[tuple[str, ...]]
    DIGESTS: ClassVar[dict[str, str]]  # file name without ".gz" -> sha256
    DIGEST_OF: ClassVar[Literal["content", "gz"]] = "content"
    CLASS_NAMES: ClassVar[tuple[str, ...]]

    def fields(self) -> dict[str, Field]:
        return {"image": Field((28, 28, 1))}

    def class_names(self) -> tuple[str, ...]:
        return self.CLASS_NAMES

    def content_digest(self) -> str:
        return hashlib.sha256("".join(sorted(self.DIGESTS.values())).encode()).hexdigest()

    def collect(self, source: Path | None) -> None:
        self._arrays = {}
        for split, names in _FILES.items():
            contents = [self._from_folder(n, source) if source else self._from_mirrors(n) for n in names]
            images, labels = (parse_idx(c, n) for c, n in zip(contents, names, strict=True))
            if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
                raise UserError(
                    f"{names[0]} has shape {images.shape} and {names[1]} has {labels.shape}: "
                    "pictures and labels do not belong together. Get the files again."
                )
            self._arrays[split] = images[..., None], labels

    def num_examples(self, split: str) -> int:
        return len(self._arrays[split][1])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        for image, label in zip(*self._arrays[split], strict=True):
            yield {"image": image, "label": int(label)}

    def wanted_files(self) -> str:
        return ", ".join(f"{name}.gz" for name in self.DIGESTS)

    def _from_folder(self, name: str, folder: Path) -> bytes:
        for path in (folder / f"{name}.gz", folder / name):
            if path.is_file():
                if path.stat().st_size > _MOST_BYTES:
                    raise UserError(f"{path} is another file: it is longer than {_MOST_BYTES} bytes.")
                with disk_errors(f"read {path}"):
                    blob = path.read_bytes()
                return self._verify(blob, name, str(path))
        raise UserError(
            f"Neither {name}.gz nor {name} lies in {folder}. The data set {self.name} needs "
            f"{self.wanted_files()} there (or the same files unpacked)."
        )

    def _from_mirrors(self, name: str) -> bytes:
        urls = [f"{mirror}{name}.gz" for mirror in self.MIRRORS]
        advice = (
            f"If the files are at hand or can be got elsewhere ({self.wanted_files()}), put them into a "
            f"folder: gan-jax data prepare {self.name} --from FOLDER takes them from there."
        )
        return download(urls, lambda blob, url: self._verify(blob, name, url), advice, _MOST_BYTES)

    def _verify(self, blob: bytes, name: str, origin: str) -> bytes:
        """The unpacked content of a file, if it is the right one; verified first where that can be."""
        if self.DIGEST_OF == "gz" and not _is_packed(blob):
            raise UserError(f"{origin} is unpacked; only {name}.gz itself can be verified. Give that file.")
        verified = blob if self.DIGEST_OF == "gz" else _unpack(blob, origin)
        found = hashlib.sha256(verified).hexdigest()
        if found != self.DIGESTS[name]:
            raise UserError(
                f"{origin} is damaged or is another file: the sha256 of its "
                f"{'compressed' if self.DIGEST_OF == 'gz' else 'unpacked'} content is {found}, "
                f"{self.DIGESTS[name]} was expected. Get it again."
            )
        return _unpack(verified, origin)


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """An IDX file of unsigned bytes as a uint8 array of the shape that its header gives.

    The header is two zero bytes, the type (8: unsigned byte), the number of dimensions, and each dimension
    as a big-endian uint32.

    Raises:
        UserError: another magic number, or fewer or more bytes than the header promises.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise UserError(
            f"{name} is no IDX file of unsigned bytes: it starts with {content[:4].hex(' ') or 'nothing'}, "
            "expected 00 00 08 and the number of dimensions."
        )
    start = 4 + 4 * content[3]
    shape = tuple(int(n) for n in np.frombuffer(content[4:start].ljust(start - 4, b"\0"), ">u4"))
    expected = start + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise UserError(
            f"{name} is cut off or too long: {len(content)} bytes, where its header (shape {shape}) "
            f"promises {expected}. Get it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _is_packed(blob: bytes) -> bool:
    return blob[:2] == b"\x1f\x8b"


def _unpack(blob: bytes, origin: str) -> bytes:
    if not _is_packed(blob):
        return blob
    try:
        with gzip.open(io.BytesIO(blob)) as stream:
            content: bytes = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UserError(f"{origin} is another file: it unpacks to more than {_MOST_BYTES} bytes.")
        return content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{origin} is damaged: it cannot be unpacked ({error}). Get it again.") from error


class Mnist(IdxBuilder):
    """Handwritten digits (LeCun, Cortes, Burges; CC BY-SA 3.0)."""

    MIRRORS = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    DIGESTS: ClassVar = {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }
    CLASS_NAMES = tuple("0123456789")


class FashionMnist(IdxBuilder):
    """Garments (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747; MIT)."""

    MIRRORS = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    DIGESTS: ClassVar = {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    }
    CLASS_NAMES = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip


class Kmnist(IdxBuilder):
    """Cursive hiragana (Clanuwat et al. 2018, arXiv:1812.01718; CC BY-SA 4.0)."""

    MIRRORS = (
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    )
    DIGEST_OF = "gz"
    DIGESTS: ClassVar = {
        "train-images-idx3-ubyte": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "train-labels-idx1-ubyte": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "t10k-images-idx3-ubyte": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "t10k-labels-idx1-ubyte": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    }
    CLASS_NAMES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
