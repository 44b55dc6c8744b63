"""The folder that `gan-jax translate` writes: which file becomes which, and what is there already.

NAME.png         for NAME.jpg, NAME.webp, ..., in the same sub-folders; each says of what it was made, and how
.translate.json  what all were made with; another checkpoint, seed, direction or tile is refused
.lock            held by the process that writes here
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_jax.data.decoding import Unreadable
from gan_jax.data.examination import digest, in_threads
from gan_jax.data.picture_files import PictureFolder, all_pictures
from gan_jax.summaries.pictures import encode_png
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import write_atomically, write_json
from gan_jax.utils.names import counted, listed, printable
from gan_jax.utils.untrusted import parse_json

FILE = ".translate.json"
LOCK = ".lock"
_TEXT = "gan_jax translate"  # of a PNG: its `origin`
_MADE_WITH = ("step", "weights", "direction", "seed", "tile")
_MEMORY_TILE = "tile_by_memory"


@dataclass(frozen=True)
class Translations:
    """Pictures and the files that they become.

    Attributes:
        found: the pictures.
        out: the folder.
        names: of each picture's file in `out`.
    """

    found: PictureFolder
    out: Path
    names: Mapping[Path, Path]

    def target(self, picture: Path) -> Path:
        """The file that a picture becomes."""
        return self.out / self.names[picture]

    def done(self, made_with: Mapping[str, Any]) -> set[Path]:
        """The pictures whose files are there, each made of just this picture and with just this.

        Raises:
            UserError: a file that was not made by this command, of another picture or otherwise.
        """
        there = [picture for picture in self.names if self.target(picture).exists()]
        title = f"looking at {printable(self.out.name)}"
        wrong = [
            self.names[picture]
            for picture, content in in_threads(digest, there, title)
            if origin_of(self.target(picture)) != origin(content, made_with)
        ]
        if wrong:
            raise UserError(
                f"{printable(self.out)} has {counted(len(wrong), 'file')} that would be written over, and "
                f"{'was' if len(wrong) == 1 else 'were'} not made so of these pictures "
                f"({listed([printable(name) for name in wrong])}): move away what is there, or choose "
                "another folder"
            )
        return set(there)


def plan_translations(given: str | Path, out: Path) -> Translations:
    """The pictures of a folder and below it, or the one of a file, and the files that they become in `out`.

    What is in `out` is left out, where it lies in the folder.

    Raises:
        UserError: no pictures, two that would become the same file, or `out` is the folder itself.
    """
    found = all_pictures(given)
    folder = found.folder.resolve()
    if out.suffix and not out.is_dir():
        raise UserError(f"{printable(out)}: give a folder; the pictures in it keep their names")
    if out.resolve() == folder:
        raise UserError(f"{printable(out)} is where the pictures are: choose another folder for what is made")
    inside = out.resolve().is_relative_to(folder)
    paths = [p for p in found.paths if not (inside and p.resolve().is_relative_to(out.resolve()))]
    names: dict[Path, Path] = {}
    by_name: dict[Path, Path] = {}
    for path in paths:
        name = path.relative_to(found.folder).with_suffix(".png")
        if name in by_name:
            raise UserError(
                f"{found.named([by_name[name], path])} would both become {printable(name)}: rename one"
            )
        names[path], by_name[name] = name, path
    if not names:
        raise UserError(f"no pictures in {printable(found.folder)} but those in {printable(out)}")
    return Translations(found, out, names)


def claim_folder(out: Path, made_with: Mapping[str, Any], tile: int | None) -> int | None:
    """Makes the folder that of pictures made so, or checks that it is; returns the recorded tile by memory.

    Args:
        made_with: `_MADE_WITH`, with the run's name beside them.
        tile: the tile that memory asks for; None where that is not known yet.

    Raises:
        UserError: it holds pictures that were made otherwise, or its record is damaged.
    """
    path = out / FILE
    if path.exists():
        try:
            before = parse_json(path.read_bytes())
            changed = [
                f"{name} {before[name]} -> {made_with[name]}"
                for name in _MADE_WITH
                if before[name] != made_with[name]
            ]
            recorded = before[_MEMORY_TILE]
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise UserError(
                f"{printable(path)} is damaged ({error}): remove it and what was made, or choose "
                "another folder"
            ) from None
        if changed:
            raise UserError(
                f"{printable(out)} holds pictures that were made otherwise ({', '.join(changed)}): give what "
                "they were made with, or choose another folder"
            )
        tile = tile if recorded is None else recorded
    write_json(path, {**made_with, _MEMORY_TILE: tile})
    return tile


def write_translation(path: Path, picture: np.ndarray, made_of: str) -> None:
    """Writes a made picture atomically, uint8 [H, W, C], with its `origin`."""
    write_atomically(path, encode_png(picture, {_TEXT: made_of}))


def origin(content: str | Unreadable, made_with: Mapping[str, Any]) -> str:
    """What a picture was made of and with: the sha256 of its file, and 16 hex digits of the settings'."""
    settings = json.dumps([made_with[name] for name in _MADE_WITH]).encode()
    return f"{content} {hashlib.sha256(settings).hexdigest()[:16]}"


def origin_of(path: Path) -> str | None:
    """The `origin` of a picture that is there; None where this command did not make it."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            found = image.info.get(_TEXT)
    except Exception:  # Pillow raises many kinds
        return None
    return found if isinstance(found, str) else None
