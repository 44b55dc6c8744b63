"""Points of a known density as a data set: drawn from a seed when they are first read, nothing on the disk.

A point in R^D is an image [1, 1, D] of float32, in the density's own units.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import jax
import numpy as np

from gan_jax.data.codecs import Points
from gan_jax.data.dataset import Dataset
from gan_jax.data.spec import Field
from gan_jax.densities.density import Density
from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError

VERSION = 1  # of how points are drawn: part of the fingerprint
_BLOCK = 2**16  # points of one compiled call; part of what point i is
_PART = re.compile(r"(?P<name>\w+)(?:\[(?P<first>-?\d+%?)?:(?P<last>-?\d+%?)?\])?")


@dataclass(frozen=True)
class PointSet:
    """A data set of points, before it has options.

    Attributes:
        name: as given to `data.load`.
        make: the density of its options.
    """

    name: str
    make: Callable[..., Density]

    SPLITS: ClassVar[tuple[str, ...]] = ("train", "test")

    @property
    def defaults(self) -> dict[str, Any]:
        """All options with their defaults: the density's own, then

        num_examples: points in the split "train"; "test" has a tenth of that, of other draws.
        seed: 0 to 2^32 - 1; another seed draws other points.
        """
        own = {name: option.default for name, option in inspect.signature(self.make).parameters.items()}
        return {**own, "num_examples": 100_000, "seed": 0}

    def open(self, split: str, options: dict[str, Any]) -> Dataset:
        """The points of a split; none is drawn yet.

        Args:
            split: "train", "test", or a part of one such as "train[:1000]" or "test[50%:]".
            options: some of `defaults` with other values.

        Raises:
            UserError: an unknown option or split, a value that will not do.
        """
        chosen = self._chosen(options)
        num_examples, seed = chosen["num_examples"], chosen["seed"]
        try:
            check_count(num_examples, "num_examples")
            if not (type(seed) is int and 0 <= seed < 2**32):
                raise ValueError(f"seed={seed!r}: it must be an integer from 0 to 2**32 - 1")
            own = {name: value for name, value in chosen.items() if name not in ("num_examples", "seed")}
            density = self.make(**own)
        except (ValueError, TypeError) as error:
            raise UserError(f"The data set {self.name}: {error}.") from error
        lengths = {"train": num_examples, "test": -(-num_examples // 10)}
        name, part = self._part(split, lengths)
        drawn = _Draws(density, seed, self.SPLITS.index(name), part)
        return Dataset(
            name=self.name,
            split=split,
            source=drawn,
            fields={"image": Field((1, 1, density.dimension), Points(density, {"name": self.name, **own}))},
            num_classes=None,
            class_names=(),
            fingerprint=f"{self.name} {json.dumps(chosen, sort_keys=True)} [{split}] {len(drawn)} points, "
            f"drawn by version {VERSION}",
            options=chosen,
        )

    def _chosen(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options with their defaults, in one spelling: [1, 2] becomes (1.0, 2.0)."""
        defaults = self.defaults
        if unknown := sorted(set(options) - set(defaults)):
            raise UserError(
                f"Unknown option {', '.join(unknown)} of the data set {self.name}: "
                f"it has {', '.join(defaults)}."
            )
        given = {name: options.get(name, default) for name, default in defaults.items()}
        return {
            name: value if isinstance(defaults[name], int) else _plain(value) for name, value in given.items()
        }

    def _part(self, split: str, lengths: dict[str, int]) -> tuple[str, range]:
        """The whole split that a split is part of, and which of its points."""
        found = _PART.fullmatch(split)
        if found is None:
            advice = "Write a part of one as 'train[:1000]' or 'train[10%:]'."
            raise UserError(f"Cannot read the split {split!r} of {self.name}. {advice}")
        name = found["name"]
        if name not in lengths:
            raise UserError(
                f"The data set {self.name} has no split {split!r}: choose {', '.join(sorted(lengths))}."
            )
        part = range(lengths[name])[
            _place(found["first"], lengths[name]) : _place(found["last"], lengths[name])
        ]
        if not part:
            raise UserError(
                f"The split {split!r} of {self.name} is empty: {name} has {lengths[name]} points."
            )
        return name, part


class _Draws:
    """Records of points that are drawn when the first is asked for."""

    def __init__(self, density: Density, seed: int, stream: int, part: range) -> None:
        self._density = density
        self._seed = seed
        self._stream = stream
        self._part = part

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        return {"image": self._points[index]}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        return [{"image": point} for point in self._points[np.asarray(indices, np.int64)]]

    @cached_property
    def _points(self) -> np.ndarray:
        points = draw(self._density, self._seed, self._stream, self._part.stop)[self._part.start :]
        return points.reshape(len(self), 1, 1, -1)


def draw(density: Density, seed: int, stream: int, count: int) -> np.ndarray:
    """float32 [count, D], point i a function of (seed, stream, i) alone.

    On the host's processor wherever JAX has it, so that a run on an accelerator sees the same points.

    Args:
        stream: another number gives independent points.
    """
    try:
        device = jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX was told to leave the processor out
        device = jax.local_devices()[0]
    with jax.default_device(device):
        key = jax.random.fold_in(jax.random.key(seed), stream)
        block = jax.jit(lambda number: density.sample(jax.random.fold_in(key, number), min(count, _BLOCK)))
        blocks = [np.asarray(block(np.uint32(number))) for number in range(-(-count // _BLOCK))]
    return np.concatenate(blocks)[:count]


def _place(text: str | None, length: int) -> int | None:
    """An end of a slice: None, "100", "-5" or "10%"."""
    if text is None:
        return None
    return round(int(text[:-1]) * length / 100) if text.endswith("%") else int(text)


def _plain(value: Any) -> Any:
    """Numbers as floats and sequences as tuples; anything else as it is, for the density to refuse."""
    if isinstance(value, list | tuple):
        return tuple(_plain(part) for part in value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
