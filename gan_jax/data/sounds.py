"""Data sets of sounds: what the synthetic tones and folders of WAV files have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gan_jax.data.builder import LocalBuilder
from gan_jax.data.resizing import check_choice
from gan_jax.data.sound_codecs import Spectrogram, Wave
from gan_jax.data.spec import Field
from gan_jax.data.spectral import HOP, WINDOW
from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError

FORMS = (Wave.name, Spectrogram.name)
MEASURED = 512  # sounds whose spectra a spectrogram's statistics are of
SHORTEST = 16  # samples


@dataclass(frozen=True)
class SoundOptions:
    """What sounds of a set have in common.

    Attributes:
        length: samples of each.
        rate: samples per second.
        form: "wave", or "spectrogram": what the networks see. The records are the same.
    """

    NAME: ClassVar[str]  # of the data set

    length: int = 16_384
    rate: int = 16_000
    form: str = Wave.name

    def __post_init__(self) -> None:
        for option in ("length", "rate"):
            try:
                check_count(getattr(self, option), option)
            except ValueError as error:
                raise UserError(f"{self.NAME}: {error}.") from error
        if self.length < SHORTEST:
            raise UserError(f"{self.NAME}: length={self.length} samples; it must be at least {SHORTEST}.")
        check_choice(self.NAME, "form", self.form, FORMS)
        if self.form == Spectrogram.name and (self.length % HOP or self.length < WINDOW):
            raise UserError(
                f"{self.NAME}: length={self.length}: spectrograms take steps of {HOP} samples: choose a "
                f"multiple of {HOP}, {WINDOW} at least, such as 4096 or 16384."
            )


class SoundBuilder(LocalBuilder):
    """A builder of sounds of one length, int16 [L, 1, 1]."""

    options: SoundOptions

    def fields(self) -> dict[str, Field]:
        if self.options.form == Wave.name:
            return {"image": Field((self.options.length, 1, 1), Wave(self.options.rate))}
        return {"image": spectrogram_field(self.options, self.measured())}

    def measured(self) -> np.ndarray:
        """Sounds of the training split whose spectra are taken for those of all, int16 [N, L, 1, 1]."""
        raise NotImplementedError


def spectrogram_field(options: SoundOptions, measured: np.ndarray | None) -> Field:
    """The field of spectrograms, with the statistics of these sounds; None where they are not there."""
    codec = Spectrogram(options.rate) if measured is None else Spectrogram.of(measured, options.rate)
    return Field((codec.bins, options.length // codec.hop, 1), codec)
