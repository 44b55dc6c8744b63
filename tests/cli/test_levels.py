"""`gan-jax levels`: what it writes, and what it refuses."""

import csv

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax.cli import level_commands
from gan_jax.data.games import GAMES, MARIO, ZELDA, Game
from gan_jax.data.level_text import level_text, parse_level
from gan_jax.data.spec import DataSpec, Field
from gan_jax.main import main
from tests.runs import run as run_training
from tests.runs import tiny


class Softly:
    """Stands for a run: levels that are flat, with ground where the first latent is above 0."""

    conditions = ()
    num_classes: int | None = None
    has_latent_path = True
    has_styles = False
    generator = None

    def __init__(self, game: Game) -> None:
        self.shape = (*game.shape, len(game.tiles))

    def latents(self, key, count):
        return jax.random.normal(key, (count, 4))

    def conditioning(self, batch, state):
        return None

    def draw(self, state, latents, told):
        height, width, kinds = self.shape
        sky, ground = np.eye(kinds, dtype=np.float32)[[2, 0]]
        share = jax.nn.sigmoid(4 * latents[:, 0])  # of the columns that have ground
        lowest = (np.arange(width) / width < share[:, None])[..., None]
        row = jax.numpy.where(lowest, ground, sky)[:, None]
        rest = jax.numpy.broadcast_to(sky, (len(latents), height - 1, width, kinds))
        return jax.numpy.concatenate([rest, row], axis=1)

    def sample(self, state, batch, key):
        return self.draw(state, self.latents(key, batch["image"].shape[0]), None)


@pytest.fixture(params=[MARIO])
def run(request, monkeypatch):
    """A run in the place of any workdir."""
    game: Game = request.param
    spec = DataSpec({"image": Field((*game.shape, len(game.tiles)), game.codec)}, None)
    monkeypatch.setattr(level_commands, "restored_run", lambda *_: (Softly(game), spec, {"step": 7}))
    monkeypatch.setattr(level_commands, "_step_of", lambda state: 7)
    monkeypatch.setattr("gan_jax.inference.sample.drawable", lambda state: state)
    monkeypatch.setattr("gan_jax.latent_tools.generator.drawable", lambda state: state)
    monkeypatch.setattr("gan_jax.latent_tools.generator.truncated", lambda algorithm, *_: algorithm)


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_texts_and_pictures(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["levels", "w", "--num=3", f"--out={out}"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"3 levels of mario from step 7 in {out}: ")
    names = {path.name for path in out.iterdir()}
    assert names == {f"level_{number:03d}.{end}" for number in range(3) for end in ("txt", "png")} | {
        "levels.csv"
    }
    level = parse_level((out / "level_001.txt").read_text(), MARIO.alphabet, "it")
    assert level.shape == (14, 28)
    measured = rows(out / "levels.csv")[1]
    assert float(measured["ground"]) == pytest.approx((level[-1] == 0).mean(), abs=1e-4)
    with Image.open(out / "level_001.png") as picture:
        assert picture.size == (28 * 16, 14 * 16)


def test_long_levels(run, tmp_path, capsys):
    assert main(["levels", "w", "--num=2", "--windows=3", f"--out={tmp_path}"]) == 0
    assert "of 4 seams whole" in capsys.readouterr().out
    assert parse_level((tmp_path / "level_001.txt").read_text(), MARIO.alphabet, "it").shape == (14, 84)


def test_a_search(run, tmp_path, capsys):
    pytest.importorskip("cma")
    flags = [
        "levels",
        "w",
        "--search=cmaes",
        "--fitness=ground=0.5",
        "--evaluations=200",
        f"--out={tmp_path}",
    ]
    assert main(flags) == 0
    assert "1 level of mario" in capsys.readouterr().out
    assert float(rows(tmp_path / "levels.csv")[0]["ground"]) == pytest.approx(0.5, abs=0.04)
    assert float(rows(tmp_path / "fitness.csv")[-1]["best"]) < 0.04
    assert {"fitness.png", "latents.npz", "level_000.txt"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--search=cmaes"], 2, "--fitness is missing beside --search=cmaes"),
        (["--fitness=ground=1"], 2, "--search is missing beside --fitness=ground=1"),
        (["--search=cmaes", "--fitness=ground=1", "--windows=2"], 2, "a search is for single windows"),
        (["--search=cmaes", "--fitness=grund=1"], 1, "fitness 'grund' (did you mean ground?)"),
        (["--label=1"], 1, "the run in w is unconditional; leave --label out"),
    ],
)
def test_what_is_refused(run, flags, code, said, tmp_path, capsys):
    assert main(["levels", "w", f"--out={tmp_path}", *flags]) == code
    assert said in capsys.readouterr().err


class Told(Softly):
    """Stands for a conditional run: class 0 has no ground, class 2 has nothing else in the lowest row."""

    num_classes = 3

    def sample(self, state, batch, key):
        return self.draw(state, 100 * (batch["label"][:, None] - 1.0), None)


class Diverged(Softly):
    """Stands for a run that makes NaN."""

    def draw(self, state, latents, told):
        return super().draw(state, latents, told) * np.nan


def put(monkeypatch, algorithm):
    spec = DataSpec({"image": Field(algorithm.shape, MARIO.codec)}, algorithm.num_classes)
    monkeypatch.setattr(level_commands, "restored_run", lambda *_: (algorithm, spec, {"step": 7}))


def test_long_levels_are_of_all_classes_that_are_asked_for(run, tmp_path, monkeypatch):
    put(monkeypatch, Told(MARIO))
    assert main(["levels", "w", "--num=2", "--windows=8", "--label=0,2", f"--out={tmp_path}"]) == 0
    ground = [float(row["ground"]) for row in rows(tmp_path / "levels.csv")]
    assert 0 < sum(ground) < 2


@pytest.mark.parametrize("flags", [[], ["--search=cmaes", "--fitness=ground=1"]])
def test_levels_of_a_diverged_run(run, flags, tmp_path, monkeypatch, capsys):
    pytest.importorskip("cma")
    put(monkeypatch, Diverged(MARIO))
    assert main(["levels", "w", f"--out={tmp_path}", *flags]) == 1
    assert "the run's levels are not finite" in capsys.readouterr().err


def test_levels_of_an_earlier_call_do_not_stay_beside_new_ones(run, tmp_path, capsys):
    assert main(["levels", "w", "--num=3", f"--out={tmp_path}"]) == 0
    assert main(["levels", "w", "--num=3", "--seed=1", f"--out={tmp_path}"]) == 0
    assert main(["levels", "w", "--num=1", f"--out={tmp_path}"]) == 1
    said = capsys.readouterr().err
    assert "has 2 texts beside the levels to come (level_001.txt, level_002.txt)" in said


@pytest.mark.parametrize("run", [ZELDA], indirect=True)
def test_rooms_are_whole(run, tmp_path, capsys):
    assert main(["levels", "w", f"--out={tmp_path}", "--windows=2"]) == 1
    assert "zelda has rooms, which are whole levels" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mario", "zelda"])
def test_from_levels_of_ones_own_to_levels_and_scores(name, tmp_path, capsys):
    game = GAMES[name]
    folder, workdir, out = (tmp_path / part for part in ("mine", "run", "out"))
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(30):
        level = draw.integers(0, len(game.tiles), game.shape, dtype=np.uint8)
        (folder / f"{number}.txt").write_text(level_text(level, game.alphabet))
    config = tiny(tmp_path / "data", num_steps=2)
    with config.unlocked():
        for field in ("resolution", "channels", "num_examples", "seed"):
            del config.data[field]
        config.data.update(name="level_folder", folder=str(folder), game=name, flip=False)
        config.generator = dict(
            name="dcgan_generator", widths=(4, 4), kernel_size=4, output="softmax", condition="none"
        )
        config.discriminator = dict(name="dcgan_discriminator", widths=(4, 4), condition="none")
    run_training(config, workdir)
    assert main(["levels", str(workdir), "--num=3", f"--out={out}"]) == 0
    assert f"3 levels of {name} from step 2" in capsys.readouterr().out
    assert parse_level((out / "level_002.txt").read_text(), game.alphabet, "it").shape == game.shape
    metrics = "tile_patterns,level_copies,playable"
    assert main(["evaluate", str(workdir), f"--metrics={metrics}", "--num=20"]) == 0
    said = capsys.readouterr().out
    assert "pattern_kl_3" in said
    assert "playable_real" in said
