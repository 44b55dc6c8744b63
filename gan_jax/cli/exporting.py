"""What `gan-jax export` does, once its flags are read.

model.json         what the files are: inputs, output, the config, and what they were made of
model.stablehlo    a program for `jax.export.deserialize`, with the weights inside
model.safetensors  the weights of the averaged generator by flat names, the config beside them
model.onnx         a program for ONNX Runtime and others
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

import gan_jax
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.spec import DataSpec
from gan_jax.feature_networks.network import digest_of
from gan_jax.inference.export import (
    PLATFORMS,
    ExportedFunction,
    exported_generator,
    exported_translator,
    stablehlo,
)
from gan_jax.inference.onnx import check_installed, onnx_file
from gan_jax.inference.truncation import truncated
from gan_jax.training.restore import BEST, NEWEST, restored_run
from gan_jax.training.workdir import read_record
from gan_jax.utils import safetensors
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import locked, write_atomically, write_json
from gan_jax.utils.names import listed, printable
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import parse_json

FILE = "model.json"
LOCK = ".lock"


@dataclass(frozen=True)
class Request:
    """The flags of `gan-jax export`.

    Attributes:
        workdir: of the run.
        out: the folder to be written.
        formats: names in `export_flags.FORMATS`.
        direction: of a run that translates; None for its first.
        truncation: psi and the cutoff of a style generator's styles.
        step: the checkpoint of this step; None for the newest.
        best: the checkpoint with the best score.
    """

    workdir: Path
    out: Path
    formats: tuple[str, ...]
    direction: str | None
    truncation: tuple[float, int | None]
    step: int | None
    best: bool


def export(asked: Request) -> None:
    """gan-jax export."""
    out = expanded(asked.out)
    if "onnx" in asked.formats:
        check_installed()  # before a checkpoint is read
    algorithm, spec, state = restored_run(asked.workdir, BEST if asked.best else NEWEST, asked.step)
    algorithm = truncated(algorithm, spec, state, *asked.truncation)
    direction = asked.direction or next(iter(algorithm.directions), None)
    functions = _functions(algorithm, spec, state, direction)
    made_of = {
        "run": expanded(asked.workdir).resolve().name,
        "step": int(state.step),
        "weights": digest_of(state.ema, "generator"),
        "direction": direction,
        "truncation": list(asked.truncation),
    }
    config = read_record(expanded(asked.workdir))["config"]
    with locked(out, LOCK, doing="exports into"):
        about = _claimed(out, made_of) or {
            "format": "gan_jax export",
            "gan_jax": gan_jax.__version__,
            "made_of": made_of,
            "method": type(algorithm).__name__,
            "generator": type(algorithm.generator).__name__,
            **_described(functions[0]),
            "files": {},
            "config": config,
        }
        write_json(out / FILE, about)
        for name in asked.formats:
            content, described = _made(name, functions, state, config, made_of)
            file = f"model.{name}"
            write_atomically(out / file, content)
            about["files"][file] = described
            write_json(out / FILE, about)
            sys.stdout.write(f"{printable(out / file)}: {len(content):,} bytes\n")
    sys.stdout.write(
        f"step {int(state.step)} of {made_of['run']}; {printable(out / FILE)} says what goes in\n"
    )


def _functions(
    algorithm: Algorithm, spec: DataSpec, state: TrainState, direction: str | None
) -> list[ExportedFunction]:
    """What is exported; of a translator for pictures of any size, and the same for those of the data."""
    if direction is None:
        return [exported_generator(algorithm, spec, state)]
    return [exported_translator(algorithm, spec, state, direction, any_size) for any_size in (True, False)]


def _made(
    name: str,
    functions: list[ExportedFunction],
    state: TrainState,
    config: Mapping[str, Any],
    made_of: Mapping[str, Any],
) -> tuple[bytes, dict[str, Any]]:
    """The content of a format's file, and what model.json says of it."""
    if name == "safetensors":
        arrays = flat_arrays(state.ema)
        metadata = {"config": json.dumps(config), "made_of": json.dumps(made_of)}
        content = safetensors.encoded(arrays, metadata)
        return content, {"arrays": len(arrays), "numbers": sum(array.size for array in arrays.values())}
    make: Callable[[ExportedFunction], bytes] = onnx_file if name == "onnx" else stablehlo
    about = {} if name == "onnx" else {"platforms": [*PLATFORMS], "jax": jax.__version__}
    first, *others = functions
    try:
        return make(first), about
    except UserError as error:
        if not others:
            raise
        logging.warning("%s: for pictures of the size of the data alone: %s", name, error)
        return make(others[0]), {**about, **_described(others[0])}


def _described(exported: ExportedFunction) -> dict[str, Any]:
    """What goes into a program, and comes out."""
    return {"inputs": [value.describe() for value in exported.inputs], "output": exported.output.describe()}


def flat_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a tree by their paths: "params.dense_0.kernel"."""
    return {
        ".".join(str(getattr(entry, "key", entry)) for entry in path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _claimed(out: Path, made_of: Mapping[str, Any]) -> dict[str, Any] | None:
    """What model.json of the folder says; None where the folder is empty.

    Raises:
        UserError: it holds something else, or an export of something else.
    """
    there = sorted(path.name for path in out.iterdir() if path.name != LOCK)
    if not there:
        return None
    try:
        about = parse_json((out / FILE).read_bytes())
        before = {name: about["made_of"][name] for name in made_of}
        about["files"].items()
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        raise UserError(
            f"{printable(out)} holds {listed(there)} and no export of a run: choose another folder"
        ) from None
    if changed := [
        f"{name} {before[name]} -> {made_of[name]}" for name in made_of if before[name] != made_of[name]
    ]:
        raise UserError(
            f"{printable(out)} holds the export of something else ({', '.join(changed)}): choose another "
            "folder"
        )
    return dict(about)
