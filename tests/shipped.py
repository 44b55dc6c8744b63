"""The shipped configs, and what the tests of those who read configs share."""

import contextlib
import runpy
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import jax
import ml_collections
import numpy as np

from gan_jax import data
from gan_jax.config import components
from gan_jax.config.phases import phase_configs
from gan_jax.data.spec import DataSpec, Field

FOLDER = Path(__file__).parent.parent / "configs"
PLAIN = Path(__file__).parent / "plain_dcgan.py"
EXAMPLES = 4  # that the discriminator judges at once
# Fields that say how large a network is; all else stays as it is.
SIZES = (
    "widths",
    "width",
    "width_max",
    "dim",
    "hidden",
    "features",
    "embedding_size",
    "style_size",
    "minibatch_kernels",
)
SPEC = DataSpec({"image": Field((12, 10, 3))}, 4)


def get_config(name: str | Path = PLAIN) -> ml_collections.ConfigDict:
    """A shipped config, by its name or its file; the plain DCGAN of these tests."""
    path = name if name == PLAIN else FOLDER / f"{Path(name).stem}.py"
    return runpy.run_path(str(path))["get_config"]()


def config_with(name: str | Path = PLAIN, /, **changes: object) -> ml_collections.ConfigDict:
    """A shipped config with fields "a__b" set to new values; a missing field is made."""
    config = get_config(name)
    with config.unlocked():
        for field, value in changes.items():
            place, *path = field.split("__")
            new = {**config[place].to_dict(), path[0]: value} if path else value
            if place in config:
                del config[place]  # or its type could not change
            config[place] = new
    return config


def shrunk(config, examples=EXAMPLES):
    """The last phase, with fewer residual blocks, narrower layers and a smaller batch; all else as it is."""
    config = phase_configs(components.complete(config))[-1].config
    with config.unlocked():
        config.phases = []
        for side in {"tile", "height"} & set(config.data):
            config.data[side] = 32
        if "length" in config.data:  # of sounds
            config.data.length = 1_024
        for content in config.get("contents", {}).values():
            if "network" in content:
                content.update(network="random", weights="", layers=("relu_0",))
        for role in {"generator", "discriminator"} & set(config):
            for field in set(SIZES) & set(config[role]):
                config[role][field] = smaller(config[role][field])
            if "attention_size" in config[role]:  # a residual network: two blocks show what four do
                config[role].widths = config[role].widths[:2]
            if "cardinality" in config[role]:
                config[role].cardinality = (2,) * len(config[role].cardinality)
            if "blocks" in config[role]:
                config[role].blocks = 1
            if "resolution" in config[role]:
                config[role].resolution = 0
            if "steps" in config[role]:
                config[role].steps = 1
            if "downs" in config[role]:
                config[role].downs = 2
        rate = config.generator_optimizer.learning_rate
        if isinstance(rate, ml_collections.ConfigDict) and rate.get("start", 1.0) < rate.get("end", 0.0):
            rate.start = rate.end  # or the first steps of a long warm-up move nothing
        packing = config.algorithm.get("packing", 1)
        config.batch_size = examples * packing
        if config.algorithm.get("pool_size", 0):
            config.algorithm.pool_size = config.batch_size
    return config


def smaller(size):
    if isinstance(size, int):
        return min(size, 8)
    return tuple(min(width, max(8, width // 64)) for width in size)  # attention needs 8 channels


def dataset(labelled: bool = True) -> data.Dataset:
    """64 black images as SPEC has them."""
    labels = [{"label": i % 4} if labelled else {} for i in range(64)]
    records = [{"image": np.zeros(SPEC.image_shape, np.uint8), **label} for label in labels]
    classes, names = (4, tuple("abcd")) if labelled else (None, ())
    return data.Dataset("tiny", "train", records, SPEC.fields, classes, names, "none")


@contextlib.contextmanager
def no_compiler() -> Iterator[None]:
    """Any compilation is a failure."""
    error = AssertionError("compiled before the config was checked")
    with mock.patch.object(jax.stages.Lowered, "compile", side_effect=error):
        yield
