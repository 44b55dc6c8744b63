"""Folders of WAV files as data sets: mixed to one channel, resampled, cut into sounds of one length."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.absent import not_there
from gan_jax.data.families import mixed, split_by_family
from gan_jax.data.sound_codecs import as_stored
from gan_jax.data.sounds import MEASURED, SoundBuilder, SoundOptions
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, listed, natural_order, printable
from gan_jax.utils.paths import expanded

MOST_RATE = 2**20  # samples per second: more is no sound, and resampling it would take all memory


@dataclass(frozen=True)
class WavesOptions(SoundOptions):
    """As `SoundOptions`, and

    folder: with WAV files in it, or in a sub-folder for each class.
    """

    NAME = "waves"

    folder: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.folder:
            raise UserError("waves: no folder is given: set data.folder to one with WAV files.")


class Waves(SoundBuilder):
    """The builder; a tenth of the files is held out, by a hash of their names."""

    OPTIONS = WavesOptions
    options: WavesOptions

    def __init__(self, options: WavesOptions, *, data_dir: Path) -> None:
        folder = expanded(options.folder).absolute()
        called = f"waves: {printable(folder)}"
        if not folder.is_dir():
            raise UserError(f"{called} is {'no folder' if folder.exists() else not_there(folder)}.")
        found = {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.suffix.lower() == ".wav" and not path.name.startswith(".") and path.is_file()
        }
        if not found:
            raise UserError(f"{called} has no sounds: no .wav file lies in it or below.")
        self._paths = {name: found[name] for name in natural_order(found)}
        inside = {name for name in found if "/" in name}
        if inside and len(inside) < len(found):
            raise UserError(
                f"{called}: {counted(len(found) - len(inside), 'file')} lie beside sub-folders, whose names "
                "are the classes: move them into one, or give a folder without sub-folders."
            )
        self._classes = tuple(natural_order({name.partition("/")[0] for name in inside}))
        names = list(self._paths)
        self._split = {
            split: [names[at] for at in places]
            for split, places in split_by_family("waves", names, "", noun="sound").items()
        }
        self._digest = _digest(self._paths)
        super().__init__(options, data_dir=data_dir)

    def config_name(self) -> str:
        return f"{self.options.length}_{self.options.rate}_{self._digest[:16]}"

    def content_digest(self) -> str:
        return self._digest

    def class_names(self) -> tuple[str, ...] | None:
        return self._classes or None

    def splits(self) -> tuple[str, ...]:
        return tuple(self._split)

    def collect(self, source: Path | None) -> None:
        """Reads all files."""
        sounds: dict[str, np.ndarray] = {}
        bad = []
        for name, path in self._paths.items():
            try:
                sounds[name] = cut(read_wav(path, self.options.rate), self.options.length)
            except ValueError as error:
                bad.append(f"{printable(name)} ({error})")
        if bad:
            raise UserError(
                f"waves: {counted(len(bad), 'file')} of {len(self._paths)} cannot be read: {listed(bad)}. "
                "Mend or remove them."
            )
        self._sounds = sounds

    def num_examples(self, split: str) -> int:
        return sum(len(self._sounds[name]) for name in self._split[split])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        for name in self._split[split]:
            label = {"label": self._classes.index(name.partition("/")[0])} if self._classes else {}
            for sound in self._sounds[name]:
                yield {"image": sound, **label}

    def measured(self) -> np.ndarray:
        return self._measured

    @cached_property
    def _measured(self) -> np.ndarray:
        chosen: list[np.ndarray] = []
        for name in mixed(self._split["train"], str):
            try:
                chosen.extend(cut(read_wav(self._paths[name], self.options.rate), self.options.length))
            except ValueError:
                continue  # `collect` says it
            if len(chosen) >= MEASURED:
                break
        if not chosen:
            raise UserError(f"waves: no file in {printable(self.options.folder)} can be read as a sound.")
        return np.stack(chosen[:MEASURED])


def read_wav(path: Path, rate: int) -> np.ndarray:
    """The sound in a WAV file, float64 [n] in [-1, 1], its channels' mean at this rate.

    Integers of 8, 16, 24 and 32 bits become x / 2^(bits - 1), floats stay what they are.

    Raises:
        ValueError: no WAV file, one of another kind, an empty one, or values that are not finite; in words.
    """
    from scipy.io import wavfile  # takes a third of a second
    from scipy.signal import resample_poly

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks with words of the maker
            own_rate, samples = wavfile.read(path)
    except Exception as error:  # the reader raises many kinds for what it cannot read
        raise ValueError(f"no WAV file that can be read: {error or type(error).__name__}".strip()) from error
    if samples.size == 0:
        raise ValueError("it is empty")
    if not 0 < own_rate <= MOST_RATE:
        raise ValueError(f"it has {own_rate} samples per second")
    if samples.dtype == np.uint8:
        wave = (samples - 128.0) / 128
    elif samples.dtype.kind == "i":
        wave = samples / 2.0 ** (8 * samples.dtype.itemsize - 1)  # 24 bits come as the upper ones of 32
    else:
        wave = samples.astype(np.float64)
    if not np.isfinite(wave).all():
        raise ValueError("it has values that are not finite")
    wave = wave.reshape(len(wave), -1).mean(axis=1)
    if own_rate == rate:
        return wave
    divisor = math.gcd(own_rate, rate)
    return np.asarray(resample_poly(wave, rate // divisor, own_rate // divisor))


def cut(wave: np.ndarray, length: int) -> np.ndarray:
    """A sound [n] as int16 [m, length, 1, 1]: one after the other, what is left at the end dropped.

    Of a shorter sound one, with silence behind it.
    """
    count = max(len(wave) // length, 1)
    padded = np.pad(wave[: count * length], (0, max(length - len(wave), 0)))
    return as_stored(padded).reshape(count, length, 1, 1)


def _digest(paths: dict[str, Path]) -> str:
    """sha256 over the name and the content of every file."""
    whole = hashlib.sha256()
    for name, path in paths.items():
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"waves: cannot read {printable(path)}: {error.strerror}.") from error
        whole.update(f"{name}\0{content}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()
