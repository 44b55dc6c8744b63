"""Films: GIF, and MP4 where imageio-ffmpeg is installed."""

import sys
import types

import numpy as np
import pytest
from PIL import Image

from gan_jax.summaries.animations import check_animation, on_white, save_animation
from gan_jax.utils.errors import UserError

FRAMES = np.random.default_rng(0).integers(0, 255, (5, 7, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_gif_has_all_frames_and_begins_anew(channels, tmp_path):
    frames = np.concatenate([FRAMES, FRAMES[..., :1]], axis=-1)[..., :channels]
    save_animation(tmp_path / "x.gif", frames, 20, 2)
    with Image.open(tmp_path / "x.gif") as film:
        assert (getattr(film, "n_frames", 1), film.size) == (5, (18, 14))
        assert (film.info["loop"], film.info["duration"]) == (0, 50)
        if channels == 1:
            np.testing.assert_array_equal(np.asarray(film.convert("L"))[::2, ::2], frames[0, ..., 0])


def test_what_is_transparent_is_white():
    frames = np.zeros((1, 1, 2, 4), np.uint8)
    frames[0, 0, 1, 3] = 255
    np.testing.assert_array_equal(on_white(frames)[0, 0], [[255] * 3, [0] * 3])


def test_an_mp4_without_its_package_is_one_line_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    for write in (check_animation, lambda path: save_animation(path, FRAMES, 10)):
        with pytest.raises(UserError, match="pip install imageio-ffmpeg") as raised:
            write(tmp_path / "x.mp4")
        assert "\n" not in str(raised.value)


def test_an_mp4_has_all_frames_and_even_sides(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    save_animation(tmp_path / "x.mp4", FRAMES, 10, 1)
    assert ffmpeg.count_frames_and_secs(str(tmp_path / "x.mp4")) == (5, 0.5)


def test_what_ffmpeg_says_is_said(monkeypatch, tmp_path):
    package = types.SimpleNamespace(get_ffmpeg_exe=lambda: sys.executable)  # takes no such arguments
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", package)
    with pytest.raises(UserError, match=r"ffmpeg made no film: .*; choose a name that ends in \.gif"):
        save_animation(tmp_path / "x.mp4", FRAMES, 10, 1)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"must end in \.gif or \.mp4"):
        save_animation(tmp_path / "x.avi", FRAMES, 10)
