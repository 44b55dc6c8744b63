"""What `gan-jax augment` does: pictures of each class in folders, with a record of where they come from."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from gan_jax.algorithms.diffusion import Diffusion
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.modules import is_conditional
from gan_jax.core.state import TrainState
from gan_jax.data.classes import folder_names, labels_named
from gan_jax.data.picture_files import GENERATED
from gan_jax.data.spec import DataSpec
from gan_jax.feature_networks.network import digest_of
from gan_jax.inference.sample import CHUNK, Chunks, compared_kind, drawable, make_chunks
from gan_jax.inference.samplers import AS_CONFIGURED, SamplerChoice, with_sampler
from gan_jax.inference.truncation import truncated
from gan_jax.summaries.pictures import save_picture
from gan_jax.training.restore import BEST, NEWEST, restored_run
from gan_jax.training.workdir import read_record
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, printable
from gan_jax.utils.provenance import describe_environment
from gan_jax.utils.untrusted import parse_json

REQUEST = "request"  # in the record: what decides every pixel


def augment(
    workdir: Path,
    out: Path,
    *,
    per_class: int,
    classes: str = "all",
    seed: int = 0,
    step: int | None = None,
    best: bool = False,
    truncation: tuple[float, int | None] = (1.0, None),
    sampler: tuple[str | None, int | None, float | None] = AS_CONFIGURED,
) -> None:
    """gan-jax augment: `per_class` pictures of each class, of a run that is told classes.

    Raises:
        UserError: a run that is told no class, an unknown class, a folder with other content; as
            `restored_run`, `truncated` and `with_sampler`.
    """
    algorithm, spec, state = restored_run(workdir, BEST if best else NEWEST, step)
    check_told(workdir, algorithm, spec)
    algorithm = with_sampler(truncated(algorithm, spec, state, *truncation), SamplerChoice(*sampler))
    assert algorithm.num_classes is not None  # says check_told
    labels = sorted(set(labels_named(classes, spec.class_names, algorithm.num_classes, flag="classes")))
    names = spec.class_names or tuple(map(str, range(algorithm.num_classes)))
    request = {
        "run": printable(Path(workdir).resolve().name),
        "step": int(state.step),
        "weights": digest_of(state.ema, ""),
        "seed": seed,
        "per_class": per_class,
        "classes": [names[label] for label in labels],
        "method": type(algorithm).__name__,
        "truncation": truncation[0],
        "cutoff": truncation[1],
        "sampler": sampler_of(algorithm),
    }
    begin(out, request, workdir)
    folders = folder_names(names)
    wanted = {label: _absent(out / folders[label], per_class) for label in labels}
    chunks, state = make_chunks(algorithm, spec), drawable(state)
    total, missing = len(labels) * per_class, sum(map(len, wanted.values()))
    with tqdm(total=missing, desc="drawing", unit=" pictures", leave=False, disable=None) as bar:
        for label, numbers in wanted.items():
            key = jax.random.fold_in(jax.random.key(seed), label)
            for number, picture in _pictures(chunks, state, spec, key, label, numbers):
                save_picture(_file(out / folders[label], number), picture)
                bar.update()
    there = f", {total - missing} of which were there" if missing < total else ""
    what = f"{total} pictures of {counted(len(labels), 'class')} from step {request['step']} in {out}"
    sys.stdout.write(f"{what}{there}\n")


def check_told(workdir: Path, algorithm: Algorithm, spec: DataSpec) -> None:
    """Raises a UserError unless the run makes pictures of a class that it is told."""
    noun = spec.fields["image"].codec.noun
    if algorithm.conditions:
        raise UserError(
            f"the run in {workdir} makes its pictures of given ones, and not of classes: augment takes a run "
            "of a conditional config, such as projection_fashion_mnist"
        )
    if not spec.fields["image"].codec.is_image:
        raise UserError(f"the run in {workdir} makes {noun}, and augment writes images")
    if algorithm.num_classes is None or not is_conditional(algorithm.generator):
        raise UserError(
            f"the run in {workdir} cannot be told a class, so nobody knows which class a picture of it is: "
            "train a conditional config, such as projection_fashion_mnist, or set config.generator.condition"
        )


def sampler_of(algorithm: Algorithm) -> dict[str, Any] | None:
    """How a diffusion model samples; None of other methods."""
    if not isinstance(algorithm, Diffusion):
        return None
    return {"name": algorithm.sampler.name, **dataclasses.asdict(algorithm.sampler)}


def begin(out: Path, request: dict[str, Any], workdir: Path) -> None:
    """Writes the record, unless it is there already.

    Raises:
        UserError: the folder has something else in it.
    """
    file = out / GENERATED
    with files.disk_errors(f"read {out}"):
        found = parse_json(file.read_bytes()) if file.is_file() else None
        others = out.exists() and (not out.is_dir() or next(out.iterdir(), None) is not None)
    if isinstance(found, dict) and isinstance(before := found.get(REQUEST), dict):
        request = parse_json(json.dumps(request))  # its tuples are lists
        changed = [f"{name} {before.get(name)}" for name in request if before.get(name) != request[name]]
        if not changed:
            return
        raise UserError(
            f"{out} holds pictures of another request ({', '.join(changed)}): give another folder"
        )
    if others:
        raise UserError(f"{out} is not empty, and not of gan-jax augment: give a new folder, or empty it")
    run = read_record(workdir)
    about = {
        "data": run["data"]["fingerprint"],
        "cut": run["data"]["options"],
        "environment": describe_environment(),
    }
    files.write_json(file, {REQUEST: request, **about})


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.png"


def _absent(folder: Path, count: int) -> list[int]:
    """The numbers of the pictures that are still to be drawn."""
    return [number for number in range(count) if not _file(folder, number).exists()]


def _pictures(
    chunks: Chunks, state: TrainState, spec: DataSpec, key: jax.Array, label: int, numbers: list[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """(number, uint8 [H, W, C]) of these pictures of a class, each a function of the key and its number."""
    if not numbers:
        return
    codec, wanted = spec.fields["image"].codec, set(numbers)
    # Whole calls, all of one class: so nothing depends on how many are asked for.
    count = -(-(numbers[-1] + 1) // CHUNK) * CHUNK
    drawn = chunks(state, count, key, np.full(count, label, np.int32))
    for first, chunk in zip(range(0, count, CHUNK), drawn, strict=True):
        images = np.asarray(compared_kind(chunk))
        if not np.isfinite(images).all():
            raise UserError("the run's pictures are not finite: the training has diverged")
        for number, picture in enumerate(codec.picture(images), start=first):
            if number in wanted:
                yield number, picture
