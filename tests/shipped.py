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
from gan_jax.data.spec import DataSpec, Field

FOLDER = Path(__file__).parent.parent / "configs"
PLAIN = Path(__file__).parent / "plain_dcgan.py"
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
