"""Searching for levels, and long ones."""

import sys

import numpy as np
import pytest

from gan_jax.data.games import GAMES, LODE_RUNNER, MARIO, ZELDA
from gan_jax.data.level_text import parse_level
from gan_jax.latent_tools.level_fitness import distance, parse_fitness, quantities
from gan_jax.latent_tools.long_levels import is_whole_seam, long_levels
from gan_jax.latent_tools.search import search
from gan_jax.utils.errors import UserError


def mario(*lowest):
    sky = ["-" * len(lowest[0])] * (14 - len(lowest))
    return parse_level("\n".join([*sky, *lowest]), MARIO.alphabet, "it")


FLAT = mario("XXXX")
LEFT, RIGHT = mario("---<", "---[", "XXXX"), mario(">---", "]---", "XXXX")
WALL = mario(*["X---"] * 6, "XXXX")


def test_quantities_of_mario():
    level = np.tile(mario("E-o-<>", "SSQ-[]", "XX----"), (1, 1))[None]
    found = {name: quantity(level)[0] for name, quantity in quantities(MARIO).items()}
    assert found["ground"] == pytest.approx(1 / 3)
    assert found["enemies"] == pytest.approx(14 / (14 * 6))
    assert found["blocks"] == pytest.approx(0.5)
    assert found["pipes"] == pytest.approx(1 / 6)
    assert (found["broken_pipes"], found["playable"], found["progress"]) == (0, 1, 1)
    half = np.tile(mario("<-----", "------", "XXXXXX"), (1, 10))[None]  # a long level
    assert quantities(MARIO)["broken_pipes"](half)[0] == pytest.approx(1 / 6)


@pytest.mark.parametrize("name", GAMES)
def test_every_game_has_quantities(name):
    game = GAMES[name]
    levels = np.zeros((2, *game.shape), np.uint8)
    for quantity in quantities(game).values():
        found = quantity(levels)
        assert found.shape == (2,)
        assert ((found >= 0) & (found <= 1)).all()


def test_distance():
    wanted = parse_fitness("ground=0.5, playable=1", MARIO)
    assert wanted == {"ground": 0.5, "playable": 1}
    assert distance(np.stack([FLAT, mario("XX--")]), MARIO, wanted).tolist() == [0.5, 0]
    assert parse_fitness("water=0.2", ZELDA) == {"water": 0.2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "enemis=0.1",
            r"fitness 'enemis' \(did you mean enemies\?\): of mario there are blocks, broken_pipes",
        ),
        ("water=1", "fitness 'water': of mario"),
        ("ground", "fitness ground: give ground= and what is wanted, a number from 0 to 1"),
        ("ground=much", "a number from 0 to 1"),
        ("ground=2", "a number from 0 to 1"),
        (" , ", "nothing is wanted"),
    ],
)
def test_a_fitness_that_is_none(text, said):
    with pytest.raises(UserError, match=said):
        parse_fitness(text, MARIO)


def test_seams():
    assert is_whole_seam(FLAT, FLAT)
    assert is_whole_seam(LEFT, RIGHT)
    assert not is_whole_seam(LEFT, FLAT)
    assert not is_whole_seam(FLAT, RIGHT)
    assert not is_whole_seam(FLAT, WALL)
    broken_inside = mario("-<--", "-[--", "XXXX")
    assert is_whole_seam(broken_inside, FLAT)  # not the seam's fault


def test_long_levels_take_what_fits():
    levels, broken = long_levels([LEFT, FLAT, WALL, RIGHT, FLAT, FLAT], 2, 3)
    assert broken == 0
    assert long_levels([FLAT, WALL], 1, 2)[1] == 1
    np.testing.assert_array_equal(levels[0][:, 4:], np.concatenate([RIGHT, FLAT], axis=1))
    assert [level.shape for level in levels] == [(14, 12), (14, 12)]
    with pytest.raises(ValueError, match="need more than 1"):
        long_levels([FLAT], 1, 2)


def test_a_search_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(UserError, match="needs the package cma: pip install cma"):
        search(lambda points: points[:, 0], 3)


def test_a_search_finds_a_known_point():
    pytest.importorskip("cma")
    goal = np.array([0.5, -1.0, 0.25])
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    found = search(lambda points: np.abs(points - goal).sum(axis=1), 3, evaluations=560, seed=4)
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]
    np.testing.assert_allclose(found.latent, goal, atol=0.02)
    assert found.distance == pytest.approx(np.abs(found.latent - goal).sum(), abs=1e-6)
    assert found.curve[-1, 0] == 560
    assert (np.diff(found.curve[:, 2]) <= 0).all()
    again = search(lambda points: np.abs(points - goal).sum(axis=1), 3, evaluations=560, seed=4)
    np.testing.assert_array_equal(again.curve, found.curve)


def test_a_search_ends_where_nothing_is_left_to_want():
    pytest.importorskip("cma")
    found = search(lambda points: np.zeros(len(points)), 3)
    assert (found.distance, len(found.curve)) == (0, 1)
    assert LODE_RUNNER.shape == (22, 32)
