"""Sprites of the tiles of game levels, drawn here: 8 x 8 pixels in two colours, of no game's own pictures."""

from __future__ import annotations

import numpy as np

SIDE = 8  # pixels
# Eight rows from the top, two hexadecimal digits each; a bit that is set has the foreground's colour.
STENCILS = {
    "flat": "0000000000000000",
    "bricks": "fefefe00efefef00",
    "speckled": "ffddfff7ff7fffdd",
    "framed": "ff818181818181ff",
    "studded": "ffa581818181a5ff",
    "question": "003c66060c180018",
    "disc": "003c7e7e7e7e3c00",
    "creature": "3c7edbff7e3c6600",
    "person": "18187e3c18242442",
    "heap": "0000183c7e7e7e00",
    "pipe_top_left": "ffffffff7f3f3f3f",
    "pipe_top_right": "fffffffffefcfcfc",
    "pipe_left": "3f3f3f3f3f3f3f3f",
    "pipe_right": "fcfcfcfcfcfcfcfc",
    "cannon": "3c7effffff7e3c7e",
    "post": "7e7e7e7e7e7e7e7e",
    "ladder": "427e4242427e4242",
    "rope": "00ff000000000000",
    "waves": "0066990000669900",
    "wavy_frame": "ffe799818199e7ff",
    "door": "3c7e7e7e7a7e7e7e",
    "stairs": "80c0e0f0f8fcfeff",
}
COLOURS = {
    "black": 0x101018, "white": 0xF4F4EC, "sky": 0x86A8F0, "brown": 0xA05A2C, "dark_brown": 0x5C3317,
    "orange": 0xE08030, "gold": 0xF0C030, "red": 0xC83232, "green": 0x38A048, "dark_green": 0x1E5A2C,
    "grey": 0x8C8C94, "dark_grey": 0x4A4A54, "sand": 0xE6CE9A, "teal": 0x2E8C8C, "dark_teal": 0x1C5656,
    "water": 0x3C64D8,
}  # fmt: skip


def sprite(stencil: str, background: str, foreground: str) -> np.ndarray:
    """A stencil in two colours, all by their names: uint8 [8, 8, 3]."""
    rows = np.frombuffer(bytes.fromhex(STENCILS[stencil]), np.uint8)[:, None]
    is_set = np.unpackbits(rows, axis=1).astype(bool)[..., None]
    return np.where(is_set, _rgb(foreground), _rgb(background)).astype(np.uint8)


def _rgb(name: str) -> np.ndarray:
    return np.frombuffer(COLOURS[name].to_bytes(3, "big"), np.uint8)
