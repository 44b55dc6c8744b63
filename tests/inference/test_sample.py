"""Pictures from a run: a function of the seed and the picture's number alone."""

import shutil
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.cli.commands import of_each
from gan_jax.config.build import build
from gan_jax.core.randomness import PICTURES, example_keys, latents
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import DataSpec, Field
from gan_jax.inference import sample as sampling
from gan_jax.main import main
from gan_jax.summaries.pictures import grid
from tests import runs
from tests.runs import run, tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(config, state, workdir) of a short run."""
    config = tiny(tmp_path_factory.mktemp("data"), num_steps=8)
    folder = tmp_path_factory.mktemp("trained") / "run"
    return config, run(config, folder), folder


def sample(workdir, out, *more):
    return main(["sample", "--workdir", str(workdir), "--out", str(out), *more])


def test_more_pictures_begin_with_the_same_ones(trained):
    config, state, _ = trained
    sampler = sampling.make_sampler(build(config).algorithm, DataSpec({"image": Field((16, 16, 1))}, None))
    many = sampler(state, 150, jax.random.key(3))
    assert many.shape == (150, 16, 16, 1)
    assert np.abs(many).max() <= 1
    assert len(np.unique(many.reshape(150, -1), axis=0)) == 150
    for count in (1, 64, 65):
        np.testing.assert_array_equal(sampler(state, count, jax.random.key(3)), many[:count])


def test_the_same_seed_gives_the_same_file(trained, tmp_path, capsys):
    _, _, workdir = trained
    before = runs.digests(workdir)
    for name, seed in (("a.png", 5), ("sub/b.png", 5), ("c.png", 6)):
        assert sample(workdir, tmp_path / name, "--num=9", f"--seed={seed}") == 0
    assert f"9 images from step 8 in {tmp_path / 'c.png'}" in capsys.readouterr().out
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.png", "sub/b.png", "c.png"))
    assert a == b
    assert a != c
    assert runs.digests(workdir) == before


def test_the_grid_shows_the_first_pictures_whatever_their_number(trained, tmp_path):
    for num in (4, 2):
        assert sample(trained[2], tmp_path / f"{num}.png", f"--num={num}") == 0
    four, two = (np.asarray(Image.open(tmp_path / f"{num}.png")) for num in (4, 2))
    side = 2 * 16 + 2  # two pictures and what is between them
    four = four[:: four.shape[0] // side, :: four.shape[1] // side][:16]
    two = two[:: two.shape[1] // side, :: two.shape[1] // side]
    np.testing.assert_array_equal(four, two)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--label=3"], "is unconditional; leave --label out"),
        (["--num=0"], "--num=0"),
        (["--num=few"], "--num=few"),
        (["--seed=-1"], "--seed=-1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(more, words, trained, tmp_path, capsys):
    assert sample(trained[2], tmp_path / "out.png", *more) in (1, 2)
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


def test_a_run_without_a_checkpoint_has_nothing_to_draw(tmp_path, capsys):
    class Stop(Exception):
        pass

    with pytest.raises(Stop):
        run(tiny(tmp_path / "data"), tmp_path / "run", stop_at=4, by=Stop)
    assert sample(tmp_path / "run", tmp_path / "out.png") == 1
    assert "has no checkpoint yet" in capsys.readouterr().err


def test_only_damaged_checkpoints_are_no_source(trained, tmp_path, capsys):
    shutil.copytree(trained[2], tmp_path / "run")
    runs.flip_byte(tmp_path / "run" / "checkpoints" / "8")
    assert sample(tmp_path / "run", tmp_path / "out.png") == 1
    assert "sha256 differs" in capsys.readouterr().err


def test_an_out_that_cannot_be_written(trained, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert sample(trained[2], tmp_path / "file" / "out.png") == 1
    assert "cannot write" in capsys.readouterr().err


# Classes. The embedded set has eight kinds of figures.


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """(config, state, workdir) of a short run whose generator is told the class."""
    config = tiny(tmp_path_factory.mktemp("data"), num_steps=8)
    with config.unlocked():
        config.generator.condition = "embedding"
        config.generator_optimizer.learning_rate = 0.05  # so that one sees the class
    folder = tmp_path_factory.mktemp("conditional") / "run"
    return config, run(config, folder), folder


def by_hand(conditional, key, labels):
    """Pictures of these classes from the averaged generator: those of the first chunk."""
    config, state, _ = conditional
    z = latents(example_keys(jax.random.fold_in(key, 0), sampling.CHUNK), 4)[: len(labels)]
    return build(config).algorithm.draw(state, z, jnp.asarray(labels, jnp.int32))


def assert_shows(path, images, columns=None, named=False):
    """The picture is a grid of these images, but for the rounding of a pixel; with names of rows, or none."""
    shown, expected = (
        np.asarray(Image.open(path)).astype(int),
        grid(Pixels().encode(images), columns)[..., 0].astype(int),
    )
    assert len(shown) == len(expected)
    margin, shown = np.split(shown, [shown.shape[1] - expected.shape[1]], axis=1)
    assert np.abs(shown - expected).max() <= 1
    rows = np.array_split(margin, len(images) // columns) if named else []
    assert all((row < 128).any() for row in rows)  # there is ink
    assert named == (margin.size > 0)


def test_a_label_draws_its_class(conditional, tmp_path):
    for label in (7, 2):
        out = tmp_path / f"{label}.png"
        assert sample(conditional[2], out, "--num=9", "--seed=5", f"--label={label}") == 0
        assert_shows(out, by_hand(conditional, jax.random.key(5), [label] * 9))
    seven, two = (by_hand(conditional, jax.random.key(5), [label] * 9) for label in (7, 2))
    others = np.asarray(seven - two)
    assert np.abs(others).max(axis=(1, 2, 3)).min() > 0.1  # another class is another picture


def test_without_a_label_each_class_has_a_row(conditional, tmp_path):
    assert sample(conditional[2], tmp_path / "rows.png", "--num=16", "--seed=5") == 0
    labels = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert_shows(
        tmp_path / "rows.png", by_hand(conditional, jax.random.key(5), labels), columns=2, named=True
    )


def test_classes_are_called_by_name(conditional, tmp_path, capsys):
    """One, several with a row each, by name or by number; a number of columns makes other rows."""
    for text, labels in (("heart", [6] * 9), ("Moon", [7] * 9), ("2", [2] * 9)):
        assert sample(conditional[2], tmp_path / "one.png", "--num=9", "--seed=5", f"--label={text}") == 0
        assert_shows(tmp_path / "one.png", by_hand(conditional, jax.random.key(5), labels))
    assert "9 images of triangle from step 8 in" in capsys.readouterr().out
    out, labels = tmp_path / "rows.png", [7, 7, 7, 0, 0, 0]
    assert sample(conditional[2], out, "--num=6", "--seed=5", "--label=moon, 0") == 0
    assert "6 images of moon, disc from" in capsys.readouterr().out
    assert_shows(out, by_hand(conditional, jax.random.key(5), labels), columns=3, named=True)
    assert sample(conditional[2], out, "--num=6", "--seed=5", "--label=moon,0", "--columns=2") == 0
    assert_shows(out, by_hand(conditional, jax.random.key(5), labels), columns=2)
    assert sample(conditional[2], out, "--seed=5", "--label=all", "--columns=2") == 0
    assert_shows(
        out, by_hand(conditional, jax.random.key(5), np.repeat(np.arange(8), 2)), columns=2, named=True
    )
    assert sample(conditional[2], tmp_path / "x.png", "--num=1", "--label=moon,disc") == 1
    assert "are 2 classes, and --num=1: raise --num" in capsys.readouterr().err


def test_info_names_the_classes(conditional, capsys):
    assert main(["info", f"--workdir={conditional[2]}"]) == 0
    assert "\nclasses: 0 disc, 1 square, 2 triangle, " in capsys.readouterr().out


def test_a_number_that_the_classes_do_not_divide_makes_no_rows(conditional, tmp_path):
    assert sample(conditional[2], tmp_path / "grid.png", "--num=9", "--seed=5") == 0
    assert_shows(tmp_path / "grid.png", by_hand(conditional, jax.random.key(5), [0, 0, 1, 2, 3, 4, 5, 6, 7]))


def test_the_pictures_of_the_training_have_a_row_for_each_class(conditional):
    config, _, workdir = conditional
    key = jax.random.fold_in(jax.random.key(config.seed), PICTURES)
    images = by_hand(conditional, key, np.repeat(np.arange(8), 8))
    assert_shows(workdir / "samples" / "step_0000008.png", images, columns=8, named=True)


@pytest.mark.parametrize("label", ["-1", "8", "cat", "disc,cat", "disc,", "disc,8", ""])
def test_a_label_beyond_the_classes_is_refused(label, conditional, tmp_path, capsys):
    assert sample(conditional[2], tmp_path / "out.png", f"--label={label}") == 1
    err = capsys.readouterr().err
    assert f"--label={label}: there is no class " in err
    assert "; the classes are 0 disc, 1 square, 2 triangle, 3 ring, 4 plus, 5 star, 6 heart, 7 moon" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("classes", "columns", "number"),
    [(1, None, 64), (3, None, 63), (10, None, 60), (100, None, 100), (10, 8, 80)],
)
def test_several_classes_fill_their_rows(classes, columns, number):
    assert of_each(classes, columns) == number


@pytest.mark.parametrize(
    ("classes", "count", "labels", "columns"),
    [
        (None, 5, None, None),
        (3, 6, [0, 0, 1, 1, 2, 2], 2),
        (3, 3, [0, 1, 2], 1),
        (3, 5, [0, 0, 1, 1, 2], None),
        (4, 2, [0, 2], None),
        (1, 3, [0, 0, 0], 3),
    ],
)
def test_class_rows(classes, count, labels, columns):
    algorithm: Any = SimpleNamespace(num_classes=classes)
    found, width = sampling.class_rows(algorithm, count)
    assert width == columns
    assert (None if found is None else found.tolist()) == labels
    assert found is None or found.dtype == np.int32


def test_labels_are_those_of_their_own_chunk(conditional):
    """Picture 64 and beyond come from another call; its labels must be its own."""
    config, state, _ = conditional
    sampler = sampling.make_sampler(build(config).algorithm, DataSpec({"image": Field((16, 16, 1))}, 8))
    labels = np.arange(70, dtype=np.int32) % 5  # which does not divide 64
    mixed = sampler(state, 70, jax.random.key(3), labels)
    for label in range(5):
        alone = sampler(state, 70, jax.random.key(3), np.full(70, label, np.int32))
        np.testing.assert_array_equal(mixed[labels == label], alone[labels == label])
