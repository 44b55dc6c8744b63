"""Training from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_collections

from gan_jax.api.configs import opened
from gan_jax.api.runs import Run, load
from gan_jax.config.components import complete
from gan_jax.config.for_data import choosing
from gan_jax.config.overrides import overridden
from gan_jax.core.loop import Callback
from gan_jax.data.given import as_dataset
from gan_jax.training.train import train as run_training
from gan_jax.utils.errors import UserError


def train(
    config: str | Path | ml_collections.ConfigDict,
    workdir: str | Path,
    *,
    num_steps: int | None = None,
    dataset: Any = None,
    overrides: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    devices: int = 0,
    start_anew: bool = False,
) -> Run:
    """Trains a run, or continues the one in `workdir`: the same call goes on where it was stopped.

    It is the run that `gan-jax train` gives, to the bit, and every command reads it. Progress is written to
    standard error.

    Args:
        config: the name of a config that comes with the package, a config file, or a ConfigDict, as from
            `load_config`, which is not changed.
        workdir: the run's folder: checkpoints, samples, losses, scores. New, empty, or that of this run.
        num_steps: train steps of the whole run; None is the config's. May be raised later.
        dataset: what to train on in the place of the config's data: a data set's name ("mnist"), a folder of
            pictures (a Path, or a str that is no data set's name; they get the size of the config's own
            pictures, and are grey where all of them are), or whatever `as_dataset` takes: arrays, a pair
            (images, labels), tfds and grain sources, a Hugging Face data set. A run that is continued must be
            given the same examples.
        overrides: other fields that are changed, "a.b" and the value, as `--config.a.b=value` does it:
            {"loss.name": "hinge", "penalties.r1.weight": 1.0}.
        callbacks: periodic work, such as `Every(1_000, function)`; see `core.loop.Callback`.
        devices: that train, of those of this machine; 0 is all.
        start_anew: where all checkpoints of a run are gone, begin at step 0.

    Returns:
        The run at its last step, as `load(workdir)` gives it.

    Raises:
        UserError: the config, the data or the workdir do not fit; nothing was changed.
        Diverged: a loss became infinite or NaN.
        Interrupted: Ctrl-C, SIGTERM or SIGHUP came; the state was saved.

    Examples:
        >>> import numpy as np
        >>> import gan_jax
        >>> images = np.random.default_rng(0).integers(0, 256, (80, 8, 8, 1), np.uint8)
        >>> seen = []
        >>> run = gan_jax.train(
        ...     "gan_shapes",
        ...     "runs/small",
        ...     num_steps=2,
        ...     dataset=(images, np.arange(80) % 2),
        ...     overrides={"generator.widths": (8,), "discriminator.widths": (8,), "steps_per_call": 1},
        ...     callbacks=[gan_jax.Every(1, lambda step, state, metrics: seen.append(step))],
        ... )
        >>> run.step, seen
        (2, [1, 2])
    """
    found, source = opened(config)
    changes = dict(overrides or {})
    if num_steps is not None:
        if "num_steps" in changes:
            raise UserError("num_steps is given twice: as an argument and in overrides")
        changes["num_steps"] = num_steps
    examples = None
    if isinstance(dataset, str | Path):
        changes = {**choosing(dataset, complete(found)), **changes}
    elif dataset is not None:
        examples = as_dataset(dataset)
    found = overridden(found, changes, "overrides")
    run_training(
        found,
        workdir,
        devices,
        callbacks=callbacks,
        dataset=examples,
        source=source,
        start_anew=start_anew,
    )
    return load(workdir)
