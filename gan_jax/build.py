"""The only reader of configs: from a ConfigDict to the objects that train.

A component of a config is `dict(name=..., **fields)`; the name is looked up in a table and the fields are
the constructor's. Whatever is unknown is an error that lists the choices.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections

from gan_jax import data
from gan_jax.algorithm import Algorithm
from gan_jax.algorithms import ALGORITHMS
from gan_jax.checks import is_count
from gan_jax.data.feed import Placement
from gan_jax.errors import UserError
from gan_jax.models import MODELS
from gan_jax.optim import OPTIMIZERS, ema_schedule

COUNTS = (
    "batch_size",
    "num_steps",
    "steps_per_call",
    "log_every_steps",
    "checkpoint_every_steps",
    "sample_every_steps",
)
COMPONENTS = (
    "data",
    "algorithm",
    "generator",
    "discriminator",
    "generator_optimizer",
    "discriminator_optimizer",
)
DATA_FIELDS = ("name", "dir", "split", "remainder", "placement", "flip")  # the others are the data set's own
# What may differ when a run is continued, because it does not touch the mathematics.
FREE_FIELDS = frozenset({*COUNTS[1:], "data.dir", "data.placement"})


def base_config() -> ml_collections.ConfigDict:
    """The fields that every config has, with their defaults; a config file sets the rest."""
    return ml_collections.ConfigDict(
        dict(
            seed=0,
            batch_size=64,  # over all devices
            num_steps=10_000,
            steps_per_call=25,  # train steps in one compiled call
            log_every_steps=100,
            checkpoint_every_steps=1_000,
            sample_every_steps=1_000,
            data=dict(
                name="shapes",
                dir="",  # "": $TFDS_DATA_DIR, else ~/tensorflow_datasets
                split="train",
                remainder="drop",  # the last partial mini-batch of an epoch: "drop" or "carry" over
                placement="auto",  # "device", "stream", or by size
                flip=False,  # mirror half of the reals
            ),
        )
    )


@dataclass(frozen=True)
class DataSpec:
    """What the networks must know about the data."""

    image_shape: tuple[int, int, int]
    num_classes: int | None


@dataclass(frozen=True)
class Plan:
    """A config that has been read: what to train, on what, how long."""

    algorithm: Algorithm
    dataset: data.Dataset
    sampler: data.Sampler
    seed: int
    batch_size: int
    num_steps: int
    steps_per_call: int
    log_every_steps: int
    checkpoint_every_steps: int
    sample_every_steps: int
    placement: Placement
    flip: bool

    @property
    def key(self) -> jax.Array:
        """The run's key."""
        return jax.random.key(self.seed)

    @property
    def spec(self) -> DataSpec:
        """What the networks know about the data."""
        return DataSpec(self.dataset.image_shape, self.dataset.num_classes)


def build(config: ml_collections.ConfigDict) -> Plan:
    """Reads a whole config and opens its data set.

    Raises:
        UserError: an unknown field, name or value; a data set that is missing or does not fit.
    """
    check_fields(config)
    chosen = config.data.to_dict()
    options = {name: value for name, value in chosen.items() if name not in DATA_FIELDS}
    dataset = data.load(chosen["name"], data_dir=chosen["dir"] or None, split=chosen["split"], **options)
    algorithm = build_algorithm(config, DataSpec(dataset.image_shape, dataset.num_classes))
    sampler = data.Sampler(
        len(dataset),
        config.batch_size,
        minibatches=algorithm.minibatches,
        seed=config.seed,
        remainder=chosen["remainder"],
    )
    counts = {name: config[name] for name in COUNTS}
    return Plan(
        algorithm=algorithm,
        dataset=dataset,
        sampler=sampler,
        seed=config.seed,
        placement=chosen["placement"],
        flip=chosen["flip"],
        **counts,
    )


def check_fields(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError unless the config has exactly the fields that it must have."""
    expected = {"seed", *COUNTS, *COMPONENTS}
    missing, unknown = sorted(expected - set(config)), sorted(set(config) - expected)
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has no use for {', '.join(unknown)}"
        raise UserError(f"the config {wrong}; its fields are {', '.join(sorted(expected))}")
    for name in COUNTS:
        if not is_count(config[name]):
            raise UserError(f"{name}={config[name]!r}: it must be at least 1; set --config.{name}=...")
    if not (isinstance(config.seed, int) and 0 <= config.seed < 2**32):
        raise UserError(f"seed={config.seed!r}: it must be from 0 to 2**32 - 1")
    for name in COMPONENTS:
        if not isinstance(config[name], ml_collections.ConfigDict):
            raise UserError(
                f"{name}={config[name]!r}: it must be dict(name=..., and the fields of that name)"
            )
    absent = [name for name in DATA_FIELDS if name not in config.data]
    if absent:
        raise UserError(f"the config lacks data.{', data.'.join(absent)}; start from build.base_config()")


def build_algorithm(config: ml_collections.ConfigDict, spec: DataSpec) -> Algorithm:
    """Networks, optimizers and method, for data of this kind; every shape is checked."""
    fields = config.algorithm.to_dict()
    decay = fields.pop("ema_decay", 0.0)
    if not (isinstance(decay, int | float) and 0.0 <= decay < 1.0):
        raise UserError(f"algorithm.ema_decay={decay!r}: it must be in [0, 1); 0 is no averaging")
    given = {
        "generator": construct(MODELS, config.generator, "generator", image_shape=spec.image_shape),
        "discriminator": construct(MODELS, config.discriminator, "discriminator"),
        "generator_tx": construct(OPTIMIZERS, config.generator_optimizer, "generator_optimizer"),
        "discriminator_tx": construct(OPTIMIZERS, config.discriminator_optimizer, "discriminator_optimizer"),
        "ema_decay": ema_schedule(decay),
    }
    algorithm = construct(ALGORITHMS, fields, "algorithm", **given)
    key, batch = jax.random.key(0), example_batch(spec, 2)
    try:
        state = jax.eval_shape(algorithm.init, key, batch)
        sample = jax.eval_shape(algorithm.sample, state, batch, key)
    except (ValueError, TypeError) as error:
        raise UserError(f"the networks do not fit together or the data: {error}") from error
    if sample.shape != batch["image"].shape:
        made, wanted = sample.shape[1:], spec.image_shape
        raise UserError(
            f"generator ({config.generator.name}) makes arrays {made}, but the images are {wanted}"
        )
    return algorithm


def example_batch(spec: DataSpec, size: int) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes of one mini-batch as the networks see it."""
    batch = {"image": jax.ShapeDtypeStruct((size, *spec.image_shape), jnp.float32)}
    if spec.num_classes is not None:
        batch["label"] = jax.ShapeDtypeStruct((size,), jnp.int32)
    return batch


def construct(table: Mapping[str, Callable[..., Any]], component: Any, where: str, **given: Any) -> Any:
    """table[name](**fields, **given); `given` is what the config does not say.

    Raises:
        UserError: unknown name or field, or a value that the constructor refuses; with the choices.
    """
    fields = dict(component)
    name = fields.pop("name", None)
    if name not in table:
        raise UserError(f"{where}.name={name!r} is not one of {', '.join(sorted(table))}")
    make = table[name]
    allowed = set(inspect.signature(make).parameters) - {"axis", "split", "parent", "name"}
    given = {key: value for key, value in given.items() if key in allowed}
    unknown = sorted(set(fields) - (allowed - set(given)))
    if unknown:
        choices = ", ".join(sorted(allowed - set(given)))
        raise UserError(f"{where} ({name}) has no field {', '.join(unknown)}; its fields are {choices}")
    try:
        return make(**{key: _hashable(value) for key, value in fields.items()}, **given)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where} ({name}): {error}") from error


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def to_json(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The resolved config as plain JSON values."""
    return json.loads(config.to_json_best_effort())


def from_json(record: dict[str, Any]) -> ml_collections.ConfigDict:
    """The inverse of `to_json`, for a run that is sampled or looked at."""
    return ml_collections.ConfigDict(record)


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Lines "field: was -> is" for every field whose change alters the mathematics."""
    before, after = _flatten(old), _flatten(new)
    return [
        f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in sorted(before.keys() | after.keys())
        if name not in FREE_FIELDS and before.get(name) != after.get(name)
    ]


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def describe_data(dataset: data.Dataset) -> dict[str, Any]:
    """What a run records of its data: enough to sample without them, and to notice other data."""
    return {
        "fingerprint": dataset.fingerprint,
        "examples": len(dataset),
        "image_shape": list(dataset.image_shape),
        "num_classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "options": dataset.options,
    }


def recorded_spec(record: dict[str, Any]) -> DataSpec:
    """The DataSpec in what `describe_data` recorded."""
    height, width, channels = record["image_shape"]
    return DataSpec((height, width, channels), record["num_classes"])
