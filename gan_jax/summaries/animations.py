"""Pictures one after the other: GIF through Pillow, MP4 through imageio-ffmpeg, which is not always there."""

from __future__ import annotations

import importlib
import io
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

ANIMATIONS = (".gif", ".mp4")
_COMFORTABLE = 256  # pixels: smaller frames are enlarged until their longer side comes near this
_PACKAGE = "imageio-ffmpeg"


def check_animation(path: Path | str) -> None:
    """Raises a UserError if what this name asks for cannot be written here; before any picture is drawn."""
    if files.checked_suffix(path, ANIMATIONS) == ".mp4":
        _ffmpeg(path)


def save_animation(path: Path | str, frames: np.ndarray, fps: int, scale: int | None = None) -> None:
    """Writes frames as an animation that begins anew at its end, atomically.

    Args:
        path: its ending says which, one of ANIMATIONS.
        frames: uint8 [N, H, W, C] with C = 1, 3 or 4; what is transparent is laid on white.
        fps: frames per second. A GIF counts hundredths of a second, so that its rate is rounded.
        scale: how many times larger; None for comfortable to look at.

    Raises:
        UserError: another ending; MP4 without imageio-ffmpeg; the disk is full.
    """
    path = expanded(path)
    suffix = files.checked_suffix(path, ANIMATIONS)
    scale = scale or comfortable_scale(*frames.shape[1:3])
    frames = on_white(frames).repeat(scale, axis=1).repeat(scale, axis=2)
    content = _gif(frames, fps) if suffix == ".gif" else _mp4(path, frames, fps)
    files.write_atomically(path, content)


def comfortable_scale(height: int, width: int) -> int:
    """How many times larger frames of this size are shown."""
    return max(1, round(_COMFORTABLE / max(height, width)))


def on_white(frames: np.ndarray) -> np.ndarray:
    """Pictures of 1 or 3 channels as they are, of 4 laid on white: uint8 [N, H, W, 1 or 3]."""
    if frames.shape[-1] != 4:
        return frames
    alpha = frames[..., 3:] / 255.0
    return np.rint(frames[..., :3] * alpha + 255.0 * (1 - alpha)).astype(np.uint8)


def _gif(frames: np.ndarray, fps: int) -> bytes:
    pictures = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in frames]
    buffer = io.BytesIO()
    hundredths = max(1, round(100 / fps))
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=10 * hundredths, loop=0
    )
    return buffer.getvalue()


def _mp4(path: Path, frames: np.ndarray, fps: int) -> bytes:
    """H.264 with the colours that every player knows, which need even sides: white is added."""
    ffmpeg = _ffmpeg(path)
    if frames.shape[-1] == 1:
        frames = frames.repeat(3, axis=-1)
    odd = [(0, side % 2) for side in frames.shape[1:3]]
    frames = np.ascontiguousarray(np.pad(frames, [(0, 0), *odd, (0, 0)], constant_values=255))
    rows, columns = frames.shape[1:3]
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{columns}x{rows}", "-r", str(fps), "-i", "-"]
    coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-movflags", "+faststart"]
    with (
        files.disk_errors(f"write {path}"),
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
    ):
        # JAX warns of every fork; here another program follows it at once.
        warnings.simplefilter("ignore", RuntimeWarning)
        made = Path(folder) / "made.mp4"
        command = [ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *given, *coded, str(made)]
        done = subprocess.run(command, input=frames.tobytes(), capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise UserError(f"{path}: ffmpeg made no film: {said[-1]}; choose a name that ends in .gif")
        return made.read_bytes()


def _ffmpeg(path: Path | str) -> Any:
    try:
        return importlib.import_module("imageio_ffmpeg")
    except ImportError as error:
        raise UserError(
            f"{path}: MP4 needs the package {_PACKAGE}, which is not installed: pip install {_PACKAGE}, or "
            "choose a name that ends in .gif"
        ) from error
