"""Folders of WAV files: every kind of sample, channels, rates, cuts and classes; and what is no sound."""

import wave
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from gan_jax import data
from gan_jax.data.codecs import Spectrogram, Wave
from gan_jax.data.expected import expected_spec
from gan_jax.data.waves import cut, read_wav
from gan_jax.utils.errors import UserError

RATE = 8_000
SINE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2_000) / RATE)


def save(path, samples=SINE, rate=RATE, kind=np.int16):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == np.uint8:
        samples = np.rint(samples * 128 + 128).astype(np.uint8)
    elif kind != np.float32:
        samples = np.rint(samples * (np.iinfo(kind).max + 1)).astype(kind)
    wavfile.write(path, rate, samples.astype(kind))
    return path


def save_24_bits(path):
    whole = np.rint(SINE * 2**23).astype("<i4").tobytes()
    packed = b"".join(whole[at : at + 3] for at in range(0, len(whole), 4))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 3, RATE, 0, "NONE", "not compressed"))
        file.writeframes(packed)
    return path


@pytest.mark.parametrize(
    ("kind", "near"), [(np.uint8, 4e-3), (np.int16, 2e-5), (np.int32, 1e-9), (np.float32, 1e-7)]
)
def test_kinds_of_samples(kind, near, tmp_path):
    np.testing.assert_allclose(read_wav(save(tmp_path / "a.wav", kind=kind), RATE), SINE, atol=near)


def test_24_bits_and_stereo(tmp_path):
    np.testing.assert_allclose(read_wav(save_24_bits(tmp_path / "a.wav"), RATE), SINE, atol=1e-6)
    two = np.stack([SINE, 0.5 * SINE], axis=1)
    np.testing.assert_allclose(read_wav(save(tmp_path / "b.wav", two), RATE), 0.75 * SINE, atol=3e-5)


def test_other_rates(tmp_path):
    path = save(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * np.arange(11_025) / 44_100), 44_100)
    found = read_wav(path, RATE)
    assert len(found) == 2_000
    np.testing.assert_allclose(found[200:-200], SINE[200:-200], atol=2e-3)


def test_cuts():
    np.testing.assert_array_equal(cut(SINE, 600).reshape(-1), np.rint(SINE[:1800] * 2**15))
    short = cut(SINE[:10], 16)
    assert short.shape == (1, 16, 1, 1)
    assert not short[0, 10:].any()
    assert cut(np.full(4, 7.0), 4).max() == 2**15 - 1  # clipped


def test_a_folder_with_classes(tmp_path):
    for name in ("dog", "cat"):
        for number in range(12):
            save(tmp_path / "in" / name / f"{number}.wav", SINE * (1 if name == "dog" else 0.1))
    save(tmp_path / "in" / "dog" / "again" / "0.WAV")
    options: Any = {"folder": str(tmp_path / "in"), "length": 512, "rate": RATE}
    train = data.load("waves", data_dir=tmp_path, **options)
    test = data.load("waves", data_dir=tmp_path, split="test", **options)
    assert train.class_names == ("cat", "dog")
    assert len(train) + len(test) == 25 * 3
    arrays = train.arrays()
    np.testing.assert_array_equal(np.abs(arrays["image"]).max(axis=(1, 2, 3)) > 5_000, arrays["label"] == 1)
    spectrograms = data.load("waves", data_dir=tmp_path, form="spectrogram", **options)
    assert isinstance(spectrograms.fields["image"].codec, Spectrogram)
    assert spectrograms.fields["image"].codec.mean
    save(tmp_path / "in" / "bird.wav")
    with pytest.raises(UserError, match="1 file lie beside sub-folders"):
        data.load("waves", data_dir=tmp_path, **options)


def test_what_a_folder_that_is_elsewhere_would_hold():
    fields = expected_spec("waves", folder="nowhere", length=4_096, rate=9).fields
    assert (fields["image"].shape, fields["image"].codec) == ((4_096, 1, 1), Wave(9))
    fields = expected_spec("waves", folder="nowhere", form="spectrogram").fields
    assert (fields["image"].shape, fields["image"].codec) == ((128, 128, 1), Spectrogram(16_000))


def test_what_is_no_folder_of_sounds(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, said in (
        ("", "no folder is given"),
        (tmp_path / "none", "not there"),
        (tmp_path / "empty", "no .wav file lies in it or below"),
    ):
        with pytest.raises(UserError, match=said):
            data.load("waves", data_dir=tmp_path, folder=str(folder))


def test_files_that_cannot_be_read_are_named(tmp_path):
    bad = tmp_path / "bad"
    save(bad / "good.wav")
    save(bad / "nan.wav", np.array([0.0, np.nan]), kind=np.float32)
    (bad / "text.wav").write_text("no sound")
    (bad / "nothing.wav").write_bytes(b"")
    with pytest.raises(UserError, match=r"3 files of 4 cannot be read: .*nan.wav \(.*not finite\)") as error:
        data.load("waves", data_dir=tmp_path, folder=str(bad), length=512)
    assert "text.wav" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="rate=0"):
        data.load("waves", data_dir=tmp_path, folder=str(bad), rate=0)
