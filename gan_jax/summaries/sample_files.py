"""Generated examples as files: a picture of all, a folder with one of each, a film of them, or arrays."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gan_jax.data.classes import folder_names
from gan_jax.data.codecs import Codec
from gan_jax.summaries.animations import ANIMATIONS, check_animation, comfortable_scale, save_animation
from gan_jax.summaries.columns import examples_beside, strips, strips_picture, with_column_names
from gan_jax.summaries.pictures import (
    FORMATS,
    MOST_PIXELS,
    PAD,
    PICTURED,
    check_format,
    grid,
    layout,
    save_picture,
    with_row_names,
)
from gan_jax.summaries.point_pictures import points_picture
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

ARRAYS = ".npz"
SHEET = "pictures.png"  # in a folder of files that are no pictures: the first of them
FILM_FPS = 2  # of a film: time to look at each picture
Form = Literal["grid", "singles", "arrays", "film"]
CHOICES = (
    f"{', '.join(FORMATS)} (one picture of all), {ARRAYS} (the arrays), {', '.join(ANIMATIONS)} (one "
    "after the other), or end in / (a picture of each)"
)


@dataclass(frozen=True)
class SampleFiles:
    """Where examples go, and in which form.

    Attributes:
        path: the file or the folder.
        form: "grid" for one picture of all, "singles" for a folder with a picture of each, "arrays", "film"
            for one after the other.
        columns: pictures in a row of a grid; None for as near to a square as can be.
        scale: how many times larger a grid's or a film's pictures are; None for comfortable to look at.
        class_names: of the labels, for the sub-folders; empty where there are none.
    """

    path: Path
    form: Form
    columns: int | None = None
    scale: int | None = None
    class_names: Sequence[str] = ()

    def check(self, count: int, codec: Codec, image_shape: tuple[int, int, int], kinds: int = 1) -> None:
        """Raises a UserError if so many of these examples cannot be written so, before they are drawn.

        Args:
            kinds: pictures of each example that stand beside each other in a grid.
        """
        if not codec.pictured:
            self._check_unpictured(codec)
        elif self.form == "grid":
            height, width, channels = codec.picture(np.zeros((1, *image_shape), np.float32)).shape[1:]
            check_format(self.path, channels)
            columns = self.columns or (examples_beside(count, kinds) if kinds > 1 else None)
            layout(count, height + PAD, kinds * (width + PAD), columns, self.scale)
        elif self.form == "film":
            height, width = codec.picture(np.zeros((1, *image_shape), np.float32)).shape[1:3]
            pixels = count * height * kinds * width * (self.scale or comfortable_scale(height, width)) ** 2
            if pixels > MOST_PIXELS:
                raise UserError(
                    f"{self.path}: a film of {count} would have {pixels / 1e6:,.0f} million pixels, and "
                    f"{MOST_PIXELS / 1e6:,.0f} are the most: show fewer, or smaller ones"
                )

    def _check_unpictured(self, codec: Codec) -> None:
        if self.form in ("singles", "film"):
            name = f"{self.path}{'/' * (self.form == 'singles')}"
            raise UserError(
                f"{name}: {codec.noun} have no picture each; write a file that ends in .png or {ARRAYS}"
            )
        if self.form == "grid" and (self.columns or self.scale):
            raise UserError(f"{codec.noun} are drawn all in one: leave out columns and scale")

    def write(
        self,
        chunks: Iterator[Mapping[str, np.ndarray]],
        codec: Codec,
        labels: np.ndarray | None = None,
        rows: Sequence[str] = (),
        *,
        beside: bool = False,
    ) -> list[Path]:
        """Writes the examples; returns the files, or the folder.

        Args:
            chunks: examples by the name of their kind, "" where there is one kind, float32 [b, H, W, C],
                decoded. A kind's name becomes part of the file's.
            codec: what the examples are.
            rows: names of a grid's rows.
            beside: a grid shows all kinds of an example beside each other, in named columns, and a film so
                too, without names.
            labels: int32 [N]; a folder then has a sub-folder for each class, and an .npz the arrays `labels`
                and, where the classes have names, `class_names`.

        Raises:
            UserError: points have no picture each; a picture that its format cannot hold; the disk is full
                or the folder cannot be written to.
        """
        if self.form == "singles":
            return self._write_singles(chunks, codec, labels)
        parts: dict[str, list[np.ndarray]] = {}
        for chunk in chunks:
            for kind, examples in chunk.items():
                parts.setdefault(kind, []).append(self._kept(examples, codec))
        if beside and self.form in ("grid", "film") and codec.pictured:
            kinds = {kind: np.concatenate(found) for kind, found in parts.items()}
            if self.form == "film":
                save_animation(self.path, strips(kinds), FILM_FPS, self.scale)
                return [self.path]
            picture, names = strips_picture(kinds, self.columns, self.scale)
            save_picture(self.path, with_column_names(picture, names))
            return [self.path]
        written = []
        for kind, found in parts.items():
            path = self.path.with_name(f"{self.path.stem}_{kind}{self.path.suffix}") if kind else self.path
            together = np.concatenate(found)
            if self.form == "arrays":
                buffer = io.BytesIO()
                arrays: dict[str, Any] = {"images": together}
                if labels is not None:
                    arrays |= {"labels": labels}
                    arrays |= {"class_names": np.array(self.class_names)} if self.class_names else {}
                np.savez(buffer, **arrays)
                files.write_atomically(path, buffer.getvalue())
            elif self.form == "film":
                save_animation(path, together, FILM_FPS, self.scale)
            elif codec.pictured:
                save_picture(path, with_row_names(grid(together, self.columns, scale=self.scale), rows))
            else:
                save_picture(path, points_picture(together, codec.density))
            written.append(path)
        return written

    def _kept(self, examples: np.ndarray, codec: Codec) -> np.ndarray:
        """What is kept of a chunk until all are there."""
        if self.form == "arrays":
            return codec.encode(examples)
        return codec.picture(examples) if codec.pictured else examples

    def _write_singles(
        self, chunks: Iterator[Mapping[str, np.ndarray]], codec: Codec, labels: np.ndarray | None
    ) -> list[Path]:
        if not codec.pictured:
            self._check_unpictured(codec)
        with files.disk_errors(f"write {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
            if next(self.path.iterdir(), None) is not None:
                raise UserError(f"{self.path} is not empty: give a new folder, or empty it")
        done, shown = 0, []
        for chunk in chunks:
            for kind, examples in chunk.items():
                if codec.file_suffix and not kind:
                    shown.append(codec.picture(examples)[: max(PICTURED - done, 0)])
                each = examples if codec.file_suffix else codec.picture(examples)
                for number, one in enumerate(each, start=done):
                    folder = self.path / kind if kind else self.path
                    if labels is not None:
                        folder /= self._class_folder(int(labels[number]))
                    name = folder / f"{number:06d}"
                    if codec.file_suffix:
                        files.write_atomically(f"{name}{codec.file_suffix}", codec.file(one))
                    else:
                        save_picture(f"{name}.png", one)
            done += len(next(iter(chunk.values())))
        if shown:
            pictures = np.concatenate(shown)
            count, height, width = pictures.shape[:3]
            columns = max(
                1, round(math.sqrt(count * height / width))
            )  # spectrograms of short sounds are narrow
            save_picture(self.path / SHEET, grid(pictures, columns))
        return [self.path]

    def _class_folder(self, label: int) -> str:
        """The class's name as a folder's, or its number where it has none."""
        return folder_names(self.class_names)[label] if label < len(self.class_names) else str(label)


def sample_files(
    out: str | Path,
    *,
    columns: int | None = None,
    scale: int | None = None,
    class_names: Sequence[str] = (),
) -> SampleFiles:
    """Where `out` says that examples go: by its ending, or a folder if it ends in "/" or is one.

    Raises:
        UserError: another ending, with the choices; columns or scale for what has none; MP4 without the
            package that it needs.
    """
    path, text = expanded(out), str(out)
    suffix = path.suffix.lower()
    if text.endswith("/") or path.is_dir():
        form: Form = "singles"
    elif suffix == ARRAYS:
        form = "arrays"
    elif suffix in FORMATS:
        form = "grid"
    elif suffix in ANIMATIONS:
        form = "film"
        check_animation(path)
    else:
        what = f"{path.suffix!r} is no ending that is known" if suffix else "it has no ending"
        raise UserError(f"{text}: {what}: the name must end in {CHOICES}")
    for name, value, forms in (("columns", columns, ("grid",)), ("scale", scale, ("grid", "film"))):
        if value is not None and form not in forms:
            raise UserError(f"{name}={value} is for one picture of all, and {text} is none: leave it out")
    return SampleFiles(path, form, columns, scale, class_names)
