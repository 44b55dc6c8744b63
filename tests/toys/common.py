"""What every toy must be able to do: train, resume, be sampled, pictured and scored, also in a study."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from gan_jax import main
from gan_jax.algorithms import ALGORITHMS
from gan_jax.config.build import base_config
from gan_jax.core.loop import Every
from gan_jax.data import catalog
from gan_jax.data.dataset import Dataset
from gan_jax.data.spec import Field
from gan_jax.evaluation.protocol import from_row
from gan_jax.models import MODELS
from gan_jax.study import Study
from gan_jax.study.results import Shard
from gan_jax.study.runner import Runner
from gan_jax.summaries.logs import read_metrics
from gan_jax.training import callbacks
from gan_jax.training.train import train
from gan_jax.utils.interrupt import Interrupted
from tests.runs import leaves, note_overview

STEPS = 3
BATCH = 8


@dataclass(frozen=True)
class ToyData:
    """A data set in memory.

    Attributes:
        fields: as a `Dataset` has them.
        draw: (number of examples, generator of random numbers) -> stored arrays by field, [N, ...].
        num_classes: of the labels, which "label" of the drawn arrays are.
    """

    fields: Mapping[str, Field]
    draw: Callable[[int, np.random.Generator], dict[str, np.ndarray]]
    num_classes: int | None = None

    defaults: ClassVar[dict[str, Any]] = {}

    def open(self, split: str, options: Mapping[str, Any]) -> Dataset:
        """The split "train" of 40 examples, or "test" of 16."""
        count, seed = {"train": (40, 0), "test": (16, 1)}[split]
        arrays = self.draw(count, np.random.default_rng(seed))
        records = [{name: values[i] for name, values in arrays.items()} for i in range(count)]
        classes = () if self.num_classes is None else tuple(map(str, range(self.num_classes)))
        return Dataset("toy", split, records, self.fields, self.num_classes, classes, f"toy {split}")


@dataclass(frozen=True)
class Toy:
    """A method with all that it needs."""

    config: ml_collections.ConfigDict
    data: ToyData
    algorithms: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)


def toy_config(algorithm: Mapping[str, Any], generator: Mapping[str, Any], **fields: Any):
    """Three steps on the toy data, scored at the last one."""
    config = base_config()
    config.num_steps = STEPS
    config.batch_size = BATCH
    config.steps_per_call = 2
    config.log_every_steps = 1
    config.checkpoint_every_steps = 10
    config.sample_every_steps = 10
    config.data.update(name="toy")
    config.evaluation.update(metrics="fid", network="random", every_steps=10, num=64)
    config.algorithm = dict(algorithm)
    config.generator = dict(generator)
    config.ema = dict(name="decay", decay=0.9)
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    for name, value in fields.items():
        if name in config:
            del config[name]
        config[name] = value
    if "discriminator" in config:
        config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    return config


def register(monkeypatch: pytest.MonkeyPatch, toy: Toy) -> None:
    """What a user's own package would put into the tables; overviews are not drawn."""
    monkeypatch.setattr(callbacks, "overview", note_overview)
    for table, own in ((ALGORITHMS, toy.algorithms), (MODELS, toy.models)):
        for name, made in own.items():
            monkeypatch.setitem(table, name, made)
    monkeypatch.setitem(catalog.DATASETS, "toy", toy.data)


def stop_at(step: int) -> Every:
    """A callback that asks the run to stop after this step, as Ctrl-C does."""

    def ask(completed: int, state: Any, metrics: Any) -> None:
        if completed == step:
            signal.raise_signal(signal.SIGTERM)

    return Every(1, ask)


def check_resumes(
    config: ml_collections.ConfigDict, folder: Path, steps: list[int], whole: Any, devices: int = 1
) -> None:
    """A run that was stopped at each of these steps ends with the bits of the uninterrupted one."""
    for step in steps:
        with pytest.raises(Interrupted):
            train(config, folder, devices=devices, callbacks=[stop_at(step)])
    again = leaves(train(config, folder, devices=devices))
    assert again.keys() == whole.keys()
    for path, value in whole.items():
        np.testing.assert_array_equal(again[path], value, err_msg=path)


def check_alone(toy: Toy, monkeypatch: pytest.MonkeyPatch, folder: Path, cuts: list[int]) -> Any:
    """Trains, resumes, is pictured, is scored and is sampled, on one device; returns the last state."""
    register(monkeypatch, toy)
    state = train(toy.config, folder / "whole", devices=1)
    assert int(state.step) == toy.config.num_steps
    whole = leaves(state)
    assert all(np.isfinite(x).all() for x in whole.values() if x.dtype.kind == "f")
    scored = list(filter(None, map(from_row, read_metrics(folder / "whole"))))
    assert scored, "no score was written"
    assert list((folder / "whole" / "samples").glob(f"step_{toy.config.num_steps:07d}*.png"))
    assert (folder / "whole" / "reals.png").is_file()
    check_resumes(toy.config, folder / "cut", cuts, whole)
    out = folder / "grid.png"
    command = ["sample", "--workdir", str(folder / "whole"), "--num", "4", "--out", str(out)]
    assert main.main(command) == 0
    assert list(folder.glob("grid*.png"))
    return state


def check_many(toy: Toy, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Trains on eight devices with the numbers of one, and in a study."""
    register(monkeypatch, toy)
    one = leaves(train(toy.config, folder / "one", devices=1))
    eight = leaves(train(toy.config, folder / "eight", devices=8))
    assert one.keys() == eight.keys()
    for path, value in one.items():
        np.testing.assert_allclose(eight[path], value, rtol=2e-3, atol=2e-4, err_msg=path)
    study = Study(
        question="Does it train?",
        base=toy.config,
        variants={"slow": {}, "fast": {"generator_optimizer.learning_rate": 3e-3}},
        seeds=2,
        ranked_by=("fid",),
        compare_to="slow",
    )
    runner = Runner(study, folder / "study", Shard(1, 1))
    runner.run()
    assert runner.report("toys", "a test").startswith("4 of 4 runs")


class ToyDiscriminator(nn.Module):
    """Two dense layers: images [B, ...] -> logits [B]."""

    width: int = 8

    @nn.compact
    def __call__(self, image: jax.Array, told: Any, train: bool) -> jax.Array:
        x = nn.leaky_relu(nn.Dense(self.width)(image.reshape(image.shape[0], -1)), 0.2)
        return nn.Dense(1)(x)[:, 0]


class ToyTranslator(nn.Module):
    """Two convolutions: images [B, H, W, C] -> images of the data's channels."""

    image_shape: tuple[int, ...]
    width: int = 4

    @nn.compact
    def __call__(self, image: jax.Array, told: Any, train: bool) -> jax.Array:
        x = nn.leaky_relu(nn.Conv(self.width, (3, 3))(image), 0.2)
        return jnp.tanh(nn.Conv(self.image_shape[-1], (3, 3))(x))


def squares(count: int, rng: np.random.Generator, size: int = 8) -> np.ndarray:
    """Bright squares on black: uint8 [N, size, size, 1]."""
    images = np.zeros((count, size, size, 1), np.uint8)
    for image in images:
        row, column = rng.integers(0, size // 2, 2)
        image[row : row + size // 2, column : column + size // 2] = rng.integers(100, 255)
    return images
