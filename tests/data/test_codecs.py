"""What is stored comes back from what the networks see, and the pictures show it."""

import dataclasses
import io
import json
import wave as wave_files

import jax
import numpy as np
import pytest

from gan_jax.data import spectral
from gan_jax.data.codecs import Lab, Pixels, Points, Spectrogram, Tiles, Wave, codec_from
from gan_jax.data.spec import Field
from gan_jax.densities import DENSITIES, ring

COLOURS = np.random.default_rng(0).integers(0, 256, (256, 3))
SPRITES = np.random.default_rng(1).integers(0, 256, (5, 2, 3, 4))
BYTES = np.arange(256, dtype=np.uint8)
SHORTS = np.arange(-(2**15), 2**15).astype(np.int16)


def some(shape, below=256):
    return np.random.default_rng(2).integers(0, below, shape, dtype=np.uint8)


def decoded(codec, stored):
    return np.asarray(jax.jit(codec.decode)(stored))


# codec, stored examples [N, ...], the shape that the networks see, that of a picture, if there is one
TABLE = [
    (Pixels(), BYTES.reshape(1, 16, 16, 1), (16, 16, 1), (16, 16, 1)),
    (Pixels(), some((4, 5, 6, 2)), (5, 6, 2), (5, 12, 1)),
    (Pixels(), some((4, 5, 6, 3)), (5, 6, 3), (5, 6, 3)),
    (Pixels(), some((4, 5, 6, 4)), (5, 6, 4), (5, 6, 4)),
    (Pixels(), some((4, 5, 6, 7)), (5, 6, 7), (5, 42, 1)),
    (Points(ring()), np.array([[[[0.1, -9.7]]], [[[1e-30, 3e8]]]], np.float32), (1, 1, 2), None),
    (Tiles(COLOURS), BYTES.reshape(4, 8, 8), (8, 8, 256), (8, 8, 3)),
    (Tiles(SPRITES), some((4, 3, 7), 5), (3, 7, 5), (6, 21, 4)),
    (Wave(16_000), SHORTS.reshape(4, -1, 1, 1), (2**14, 1, 1), (128, 128, 3)),
    (Wave(8_000), SHORTS[-40:].reshape(2, 20, 1, 1), (20, 1, 1), (8, 3, 3)),
    (Lab(), some((50, 20, 30, 3)), (20, 30, 3), (20, 30, 3)),
    (Lab(), np.stack(3 * [BYTES], axis=-1).reshape(1, 16, 16, 3), (16, 16, 3), (16, 16, 3)),
]


@pytest.mark.parametrize(
    ("codec", "stored", "shape", "picture"), TABLE, ids=lambda x: getattr(x, "name", None)
)
def test_what_is_stored_comes_back_exactly(codec, stored, shape, picture):
    seen = decoded(codec, stored)
    assert (seen.dtype, seen.shape, stored.dtype) == (np.float32, (len(stored), *shape), codec.dtype)
    assert codec.stored_shape(shape) == stored.shape[1:] == Field(shape, codec).stored_shape
    assert Field(shape, codec).stored_bytes == stored[0].nbytes
    back = codec.encode(seen)
    assert back.dtype == codec.dtype
    np.testing.assert_array_equal(back, stored)
    assert not codec.bounded or np.abs(seen).max() <= 1
    np.testing.assert_array_equal(decoded(codec, stored[None])[0], seen)  # as a step has them
    assert codec_from(codec.describe()).name == codec.name
    if picture is None:
        with pytest.raises(ValueError, match="no picture"):
            codec.picture(seen)
    else:
        shown = codec.picture(seen)
        assert (shown.dtype, shown.shape) == (np.uint8, (len(stored), *picture))
    assert codec.pictured == (picture is not None)


def test_pixels_are_rounded_and_clipped_at_and_around_every_half():
    halves = (np.arange(-3, 515) / 2).astype(np.float32) / np.float32(127.5) - 1
    values = np.concatenate([np.nextafter(halves, -9), halves, np.nextafter(halves, 9)]).astype(np.float32)
    expected = [min(max(round(float((v + np.float32(1)) * np.float32(127.5))), 0), 255) for v in values]
    np.testing.assert_array_equal(Pixels().encode(values), expected)
    np.testing.assert_array_equal(Pixels().encode(np.array([-7.0, 7.0, 0.0])), [0, 255, 128])


def test_a_picture_of_pixels_is_the_pixels_or_all_channels_side_by_side():
    for channels in (1, 3, 4):
        stored = some((3, 4, 5, channels))
        np.testing.assert_array_equal(Pixels().picture(decoded(Pixels(), stored)), stored)
    stored = some((3, 4, 5, 2))
    shown = Pixels().picture(decoded(Pixels(), stored))
    np.testing.assert_array_equal(shown[..., 0], np.concatenate([stored[..., 0], stored[..., 1]], axis=2))


def test_tiles_are_one_hot_and_the_largest_value_is_the_tile():
    stored = some((2, 3, 4), 5)
    seen = decoded(Tiles(SPRITES), stored)
    np.testing.assert_array_equal(seen, np.eye(5)[stored])
    np.testing.assert_array_equal(Tiles(SPRITES).encode(0.3 * seen - 7), stored)
    shown = Tiles(SPRITES).picture(seen)
    np.testing.assert_array_equal(shown[1, 2:4, 9:12], SPRITES[stored[1, 1, 3]])
    np.testing.assert_array_equal(Tiles(COLOURS[:5]).picture(seen), COLOURS[stored])


def test_a_wave_is_drawn_as_its_spectrum():
    wave = np.sin(2 * np.pi * 0.25 * np.arange(4096))[None, :, None, None]  # half of the highest frequency
    shown = Wave(8_000).picture(wave)[0]
    brightness = shown.sum(axis=-1)[:, 1:-1]  # without the ends
    assert set(brightness.argmax(axis=0)) == {63}  # row 127 is the lowest of 128 bins, this is number 64
    assert brightness[63].min() > 600
    assert brightness[:50].max() < 10  # black
    silence = Wave(8_000).picture(np.zeros((1, 4096, 1, 1)))
    assert len(np.unique(silence.reshape(-1, 3), axis=0)) == 1


def sines(count, length=2048):
    pitch = np.linspace(0.02, 0.2, count)[:, None]
    return np.rint(20_000 * np.sin(2 * np.pi * pitch * np.arange(length))).astype(np.int16)[:, :, None, None]


def test_spectrograms():
    sounds = sines(6)
    codec = Spectrogram.of(sounds, 8_000)
    seen = decoded(codec, sounds)
    assert seen.shape == (6, 128, 16, 1)
    assert codec.stored_shape(seen.shape[1:]) == sounds.shape[1:]
    assert np.abs(seen).max() <= 1
    found = codec.magnitude(seen)  # where nothing is clipped the magnitudes come back
    truth = np.abs(spectral.spectrum(sounds[..., 0, 0] / 2**15, 256, 128))[..., :-1] + 1e-6
    inside = np.abs(np.flip(seen[..., 0], 1).swapaxes(1, 2)) < 1
    assert inside.mean() > 0.9
    np.testing.assert_allclose(found[inside], truth[inside], rtol=1e-3, atol=1e-5)
    plain = np.abs(decoded(Spectrogram(8_000), sounds))
    assert plain.max() <= 1
    assert codec_from(json.loads(json.dumps(codec.describe()))) == codec != Spectrogram(8_000)
    heard = codec.encode(seen)
    assert (heard.dtype, heard.shape) == (np.int16, sounds.shape)
    one, other = [np.abs(np.fft.rfft(x[:, 300:-300, 0, 0])).argmax(axis=1) for x in (sounds, heard)]
    np.testing.assert_allclose(one, other, atol=6)  # the same pitches, within a bin of the window
    quieter = codec.encode(np.minimum(seen + 0.3, 1))  # too loud to be stored
    assert (np.abs(quieter.astype(int)).max(axis=(1, 2, 3)) >= 2**15 - 1).all()
    assert (np.abs(quieter.astype(int)) >= 2**15 - 1).sum(axis=(1, 2, 3)).max() < 4  # and not clipped
    assert codec.picture(seen).shape == Wave(8_000).picture(decoded(Wave(8_000), sounds)).shape


def test_griffin_and_lim_find_the_sound_of_its_own_spectrum():
    sound = np.random.default_rng(0).normal(size=(2, 1024)) * 0.1
    spectra = spectral.spectrum(sound, 64, 16)
    inside = slice(64, -64)
    np.testing.assert_allclose(spectral.sounds(spectra, 1024, 16)[:, inside], sound[:, inside], atol=1e-12)

    def misfit(iterations):
        found = spectral.griffin_lim(np.abs(spectra), 1024, 16, iterations)
        return np.square(np.abs(spectral.spectrum(found, 64, 16)) - np.abs(spectra)).sum()

    errors = [misfit(n) for n in (0, 4, 16)]
    assert errors[0] > errors[1] > errors[2]  # it never rises (section III of their paper)


@pytest.mark.parametrize("codec", [Wave(8_000), Spectrogram(8_000)], ids=lambda x: x.name)
def test_a_sound_has_a_file(codec):
    sounds = sines(1)
    seen = decoded(codec, sounds)
    with wave_files.open(io.BytesIO(codec.file(seen[0]))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8_000, 1, 2)
        samples = np.frombuffer(file.readframes(9_999), "<i2")
    np.testing.assert_array_equal(samples, codec.encode(seen).reshape(-1))
    with pytest.raises(ValueError, match="no files beside"):
        Pixels().file(np.zeros((4, 4, 1)))


def test_loud_waves_are_clipped():
    np.testing.assert_array_equal(
        Wave(1).encode(np.array([-3.0, -1.0, 1.0, 3.0])), [-32768, -32768, 32767, 32767]
    )


@pytest.mark.parametrize(
    ("rgb", "lab"),  # CIE's numbers for sRGB's primaries under D65, as skimage and Lindbloom give them
    [
        ((255, 0, 0), (53.241, 80.093, 67.203)),
        ((0, 255, 0), (87.735, -86.183, 83.179)),
        ((0, 0, 255), (32.297, 79.188, -107.860)),
        ((255, 255, 0), (97.139, -21.554, 94.478)),
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((128, 128, 128), (53.585, 0.0, 0.0)),
        ((5, 5, 5), (1.371, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
    ],
)
def test_lab_of_known_colours(rgb, lab):
    lightness, a, b = lab
    seen = decoded(Lab(), np.uint8(rgb))
    np.testing.assert_allclose(seen, [lightness / 50 - 1, a / 110, b / 110], atol=2e-4)


def test_lab_by_the_formulas_once_more():
    """IEC 61966-2-1 and CIE 15, number by number in float64."""
    rgb = some((200, 3))
    matrix = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
    expected = []
    for colour in rgb:
        u = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in u]
        t = [sum(m * c for m, c in zip(row, linear, strict=True)) / sum(row) for row in matrix]
        f = [c ** (1 / 3) if c > 216 / 24389 else (24389 / 27 * c + 16) / 116 for c in t]
        expected.append([(116 * f[1] - 16) / 50 - 1, 500 * (f[0] - f[1]) / 110, 200 * (f[1] - f[2]) / 110])
    np.testing.assert_allclose(decoded(Lab(), rgb), expected, atol=3e-6)


def test_colours_beyond_the_screen_are_clipped():
    found = Lab().encode(np.array([[9.0, 0.0, 0.0], [-9.0, 0.0, 0.0], [0.0, 1.0, 1.0]]))
    np.testing.assert_array_equal(found[:2], [[255] * 3, [0] * 3])
    assert found[2, 0] == 255


def test_points_remember_their_density():
    for name, make in DENSITIES.items():
        codec = Points.named(name)
        assert codec == Points(make()) != Points()
        assert codec_from(codec.describe()) == codec
        assert codec.density == make()
    assert codec_from(Points().describe()) == Points()
    assert Pixels().density is None


def test_equal_codecs():
    assert Tiles(COLOURS) == Tiles(COLOURS.astype(np.uint8)) != Tiles(COLOURS[:5])
    assert len({Tiles(COLOURS), Tiles(COLOURS.copy()), Wave(2), Wave(2), Pixels(), Pixels()}) == 3
    assert codec_from(Tiles(SPRITES).describe()) == Tiles(SPRITES)
    assert codec_from({"name": "wave", "rate": 5}) == Wave(5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Wave(2).rate = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        Tiles(COLOURS).palette[0] = 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Field((4, 4, 3), Tiles(COLOURS[:4])), r"4 tiles have \(H, W, 4\), not \(4, 4, 3\)"),
        (lambda: Field((4, 4), Tiles(COLOURS[:4])), r"not \(4, 4\)"),
        (lambda: Field((4, 2, 1), Wave(5)), r"\(L, 1, 1\), not \(4, 2, 1\)"),
        (lambda: Field((1, 2, 2), Points()), r"\(1, 1, D\), not \(1, 2, 2\)"),
        (lambda: Field((4, 4, 1), Lab()), r"\(H, W, 3\), not \(4, 4, 1\)"),
        (lambda: Tiles(COLOURS[:, :2]), r"colours \[K, 1, 3 or 4\] .*not \[256, 2\]"),
        (lambda: Tiles(np.zeros((257, 3), int)), "not.*257"),
        (lambda: Tiles(COLOURS + 1), "from 0 to 255"),
        (lambda: Tiles(COLOURS / 255), "integers.*float64"),
        (lambda: Wave(0), "rate=0"),
        (lambda: Spectrogram(0), "rate=0"),
        (lambda: Spectrogram(8, window=7), "a window is even"),
        (lambda: Spectrogram(8, window=8, hop=5), "hop at most half"),
        (lambda: Spectrogram(8, mean=(0.0,) * 5), "mean: 5 values for the 128 bins"),
        (lambda: Spectrogram(8, std=(0.0,) * 128), "not above 0"),
        (lambda: Field((64, 32, 1), Spectrogram(8)), r"128 bins have \(128, T, 1\), not \(64, 32, 1\)"),
        (
            lambda: codec_from({"name": "voxels"}),
            "'voxels' is not one of pixels, points, tiles, wave, spectrogram, lab",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
