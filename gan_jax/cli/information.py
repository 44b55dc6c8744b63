"""What `gan-jax info --config` does: what a config would cost."""

from __future__ import annotations

import sys

import jax
import ml_collections

from gan_jax.config.build import build_algorithm, check_fields, data_folder, example_batch, said_of
from gan_jax.config.components import complete, data_options
from gan_jax.config.phases import PhaseConfig, phase_configs
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.expected import expected_spec
from gan_jax.data.spec import DataSpec
from gan_jax.data.views import VIEW
from gan_jax.summaries.costs import call_flops, parameter_counts, shapes_of, state_bytes, step_flops
from gan_jax.utils.errors import UserError
from gan_jax.utils.memory import mebibytes
from gan_jax.utils.names import counted
from gan_jax.utils.tree import PyTree

COUNTED = (
    "counted: XLA's operations of the program for an accelerator, not compiled: two for a multiplication and "
    "its addition, one for other arithmetic, none for exp and its like"
)


def info_of_config(config: ml_collections.ConfigDict) -> None:
    """Parameters, bytes of the state and operations of each phase; nothing is computed, read or written.

    Raises:
        UserError: a config that does not fit itself or its data.
    """
    config = complete(config)
    check_fields(config)
    spec = _spec(config)
    fields = ", ".join(f"{name} {'x'.join(map(str, f.shape))}" for name, f in spec.fields.items())
    classes = "no classes" if spec.num_classes is None else f"{spec.num_classes} classes"
    _say(f"data: {config.data.name}, {fields}, {classes}")
    said: list[str] = []
    for phase in phase_configs(config):
        with said_of(phase.name):
            lines = _lines(phase, spec)
        named = f"phase {phase.name}: " if phase.name else ""
        _say(f"{named}{phase.stop - phase.start:,} steps of batches of {phase.config.batch_size}")
        for line in lines if lines != said else ["as in the phase before"]:
            _say(f"  {line}")
        said = lines
    _say(COUNTED)


def _spec(config: ml_collections.ConfigDict) -> DataSpec:
    view = {name: config.data[name] for name in VIEW}
    return expected_spec(config.data.name, data_dir=data_folder(config), **view, **data_options(config))


def shapes_of_phase(phase: PhaseConfig, spec: DataSpec) -> tuple[Algorithm, TrainState, PyTree]:
    """A phase's method, and the shapes of its state and of a mini-batch."""
    algorithm = build_algorithm(phase.config, spec, phase.start)
    batch = example_batch(spec, phase.config.batch_size)
    return algorithm, jax.eval_shape(algorithm.init, jax.random.key(0), batch), batch


def _lines(phase: PhaseConfig, spec: DataSpec) -> list[str]:
    """What is said of a phase."""
    algorithm, state, batch = shapes_of_phase(phase, spec)
    lines = []
    for role, player in state.players.items():
        trained, moving = parameter_counts(player)
        statistics = f" and {moving:,} statistics" if moving else ""
        operations = giga(call_flops(algorithm, state, batch, role))
        lines.append(
            f"{role} ({type(algorithm.networks[role]).__name__}): {trained:,} parameters{statistics}; "
            f"{operations} for one example"
        )
    try:
        frozen = shapes_of(algorithm.load_frozen())
    except UserError as error:
        reason = f"a step: not counted, {error}"
        return [*lines, _memory(state), reason]
    state = state.replace(frozen=frozen)
    flops = step_flops(algorithm, state, batch, frozen)
    images = phase.config.batch_size * algorithm.minibatches
    lazy = "" if flops.mean == flops.most else f"; {giga(flops.most)} where all lazy penalties are due"
    shown = f"{giga(flops.mean)} for {counted(images, 'picture')}, {giga(flops.mean / images)} for each"
    return [*lines, _memory(state), f"a step: {shown}{lazy}"]


def _memory(state: TrainState) -> str:
    found = {name: size for name, size in state_bytes(state).items() if size}
    return f"state: {mebibytes(sum(found.values()))}: " + ", ".join(
        f"{name} {mebibytes(size)}" for name, size in found.items()
    )


def giga(flops: float) -> str:
    """Operations in a readable unit, three digits."""
    for unit, size in (("TFLOP", 1e12), ("GFLOP", 1e9)):
        if flops >= size:
            return f"{flops / size:.3g} {unit}"
    return f"{flops / 1e6:.3g} MFLOP"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
