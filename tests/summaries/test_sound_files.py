"""Sounds in a folder: a WAV of each, by class, and a sheet of their spectrograms."""

import wave

import jax.numpy as jnp
import numpy as np
from PIL import Image

from gan_jax.data.codecs import Wave
from gan_jax.data.tones import draw, sample_factors
from gan_jax.summaries.sample_files import SHEET, sample_files


def test_a_folder_of_sounds(tmp_path):
    stored = draw(sample_factors(5, 0), 1_024, 8_000)
    codec = Wave(8_000)
    sounds = np.asarray(codec.decode(jnp.asarray(stored)))
    to = sample_files(f"{tmp_path / 'tones'}/", class_names=("saw", "sine"))
    to.check(5, codec, (1_024, 1, 1))
    labels = np.array([0, 1, 1, 0, 1], np.int32)
    assert to.write(iter([{"": sounds[:3]}, {"": sounds[3:]}]), codec, labels) == [tmp_path / "tones"]
    names = sorted(
        path.relative_to(tmp_path / "tones").as_posix() for path in (tmp_path / "tones").rglob("*.*")
    )
    assert names == [
        SHEET,
        *(f"saw/00000{i}.wav" for i in (0, 3)),
        *(f"sine/00000{i}.wav" for i in (1, 2, 4)),
    ]
    with wave.open(str(tmp_path / "tones" / "sine" / "000004.wav")) as file:
        assert file.getframerate() == 8_000
        np.testing.assert_array_equal(np.frombuffer(file.readframes(2_000), "<i2"), stored[4].reshape(-1))
    with Image.open(tmp_path / "tones" / SHEET) as sheet:  # of 128 x 8: all in a row
        assert (sheet.width % 48, sheet.height % 128) == (0, 0)


def test_a_grid_of_sounds_is_one_of_spectrograms(tmp_path):
    codec = Wave(8_000)
    sounds = np.asarray(codec.decode(jnp.asarray(draw(sample_factors(4, 0), 1_024, 8_000))))
    sample_files(tmp_path / "all.png", columns=4, scale=1).write(iter([{"": sounds}]), codec)
    with Image.open(tmp_path / "all.png") as sheet:
        assert sheet.size == (4 * 10 - 2, 128)
