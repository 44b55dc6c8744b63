"""Stacked MNIST: three digits in three channels, so 1000 known modes, to count how many a generator reaches.

Metz et al. 2016 (Unrolled GAN, arXiv:1611.02163), Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761) and Lin
et al. 2017 (PacGAN, arXiv:1712.04086). As in PacGAN's published code, 128,000 pictures are drawn once and
three digits of each independently, with replacement; not one of each mode. Different from it: the digits
come from MNIST's 60,000 training images, where PacGAN takes all 70,000, so that "test", made of the other
10,000, is fresh data.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.builder import INFO_FILE, LocalBuilder, NoOptions
from gan_jax.data.idx import Mnist
from gan_jax.data.prepared import open_folder
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError

_SPLIT_NUMBER = {"train": 0, "test": 1}


@dataclass(frozen=True)
class StackedMnistOptions:
    """Which digits are stacked.

    Attributes:
        seed: another seed stacks other digits.
        count: pictures in the split "train"; "test" has a tenth of that.
    """

    seed: int = 0
    count: int = 128_000

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"stacked_mnist: count is {self.count}; it must be at least 1.")
        if not 0 <= self.seed < 2**64:
            raise UserError(f"stacked_mnist: the seed is {self.seed}; it must be from 0 to 2**64 - 1.")


class StackedMnist(LocalBuilder):
    """The builder: pictures [28, 28, 3], labels 100 a + 10 b + c for digits a, b, c of the channels."""

    OPTIONS = StackedMnistOptions
    options: StackedMnistOptions

    def __init__(self, options: StackedMnistOptions, *, data_dir: Path) -> None:
        self._root = data_dir
        self._mnist = Mnist(NoOptions(), data_dir=data_dir)
        super().__init__(options, data_dir=data_dir)

    def config_name(self) -> str:
        return f"n{self.options.count}_seed{self.options.seed}"

    def content_digest(self) -> str:
        return hashlib.sha256(f"stacked {self._mnist.content_digest()}".encode()).hexdigest()

    def fields(self) -> dict[str, Field]:
        return {"image": Field((28, 28, 3))}

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"{number:03d}" for number in range(1000))

    def collect(self, source: Path | None) -> None:
        if not self._mnist.is_prepared:
            raise UserError(
                f"stacked_mnist is made from the data set mnist, which is not prepared: "
                f"{Path(self._mnist.data_dir) / INFO_FILE} is not there. To prepare it: "
                f"gan-jax data prepare mnist --data_dir {self._root} (with its files at hand: --from FOLDER)"
            )
        self._digits = {split: self._open(split) for split in self.SPLITS}

    def _open(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """MNIST's images uint8 [N, 28, 28, 1] and labels int32 [N]."""
        mnist = open_folder(
            Path(self._mnist.data_dir),
            name="mnist",
            split=split,
            content=self._mnist.content_digest(),
            options={},
        )
        arrays = mnist.arrays()
        return arrays["image"], arrays["label"]

    def num_examples(self, split: str) -> int:
        return self.options.count if split == "train" else -(-self.options.count // 10)

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        images, labels = self._digits[split]
        for three in stacked_digits(self.num_examples(split), len(images), self.options.seed, split):
            a, b, c = (int(label) for label in labels[three])
            image = np.concatenate([images[three[0]], images[three[1]], images[three[2]]], axis=-1)
            yield {"image": image, "label": 100 * a + 10 * b + c}


def stacked_digits(count: int, num_digits: int, seed: int, split: str = "train") -> np.ndarray:
    """Which digits are stacked: independent, uniform indices below num_digits, int64 [count, 3]."""
    stream = np.array([seed, _SPLIT_NUMBER[split]], np.uint64)
    raw = np.random.Philox(key=stream).random_raw(3 * count)  # the same in every numpy
    return (raw % np.uint64(num_digits)).astype(np.int64).reshape(count, 3)
