"""The only reader of configs, with `components`: from a ConfigDict to what trains."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from gan_jax import data
from gan_jax.config.components import (
    DATA,
    DEFAULTS,
    build_penalties,
    check_data,
    component,
    data_options,
    fill_in,
    is_default,
    refused,
)
from gan_jax.config.contradictions import check_contradictions
from gan_jax.config.init_from import InitFrom
from gan_jax.config.phases import phase_configs
from gan_jax.config.tables import PENALTY_TABLES, TABLES
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.execution import Execution
from gan_jax.core.state import Role
from gan_jax.data.feed import Placement
from gan_jax.data.spec import DataSpec
from gan_jax.data.transforms import Transform, enlarge_and_crop, flip
from gan_jax.data.views import VIEW
from gan_jax.evaluation.evaluate import held_out_rows
from gan_jax.evaluation.plan import EvaluationPlan
from gan_jax.feature_networks.network import digest_of
from gan_jax.inference.conditions import Conditions, dataset_conditions
from gan_jax.inference.sample import compared_kind
from gan_jax.optim.optimizers import lazy_regularization_scale
from gan_jax.utils.checks import MOST, is_count, whole
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import did_you_mean
from gan_jax.utils.tree import PyTree, united

COUNTS = (
    "batch_size",
    "num_steps",
    "steps_per_call",
    "log_every_steps",
    "checkpoint_every_steps",
    "sample_every_steps",
)
GROUPS = ("data", "evaluation", "execution", "init_from")
# Components that a method is given as they are.
CONSTRUCTED = ("loss", "augment", "source", "process", "sampler", "likelihood")
FIELDS = ("seed", "phases", "plugins", *COUNTS)


class Config(ml_collections.ConfigDict):
    """A ConfigDict that takes a number without a fraction where a whole one is meant: num_steps = 1e5."""

    def __setitem__(self, key: str, value: Any) -> None:
        value = ml_collections.ConfigDict(value) if isinstance(value, dict) else value
        super().__setitem__(key, whole(value) if type(self.get(key)) is int else value)


def base_config() -> ml_collections.ConfigDict:
    """The fields that every config has, with their defaults; a config file sets the rest."""
    return Config(
        dict(
            seed=0,
            batch_size=64,  # over all devices
            num_steps=10_000,
            steps_per_call=25,  # train steps in one compiled call
            log_every_steps=100,
            checkpoint_every_steps=1_000,
            sample_every_steps=1_000,
            data=dict(DATA),  # and the options of the data set
            **copy.deepcopy(DEFAULTS),  # loss, penalties, ...: a method takes what it has use for
            game=dict(name="alternating"),
            ema=dict(name="none"),  # the moving average of the generator that pictures are drawn with
            evaluation=dict(metrics=""),  # measured while training: "fid,prdc"; see evaluation_plan.py
            execution=dict(precision="float32"),  # how it is computed; see execution.py
            init_from=dict(run=""),  # another run, whose networks this one begins with; see init_from.py
            plugins=(),  # modules with components of one's own: ("my_gan",); see docs/own_components.md
            phases=[],  # for example [dict(name="mse", num_steps=100, ...), ...]; see phases.py
        )
    )


@dataclass(frozen=True)
class Phase:
    """A stretch of steps with one compiled program.

    Attributes:
        name: "" where the run has no phases.
        start: completed steps at which it begins; its batches are numbered from there.
        stop: completed steps at which it ends.
    """

    name: str
    algorithm: Algorithm
    sampler: data.IndexSampler
    batch_size: int
    steps_per_call: int
    start: int
    stop: int


@dataclass(frozen=True)
class Plan:
    """A config that has been read: what to train, on what, how long."""

    phases: tuple[Phase, ...]
    frozen: dict[str, PyTree]  # NumPy arrays; see `Algorithm.load_frozen`
    dataset: data.Dataset
    seed: int
    num_steps: int
    log_every_steps: int
    checkpoint_every_steps: int
    sample_every_steps: int
    placement: Placement
    transforms: tuple[Transform, ...]  # of the decoded fields, in turn
    evaluation: EvaluationPlan
    execution: Execution
    init_from: InitFrom
    averaged: bool  # whether pictures are drawn with averaged weights
    data_dir: str | Path | None  # where the data set is, for a network that is trained on it

    @property
    def key(self) -> jax.Array:
        """The run's key."""
        return jax.random.key(self.seed)

    @property
    def algorithm(self) -> Algorithm:
        """That of the first phase, which makes the state; its tree is the same in all phases."""
        return self.phases[0].algorithm

    @property
    def batch_size(self) -> int:
        """That of the first phase."""
        return self.phases[0].batch_size

    def phase_after(self, step: int) -> Phase:
        """The phase that makes the next step after so many; the last one at the end of the run."""
        return next((phase for phase in self.phases if step < phase.stop), self.phases[-1])

    def phase_before(self, step: int) -> Phase:
        """The phase that the state after so many steps comes from, with which it is sampled."""
        return next(phase for phase in self.phases if step <= phase.stop)

    @property
    def frozen_digests(self) -> dict[str, str]:
        """16 hex digits for each of the pretrained constants: what a run records of them."""
        return {name: digest_of(tree, name) for name, tree in self.frozen.items()}

    def conditions(self, phase: Phase) -> Conditions | None:
        """What samples of a phase are made of, where its method reads source batches."""
        fields = phase.algorithm.conditions
        return dataset_conditions(self._held_out, fields) if fields else None

    @cached_property
    def _held_out(self) -> data.Dataset:
        """The rows that a method which reads source batches is sampled with, opened once."""
        return held_out_rows(self.dataset, self.data_dir)

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
    phases = []
    frozen: dict[str, PyTree] = {}
    for number, phase in enumerate(phase_configs(config)):
        with said_of(phase.name):
            check_fields(phase.config)
            algorithm = build_algorithm(phase.config, spec, phase.start)
            try:
                frozen = united(frozen, algorithm.load_frozen())
            except ValueError as error:
                raise UserError(str(error)) from error
            sampler = data.IndexSampler(
                len(dataset),
                phase.config.batch_size,
                minibatches=algorithm.minibatches,
                seed=phase_seed(config.seed, number),
                remainder=chosen["remainder"],
            )
        phases.append(
            Phase(
                phase.name,
                algorithm,
                sampler,
                phase.config.batch_size,
                phase.config.steps_per_call,
                phase.start,
                phase.stop,
            )
        )
    check_same_state(phases, spec)
    check_places(phases)
    for built in phases:
        with said_of(built.name):
            trace_step(built.algorithm, spec, built.batch_size, frozen)
    return Plan(
        phases=tuple(phases),
        frozen=frozen,
        dataset=dataset,
        seed=config.seed,
        num_steps=config.num_steps,
        log_every_steps=config.log_every_steps,
        checkpoint_every_steps=config.checkpoint_every_steps,
        sample_every_steps=config.sample_every_steps,
        placement=chosen["placement"],
        transforms=data_transforms(config, spec),
        evaluation=evaluation_plan(config),
        execution=execution_of(config),
        init_from=fill_in(InitFrom, config.init_from.to_dict(), "init_from", "init_from"),
        averaged=is_averaged(config),
        data_dir=data_folder(config),
    )


@contextlib.contextmanager
def said_of(phase: str) -> Iterator[None]:
    """Errors in here are told with the phase's name."""
    try:
        yield
    except UserError as error:
        raise UserError(f"phase {phase}: {error}") if phase else error from error


def phase_seed(seed: int, number: int) -> int:
    """The seed of the batches of a run's phase; that of the run for the first."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def check_same_state(phases: list[Phase], spec: DataSpec) -> None:
    """Raises a UserError unless the state has the same tree in all phases."""

    def shapes(phase: Phase) -> dict[str, str]:
        batch = example_batch(spec, phase.batch_size)
        state = jax.eval_shape(phase.algorithm.init_once, jax.random.key(0), batch)
        entered = jax.eval_shape(phase.algorithm.enter, state)
        leaves = jax.tree_util.tree_leaves_with_path(entered)
        return {jax.tree_util.keystr(path): f"{x.dtype}{list(x.shape)}" for path, x in leaves}

    first = shapes(phases[0])
    for phase in phases[1:]:
        other = shapes(phase)
        for path in [*first, *other]:
            here, there = first.get(path, "absent"), other.get(path, "absent")
            if here != there:
                raise UserError(
                    f"phases {phases[0].name} and {phase.name} have different states: {path} is {here} in "
                    f"the one and {there} in the other; what shapes the state must not change"
                )


def check_places(phases: list[Phase]) -> None:
    """Raises a UserError unless each phase can follow the one before it, and the last one be the last."""
    before: Algorithm | None = None
    for phase in phases:
        with said_of(phase.name):
            try:
                phase.algorithm.check_place(before, phase is phases[-1])
            except ValueError as error:
                raise UserError(f"phases: {error}") from error
        before = phase.algorithm


def open_data(config: ml_collections.ConfigDict, data_dir: str | Path | None = None) -> data.Dataset:
    """The data set that a config names; `data_dir` goes before the config's.

    Raises:
        UserError: as `data.load`.
    """
    where = data_dir or data_folder(config)
    view = {name: config.data[name] for name in VIEW}
    return data.load(
        config.data.name, data_dir=where, split=config.data.split, **view, **data_options(config)
    )


def data_transforms(config: ml_collections.ConfigDict, spec: DataSpec) -> tuple[Transform, ...]:
    """What the config does to the decoded fields; `check_contradictions` refuses what their codecs forbid.

    Raises:
        UserError: a crop that is no number of pixels, or of fields that belong together in several sizes.
    """
    pixels = config.data.random_crop
    if not (type(pixels) is int and pixels >= 0):
        raise UserError(f"data.random_crop={pixels!r}: it must be a number of pixels, 0 or more")
    sizes = {name: field.shape[:2] for name, field in spec.fields.items() if field.aligned}
    if pixels and len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name} {height}x{width}" for name, (height, width) in sizes.items())
        raise UserError(
            f"data.random_crop={pixels} cuts the same place out of fields of one size, and "
            f"{config.data.name} has {shown}: set data.random_crop=0"
        )
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
    check_components(config)
    for name in COUNTS:
        if not is_count(config[name]):
            raise UserError(f"{name}={config[name]!r}: it must be at least 1, and at most {MOST}")
    if not (type(config.seed) is int and 0 <= config.seed < 2**32):
        raise UserError(f"seed={config.seed!r}: it must be from 0 to 2**32 - 1")
    check_data(config)


def check_components(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError unless the config has the groups and the components that its method takes."""
    method = config.get("algorithm")
    if isinstance(method, ml_collections.ConfigDict) and method.get("name") not in TABLES["algorithm"]:
        choices = ", ".join(sorted(TABLES["algorithm"]))  # without a method nothing else can be known
        meant = did_you_mean(str(method.get("name")), TABLES["algorithm"])
        raise UserError(f"algorithm.name={method.get('name')!r} is not one of {choices}{meant}")
    refuse = refused(config)
    for name in sorted(refuse & set(config)):
        if not is_default(config, name):
            raise UserError(
                f"algorithm.name={config.algorithm.name} takes no {name}, and the config sets it: remove it"
            )
    components = {*GROUPS, *TABLES, *PENALTY_TABLES} - refuse
    expected = {*FIELDS, *components}
    missing, unknown = sorted(expected - set(config)), sorted(set(config) - expected - refuse)
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has no use for {', '.join(unknown)}"
        raise UserError(f"the config {wrong}; its fields are {', '.join(sorted(expected))}")
    for name in sorted(components):
        if not isinstance(config[name], ml_collections.ConfigDict):
            raise UserError(
                f"{name}={config[name]!r}: it must be dict(name=..., and the fields of that name)"
            )
    for where in set(PENALTY_TABLES) & components:
        for name, fields in config[where].items():
            if name not in PENALTY_TABLES[where]:
                choices = ", ".join(sorted(PENALTY_TABLES[where]))
                raise UserError(f"{where}.{name}: {name!r} is not one of {choices}")
            if not isinstance(fields, ml_collections.ConfigDict):
                raise UserError(f"{where}.{name}={fields!r}: it must be dict(weight=...)")


def build_algorithm(config: ml_collections.ConfigDict, spec: DataSpec, first_step: int = 0) -> Algorithm:
    """Networks, optimizers and method, for data of this kind; every shape is checked.

    Args:
        first_step: the step at which the algorithm's phase begins.
    """
    taken = {*TABLES, *PENALTY_TABLES} - refused(config)
    penalties = {where: build_penalties(config, where) for where in PENALTY_TABLES if where in taken}
    source = spec.fields.get("source")
    given: dict[str, Any] = {
        "generator": component(
            config,
            "generator",
            image_shape=spec.image_shape,
            source_shape=source.shape if source else None,
            num_classes=spec.num_classes,
            code_size=config.algorithm.get("latent_size", Algorithm.latent_size),
        ),
        "generator_tx": optimizer(config, "generator", penalties.get("generator_penalties", ()), 1),
        "ema_decay": component(config, "ema", batch_size=config.batch_size),
        "game": component(config, "game"),
        "execution": execution_of(config),
        "first_step": first_step,
        "source_codec": (source or spec.fields["image"]).codec,
        "image_codec": spec.fields["image"].codec,
        **penalties,
        **{where: component(config, where) for where in CONSTRUCTED if where in taken},
    }
    if "discriminator" in taken:
        steps = config.algorithm.get("discriminator_steps", 1)  # an interval is one of train steps
        steps = steps if is_count(steps) else 1  # what it is instead, the algorithm refuses
        given["discriminator"] = component(config, "discriminator", num_classes=spec.num_classes)
        given["discriminator_tx"] = optimizer(config, "discriminator", penalties.get("penalties", ()), steps)
    algorithm = component(config, "algorithm", **given)
    try:
        algorithm.check_fields(spec.fields)
    except ValueError as error:
        raise UserError(f"algorithm.name={config.algorithm.name}: {error}") from error
    absent = [name for name in algorithm.conditions if name not in spec.fields]
    if absent:
        raise UserError(
            f"algorithm.name={config.algorithm.name} reads {', '.join(absent)} of a batch, and the data have "
            f"{', '.join(spec.fields)}"
        )
    key, batch = jax.random.key(0), example_batch(spec, 2)
    asked = batch | {"label": jax.ShapeDtypeStruct((2,), jnp.int32)}  # a code, where the data have no label
    try:
        check_contradictions(config, algorithm, spec)
    except ValueError as error:
        raise UserError(f"the config contradicts itself: {error}") from error
    try:
        state = jax.eval_shape(algorithm.init_once, key, batch)
        sample = jax.eval_shape(algorithm.sample, state, asked, key)
    except (ValueError, TypeError) as error:
        raise UserError(f"the networks do not fit together or the data: {error}") from error
    shape = compared_kind(sample).shape
    made = shape[1:]
    if shape and shape[0] != 2:
        raise UserError(
            f"generator ({config.generator.name}) makes {shape[0]} arrays of a batch of 2: algorithm.name="
            f"{config.algorithm.name} has use for another kind of network"
        )
    if made != spec.image_shape:
        raise UserError(
            f"generator ({config.generator.name}) makes arrays {made}, but the images are {spec.image_shape}"
        )
    return algorithm


def optimizer(
    config: ml_collections.ConfigDict, role: Role, penalties: Sequence[Any], steps: int
) -> optax.GradientTransformation:
    """A player's optimizer, corrected for its lazy penalties' descents beside `steps` in a train step."""
    scale = lazy_regularization_scale([p.every * steps for p in penalties if p.every > 1])
    return component(config, f"{role}_optimizer", lazy_regularization_scale=scale)


def takes_batch_size(config: ml_collections.ConfigDict, spec: DataSpec, batch_size: int) -> bool:
    """Whether the method, its networks and its options take mini-batches of this size."""
    config = copy.deepcopy(config)
    config.batch_size = batch_size
    try:
        algorithm = build_algorithm(config, spec)
        trace_step(algorithm, spec, batch_size, algorithm.load_frozen())
    except UserError:
        return False
    return True


def trace_step(
    algorithm: Algorithm, spec: DataSpec, batch_size: int, frozen: Mapping[str, PyTree] = MappingProxyType({})
) -> None:
    """Raises a UserError if a step of the algorithm cannot be run on batches of this size."""
    batch = example_batch(spec, batch_size)
    state = jax.eval_shape(algorithm.init_once, jax.random.key(0), batch).replace(frozen=dict(frozen))
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
