"""The metrics of levels through the evaluator, and where they are refused."""

import numpy as np
import pytest

from gan_jax.data.codecs import Tiles
from gan_jax.data.games import MARIO, ZELDA
from gan_jax.data.level_text import parse_level
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.level_scores import LEVEL_METRICS
from gan_jax.evaluation.sources.image_source import array_source
from gan_jax.feature_networks.simple_networks import no_network, pixel_network
from gan_jax.utils.errors import UserError

FLAT = parse_level("------------\n" * 3 + "XXXXXXXXXXXX", MARIO.alphabet, "flat")
PIT = parse_level("------------\n" * 3 + "X----------X", MARIO.alphabet, "pit")
PIPE = parse_level("------------\n" * 2 + "--<--<>-----\nXXXXXXXXXXXX", MARIO.alphabet, "pipe")


def source(levels, codec=MARIO.codec, name="mine"):
    return array_source(name, np.stack(levels), codec=codec)


def test_all_scores():
    real = source([FLAT, FLAT, PIT, PIPE])
    evaluator = Evaluator(tuple(LEVEL_METRICS), real, no_network(MARIO.codec), num_fakes=4, progress=False)
    same = evaluator(GeneratedSet(source=source([FLAT, FLAT, PIT, PIPE], name="copy")))
    found = {name: score.value for name, score in same.scores.items()}
    assert found["tile_difference"] == 0
    assert found["pattern_kl_3"] == pytest.approx(0, abs=1e-9)
    assert (found["distinct"], found["copied"], found["nearest_tiles"]) == (0.75, 1, 0)
    assert found["broken_pipe_tiles"] == pytest.approx(1 / 3)
    assert found["levels_with_broken_pipes"] == 0.25
    assert found["playable"] == found["playable_real"] == 0.75
    other = evaluator(GeneratedSet(source=source([PIT] * 4, name="pits")))
    assert other.scores["playable"].value == 0
    assert other.scores["distinct"].value == 0.25
    assert other.scores["pattern_kl_2_missing"].value > other.scores["pattern_kl_2_new"].value
    assert other.scores["broken_pipe_tiles"].value == 0
    assert other.setting.network == "none"


@pytest.mark.parametrize(
    ("metric", "codec", "said"),
    [
        ("playable", Tiles(MARIO.codec.palette), "is for levels of mario, zelda, lode_runner, and the tiles"),
        ("broken_pipes", Tiles(MARIO.codec.palette), "is for levels with the pipes of mario, and mine has"),
    ],
)
def test_levels_of_no_game(metric, codec, said):
    real = source([FLAT, PIT], codec)
    with pytest.raises(UserError, match=f"{metric} {said}.*: leave it out"):
        Evaluator((metric,), real, no_network(codec), num_fakes=2)
    Evaluator(("tile_patterns", "level_copies"), real, no_network(codec), num_fakes=2)


def test_pictures_are_no_levels():
    pictures = array_source("mine", np.zeros((9, 16, 11, 3), np.uint8))
    with pytest.raises(UserError, match="tile_patterns is for levels of tiles, and mine is seen as images"):
        Evaluator(("tile_patterns",), pictures, pixel_network((16, 11, 3)), num_fakes=9)
    assert ZELDA.codec != MARIO.codec
