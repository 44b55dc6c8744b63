"""`gan-jax sample`: the form that the name of the output asks for, and which checkpoint is drawn from."""

import gc
import shutil
import sys
import time

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax.config.build import build
from gan_jax.data.classes import matching
from gan_jax.data.codecs import Pixels, Points
from gan_jax.data.idx import FashionMnist
from gan_jax.data.spec import DataSpec, Field
from gan_jax.evaluation.sources.sources import folder_source, npz_source
from gan_jax.inference.sample import make_sampler
from gan_jax.main import main
from gan_jax.summaries.pictures import FORMATS, grid, save_picture, save_png
from gan_jax.summaries.sample_files import sample_files
from gan_jax.training import manifest
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.restore import restored_run
from gan_jax.utils.errors import UserError
from tests.runs import run, start, tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(its images with seed 5 and classes 0 to 7 in turn, uint8 [70, 16, 16, 1]; the workdir)."""
    config = tiny(tmp_path_factory.mktemp("data"), num_steps=16)
    with config.unlocked():
        config.generator.condition = "embedding"
        config.evaluation = dict(metrics="fid", every_steps=8, num=40, network="random")
    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_JAX_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("gan_jax.evaluation.plan.EvaluationPlan.is_better", lambda self, new, old: False)
        state = run(config, folder)  # so the first stays the best
    sampler = make_sampler(build(config).algorithm, DataSpec({"image": Field((16, 16, 1))}, 8))
    labels = np.arange(70) * 8 // 70
    return Pixels().encode(sampler(state, 70, jax.random.key(5), labels)), folder


def sample(workdir, out, *more):
    return main(["sample", f"--workdir={workdir}", f"--out={out}", "--seed=5", *more])


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image), image.format


@pytest.mark.parametrize(("suffix", "kind"), [(s, FORMATS[s.lower()][0]) for s in (*FORMATS, ".JPG")])
def test_a_picture_is_what_its_name_says(suffix, kind, trained, tmp_path):
    images, workdir = trained
    assert sample(workdir, tmp_path / f"s{suffix}", "--num=70") == 0
    picture, found = opened(tmp_path / f"s{suffix}")
    assert found == kind
    expected = grid(images)[..., 0]
    picture = picture[..., 0] if picture.ndim == 3 else picture
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).mean() < (5 if kind == "JPEG" else 0.5)


@pytest.mark.parametrize("name", ["s", "s.bmp", "s.png.txt", "s.jsonl"])
def test_another_ending_is_refused_with_the_choices(name, trained, tmp_path, capsys):
    assert sample(trained[1], tmp_path / name) == 1
    err = capsys.readouterr().err
    assert (
        "must end in .png, .jpg, .jpeg, .webp (one picture of all), .npz (the arrays), .gif, .mp4 (one "
        in err
    )
    assert not any(tmp_path.glob("*"))


def test_a_film_shows_one_after_the_other(trained, tmp_path, capsys):
    images, workdir = trained
    assert sample(workdir, tmp_path / "s.gif", "--num=70", "--scale=2") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"70 images from step 16 in {tmp_path / 's.gif'}; gan-jax interpolate leads from")
    with Image.open(tmp_path / "s.gif") as film:
        assert (getattr(film, "n_frames", 1), film.info["duration"], film.size) == (70, 500, (32, 32))
        film.seek(69)
        last = np.asarray(film.convert("L")).astype(int)[::2, ::2]
    assert np.abs(last - images[69, ..., 0]).mean() < 2  # 256 colours for all


def test_what_is_no_film(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match="MP4 needs the package imageio-ffmpeg"):
        sample_files(tmp_path / "s.mp4")
    with pytest.raises(UserError, match="columns=3 is for one picture of all"):
        sample_files(tmp_path / "s.gif", columns=3)
    with pytest.raises(UserError, match=r"a film of 9000 would have .* million pixels"):
        sample_files(tmp_path / "s.gif").check(9_000, Pixels(), (64, 64, 1))
    with pytest.raises(UserError, match="points have no picture each"):
        sample_files(tmp_path / "s.gif").check(9, Points(None), (1, 1, 2))


def test_columns_and_scale(trained, tmp_path):
    images, workdir = trained
    assert sample(workdir, tmp_path / "s.png", "--num=70", "--columns=5", "--scale=1") == 0
    np.testing.assert_allclose(opened(tmp_path / "s.png")[0], grid(images, 5, scale=1)[..., 0], atol=1)
    assert opened(tmp_path / "s.png")[0].shape == (14 * 18 - 2, 5 * 18 - 2)
    assert sample(workdir, tmp_path / "one.png", "--num=1", "--scale=1") == 0
    assert opened(tmp_path / "one.png")[0].shape == (16, 16)
    assert sample(workdir, tmp_path / "wide.png", "--num=2", "--columns=9", "--scale=1") == 0
    assert opened(tmp_path / "wide.png")[0].shape == (16, 34)


def test_a_folder_gets_a_picture_of_each_by_class(trained, tmp_path, capsys):
    images, workdir = trained
    assert sample(workdir, f"{tmp_path}/each/", "--num=70") == 0
    assert f"70 images from step 16 in {tmp_path / 'each'}" in capsys.readouterr().out
    files = sorted((tmp_path / "each").rglob("*.png"), key=lambda path: path.name)
    assert [path.name for path in files] == [f"{n:06d}.png" for n in range(70)]
    assert len({path.parent.name for path in files}) == 8
    assert not {path.parent.name for path in files} & set("01234567")  # the figures have names
    np.testing.assert_allclose(np.stack([opened(path)[0] for path in files]), images[..., 0], atol=1)
    source = folder_source(tmp_path / "each")
    assert (source.size, source.num_classes) == (70, 8)
    assert sample(workdir, tmp_path / "each") == 1  # without the slash, and it is full
    assert "is not empty: give a new folder" in capsys.readouterr().err


def test_arrays_are_as_evaluate_reads_them(trained, tmp_path):
    images, workdir = trained
    assert sample(workdir, tmp_path / "s.npz", "--num=70") == 0
    with np.load(tmp_path / "s.npz") as stored:
        np.testing.assert_allclose(stored["images"], images, atol=1)
        assert stored["images"].dtype == np.uint8
        np.testing.assert_array_equal(stored["labels"], np.arange(70) * 8 // 70)
    assert npz_source(tmp_path / "s.npz").num_classes == 8


def test_a_picture_that_nobody_can_open_is_refused_before_it_is_drawn(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("gan_jax.cli.commands.make_chunks", lambda *_: pytest.fail("drawn"))
    assert sample(trained[1], tmp_path / "x.png", "--num=200000", "--scale=64") == 1
    assert "million pixels, and programs open at most 179: show fewer" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["columns", "scale"])
def test_columns_and_scale_are_of_one_picture(flag, trained, tmp_path, capsys):
    for out in (f"{tmp_path}/each/", tmp_path / "s.npz"):
        assert sample(trained[1], out, f"--{flag}=2") == 1
        assert f"{flag}=2 is for one picture of all" in capsys.readouterr().err


def test_an_earlier_checkpoint_and_the_best_one(trained, tmp_path, capsys):
    _, workdir = trained
    for name, more in (("last", []), ("best", ["--best"]), ("earlier", ["--step=8"])):
        assert sample(workdir, tmp_path / f"{name}.png", "--num=8", *more) == 0
    said = capsys.readouterr().out
    assert [line.split(" in ")[0].split()[-1] for line in said.splitlines()] == ["16", "8", "8"]
    last, best, earlier = ((tmp_path / f"{name}.png").read_bytes() for name in ("last", "best", "earlier"))
    assert last != best == earlier
    assert sample(workdir, tmp_path / "x.png", "--step=9") == 1
    assert "cannot be used (not there). Steps there: 8, 16." in capsys.readouterr().err
    assert sample(workdir, tmp_path / "x.png", "--step=8", "--best") == 2


def test_a_step_that_only_best_has(trained, tmp_path):
    workdir = shutil.copytree(trained[1], tmp_path / "run")
    shutil.rmtree(workdir / "checkpoints" / "8")
    assert int(restored_run(workdir, step=8)[2].step) == 8


def test_what_a_form_does_not_hold_is_refused_before_it_is_drawn(tmp_path):
    for out, codec, shape, words in (
        (f"{tmp_path}/each/", Points(None), (1, 1, 2), "points have no picture each"),
        (tmp_path / "x.jpg", Pixels(), (4, 4, 4), "JPEG has no transparency"),
    ):
        with pytest.raises(UserError, match=words):
            sample_files(out).check(3, codec, shape)
    for to in (sample_files(tmp_path / "p.png", columns=2), sample_files(tmp_path / "p.png", scale=2)):
        with pytest.raises(UserError, match="points are drawn all in one: leave out columns and scale"):
            to.check(3, Points(None), (1, 1, 2))


def test_points_have_no_picture_each(tmp_path):
    points = np.zeros((3, 1, 1, 2), np.float32)
    with pytest.raises(UserError, match=r"points have no picture each; write a file that ends in \.png"):
        sample_files(f"{tmp_path}/each/").write(iter([{"": points}]), Points(None))
    assert sample_files(tmp_path / "p.npz").write(iter([{"": points}]), Points(None)) == [tmp_path / "p.npz"]


def test_class_names_that_cannot_be_folders(tmp_path):
    """They are written as names that are found to be the same when the folder is scored, or as numbers."""
    to = sample_files(f"{tmp_path}/each/", class_names=("cat", "a/b", "..", ""))
    to.write(iter([{"": np.zeros((5, 4, 4, 1), np.float32)}]), Pixels(), np.arange(5))
    assert sorted(path.parent.name for path in tmp_path.rglob("*.png")) == ["0", "1", "2", "3", "4"]
    names = FashionMnist.CLASS_NAMES
    to = sample_files(f"{tmp_path}/garments/", class_names=names)
    to.write(iter([{"": np.zeros((10, 4, 4, 1), np.float32)}]), Pixels(), np.arange(10))
    written = sorted(path.name for path in (tmp_path / "garments").iterdir())
    assert sorted(matching(written, names)) == list(range(10))


def test_pictures_that_a_format_cannot_hold(tmp_path):
    with pytest.raises(UserError, match="JPEG has no transparency"):
        save_picture(tmp_path / "a.jpg", np.zeros((2, 2, 4), np.uint8))
    with pytest.raises(UserError, match=r"WEBP cannot hold a picture of 20000 x 1 pixels .*; choose \.png"):
        save_picture(tmp_path / "a.webp", np.zeros((1, 20000, 1), np.uint8))
    with pytest.raises(UserError, match=r"must end in \.png, which is what is written"):
        save_png(tmp_path / "a.jpg", np.zeros((2, 2, 1), np.uint8))


@pytest.mark.parametrize("how", ["before", "meanwhile", "zeros"])
def test_a_checkpoint_that_vanishes_while_it_is_read_is_chosen_again(
    how, trained, tmp_path, monkeypatch, caplog
):
    """The run saves step 16 and deletes step 8 in the middle of its reading."""
    workdir = shutil.copytree(trained[1], tmp_path / "run")
    (workdir / "checkpoints" / "16").rename(tmp_path / "16")
    load, loaded = Checkpoints._load, []

    def loading(self, step, like):
        loaded.append(step)
        if len(loaded) > 1:
            return load(self, step, like)
        state = load(self, step, like) if how == "zeros" else None
        (tmp_path / "16").rename(workdir / "checkpoints" / "16")
        shutil.rmtree(workdir / "checkpoints" / "8" / ("d" if how == "meanwhile" else ""))
        if how == "zeros":
            return state
        try:
            return load(self, step, like)
        finally:
            shutil.rmtree(workdir / "checkpoints" / "8", ignore_errors=True)

    monkeypatch.setattr(Checkpoints, "_load", loading)
    assert int(restored_run(workdir)[2].step) == 16
    assert loaded == [8, 16]
    gc.collect()  # which is when asyncio tells of tasks whose errors nobody has asked for
    assert not caplog.text


def test_info_does_not_show_a_checkpoint_that_vanished(trained, tmp_path, monkeypatch, capsys):
    workdir = shutil.copytree(trained[1], tmp_path / "run")

    def vanishing(folder, step):
        if step == 8:
            shutil.rmtree(folder, ignore_errors=True)
        return verify(folder, step)

    verify = manifest.verify
    monkeypatch.setattr(manifest, "verify", vanishing)
    assert main(["info", f"--workdir={workdir}"]) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("checkpoint ")]
    assert shown == ["checkpoint 16 of 16: verified"]


@pytest.mark.slow
def test_readers_beside_a_trainer(tmp_path, capsys, caplog):
    """A run that saves at every step, and readers that never meet a checkpoint that is half deleted."""
    fields = dict(num_steps=100_000, checkpoint_every_steps=1, steps_per_call=1, sample_every_steps=100_000)
    trainer = start(
        *("train", "--config=tests/runs.py", f"--workdir={tmp_path / 'run'}"),
        *(f"--config.{name}={value}" for name, value in fields.items()),
        TFDS_DATA_DIR=str(tmp_path / "data"),
    )
    try:
        while not list((tmp_path / "run").glob("checkpoints/*/manifest.json")):
            time.sleep(0.1)
            assert trainer.poll() is None
        read = []
        for _ in range(100):
            read.append(int(restored_run(tmp_path / "run")[2].step))
            assert main(["info", f"--workdir={tmp_path / 'run'}"]) == 0
            shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("checkpoint ")]
            assert shown
            assert all("verified" in line or "no manifest" in line for line in shown)
        assert trainer.poll() is None
    finally:
        trainer.kill()
        trainer.communicate()
    assert read == sorted(read)
    assert not caplog.text
    assert len(set(read)) > 10


def test_kinds_beside_each_other_are_one_picture_with_names(tmp_path):
    kinds = {kind: np.full((4, 16, 16, 1), value, np.float32) for kind, value in (("made", 0), ("truth", 1))}
    to = sample_files(tmp_path / "a.png", scale=1)
    to.check(4, Pixels(), (16, 16, 1), kinds=2)
    assert to.write(iter([kinds, kinds]), Pixels(), beside=True) == [tmp_path / "a.png"]
    picture, _ = opened(tmp_path / "a.png")
    assert picture.shape == (24 + 4 * 22 - 6, 2 * 40 - 6)
    assert (picture[24:40, :16] == 128).all()
    assert (picture[24:40, 18:34] == 255).all()
    folder = sample_files(f"{tmp_path}/folder/")
    folder.write(iter([kinds, kinds]), Pixels(), beside=True)
    assert len(list((tmp_path / "folder" / "truth").iterdir())) == 8
    film = sample_files(tmp_path / "a.gif", scale=1)
    assert film.write(iter([kinds, kinds]), Pixels(), beside=True) == [tmp_path / "a.gif"]
    with Image.open(tmp_path / "a.gif") as found:
        assert found.size == (34, 16)
