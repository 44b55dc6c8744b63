"""What `gan-jax levels` does, once its flags are read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from gan_jax.cli.level_files import check_levels_folder, save_levels, save_search
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.classes import labels_named
from gan_jax.data.games import GAMES, Game, game_of
from gan_jax.data.spec import DataSpec
from gan_jax.inference.sample import class_rows, compared_kind, first_of, make_chunks
from gan_jax.latent_tools.generator import LatentGenerator, Latents
from gan_jax.latent_tools.level_fitness import distance, parse_fitness
from gan_jax.latent_tools.long_levels import long_levels
from gan_jax.latent_tools.search import Found
from gan_jax.latent_tools.search import search as search_latents
from gan_jax.training.restore import BEST, NEWEST, restored_run
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted

SPARE = 3  # windows that are drawn for each that a long level needs


def draw(
    workdir: Path,
    out: Path,
    *,
    num: int,
    windows: int,
    seed: int,
    label: str | None,
    step: int | None,
    best: bool,
) -> None:
    """gan-jax levels: drawn ones."""
    check_levels_folder(out, num)
    algorithm, spec, state, game = _opened(workdir, step, best)
    if windows > 1 and game.rooms:
        raise UserError(f"--windows={windows}: {game.name} has rooms, which are whole levels; leave it out")
    count = num if windows == 1 else SPARE * num * windows
    labels, _ = class_rows(algorithm, count, _classes(algorithm, spec, label, workdir))
    chunks = first_of(make_chunks(algorithm, spec)(state, count, jax.random.key(seed), labels), count)
    codec = spec.fields["image"].codec
    drawn = [level for chunk in chunks for level in codec.encode(_finite(compared_kind(chunk)))]
    seams = ""
    if windows > 1:
        if (
            labels is not None and len(set(labels.tolist())) > 1
        ):  # then those of a level are of several classes
            drawn = [drawn[at] for at in np.random.default_rng(seed).permutation(count)]
        drawn, broken = long_levels(drawn, num, windows)
        all_seams = num * (windows - 1)
        seams = f"; {all_seams - broken} of {counted(all_seams, 'seam')} whole"
    _tell(out, drawn, game, _step_of(state), seams)


def search(
    workdir: Path,
    out: Path,
    fitness: str,
    *,
    num: int,
    evaluations: int,
    seed: int,
    label: str | None,
    step: int | None,
    best: bool,
) -> None:
    """gan-jax levels --search cmaes: each level is what a search of its own found."""
    check_levels_folder(out, num)
    algorithm, spec, state, game = _opened(workdir, step, best)
    wanted = parse_fitness(fitness, game)
    classes = _classes(algorithm, spec, label, workdir)
    if algorithm.num_classes is not None and (classes is None or len(classes) > 1):
        raise UserError("the run is conditional: say with --label in which one class is searched")
    generator = LatentGenerator(algorithm, spec, state)
    codec, size = spec.fields["image"].codec, generator.drawn([0], classes).values.shape[-1]

    def made(latents: np.ndarray) -> np.ndarray:
        labels = None if classes is None else np.full(len(latents), classes[0], np.int32)
        return codec.encode(_finite(generator(Latents("z", latents, labels))))

    found = [
        search_latents(
            lambda latents: distance(made(latents), game, wanted),
            size,
            evaluations=evaluations,
            seed=seed + number,
        )
        for number in range(num)
    ]
    latents = np.stack([one.latent for one in found])
    labels = None if classes is None else np.full(num, classes[0], np.int32)
    save_search(out, [one.curve for one in found], Latents("z", latents, labels), fitness)
    _tell(out, list(made(latents)), game, _step_of(state), f"; {_distances(found)} from {fitness}")


def _finite(levels: np.ndarray) -> np.ndarray:
    """The levels; of NaN the codec would make tile 0."""
    if not np.isfinite(levels).all():
        raise UserError("the run's levels are not finite: the training has diverged")
    return levels


def _distances(found: Sequence[Found]) -> str:
    far = [one.distance for one in found]
    return f"{far[0]:.3g}" if len(far) == 1 else f"{min(far):.3g} to {max(far):.3g}"


def _opened(workdir: Path, step: int | None, best: bool) -> tuple[Algorithm, DataSpec, TrainState, Game]:
    algorithm, spec, state = restored_run(workdir, BEST if best else NEWEST, step)
    codec = spec.fields["image"].codec
    game = game_of(codec)
    if game is None or algorithm.conditions:
        makes = codec.noun if game is None else "levels of other levels"
        raise UserError(f"the run in {workdir} makes {makes}, and no levels of {', '.join(GAMES)}")
    return algorithm, spec, state, game


def _classes(algorithm: Algorithm, spec: DataSpec, label: str | None, workdir: Path) -> list[int] | None:
    if label is None:
        return None
    if algorithm.num_classes is None:
        raise UserError(f"--label={label}: the run in {workdir} is unconditional; leave --label out")
    return labels_named(label, spec.class_names, algorithm.num_classes)


def _step_of(state: TrainState) -> int:
    return int(state.step)


def _tell(out: Path, drawn: Sequence[np.ndarray], game: Game, step: int, more: str) -> None:
    rows = save_levels(out, drawn, game)
    playable = sum(row["playable"] == 1 for row in rows)
    pipes = ""
    if rows and "broken_pipes" in rows[0]:
        pipes = f", {sum(row['broken_pipes'] > 0 for row in rows)} with broken pipes"
    what = f"{counted(len(rows), 'level')} of {game.name} from step {step} in {out}"
    sys.stdout.write(f"{what}: {playable} playable{pipes}{more}\n")
