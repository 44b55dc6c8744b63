"""What `gan-jax train --dry_run --target=...` does: train steps, compiled for devices that are not here."""

from __future__ import annotations

import sys

import ml_collections

from gan_jax.accelerators import targets
from gan_jax.accelerators.bound import bound
from gan_jax.accelerators.lowering import abstract_state, expected_data, lowered, method
from gan_jax.accelerators.measure import DoesNotFit, measure
from gan_jax.accelerators.report import advice, lines
from gan_jax.config.build import example_batch, said_of
from gan_jax.config.components import complete
from gan_jax.config.phases import phase_configs
from gan_jax.distributed import parallel
from gan_jax.summaries.costs import shapes_of, step_flops

TOLD = (
    "compiled without devices and data: pictures count as streamed, a data set that lies on the device "
    "(below 1 GiB) comes in addition"
)


def dry_run_for(config: ml_collections.ConfigDict, name: str) -> None:
    """Compiles each phase's call for the target and says what came out; nothing is run.

    Raises:
        UserError: the config is wrong; no such target; its compiler is not installed; it does not fit.
    """
    target = targets.parsed(name)
    mesh = parallel.make_mesh(targets.devices(target))
    config = complete(config)
    spec = expected_data(config)
    hosts = len({device.process_index for device in mesh.devices.flat})
    for phase in phase_configs(config):
        batch = phase.config.batch_size
        with said_of(phase.name):
            algorithm = method(phase, spec)
            state = abstract_state(algorithm, spec, batch, mesh)
            held = parallel.device_bytes(state)
            try:
                found = measure(lowered(phase, spec, algorithm, state, mesh), target)
            except DoesNotFit as error:
                ways = advice(held, int(target.chip.memory), mesh.size, algorithm.execution, batch)
                raise DoesNotFit(f"{error}; {ways}") from error
        shapes = shapes_of(state)  # without devices: for those that are not here XLA counts nothing
        flops = step_flops(algorithm, shapes, example_batch(spec, batch), shapes.frozen or {}).mean
        limit = bound(found, flops, target.chip, mesh.size, algorithm.execution.precision)
        named = f"phase {phase.name}: " if phase.name else ""
        _say(f"{named}batches of {batch} on {hosts} host{'s' * (hosts > 1)}")
        for line in lines(found, limit, target.chip, mesh.size, held, flops, algorithm.execution, batch):
            _say(f"  {line}")
    _say(f"{TOLD}. Nothing was trained")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
