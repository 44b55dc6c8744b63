"""What `gan-jax train-classifier` does where it measures: a classifier of an unbalanced or small set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ml_collections

from gan_jax import data
from gan_jax.config.build import open_data
from gan_jax.config.components import check_data, data_options
from gan_jax.data.dataset import Dataset
from gan_jax.evaluation.balance import measure, read_extra, summary
from gan_jax.feature_networks.balanced_training import Training
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.provenance import describe_environment


def train_measured(
    which: str | ml_collections.ConfigDict,
    *,
    data_dir: str | None,
    seed: int,
    out: Path | None,
    extra: Path | None,
    training: dict[str, Any],
) -> None:
    """gan-jax train-classifier with --extra, --balance, --augment or --train_steps.

    Args:
        which: a data set, or a config, whose `data` may make a cut.
        out: a .json to write.
        training: fields of `Training`.

    Raises:
        UserError: no test split, a file that is something else; as `measure` and `read_extra`.
    """
    if out is not None:
        files.checked_suffix(out, (".json",))
    choices = Training(**training)
    real, test = _splits(which, data_dir)
    found = measure(real, test, choices, extra=read_extra(extra, real) if extra else None, seed=seed)
    found["environment"] = describe_environment()
    if out is not None:
        files.write_json(out, found)
    sys.stdout.write(f"{summary(found)}\n")


def _splits(which: str | ml_collections.ConfigDict, data_dir: str | None) -> tuple[Dataset, Dataset]:
    """What is trained on, and the whole test split beside it."""
    if isinstance(which, ml_collections.ConfigDict):
        check_data(which)
        which = which.copy_and_resolve_references()
        which.data.oversample = False  # what a generator may want; here --balance says it
        real = open_data(which, data_dir)
        name, options, data_dir = which.data.name, data_options(which), data_dir or which.data.dir or None
    else:
        name, options = which, {}
        real = data.load(name, data_dir=data_dir)
    splits = data.splits(name, data_dir=data_dir, **options)
    if "test" not in splits:
        raise UserError(
            f"{name} has no test split ({', '.join(splits)} alone), so nothing can be measured: put pictures "
            "that are not trained on into a folder test beside the folder train"
        )
    return real, data.load(name, data_dir=data_dir, split="test", **options)
