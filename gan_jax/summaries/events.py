"""TensorBoard event files, without TensorFlow.

The format is two small things: records (length, checksum, content, checksum) and Event protocol
buffers (tensorboard/compat/proto/event.proto and summary.proto). tensorboardX writes them too, but
imports torch wherever it is installed, and from a thread of its own: on a full disk that thread
dies, and the run then waits for it for ever.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gan_jax.summaries import pictures
from gan_jax.utils import files
from gan_jax.utils.paths import expanded

_PREFIX = "events.out.tfevents."
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # wire types of protocol buffers


class EventFile:
    """One event file: scalars and pictures by step. Each call is on the disk when it returns.

    Args:
        folder: TensorBoard's log directory; made if it is not there.
        first_step: completed steps; TensorBoard then hides later events of older files.
    """

    def __init__(self, folder: str | Path, *, first_step: int) -> None:
        folder = expanded(folder)
        self._doing = f"write TensorBoard's events to {folder}"
        with files.disk_errors(self._doing):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = files.open_file(folder / f"{_PREFIX}{_next_number(folder):010d}.0", "xb")
        self._write(_field(3, b"brain.Event:2"), step=0)
        session_start = _field(1, 1)
        self._write(_field(7, session_start), step=first_step + 1)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one number per name for `step`."""
        entries = [_field(1, name.encode()) + _field(2, float(value)) for name, value in values.items()]
        self._write(_field(5, b"".join(_field(1, entry) for entry in entries)), step)

    def picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Writes a picture, uint8 [H, W, C] with C = 1, 3 or 4, for `step`."""
        height, width, channels = image.shape
        encoded = _field(4, pictures.encode_png(image))
        content = _field(1, height) + _field(2, width) + _field(3, channels) + encoded
        value = _field(1, name.encode()) + _field(4, content)
        self._write(_field(5, _field(1, value)), step)

    def close(self) -> None:
        """Closes the file."""
        with files.disk_errors(self._doing):
            self._file.close()

    def _write(self, what: bytes, step: int) -> None:
        wall_time = _tag(1, _DOUBLE) + struct.pack("<d", time.time())
        event = wall_time + _field(2, step) + what
        length = struct.pack("<Q", len(event))
        with files.disk_errors(self._doing):
            self._file.write(length + _checksum(length) + event + _checksum(event))
            self._file.flush()


def _next_number(folder: Path) -> int:
    """The number in the name of a new file: the time, but always more than the files that are there have.

    TensorBoard reads the files of a folder in the order of their names, and leaves those before the newest
    one; a clock may have been set back.
    """
    named = (
        re.fullmatch(r"([0-9]{10})(\..*)?", path.name.removeprefix(_PREFIX))
        for path in folder.glob(f"{_PREFIX}*")
    )
    return max([int(time.time()), *(int(found[1]) + 1 for found in named if found)])


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    low, value = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(value) if value else bytes([low])


def _field(number: int, value: int | float | bytes) -> bytes:
    """A field of a protocol buffer: int as varint, float as 32 bits, bytes with their length."""
    if isinstance(value, bytes):
        return _tag(number, _BYTES) + _varint(len(value)) + value
    if isinstance(value, float):
        return _tag(number, _FLOAT) + struct.pack("<f", value)
    return _tag(number, _VARINT) + _varint(value)


def _crc_table() -> list[int]:
    """CRC-32C (Castagnoli), reflected polynomial 0x82F63B78, RFC 3720 appendix B.4."""
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def _checksum(content: bytes) -> bytes:
    """The masked CRC-32C that follows a record's length and its content."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
