"""The embedded data set: coloured figures on plain grounds, drawn from a seed, with all factors known.

It needs no download, a person can judge its samples at a glance, and `recover` counts which combinations of
figure, colour, ground, size and place a generator reaches.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_jax.data.builder import LocalBuilder
from gan_jax.data.dataset import Dataset
from gan_jax.data.drawing import BACKGROUNDS, COLOURS, FACTORS, SHAPES, SIZES, draw
from gan_jax.data.recogniser import recover
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.memory import check_fits, host_bytes

__all__ = [
    "BACKGROUNDS",
    "COLOURS",
    "FACTORS",
    "SHAPES",
    "SIZES",
    "Shapes",
    "ShapesOptions",
    "draw",
    "factors_of",
    "recover",
    "sample_factors",
]

_DRAWN_AT_A_TIME = 1024
_SPLIT_NUMBER = {"train": 0, "test": 1}


@dataclass(frozen=True)
class ShapesOptions:
    """What the set looks like.

    Attributes:
        resolution: side in pixels, at least 16.
        channels: 1 (grey, the colours are luminances) or 3 (RGB).
        num_examples: pictures in the split "train"; "test" has a tenth of that.
        seed: another seed draws other pictures.
    """

    resolution: int = 32
    channels: int = 3
    num_examples: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resolution < 16:
            raise UserError(f"shapes: the resolution is {self.resolution}; it must be at least 16 pixels.")
        if self.channels not in (1, 3):
            raise UserError(f"shapes: {self.channels} channels; choose 1 (grey) or 3 (RGB).")
        if self.num_examples < 1:
            raise UserError(f"shapes: num_examples is {self.num_examples}; it must be at least 1.")
        if not 0 <= self.seed < 2**64:
            raise UserError(f"shapes: the seed is {self.seed}; it must be from 0 to 2**64 - 1.")


class Shapes(LocalBuilder):
    """The builder; the class label is the figure."""

    OPTIONS = ShapesOptions
    options: ShapesOptions

    def config_name(self) -> str:
        o = self.options
        return f"{o.resolution}x{o.resolution}x{o.channels}_n{o.num_examples}_seed{o.seed}"

    def fields(self) -> dict[str, Field]:
        return {"image": Field((self.options.resolution, self.options.resolution, self.options.channels))}

    def class_names(self) -> tuple[str, ...]:
        return SHAPES

    def integer_features(self) -> tuple[str, ...]:
        return tuple(FACTORS)

    def num_examples(self, split: str) -> int:
        return self.options.num_examples if split == "train" else -(-self.options.num_examples // 10)

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        self._check_memory(self.num_examples(split))
        factors = sample_factors(self.num_examples(split), self.options.seed, split)
        for start in range(0, self.num_examples(split), _DRAWN_AT_A_TIME):
            part = {name: values[start : start + _DRAWN_AT_A_TIME] for name, values in factors.items()}
            images = draw(part, self.options.resolution, self.options.channels)
            for i, image in enumerate(images):
                record = {name: int(values[i]) for name, values in part.items()}
                yield {"image": image, "label": record["shape"], **record}

    def _check_memory(self, count: int) -> None:
        """Raises a UserError where drawing takes more memory than there is."""
        side, channels = self.options.resolution, self.options.channels
        pixel = 12 + 13 * channels  # bytes of the arrays in `draw`
        needed = {
            "the factors of all examples": 8 * (len(FACTORS) + 3) * count,
            "pictures that are drawn together": min(count, _DRAWN_AT_A_TIME) * side**2 * pixel,
        }
        remedy = "set a smaller data.num_examples or data.resolution"
        check_fits(needed, host_bytes(), "on this machine", remedy)


def sample_factors(num_examples: int, seed: int, split: str = "train") -> dict[str, np.ndarray]:
    """Independent, uniform factors: int64 [num_examples] for each name in FACTORS."""
    out = {}
    for number, (name, choices) in enumerate(FACTORS.items()):
        stream = np.array([seed, _SPLIT_NUMBER[split] * len(FACTORS) + number], np.uint64)
        raw = np.random.Philox(key=stream).random_raw(num_examples)  # the same in every numpy
        out[name] = (raw % np.uint64(choices)).astype(np.int64)
    return out


def factors_of(dataset: Dataset) -> Mapping[str, np.ndarray]:
    """The factors of all examples of a `shapes` data set: int32 [N] for each name in FACTORS."""
    records = dataset.records(range(len(dataset)))
    return {name: np.array([record[name] for record in records], np.int32) for name in FACTORS}
