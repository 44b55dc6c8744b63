"""The only reader of configs, with `components`: from a ConfigDict to what trains."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import ml_collections

from gan_jax import data
from gan_jax.config.components import TABLES, build_penalties, component, fill_in
from gan_jax.config.contradictions import check_contradictions
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.execution import Execution
from gan_jax.data.feed import Placement
from gan_jax.data.spec import DataSpec
from gan_jax.data.transforms import Transform, enlarge_and_crop, flip
from gan_jax.evaluation.plan import EvaluationPlan
from gan_jax.losses.penalties import PENALTIES
from gan_jax.optim.optimizers import lazy_regularization_scale
from gan_jax.utils.checks import is_count
from gan_jax.utils.errors import UserError

COUNTS = (
    "batch_size",
    "num_steps",
    "steps_per_call",
    "log_every_steps",
    "checkpoint_every_steps",
    "sample_every_steps",
)
COMPONENTS = ("data", "penalties", "evaluation", "execution", *TABLES)
DATA_FIELDS = ("name", "dir", "split", "remainder", "placement", "flip")
# A config may have it or not: enlarge every side by so many pixels and cut the old size out at random. The
# other fields of `data` are the data set's own.
CROP = "crop"


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
                flip=False,  # mirror half of the examples; see also CROP
            ),
            loss=dict(name="non_saturating"),
            penalties=dict(),  # for example dict(r1=dict(weight=1.0, every=16))
            augment=dict(name="none"),
            game=dict(name="alternating"),
            ema=dict(name="none"),  # the moving average of the generator that pictures are drawn with
            evaluation=dict(metrics=""),  # measured while training: "fid,prdc"; see evaluation_plan.py
            execution=dict(precision="float32"),  # how it is computed; see execution.py
        )
    )


@dataclass(frozen=True)
class Plan:
    """A config that has been read: what to train, on what, how long."""

    algorithm: Algorithm
    dataset: data.Dataset
    sampler: data.IndexSampler
    seed: int
    batch_size: int
    num_steps: int
    steps_per_call: int
    log_every_steps: int
    checkpoint_every_steps: int
    sample_every_steps: int
    placement: Placement
    transforms: tuple[Transform, ...]  # of the decoded fields, in turn
    evaluation: EvaluationPlan
    execution: Execution
    averaged: bool  # whether pictures are drawn with averaged weights
    data_dir: str | None  # where the data set is, for a network that is trained on it

    @property
    def key(self) -> jax.Array:
        """The run's key."""
        return jax.random.key(self.seed)

    @property
    def spec(self) -> DataSpec:
        """What the networks know about the data."""
        return self.dataset.spec


def build(config: ml_collections.ConfigDict, dataset: data.Dataset | None = None) -> Plan:
    """Reads a whole config and opens its data set.

    The step is traced once, so that what does not fit together is said before anything is compiled.

    Args:
        dataset: the config's data set, where it is open already.

    Raises:
        UserError: an unknown field, name or value; a data set that is missing or does not fit.
    """
    check_fields(config)
    chosen = config.data.to_dict()
    dataset = dataset or open_data(config)
    spec = dataset.spec
    algorithm = build_algorithm(config, spec)
    trace_step(algorithm, spec, config.batch_size)
    sampler = data.IndexSampler(
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
        transforms=data_transforms(config, spec),
        evaluation=evaluation_plan(config),
        execution=execution_of(config),
        averaged=is_averaged(config),
        data_dir=data_folder(config),
        **counts,
    )


def open_data(config: ml_collections.ConfigDict, data_dir: str | None = None) -> data.Dataset:
    """The data set that a config names; `data_dir` goes before the config's.

    Raises:
        UserError: as `data.load`.
    """
    chosen = config.data.to_dict()
    options = {name: value for name, value in chosen.items() if name not in (*DATA_FIELDS, CROP)}
    return data.load(
        chosen["name"], data_dir=data_dir or data_folder(config), split=chosen["split"], **options
    )


def data_transforms(config: ml_collections.ConfigDict, spec: DataSpec) -> tuple[Transform, ...]:
    """What the config does to the decoded fields; `check_contradictions` refuses what their codecs forbid.

    Raises:
        UserError: a crop that is no number of pixels.
    """
    pixels = config.data.get(CROP, 0)
    if not (type(pixels) is int and pixels >= 0):
        raise UserError(f"data.{CROP}={pixels!r}: it must be a number of pixels, 0 or more")
    found = [enlarge_and_crop(spec.fields, pixels)] if pixels else []
    return (*found, flip(spec.fields)) if config.data.flip else tuple(found)


def data_folder(config: ml_collections.ConfigDict) -> str | None:
    """Where the config's data set is; None for the default place."""
    return config.data.dir or None


def is_averaged(config: ml_collections.ConfigDict) -> bool:
    """Whether pictures are drawn with averaged weights."""
    return config.ema.name != "none"


def evaluation_plan(config: ml_collections.ConfigDict) -> EvaluationPlan:
    """What the config measures while it trains."""
    return fill_in(EvaluationPlan, config.evaluation.to_dict(), "evaluation", "evaluation")


def execution_of(config: ml_collections.ConfigDict) -> Execution:
    """How the run is computed."""
    return fill_in(Execution, config.execution.to_dict(), "execution", "execution")


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
    for name, fields in config.penalties.items():
        if name not in PENALTIES:
            raise UserError(f"penalties.{name}: {name!r} is not one of {', '.join(sorted(PENALTIES))}")
        if not isinstance(fields, ml_collections.ConfigDict):
            raise UserError(f"penalties.{name}={fields!r}: it must be dict(weight=...)")
    absent = [name for name in DATA_FIELDS if name not in config.data]
    if absent:
        raise UserError(f"the config lacks data.{', data.'.join(absent)}; start from build.base_config()")


def build_algorithm(config: ml_collections.ConfigDict, spec: DataSpec) -> Algorithm:
    """Networks, optimizers and method, for data of this kind; every shape is checked."""
    penalties = build_penalties(config)
    steps = config.algorithm.get("discriminator_steps", 1)  # an interval is one of train steps
    steps = steps if is_count(steps) else 1  # what it is instead, the algorithm refuses
    lazy_scale = lazy_regularization_scale(
        [penalty.every * steps for penalty in penalties if penalty.every > 1]
    )
    given = {
        "generator": component(
            config, "generator", image_shape=spec.image_shape, num_classes=spec.num_classes
        ),
        "discriminator": component(config, "discriminator", num_classes=spec.num_classes),
        "generator_tx": component(config, "generator_optimizer"),
        "discriminator_tx": component(
            config, "discriminator_optimizer", lazy_regularization_scale=lazy_scale
        ),
        "ema_decay": component(config, "ema", batch_size=config.batch_size),
        "loss": component(config, "loss"),
        "penalties": penalties,
        "augment": component(config, "augment"),
        "game": component(config, "game"),
        "execution": execution_of(config),
    }
    algorithm = component(config, "algorithm", **given)
    key, batch = jax.random.key(0), example_batch(spec, 2)
    asked = batch | {"label": jax.ShapeDtypeStruct((2,), jnp.int32)}  # a code, where the data have no label
    try:
        check_contradictions(config, algorithm, spec)
    except ValueError as error:
        raise UserError(f"the config contradicts itself: {error}") from error
    try:
        state = jax.eval_shape(algorithm.init, key, batch)
        sample = jax.eval_shape(algorithm.sample, state, asked, key)
    except (ValueError, TypeError) as error:
        raise UserError(f"the networks do not fit together or the data: {error}") from error
    if sample.shape != batch["image"].shape:
        made, wanted = sample.shape[1:], spec.image_shape
        raise UserError(
            f"generator ({config.generator.name}) makes arrays {made}, but the images are {wanted}"
        )
    return algorithm


def trace_step(algorithm: Algorithm, spec: DataSpec, batch_size: int) -> None:
    """Raises a UserError if a step of the algorithm cannot be run on batches of this size."""
    batch = example_batch(spec, batch_size)
    state = jax.eval_shape(algorithm.init, jax.random.key(0), batch)
    lead = algorithm.minibatches
    batches = jax.tree.map(lambda x: jax.ShapeDtypeStruct((lead, *x.shape), x.dtype), batch)
    try:
        jax.eval_shape(algorithm.step, state, batches)
    except (ValueError, TypeError) as error:
        raise UserError(f"a step on {batch_size} images does not work: {error}") from error


def example_batch(spec: DataSpec, size: int) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes of one mini-batch as the networks see it."""
    batch = {
        name: jax.ShapeDtypeStruct((size, *field.shape), jnp.float32) for name, field in spec.fields.items()
    }
    if spec.num_classes is not None:
        batch["label"] = jax.ShapeDtypeStruct((size,), jnp.int32)
    return batch
