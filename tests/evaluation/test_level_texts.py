"""Folders of levels as either side of a comparison."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.data.games import GAMES, LODE_RUNNER, MARIO, ZELDA
from gan_jax.data.level_text import level_text
from gan_jax.evaluation.sources.level_texts import holds_levels
from gan_jax.evaluation.sources.sources import open_source
from gan_jax.main import main
from gan_jax.utils.errors import UserError


def write(folder, game, count, columns=0, seed=0):
    folder.mkdir()
    random = np.random.default_rng(seed)
    height, width = game.shape
    made = []
    for number in range(count):
        shape = (height, columns or width)
        made.append(random.integers(0, len(game.tiles), shape, dtype=np.uint8))
        (folder / f"level_{number}.txt").write_text(level_text(made[-1], game.alphabet))
    return made


@pytest.mark.parametrize("game", [MARIO, ZELDA, LODE_RUNNER], ids=lambda game: game.name)
def test_a_folder_of_texts(game, tmp_path):
    made = write(tmp_path / "made", game, 12)
    source = open_source(tmp_path / "made")
    assert (source.codec, source.size) == (game.codec, 12)
    np.testing.assert_array_equal(next(source.batches(12, 12))[0], made)


def test_long_levels_are_cut(tmp_path):
    write(tmp_path / "made", MARIO, 2, columns=30)
    assert open_source(tmp_path / "made").size == 6


def test_an_empty_room_counts_where_it_is_a_whole_level(tmp_path):
    write(tmp_path / "made", ZELDA, 2)
    empty = ("-" * 11 + "\n") * 16
    (tmp_path / "made" / "empty.txt").write_text(empty)
    assert open_source(tmp_path / "made").size == 3
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "dungeon.txt").write_text(2 * empty)
    with pytest.raises(UserError, match="zelda: no room has anything in it"):
        open_source(tmp_path / "none")


def test_what_is_a_folder_of_levels(tmp_path):
    write(tmp_path / "made", MARIO, 1)
    Image.new("RGB", (4, 4)).save(tmp_path / "made" / "level_0.png")
    assert not holds_levels(tmp_path / "made")  # pictures with a note beside them
    (tmp_path / "made" / "levels.csv").touch()
    assert holds_levels(tmp_path / "made")
    (tmp_path / "made" / "level_1.txt").write_text("no level")
    with pytest.raises(UserError, match=r"none of the games \(mario: level_1.txt: line 1, column 1 is 'n'"):
        open_source(tmp_path / "made")
    assert set(GAMES) == {"mario", "zelda", "lode_runner"}


def test_scores_of_folders(tmp_path, capsys):
    for number, name in enumerate(("made", "real")):
        write(tmp_path / name, ZELDA, 9, seed=number)
    sides = [f"--fake={tmp_path / 'made'}", f"--real={tmp_path / 'real'}"]
    assert main(["evaluate", *sides, "--metrics=playable,level_copies"]) == 0
    assert "nearest_tiles" in capsys.readouterr().out
