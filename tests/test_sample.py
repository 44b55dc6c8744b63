"""Pictures from a run: a function of the seed and the picture's number alone."""

import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax import sample as sampling
from gan_jax.build import DataSpec, build
from gan_jax.main import main
from tests import runs
from tests.runs import run, tiny

pytestmark = pytest.mark.usefixtures("compiled_once")


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
    sampler = sampling.make_sampler(build(config).algorithm, DataSpec((16, 16, 1), None))
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
