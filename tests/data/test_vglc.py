"""Levels as text, their windows and rooms, and what the corpus gives."""

import hashlib
from typing import Any

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import vglc
from gan_jax.data.codecs import Tiles, codec_from
from gan_jax.data.expected import expected_spec
from gan_jax.data.games import GAMES, LODE_RUNNER, MARIO, ZELDA, game_of
from gan_jax.data.level_text import beside, level_text, parse_level, windows_of
from gan_jax.data.vglc import VglcMario
from gan_jax.utils.errors import UserError
from tests.data.conftest import SHARED

REAL = SHARED / "vglc"


def level(game, rows, columns, seed=0):
    """Any tiles of a game, as text."""
    tiles = np.random.default_rng(seed).integers(0, len(game.tiles), (rows, columns), dtype=np.uint8)
    return level_text(tiles, game.alphabet)


@pytest.mark.parametrize("name", GAMES)
def test_text_and_tiles(name):
    game = GAMES[name]
    text = level(game, 5, 7)
    tiles = parse_level(text, game.alphabet, "it")
    assert tiles.shape == (5, 7)
    assert level_text(tiles, game.alphabet) == text
    assert parse_level(text.replace("\n", "\r\n") + "\n", game.alphabet, "it").tolist() == tiles.tolist()
    assert len(set(game.alphabet)) == len(game.codec.palette) == len(game.tiles)
    codec = codec_from(game.codec.describe())
    assert game_of(codec) is game
    assert codec == game.codec
    sprites = {sprite.tobytes() for sprite in game.codec.palette}
    assert len(sprites) == len(game.tiles)


def test_a_codec_without_a_game():
    plain = Tiles(MARIO.codec.palette)
    assert game_of(plain) is None
    assert plain != MARIO.codec
    assert plain.describe().keys() == {"name", "palette"}  # as records of runs before alphabets have it
    with pytest.raises(ValueError, match="13 tiles have a character each"):
        Tiles(MARIO.codec.palette, "XX")


def test_windows_overlap_in_all_columns_but_one():
    tiles = parse_level(level(MARIO, 14, 31), MARIO.alphabet, "it")
    windows = windows_of(tiles, MARIO, "it")
    assert windows.shape == (4, 14, 28)
    for first, window in enumerate(windows):
        np.testing.assert_array_equal(window, tiles[:, first : first + 28])
    np.testing.assert_array_equal(beside([windows[0][:, :3], windows[3]]), tiles)


def test_rooms_without_the_empty_ones():
    rooms = [parse_level(level(ZELDA, 16, 11, seed), ZELDA.alphabet, "it") for seed in (1, 2)]
    nothing = np.full((16, 11), ZELDA.alphabet.index("-"), np.uint8)
    dungeon = np.concatenate([beside([rooms[0], nothing]), beside([nothing, rooms[1]])])
    np.testing.assert_array_equal(windows_of(dungeon, ZELDA, "it"), rooms)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--\n-Z\n", "it: line 2, column 2 is 'Z', which is no tile: the alphabet is XS-"),
        ("--\n-\n", "it is no level: its lines have 1 to 2 characters"),
        ("\n\n", "it holds no level"),
    ],
)
def test_text_that_is_no_level(text, said):
    with pytest.raises(UserError, match=said):
        parse_level(text, MARIO.alphabet, "it")


@pytest.mark.parametrize(
    ("game", "shape", "said"),
    [
        (MARIO, (14, 27), "it has 14 rows of 27 tiles: a level of mario has at least 14 rows of 28"),
        (MARIO, (15, 28), "a level of mario has 14 rows"),
        (ZELDA, (16, 12), "no rooms of 16 x 11 side by side"),
        (LODE_RUNNER, (21, 32), "at least 22 rows of 32"),
    ],
)
def test_levels_that_have_no_windows(game, shape, said):
    with pytest.raises(UserError, match=said):
        windows_of(np.zeros(shape, np.uint8), game, "it")


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A folder with three small levels, whose digest stands in for the corpus's."""
    folder = tmp_path / "files" / "Super Mario Bros" / "Processed"
    folder.mkdir(parents=True)
    kinds = {"mario-1-1": "overworld", "mario-1-2": "underground", "mario-3-1": "overworld"}
    texts = {name: level(MARIO, 14, 29 + at, at) for at, name in enumerate(kinds)}
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    (folder.parent / "BG").mkdir()
    (folder.parent / "BG" / "mario-1-1.txt").write_text("other tiles")
    monkeypatch.setattr(VglcMario, "KINDS", kinds)
    monkeypatch.setattr(VglcMario, "LEVELS", tuple(kinds))
    monkeypatch.setattr(VglcMario, "DIGEST", hashlib.sha256("".join(texts.values()).encode()).hexdigest())
    return tmp_path / "files"


def test_a_corpus_from_a_folder(corpus):
    with pytest.raises(UserError, match=r"data prepare vglc_mario.*mario-1-1.txt to mario-3-1.txt"):
        data.load("vglc_mario")
    data.prepare("vglc_mario", source=corpus)
    train, test = data.load("vglc_mario"), data.load("vglc_mario", split="test")
    assert (len(train), len(test)) == (2 + 3, 4)
    assert train.spec.fields["image"].codec == MARIO.codec
    assert train.spec.image_shape == (14, 28, 13)
    assert train.arrays()["label"].tolist() == [0, 0, 1, 1, 1]
    assert expected_spec("vglc_mario").image_shape == (14, 28, 13)


def test_a_corpus_from_the_net(corpus, monkeypatch):
    monkeypatch.setattr(vglc, "ADDRESS", f"file://{corpus}/")
    data.prepare("vglc_mario")
    assert len(data.load("vglc_mario")) == 5


def test_a_changed_or_incomplete_corpus(corpus):
    path = corpus / "Super Mario Bros" / "Processed" / "mario-1-2.txt"
    path.write_text(path.read_text().replace("X", "S"))
    with pytest.raises(UserError, match=r"not those of the corpus.*for levels of your own.*level_folder"):
        data.prepare("vglc_mario", source=corpus)
    path.unlink()
    with pytest.raises(UserError, match=r"mario-1-2.txt does not lie in"):
        data.prepare("vglc_mario", source=corpus)


def test_levels_of_ones_own(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(24):
        (folder / f"{number}.txt").write_text(level(ZELDA, 16, 11, number))
    options: dict[str, Any] = {"folder": str(folder), "game": "zelda"}
    held_out = len(data.load("level_folder", split="test", **options))
    assert held_out > 0
    assert len(data.load("level_folder", **options)) + held_out == 24
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "6.txt").write_text(level(ZELDA, 16, 11, 0))
    with pytest.raises(
        UserError, match=r"all 1 level belong to families that are held out \(6\): give more\.$"
    ):
        data.load("level_folder", folder=str(alone), game="zelda")
    (alone / "6.txt").rename(alone / "1.txt").write_text(("-" * 11 + "\n") * 16)
    with pytest.raises(UserError, match="no room in the levels of the split train has anything in it"):
        data.load("level_folder", folder=str(alone), game="zelda")
    (folder / "1.txt").write_text("q" * 11)
    with pytest.raises(UserError, match=r"1.txt: line 1, column 1 is 'q', which is no tile"):
        data.load("level_folder", **options)
    with pytest.raises(UserError, match=r"/other is not there"):
        data.load("level_folder", folder=str(tmp_path / "other"))
    assert expected_spec("level_folder", folder="elsewhere", game="lode_runner").image_shape == (22, 32, 8)
    with pytest.raises(UserError, match="game"):
        data.load("level_folder", folder=str(folder), game="chess")


@pytest.mark.skipif(not REAL.is_dir(), reason="the levels of the VGLC are not in ../shared/data/vglc")
@pytest.mark.parametrize(
    ("name", "examples", "distinct", "copied"),
    [("vglc_mario", 2518, 2484, 0), ("vglc_zelda", 459, 267, 33), ("vglc_lode_runner", 150, 150, 0)],
)
def test_the_real_levels(name, examples, distinct, copied):
    data.prepare(name, source=REAL)
    train, test = (data.load(name, split=split).arrays()["image"] for split in ("train", "test"))
    assert len(train) + len(test) == examples
    known = {window.tobytes() for window in train}
    fresh = [window.tobytes() for window in test]
    assert len(known | set(fresh)) == distinct
    assert sum(window in known for window in fresh) == copied
