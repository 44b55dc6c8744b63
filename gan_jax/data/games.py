"""Three games whose levels are text: what each character means, how large a window is, what tiles look like.

The characters are those of the Video Game Level Corpus (Summerville et al. 2016, arXiv:1606.07487); the first
ten of Mario are numbered as in the code of Volz et al. 2018 (arXiv:1805.00728).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gan_jax.data.codecs import Codec, Tiles
from gan_jax.data.sprites import sprite


@dataclass(frozen=True)
class Game:
    """The tiles of a game.

    Attributes:
        name: of the game.
        tiles: of each tile, in the order of their numbers: its character, what it is, and its sprite as
            `sprites.sprite` takes it.
        shape: rows and columns of an example.
        rooms: whether levels are cut into rooms side by side, of which empty ones are left out; otherwise
            into windows one column apart.
        empty: the character of what is no tile: the sky, the dark, or no room.
    """

    name: str
    tiles: tuple[tuple[str, str, tuple[str, str, str]], ...]
    shape: tuple[int, int]
    rooms: bool
    empty: str

    @property
    def alphabet(self) -> str:
        """The characters in the order of the tiles' numbers."""
        return "".join(character for character, _, _ in self.tiles)

    @cached_property
    def codec(self) -> Tiles:
        """Levels with these tiles; a mirrored level is none, because pipes and stairs have sides."""
        return Tiles(np.stack([sprite(*look) for _, _, look in self.tiles]), self.alphabet, flips=False)

    def numbers(self, characters: str) -> list[int]:
        """The numbers of the tiles with these characters."""
        return [self.alphabet.index(character) for character in characters]


MARIO = Game(
    "mario",
    (
        ("X", "ground", ("speckled", "dark_brown", "brown")),
        ("S", "breakable", ("bricks", "dark_brown", "orange")),
        ("-", "sky", ("flat", "sky", "sky")),
        ("?", "full question block", ("question", "gold", "dark_brown")),
        ("Q", "empty question block", ("studded", "orange", "dark_brown")),
        ("E", "enemy", ("creature", "sky", "red")),
        ("<", "top left of a pipe", ("pipe_top_left", "sky", "green")),
        (">", "top right of a pipe", ("pipe_top_right", "sky", "dark_green")),
        ("[", "left of a pipe", ("pipe_left", "sky", "green")),
        ("]", "right of a pipe", ("pipe_right", "sky", "dark_green")),
        ("o", "coin", ("disc", "sky", "gold")),
        ("B", "cannon", ("cannon", "sky", "black")),
        ("b", "post of a cannon", ("post", "sky", "dark_grey")),
    ),
    (14, 28),
    rooms=False,
    empty="-",
)
ZELDA = Game(
    "zelda",
    (
        ("F", "floor", ("flat", "sand", "sand")),
        ("B", "block", ("framed", "teal", "dark_teal")),
        ("M", "monster", ("creature", "sand", "red")),
        ("P", "water or lava", ("waves", "water", "white")),
        ("O", "floor over water or lava", ("waves", "sand", "water")),
        ("I", "block over water or lava", ("wavy_frame", "teal", "water")),
        ("D", "door", ("door", "dark_teal", "black")),
        ("S", "stair", ("stairs", "sand", "dark_grey")),
        ("W", "wall", ("bricks", "black", "dark_teal")),
        ("-", "nothing", ("flat", "black", "black")),
    ),
    (16, 11),
    rooms=True,
    empty="-",
)
LODE_RUNNER = Game(
    "lode_runner",
    (
        ("B", "solid ground", ("framed", "dark_grey", "grey")),
        ("b", "ground that can be dug", ("bricks", "dark_brown", "orange")),
        (".", "nothing", ("flat", "black", "black")),
        ("-", "rope", ("rope", "black", "white")),
        ("#", "ladder", ("ladder", "black", "white")),
        ("G", "gold", ("heap", "black", "gold")),
        ("E", "enemy", ("creature", "black", "red")),
        ("M", "the runner", ("person", "black", "water")),
    ),
    (22, 32),
    rooms=True,
    empty=".",
)
GAMES = {game.name: game for game in (MARIO, ZELDA, LODE_RUNNER)}


def game_of(codec: Codec) -> Game | None:
    """The game whose levels a codec stores; None where there is none of its tiles."""
    alphabet = codec.alphabet if isinstance(codec, Tiles) else ""
    return next((game for game in GAMES.values() if game.alphabet == alphabet), None)
