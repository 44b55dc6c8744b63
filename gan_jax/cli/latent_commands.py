"""What the commands about latents do, once their flags are read."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_jax.cli.latent_sheets import save_film, save_projection, save_rows
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.styles import Truncation
from gan_jax.data.classes import described, labels_named
from gan_jax.data.spec import DataSpec
from gan_jax.latent_tools.directions import Method, find_directions, walked
from gan_jax.latent_tools.distance import open_distance
from gan_jax.latent_tools.generator import LatentGenerator, Latents, Space
from gan_jax.latent_tools.latent_files import read_latents
from gan_jax.latent_tools.mixing import chosen_layers, layer_bands, mixed
from gan_jax.latent_tools.paths import latent_path
from gan_jax.latent_tools.projection import project
from gan_jax.latent_tools.targets import read_targets
from gan_jax.summaries.animations import ANIMATIONS, check_animation
from gan_jax.summaries.pictures import FORMATS
from gan_jax.summaries.sample_files import sample_files
from gan_jax.training.restore import BEST, NEWEST, restored_run
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import checked_suffix
from gan_jax.utils.names import counted

FRAMES, FILM_FRAMES = 8, 24


@dataclass(frozen=True)
class Source:
    """The flags that say which generator makes the pictures.

    Attributes:
        workdir: of the run.
        step, best: which checkpoint.
        label: a class, of a conditional run.
        truncation: psi and the cutoff.
    """

    workdir: Path
    step: int | None
    best: bool
    label: str | None
    truncation: tuple[float, int | None] = (1.0, None)

    def open(self) -> tuple[LatentGenerator, list[int] | None]:
        """The generator, and the label that was asked for, alone in a list.

        Raises:
            UserError: it lacks what the tools need; a label of an unconditional run.
        """
        algorithm, spec, state = restored_run(self.workdir, BEST if self.best else NEWEST, self.step)
        generator = LatentGenerator(algorithm, spec, state, Truncation(*self.truncation))
        return generator, _label(algorithm, spec, self.label, self.workdir)


def _label(algorithm: Algorithm, spec: DataSpec, label: str | None, workdir: Path) -> list[int] | None:
    if label is None:
        return None
    if algorithm.num_classes is None:
        raise UserError(f"--label={label}: the run in {workdir} is unconditional; leave --label out")
    return labels_named(label, spec.class_names, algorithm.num_classes)


def _labels(generator: LatentGenerator, chosen: list[int] | None, count: int) -> list[int] | None:
    """One label for each of so many pictures; None of an unconditional run.

    Raises:
        UserError: none was chosen, or another number of them.
    """
    classes = generator.algorithm.num_classes
    if classes is None:
        return None
    if chosen is None:
        names = generator.spec.class_names
        raise UserError(
            "the run is conditional: say with --label which class is drawn "
            f"({described(names) if names else f'0 to {classes - 1}'})"
        )
    if len(chosen) not in (1, count):
        raise UserError(
            f"--label names {len(chosen)} classes for {count} pictures: name one, or one for each"
        )
    return chosen * count if len(chosen) == 1 else chosen


def _drawn(generator: LatentGenerator, seeds: Sequence[int], label: list[int] | None) -> Latents:
    return generator.drawn(seeds, _labels(generator, label, len(seeds)))


def _read(generator: LatentGenerator, file: Path, label: list[int] | None) -> Latents:
    """Latents of a file, with its labels or the one that was asked for."""
    found = read_latents(file, generator)
    if found.labels is None and generator.algorithm.num_classes is not None:
        labels = np.asarray(_labels(generator, label, len(found)), np.int32)
        return Latents(found.space, found.values, labels)
    return found


def draw(source: Source, latents: Path, out: str, *, columns: int | None, scale: int | None) -> None:
    """gan-jax sample --latents: the pictures of latents that are in a file."""
    to = sample_files(out, columns=columns, scale=scale)
    generator, label = source.open()
    found = _read(generator, latents, label)
    to.check(len(found), generator.codec, generator.spec.image_shape)
    for file in to.write(iter([{"": generator(found, "drawing")}]), generator.codec):
        _say(f"{counted(len(found), 'picture')} of {latents} in {file}")


def interpolate(
    source: Source,
    out: Path,
    *,
    seeds: Sequence[int],
    latents: Path | None,
    space: Space | None,
    frames: int | None,
    fps: int,
    scale: int | None,
) -> None:
    """gan-jax interpolate."""
    is_film = checked_suffix(out, (*FORMATS, *ANIMATIONS)) in ANIMATIONS
    if is_film:
        check_animation(out)
    generator, label = source.open()
    stations = _drawn(generator, seeds, label) if latents is None else _read(generator, latents, label)
    if latents is not None and space is None:
        space = stations.space
    stations = generator.in_space(stations, generator.chosen_space(space))
    steps = frames or (FILM_FRAMES if is_film else FRAMES)
    path = latent_path(stations, generator.algorithm.latent, steps, closed=is_film)
    pictures = generator.codec.picture(generator(path, "drawing"))
    if is_film:
        save_film(out, pictures, fps, scale)
    else:  # a row from each station to the next, with both in it
        rows = np.arange(len(stations) - 1)[:, None] * steps + np.arange(steps + 1)
        names = [f"{seed} to {after}" for seed, after in itertools.pairwise(seeds)] if latents is None else []
        save_rows(out, pictures[rows.ravel()], steps + 1, names, scale=scale)
    _say(f"{counted(len(pictures), 'picture')} between {len(stations)} latents in {stations.space} in {out}")


def mix(
    source: Source,
    out: Path,
    *,
    rows: Sequence[int],
    columns: Sequence[int],
    layers: str | None,
    scale: int | None,
) -> None:
    """gan-jax mix: for each band of layers a grid, the rows' pictures to its left, the columns' above."""
    checked_suffix(out, FORMATS)
    generator, label = source.open()
    if "w" not in generator.spaces:
        raise UserError(
            f"{type(generator.algorithm.generator).__name__} has no styles to mix, only style generators (a "
            "mapping and a synthesis network) have: gan-jax interpolate leads from picture to picture"
        )
    left, top = (generator.in_space(_drawn(generator, seeds, label), "w") for seeds in (rows, columns))
    count = left.values.shape[1]
    bands = (
        {layers: chosen_layers(layers, count)}
        if layers
        else {n: list(b) for n, b in layer_bands(count).items()}
    )
    lefts, tops = (generator.codec.picture(generator(one)) for one in (left, top))
    blank = np.full_like(tops[:1], 255)
    shown, names = [], []
    for name, chosen in bands.items():
        made = generator.codec.picture(generator(mixed(left, top, chosen), f"mixing {name}"))
        made = made.reshape(len(rows), len(columns), *made.shape[1:])
        shown += [
            blank,
            tops,
            *(part for row, one in zip(made, lefts, strict=True) for part in (one[None], row)),
        ]
        names += [f"{name} from the top", *(f"seed {seed}" for seed in rows)]
    save_rows(out, np.concatenate(shown), len(columns) + 1, names, scale=scale)
    _say(f"{counted(len(bands) * len(rows) * len(columns), 'picture')} with mixed styles in {out}")


def project_pictures(
    source: Source,
    given: str,
    out: Path,
    *,
    space: Space | None,
    iterations: int,
    network: str,
    weights: str,
    pixel_weight: float,
    seed: int,
) -> None:
    """gan-jax project: the latents of pictures, in a folder."""
    if out.is_file():
        raise UserError(f"{out} is a file: give a folder for what is written")
    generator, label = source.open()
    space = generator.chosen_space(space)
    field = generator.spec.fields["image"]
    targets = read_targets(given, field)
    distance = open_distance(network, weights, field, pixel_weight)
    if label is None and generator.algorithm.has_encoder:
        _labels(generator, label, len(targets.names))  # an encoder is told the class
    labels = None if label is None else np.asarray(_labels(generator, label, len(targets.names)), np.int32)
    found = project(
        generator, targets.pictures, distance, space=space, iterations=iterations, labels=labels, seed=seed
    )
    save_projection(out, targets, found, generator.codec)
    seen = "pixels" if distance.network is None else f"pixels and {distance.network.name}"
    first, last = (np.median(found.distances[:, at]) for at in (0, -1))
    medians = " (medians)" if len(targets.names) > 1 else ""
    if generator.algorithm.has_encoder:
        _say(
            f"{counted(len(targets.names), 'picture')} encoded: the distance in {seen} is "
            f"{last:.4g}{medians}; in {out}"
        )
        return
    _say(
        f"{counted(len(targets.names), 'picture')} projected to {space} in {iterations} descents: the "
        f"distance in {seen} went from {first:.4g} to {last:.4g}{medians}; in {out}"
    )


def walk(
    source: Source,
    out: Path,
    *,
    method: Method | None,
    space: Space | None,
    directions: int,
    columns: int,
    extent: float,
    layers: str,
    seed: int,
    scale: int | None,
) -> None:
    """gan-jax walk: a row of pictures along each direction."""
    checked_suffix(out, FORMATS)
    generator, label = source.open()
    space = "w" if method == "ganspace" and space is None else generator.chosen_space(space)
    method = method or ("ganspace" if space == "w" else "sefa")
    if space == "z" and layers != "all":
        raise UserError(f"--layers={layers} is about styles w, and the walk is in z: leave it out")
    start = generator.in_space(_drawn(generator, [seed], label), generator.chosen_space(space))
    found = find_directions(generator, method, space, directions, labels=label)
    moved = chosen_layers(layers, start.values.shape[1]) if space == "w" else ()
    pictures = generator.codec.picture(generator(walked(start, found, extent, columns, moved), "walking"))
    names = [f"{number + 1}: {share:.1%}" for number, share in enumerate(found.share)]
    save_rows(out, pictures, columns, names, scale=scale)
    _say(
        f"{counted(directions, 'direction')} of {space} by {method}, {extent:g} standard deviations to "
        f"either side, in {out}"
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
