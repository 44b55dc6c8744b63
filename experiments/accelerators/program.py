"""One program: a config's train step for a target, compiled and read. Prints a row of JSON.

python experiments/accelerators/program.py dcgan_fashion_mnist h100 [field=value ...]
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from gan_jax.accelerators import environment  # noqa: E402

environment.prepare()

import jax  # noqa: E402
import ml_collections  # noqa: E402

from gan_jax.accelerators import targets  # noqa: E402
from gan_jax.accelerators.bound import bound  # noqa: E402
from gan_jax.accelerators.lowering import abstract_state, expected_data, lowered, method  # noqa: E402
from gan_jax.accelerators.measure import DoesNotFit, Measured, measure  # noqa: E402
from gan_jax.accelerators.products import Arithmetic, filled  # noqa: E402
from gan_jax.accelerators.report import matrix_units_busy  # noqa: E402
from gan_jax.config.build import example_batch  # noqa: E402
from gan_jax.config.components import complete  # noqa: E402
from gan_jax.config.config_file import run_config_file  # noqa: E402
from gan_jax.config.phases import phase_configs  # noqa: E402
from gan_jax.distributed import parallel  # noqa: E402
from gan_jax.summaries.costs import shapes_of, step_flops  # noqa: E402
from gan_jax.utils.errors import UserError  # noqa: E402

PACKAGES = ("jax", "jaxlib", "libtpu", "jax-cuda12-plugin", "nvidia-cuda-nvcc-cu12")


def row(name: str, target_name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The row of a shipped config with changes."""
    return row_of(config_of(name, changes), name, target_name, changes)


def row_of(
    config: ml_collections.ConfigDict, name: str, target_name: str, changes: dict[str, Any]
) -> dict[str, Any]:
    """The row of a complete config; of one with phases that of the last."""
    target = targets.parsed(target_name)
    mesh = parallel.make_mesh(targets.devices(target))
    spec = expected_data(config)
    phase = phase_configs(config)[-1]
    algorithm = method(phase, spec)
    batch = max(phase.config.batch_size, mesh.size)  # fewer images than chips: one on each
    batch = -(-batch // mesh.size) * mesh.size
    phase.config.batch_size = batch
    algorithm = method(phase, spec)
    state = abstract_state(algorithm, spec, batch, mesh)
    found: dict[str, Any] = {
        "config": name,
        "target": target_name,
        "changes": changes,
        "versions": versions(),
        "chips": mesh.size,
        "hosts": len({device.process_index for device in mesh.devices.flat}),
        "batch": batch,
        "precision": algorithm.execution.precision,
        "state": parallel.device_bytes(state),
        "memory": target.chip.memory,
    }
    shapes = shapes_of(state)
    flops = step_flops(algorithm, shapes, example_batch(spec, batch), shapes.frozen or {}).mean
    try:
        measured = measure(lowered(phase, spec, algorithm, state, mesh), target)
    except DoesNotFit as error:
        return {**found, "gflop": flops / mesh.size / 1e9, "fits": False, "error": str(error)}
    limit = bound(measured, flops, target.chip, mesh.size, algorithm.execution.precision)
    return {
        **found,
        **read(measured),
        "gflop": flops / mesh.size / 1e9,
        "busy": matrix_units_busy(measured, target.chip),
        "fits": measured.peak <= target.chip.memory,
        "bound": {name: getattr(limit, name) for name in ("arithmetic", "memory", "launches", "exchange")},
        "by": limit.by,
    }


def config_of(name: str, changes: dict[str, Any]) -> Any:
    """A shipped config by its name, "CONFIG:PRESET" too, with dotted fields changed."""
    file, _, preset = name.partition(":")
    config = run_config_file(f"{ROOT / 'configs' / file}.py" + (f":{preset}" if preset else ""))
    with config.unlocked():
        for field, value in changes.items():
            *path, last = field.split(".")
            where = config
            for part in path:
                where = where[part]
            where[last] = value
    return complete(config)


def read(measured: Measured) -> dict[str, Any]:
    """What was compiled, as JSON values."""
    collectives: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for one in measured.collectives:
        collectives[one.kind] += one.times
        size[one.kind] += round(one.bytes * one.times)
    launched = measured.launches
    return {
        "arguments": measured.arguments,
        "aliased": measured.aliased,
        "results": measured.results,
        "temporaries": measured.temporaries,
        "code": measured.code,
        "peak": measured.peak,
        "kernels": measured.kernels,
        "kinds": dict(measured.kinds),
        "timed": measured.timed,
        "moved": round(measured.moved),
        "collectives": {kind: [collectives[kind], size[kind]] for kind in collectives},
        "largest": {
            kind: max(list(shape) for one in measured.collectives if one.kind == kind for shape in one.shapes)
            for kind in collectives
        },
        "buffers": launched and [launched.buffers, launched.captured, sum(launched.lone.values())],
        "compiled_gflop": measured.flops / 1e9,
        "products": measured.arithmetic and products(measured.arithmetic),
        "cycles": measured.cycles,
        "float64": measured.has_float64,
        "callback": measured.has_callback,
        "seconds": round(measured.seconds, 1),
    }


def products(found: Arithmetic) -> dict[str, Any]:
    """Convolutions and matrix products, as JSON values."""
    lanes = {}
    for network in found.networks:
        own = [one for one in found.products if one.network == network]
        lanes[network] = [round(filled(own, side), 4) for side in ("contracted", "features")]
    return {
        "count": len(found.products),
        "gflop": found.flops / 1e9,
        "share": round(found.share, 4),
        "filled": [round(filled(found.products, side), 4) for side in ("contracted", "features")],
        "lanes": lanes,
        "cycles": found.cycles,
        "bfloat16": [found.read_bfloat16, found.write_bfloat16],
        "upcasts": dict(found.upcasts.most_common()),
    }


def versions() -> dict[str, str]:
    """Of the packages that compile; those that are there."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main() -> int:
    name, target, *changes = sys.argv[1:]
    fields = {field: json.loads(value) for field, _, value in (change.partition("=") for change in changes)}
    try:
        found = row(name, target, fields)
    except UserError as error:
        found = {"config": name, "target": target, "changes": fields, "error": str(error)}
    except jax.errors.JaxRuntimeError as error:
        words = (str(error).splitlines() or [""])[0][:300]
        found = {"config": name, "target": target, "changes": fields, "error": words}
    sys.stdout.write(f"{json.dumps(found)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
