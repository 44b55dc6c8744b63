"""Levels of three games from the Video Game Level Corpus: windows and rooms of tiles, split by level.

Summerville, Snodgrass, Mateas, Ontanon 2016, "The VGLC", arXiv:1606.07487 (the annotations are MIT; the
designs belong to the games' makers). Windows of one level overlap in all columns but one, so that whole
levels are held out. Even so some held-out examples equal trained ones: levels and dungeons repeat themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np

from gan_jax.data.absent import not_there
from gan_jax.data.builder import LocalBuilder
from gan_jax.data.download import download
from gan_jax.data.families import split_by_family
from gan_jax.data.games import GAMES, LODE_RUNNER, MARIO, ZELDA, Game
from gan_jax.data.level_text import parse_level, windows_of
from gan_jax.data.resizing import check_choice
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors
from gan_jax.utils.names import natural_order, printable
from gan_jax.utils.paths import expanded

COMMIT = "0e86a8f31f20ecad4eaa5741ff061af88767f7fb"
ADDRESS = f"https://raw.githubusercontent.com/TheVGLC/TheVGLC/{COMMIT}/"
MOST_BYTES = 2**20  # of a level
OVERWORLD, UNDERGROUND, PLATFORMS = "overworld", "underground", "platforms"


class LevelBuilder(LocalBuilder):
    """A data set of the windows or rooms of levels."""

    game: Game

    def fields(self) -> dict[str, Field]:
        codec = self.game.codec
        return {"image": Field((*self.game.shape, len(codec.palette)), codec)}

    def label_of(self, level: str) -> int | None:
        """The class of a level's windows, by the level's name; None where there are no classes."""
        return None

    def is_held_out(self, level: str) -> bool:
        """Whether a level's windows are in the split "test"."""
        raise NotImplementedError

    def cut(self, levels: dict[str, np.ndarray]) -> None:
        """Cuts the levels, by their names, into the records of both splits."""
        self._records: dict[str, list[dict[str, Any]]] = {split: [] for split in self.splits()}
        for name, level in levels.items():
            label = self.label_of(name)
            for window in windows_of(level, self.game, f"{self.name}: {name}"):
                record = {"image": np.ascontiguousarray(window)} | ({} if label is None else {"label": label})
                self._records["test" if self.is_held_out(name) else "train"].append(record)
        for split, records in self._records.items():
            if not records:
                raise UserError(
                    f"{self.name}: no room in the levels of the split {split} has anything in it."
                )

    def num_examples(self, split: str) -> int:
        return len(self._records[split])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        return iter([dict(record) for record in self._records[split]])


class VglcBuilder(LevelBuilder):
    """The levels of one game of the corpus, downloaded, or from a folder with its files in it or below."""

    FETCHED = True
    FOLDER: ClassVar[str]  # in the corpus
    LEVELS: ClassVar[tuple[str, ...]]  # files without ".txt"
    HELD_OUT: ClassVar[frozenset[str]]
    DIGEST: ClassVar[str]  # sha256 of all files, one behind the other

    def content_digest(self) -> str:
        return self.DIGEST

    def is_held_out(self, level: str) -> bool:
        return level in self.HELD_OUT

    def wanted_files(self) -> str:
        levels = natural_order(self.LEVELS)
        return f"{levels[0]}.txt to {levels[-1]}.txt of {self.FOLDER}"

    def collect(self, source: Path | None) -> None:
        contents = {name: self._content(name, source) for name in self.LEVELS}
        found = hashlib.sha256(b"".join(contents.values())).hexdigest()
        levels = {
            name: parse_level(
                content.decode(errors="replace"), self.game.alphabet, f"{self.name}: {name}.txt"
            )
            for name, content in contents.items()
        }
        if found != self.DIGEST:
            raise UserError(
                f"{self.name}: the {len(contents)} levels are not those of the corpus: the sha256 of all is "
                f"{found}, {self.DIGEST} was expected. Get them again; for levels of your own there is the "
                "data set level_folder."
            )
        self.cut(levels)

    def _content(self, name: str, folder: Path | None) -> bytes:
        if folder is None:
            url = ADDRESS + quote(f"{self.FOLDER}/Processed/{name}.txt")
            advice = (
                f"With the files at hand ({self.wanted_files()}): gan-jax data prepare {self.name} "
                "--from FOLDER."
            )
            return download([url], lambda content, _: content, advice, MOST_BYTES)
        # A copy of the whole corpus has further files of this name, with other characters.
        paths = folder.rglob(f"{name}.txt")
        path = min(paths, key=self._is_elsewhere, default=None)
        if path is None:
            raise UserError(
                f"{name}.txt does not lie in {folder} or below. The data set {self.name} needs "
                f"{self.wanted_files()} there."
            )
        return _read(path)

    def _is_elsewhere(self, path: Path) -> tuple[bool, bool]:
        return self.FOLDER not in path.parts, path.parent.name != "Processed"


class VglcMario(VglcBuilder):
    """Super Mario Bros: 2,518 windows of 14 x 28 in 15 levels, labelled with the kind of level."""

    game = MARIO
    FOLDER = "Super Mario Bros"
    DIGEST = "e51f35bb2af8b637bc6aaa6994a2fcfa4548146d4fd7ce445fe52445e7e6d664"
    KINDS: ClassVar = {
        "mario-1-1": OVERWORLD, "mario-1-2": UNDERGROUND, "mario-1-3": PLATFORMS, "mario-2-1": OVERWORLD,
        "mario-3-1": OVERWORLD, "mario-3-3": PLATFORMS, "mario-4-1": OVERWORLD, "mario-4-2": UNDERGROUND,
        "mario-5-1": OVERWORLD, "mario-5-3": PLATFORMS, "mario-6-1": OVERWORLD, "mario-6-2": OVERWORLD,
        "mario-6-3": PLATFORMS, "mario-7-1": OVERWORLD, "mario-8-1": OVERWORLD,
    }  # fmt: skip
    LEVELS = tuple(KINDS)
    HELD_OUT = frozenset({"mario-3-1", "mario-4-2", "mario-6-3"})  # one of each kind

    def class_names(self) -> tuple[str, ...]:
        return OVERWORLD, UNDERGROUND, PLATFORMS

    def label_of(self, level: str) -> int:
        return self.class_names().index(self.KINDS[level])


class VglcZelda(VglcBuilder):
    """The Legend of Zelda: 459 rooms of 16 x 11 in 18 dungeons, of which 267 differ."""

    game = ZELDA
    FOLDER = "The Legend of Zelda"
    DIGEST = "d2965372da2a56bf6c399f971d9626dafe21047e16c748a3e930f656c24163a6"
    LEVELS = tuple(f"tloz{dungeon}_{quest}" for dungeon in range(1, 10) for quest in (1, 2))
    HELD_OUT = frozenset({"tloz2_2", "tloz7_1"})


class VglcLodeRunner(VglcBuilder):
    """Lode Runner: 150 levels of 22 x 32."""

    game = LODE_RUNNER
    FOLDER = "Lode Runner"
    DIGEST = "cdf283dc47ce5732ef9fdd40f3c6b37a46c92e1c23ef177ab581789b4a2539ac"
    LEVELS = tuple(sorted(f"Level {number}" for number in range(1, 151)))
    HELD_OUT = frozenset(f"Level {number}" for number in range(10, 151, 10))


@dataclass(frozen=True)
class LevelFolderOptions:
    """Levels of one's own.

    Attributes:
        folder: with a text file for each level, in it or below; see `level_text.parse_level`.
        game: "mario", "zelda" or "lode_runner": the characters, and the size of the windows or rooms.
    """

    folder: str = ""
    game: str = "mario"

    def __post_init__(self) -> None:
        if not self.folder:
            raise UserError("level_folder: no folder is given: set data.folder to one with levels (.txt).")
        check_choice("level_folder", "game", self.game, tuple(GAMES))


class LevelFolder(LevelBuilder):
    """The builder of a folder; a tenth of the levels is held out, by a hash of their names."""

    OPTIONS = LevelFolderOptions
    options: LevelFolderOptions

    def __init__(self, options: LevelFolderOptions, *, data_dir: Path) -> None:
        self.game = GAMES[options.game]
        folder = expanded(options.folder).absolute()
        called = f"level_folder: {printable(folder)}"
        if not folder.is_dir():
            raise UserError(f"{called} is {'no folder' if folder.exists() else not_there(folder)}.")
        paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.txt")}
        if not paths:
            raise UserError(f"{called} has no levels: no .txt file lies in it or below.")
        self._contents = {name: _read(paths[name]) for name in natural_order(paths)}
        names = list(self._contents)
        self._split = {
            split: {names[at] for at in found}
            for split, found in split_by_family("level_folder", names, "", noun="level").items()
        }
        text = b"".join(name.encode() + b"\0" + content for name, content in self._contents.items())
        self._digest = hashlib.sha256(text).hexdigest()
        super().__init__(options, data_dir=data_dir)

    def config_name(self) -> str:
        return f"{self.options.game}_{self._digest[:16]}"

    def content_digest(self) -> str:
        return self._digest

    def splits(self) -> tuple[str, ...]:
        return tuple(self._split)

    def is_held_out(self, level: str) -> bool:
        return level in self._split.get("test", ())

    def collect(self, source: Path | None) -> None:
        self.cut(
            {
                name: parse_level(content.decode(errors="replace"), self.game.alphabet, f"{name}.txt")
                for name, content in self._contents.items()
            }
        )


def _read(path: Path) -> bytes:
    with disk_errors(f"read {printable(path)}"):
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{printable(path)} is no level: it is longer than {MOST_BYTES} bytes.")
        return path.read_bytes()
