"""What `gan-jax translate` does, once its flags are read."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from absl import logging
from tqdm import tqdm

from gan_jax.cli.translated_folder import (
    LOCK,
    Translations,
    claim_folder,
    origin,
    plan_translations,
    write_translation,
)
from gan_jax.data.decoding import Reading, Unreadable, decoded, read_header
from gan_jax.data.examination import Examination, digest, in_threads
from gan_jax.data.given_pictures import reading_of, warn_of_range
from gan_jax.feature_networks.network import digest_of
from gan_jax.inference.translate import UNTILED, PictureTranslator, what_it_translates
from gan_jax.training.restore import BEST, NEWEST, restored_run
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import locked
from gan_jax.utils.names import counted, printable
from gan_jax.utils.paths import expanded

_AHEAD = 2  # pictures that wait, read or to be written, beside the one that is worked on

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """The flags of `gan-jax translate`.

    Attributes:
        workdir: of the run.
        given: a picture, or a folder with pictures in it or below it.
        out: the folder to be written.
        direction: "a_to_b" or "b_to_a"; None for the method's first.
        seed: of what the network draws, the same for every picture.
        tile: the longest side that is translated at once; None for what the memory is enough for.
        step: the checkpoint of this step; None for the newest.
        best: the checkpoint with the best score.
    """

    workdir: Path
    given: str
    out: Path
    direction: str | None
    seed: int
    tile: int | None
    step: int | None
    best: bool


def translate(asked: Request) -> None:
    """gan-jax translate.

    Raises:
        UserError: at the end too, where pictures could not be read; the others are translated.
    """
    out = expanded(asked.out)
    work = plan_translations(expanded(asked.given), out)
    algorithm, spec, state = restored_run(asked.workdir, BEST if asked.best else NEWEST, asked.step)
    if not algorithm.directions:
        raise UserError(
            f"the run in {asked.workdir} cannot translate: {what_it_translates(algorithm)}. gan-jax sample "
            "draws from it"
        )
    direction = asked.direction or algorithm.directions[0]
    translator = PictureTranslator(
        algorithm, spec, state, direction=direction, seed=asked.seed, tile=asked.tile
    )
    made_with = {
        "run": asked.workdir.name,
        "step": int(state.step),
        "weights": digest_of(state.ema, "generator"),
        "direction": direction,
        "seed": asked.seed,
        "tile": translator.tile,
    }
    with locked(out, LOCK, doing="translates into"):
        by_memory = claim_folder(out, made_with, None)
        look = _looked_at(work, reading_of(translator.field, translator.channels))
        done = work.done(made_with)
        waiting = [path for path in look.headers if path not in done]
        if asked.tile is None and any(_is_large(look, path, translator) for path in waiting):
            by_memory = claim_folder(out, made_with, by_memory or translator.largest_tile())
        translator.tile = translator.tile or by_memory
        _say_what_is_special(look, waiting, translator)
        _translate_all(work, look, waiting, translator, made_with)
    made = [path for path in waiting if path not in look.bad]
    sys.stdout.write(
        f"{counted(len(made), 'picture')} translated {direction} by step {int(state.step)} in "
        f"{printable(out)}{f'; {len(done)} were there already' if done else ''}\n"
    )
    if look.bad:
        raise UserError(
            f"{len(look.bad)} of {counted(len(work.names), 'picture')} could not be translated: "
            f"{look.reasons()}"
        )


def _looked_at(work: Translations, reading: Reading) -> Examination:
    """The headers of all pictures, and which files are none."""
    look = Examination(work.found, reading, "")
    title = f"checking {printable(work.found.folder.name)}"
    for path, header in in_threads(read_header, list(work.names), title):
        if isinstance(header, Unreadable):
            look.bad[path] = str(header)
        else:
            look.headers[path] = header
    return look


def _is_large(look: Examination, path: Path, translator: PictureTranslator) -> bool:
    """Whether it depends on the memory if a picture is cut into tiles."""
    header = look.headers[path]
    return max(translator.padded_sides(header.height, header.width)) > UNTILED


def _say_what_is_special(look: Examination, waiting: Sequence[Path], translator: PictureTranslator) -> None:
    look.warn()
    if translator.reads_alpha:
        opaque = [path for path in waiting if not look.headers[path].is_transparent]
        if opaque:
            logging.warning(
                "%s without transparency (%s): nothing is to be filled in",
                *(counted(len(opaque), "picture"), look.found.named(opaque)),
            )
    warn_of_range(look, waiting)
    sizes = {path: (look.headers[path].height, look.headers[path].width) for path in waiting}
    tiled = [path for path in waiting if translator.is_tiled(*sizes[path])]
    if tiled:
        logging.warning(
            "%s larger than %d pixels (%s): translated in tiles that overlap. A network whose norms look at "
            "all of a picture may show differences between them",
            *(counted(len(tiled), "picture"), translator.tile, look.found.named(tiled)),
        )


def _translate_all(
    work: Translations,
    look: Examination,
    waiting: Sequence[Path],
    translator: PictureTranslator,
    made_with: Mapping[str, Any],
) -> None:
    """Translates and writes the pictures; those that are damaged become bad ones.

    While one is translated the next ones are read and the last ones written.
    """
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=len(waiting), desc="translating", unit=" pictures", disable=None) as bar,
    ):
        writing: deque[Future[None]] = deque()
        read = partial(_read, reading=look.reading)
        for path, (picture, content) in _ahead(pool, read, waiting):
            if isinstance(picture, Unreadable):
                look.bad[path] = str(picture)
            else:
                made = translator(picture)
                made_of = origin(content, made_with)
                writing.append(pool.submit(write_translation, work.target(path), made, made_of))
            while len(writing) > _AHEAD:
                writing.popleft().result()
            bar.update()
        for last in writing:
            last.result()


def _read(path: Path, reading: Reading) -> tuple[np.ndarray | Unreadable, str]:
    """A picture uint8 [H, W, C], or why it cannot be read, and the sha256 of its file."""
    content = digest(path)
    try:
        with decoded(path, reading) as image:
            return np.asarray(image).reshape(image.height, image.width, reading.channels), content
    except Unreadable as error:
        return error, content


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[Path], T], paths: Sequence[Path]
) -> Iterator[tuple[Path, T]]:
    """Each path with what the function gives for it, which the pool works out a few paths ahead."""
    started: deque[tuple[Path, Future[T]]] = deque()
    for path in paths:
        started.append((path, pool.submit(function, path)))
        if len(started) > _AHEAD:
            first, result = started.popleft()
            yield first, result.result()
    for first, result in started:
        yield first, result.result()
