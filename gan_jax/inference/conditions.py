"""What images are made of where a method samples from source batches: rows of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.data.dataset import Dataset
from gan_jax.data.spec import DataSpec
from gan_jax.data.views import turned


@dataclass(frozen=True)
class Conditions:
    """Rows of source batches.

    Attributes:
        name: where they come from, for the protocol: "mnist:test".
        rows: (first, count) -> the fields as the networks see them, leaves [count, ...].
        dataset: whose rows they are, in order; None where they are no data set's.
    """

    name: str
    rows: Callable[[int, int], Mapping[str, np.ndarray]]
    dataset: Dataset | None = None


def dataset_conditions(dataset: Dataset, fields: Sequence[str]) -> Conditions:
    """Examples of a data set in order, from the first again after the last; with labels, if it has some."""

    def rows(first: int, count: int) -> dict[str, np.ndarray]:
        stored = dataset.gather(np.arange(first, first + count) % len(dataset))
        codecs = {name: dataset.fields[name].codec for name in fields}
        decoded = {name: np.asarray(c.decode(jnp.asarray(stored[name]))) for name, c in codecs.items()}
        return decoded | ({} if dataset.num_classes is None else {"label": stored["label"]})

    return Conditions(f"{dataset.name}:{dataset.split}", rows, dataset)


def turned_round(
    algorithm: Algorithm, conditions: Conditions | None, direction: str
) -> tuple[Algorithm, DataSpec, Conditions]:
    """A method that translates both ways, its data and rows of them, with which it translates this way.

    Args:
        conditions: of the first way.

    Raises:
        ValueError: the method does not translate this way.
    """
    algorithm = algorithm.turned(direction)
    assert conditions is not None
    assert conditions.dataset is not None
    rows = turned(conditions.dataset)
    return algorithm, rows.spec, dataset_conditions(rows, algorithm.conditions)


def true_rows(conditions: Conditions | None, first: int, count: int) -> np.ndarray | None:
    """What should be made of rows, decoded: float32 [count, H, W, C]; None where the data do not say it.

    It is the field "image", where all fields show the same.
    """
    dataset = None if conditions is None else conditions.dataset
    if dataset is None or not all(field.aligned for field in dataset.fields.values()):
        return None
    stored = dataset.gather(np.arange(first, first + count) % len(dataset))["image"]
    return np.asarray(dataset.fields["image"].codec.decode(jnp.asarray(stored)))


def beside_truth(made: Any, truth: np.ndarray | None) -> dict[str, np.ndarray]:
    """What a method makes of rows, beside what it should have made, by the names of their columns.

    Args:
        made: images [N, H, W, C] or a dict of them, as `Algorithm.sample` gives them; those that are compared
            with the truth become "made".
        truth: of the same shape; left out where it is None or the source itself.
    """
    kinds = made if isinstance(made, dict) else {"": made}
    named = {"made" if kind in ("", "image") else kind: np.asarray(images) for kind, images in kinds.items()}
    if truth is None or np.array_equal(truth, named.get("source", ())):
        return named
    return named | {"truth": truth}


def beside_truths(
    chunks: Iterable[Mapping[str, np.ndarray]], conditions: Conditions
) -> Iterator[dict[str, np.ndarray]]:
    """Chunks of what is made of rows in order, by kind, each `beside_truth`."""
    done = 0
    for chunk in chunks:
        count = len(next(iter(chunk.values())))
        yield beside_truth(chunk, true_rows(conditions, done, count))
        done += count
