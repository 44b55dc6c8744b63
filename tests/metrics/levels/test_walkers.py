"""The three walkers on levels whose answer is known, and on the real ones."""

import numpy as np
import pytest

from gan_jax.data.games import GAMES, LODE_RUNNER, MARIO, ZELDA
from gan_jax.data.level_text import parse_level, windows_of
from gan_jax.metrics.levels import lode_runner, mario, zelda
from gan_jax.metrics.levels.playable import playable
from tests.data.conftest import SHARED

REAL = SHARED / "vglc"


def mario_level(*lowest):
    """Rows of a level whose other rows are sky: uint8 [14, W]."""
    sky = ["-" * len(lowest[0])] * (14 - len(lowest))
    return parse_level("\n".join([*sky, *lowest]), MARIO.alphabet, "it")


def gap(columns):
    return mario_level("XXX" + "-" * columns + "XXX")


def wall(rows, above=()):
    return mario_level(*above, *["---X-----"] * rows, "XXXXXXXXX")


@pytest.mark.parametrize(
    ("level", "arrives"),
    [
        (gap(0), True),
        (gap(8), True),
        (gap(9), False),
        (wall(4), True),
        (wall(5), False),
        (mario_level("-----S---", "---------", "---------", "XX-------", "XX-----XX"), True),
        (mario_level(*["---X--"] * 14), False),  # no ground at all
        (mario_level("------", "XXX---"), True),  # it falls, but into the last column
        (mario_level(*["SSSS--"] * 3, "------", "XXXXXX"), True),  # a corridor of one row
        (mario_level("XXXXXX", "XXXXXX"), True),
        (mario_level("--E---", "XXXXXX"), True),  # enemies are air
        (mario_level("--[]--", "XXXXXX"), True),  # pipes are solid, and low
        (mario_level("----------XX", "XXX-------XX"), True),
        (mario_level("-----------XX", "XXX--------XX"), False),  # what is higher is nearer
    ],
)
def test_mario(level, arrives):
    found = mario.walk(level)
    assert found.arrived is arrives
    assert (found.progress == 1) is arrives
    for (row, column), (other_row, other_column) in zip(found.path, found.path[1:], strict=False):
        assert abs(row - other_row) <= 1
        assert abs(column - other_column) <= 1
        assert other_row < 0 or level[other_row, other_column] not in mario.SOLID


def test_how_far_mario_comes():
    assert mario.walk(gap(20)).progress < 1
    assert mario.walk(gap(20)[:, :14]).progress > mario.walk(wall(5)).progress
    nowhere = mario.walk(mario_level("-" * 9))
    assert nowhere == (False, 0, ())


def room(*rows):
    """A room [16, 11] with these rows of floor, 7 tiles each from row 2 on, and doors to left and right."""
    inside = [*rows, *["FFFFFFF"] * (12 - len(rows))]
    lines = ["W" * 11] * 2 + [f"WW{row}WW" for row in inside] + ["W" * 11] * 2
    for row in (7, 8):
        lines[row] = "WD" + lines[row][2:9] + "DW"
    return parse_level("\n".join(lines), ZELDA.alphabet, "it")


@pytest.mark.parametrize(
    ("level", "plays", "with_ladder"),
    [
        (room(), True, True),
        (room(*["FFFBFFF"] * 12), False, False),
        (room(*["FFFBFFF"] * 11, "FFFFFFF"), True, True),
        (room(*["FFFPFFF"] * 12), False, True),
        (room(*["FFPPFFF"] * 12), False, False),
        (room(*["FFFMFFF"] * 6, *["FFFOFFF"] * 6), True, True),
        (room("SBFFFFF", "BFFFFFF"), False, False),  # the stair behind blocks is an exit
        (np.full((16, 11), ZELDA.alphabet.index("F"), np.uint8), False, False),  # no exit
    ],
)
def test_zelda(level, plays, with_ladder):
    assert zelda.is_playable(level) is plays
    assert zelda.is_playable(level, ladder=True) is with_ladder


def lode_level(*lowest):
    rows = [*["." * 32] * (22 - len(lowest)), *(row.ljust(32, ".") for row in lowest)]
    return parse_level("\n".join(rows), LODE_RUNNER.alphabet, "it")


GROUND = "B" * 32


@pytest.mark.parametrize(
    ("level", "plays", "without_digging"),
    [
        (lode_level("M..G", GROUND), True, True),
        (lode_level("....G", "...BBB", "M.....", GROUND), False, False),  # it cannot jump
        (lode_level("....G", "...#BB", "M..#..", GROUND), True, True),
        (lode_level("M..", "BBB", "...G", GROUND), True, True),  # it falls
        (lode_level("M----G", "B.....", "......", GROUND), True, True),  # a rope
        (lode_level(".bMb.", ".bbb.", ".bbG.", GROUND), False, False),  # bricks on both sides
        (lode_level("..M....", "bbbbbbb", "bG....b", "bbbbbbb", GROUND), True, False),
        (lode_level("..M....", "BBBBBBB", "bG....b", "bbbbbbb", GROUND), False, False),
        (lode_level("..M....", "bbbbbbb", "bbbbbbb", "bG...bb", GROUND), True, False),  # two layers
        (lode_level("M......", GROUND), False, False),  # no gold
        (lode_level("...G...", GROUND), False, False),  # no runner
        (lode_level("M..G..M", GROUND), False, False),  # two of them
    ],
)
def test_lode_runner(level, plays, without_digging):
    assert lode_runner.is_playable(level) is plays
    assert lode_runner.is_playable(level, dig=False) is without_digging


def test_gold_that_is_not_reached():
    level = lode_level("...GBG", "M...BB", GROUND)
    assert lode_runner.gold_share(level) == 0
    assert lode_runner.gold_share(lode_level("M.GBG.", GROUND)) == 0.5


def real_levels(folder, game):
    paths = sorted((REAL / folder).glob("*.txt"))
    return {path.stem: parse_level(path.read_text(), game.alphabet, path.stem) for path in paths}


@pytest.mark.skipif(not REAL.is_dir(), reason="the levels of the VGLC are not in ../shared/data/vglc")
def test_the_real_levels_of_mario():
    """3-1 has a gap of eight columns with a brick above it, which this walker's jump meets."""
    levels = real_levels("super_mario_bros", MARIO)
    assert [name for name, level in levels.items() if not mario.walk(level).arrived] == ["mario-3-1"]


@pytest.mark.skipif(not REAL.is_dir(), reason="the levels of the VGLC are not in ../shared/data/vglc")
def test_the_real_rooms_of_zelda():
    """Some have no floor in the corpus, need the ladder or a raft, or a way that is opened first."""
    found = real_levels("the_legend_of_zelda", ZELDA)
    rooms = np.concatenate([windows_of(level, ZELDA, name) for name, level in found.items()])
    assert playable(rooms, GAMES["zelda"]).sum() == 373
    assert sum(zelda.is_playable(level, ladder=True) for level in rooms) == 395


@pytest.mark.skipif(not REAL.is_dir(), reason="the levels of the VGLC are not in ../shared/data/vglc")
def test_the_real_levels_of_lode_runner():
    """The corpus has neither hidden ladders nor trap doors, which some of them need."""
    levels = np.array(list(real_levels("lode_runner", LODE_RUNNER).values()))
    assert playable(levels, GAMES["lode_runner"]).sum() == 139
