"""Which config is chosen for pictures, and how they become a config's data."""

import gzip

import numpy as np
import pytest
from absl import flags
from PIL import Image

from gan_jax.cli import commands
from gan_jax.cli.data_flag import define
from gan_jax.config import build
from gan_jax.config.components import complete
from gan_jax.config.config_file import run_config_file
from gan_jax.config.for_data import FEW, Pictures, choosing, config_for, pictures_in_set, pictures_of
from gan_jax.data import from_arrays
from gan_jax.data.spec import DataSpec, Field
from gan_jax.main import main
from gan_jax.utils.errors import UserError


def files(count=300, side=800, grey=False, classes=0):
    channels = {"data.channels": 1 if grey else 3}
    return Pictures("pics", count, side, grey, classes, {"data.name": "image_folder", **channels}, True)


@pytest.mark.parametrize(
    ("pictures", "expected", "side", "augment"),
    [
        (files(), "stylegan2_ada_openmoji", 64, "ada"),
        (files(side=64, grey=True), "stylegan2_ada_openmoji", 64, "ada"),
        (files(count=FEW), "stylegan2_ada_openmoji", 64, "none"),
        (files(side=63), "stylegan2_fashion_mnist", 32, "ada"),
        (files(side=5, count=FEW), "stylegan2_fashion_mnist", 16, "none"),
        (files(side=28, count=FEW, grey=True), "dcgan_fashion_mnist", 28, "none"),
        (files(side=30, count=FEW, grey=True, classes=10), "projection_fashion_mnist", 28, "none"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_by_size_number_and_colours(pictures, expected, side, augment):
    chosen = config_for(pictures)
    assert f"config {expected} at {side}x{side}" in chosen.said
    assert chosen.source is not None
    assert chosen.source.file == f"{expected}.py"
    assert (chosen.config.data.height, chosen.config.augment.name) == (side, augment)
    assert chosen.config.data.channels == (1 if pictures.is_grey else 3)


def test_networks_are_told_classes_where_each_has_some_pictures():
    chosen = config_for(files(side=28, grey=True, classes=10))
    assert " by class: " in chosen.said
    spec = DataSpec({"image": Field((28, 28, 1))}, 10)
    assert build.build_algorithm(chosen.config, spec).generator.condition == "embedding"
    assert config_for(files(side=28, classes=31)).config.generator.condition == "none"


def test_a_batch_is_no_larger_than_the_data():
    chosen = config_for(files(count=11))
    assert chosen.config.batch_size == 8
    assert "expect little that is new" in chosen.said


def test_what_is_said_of_them():
    lines = config_for(files(classes=3)).said.splitlines()
    assert (
        lines[0]
        == "pics: 300 pictures in colour, half of them at least 800 pixels high and wide, in 3 classes"
    )
    assert lines[1].startswith("config stylegan2_ada_openmoji at 64x64 by class: StyleGAN2 with ADA, since ")
    assert "minutes on one x86 core; half of them mirrored, unless data.flip=False" in lines[1]


def test_data_in_memory_keep_their_size():
    images = np.zeros((40, 12, 10, 1), np.uint8)
    seen = pictures_in_set(from_arrays(images, np.arange(40) % 2), {})
    assert (seen.count, seen.own_side, seen.is_grey, seen.classes) == (40, 10, True, 2)
    assert "at 10x10" not in config_for(seen).said


@pytest.fixture
def folder(tmp_path):
    """Two sub-folders with pictures of 40 x 30 and 20 x 50 pixels, one of them grey in three channels."""
    made = tmp_path / "pics"
    for number, (name, size) in enumerate([("cat", (40, 30)), ("cat", (41, 30)), ("dog", (20, 50))]):
        (made / name).mkdir(parents=True, exist_ok=True)
        mode = "RGB" if number else "L"
        Image.new(mode, size, 99 if mode == "L" else (99, 99, 99)).save(made / name / f"{number}.png")
    return made


def test_a_folder_is_looked_at(folder):
    seen = pictures_of(folder)
    assert (seen.count, seen.side, seen.is_grey, seen.classes) == (3, 30, True, 2)
    Image.new("RGB", (64, 64), "red").save(folder / "dog" / "red.png")
    assert not pictures_of(folder).is_grey


def test_a_folder_on_a_config(folder):
    config = complete(run_config_file("dcgan_shapes"))
    assert choosing(str(folder), config) == {
        "data.name": "image_folder",
        "data.folder": str(folder),
        "data.channels": 1,
    }
    own = complete(run_config_file("style_transfer_small"))
    assert own.data.name == "photos"
    assert choosing(str(folder), own) == {"data.folder": str(folder)}
    assert choosing("mnist", own) == {"data.name": "mnist"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "no pictures in .*/pics"),
        (("a.png", "b/c.png"), r"1 picture \(a.png\) beside 1 sub-folder"),
        (("trainA/a.png", "trainB/a.png"), "has two sides, .* such as cyclegan_emoji"),
    ],
    ids=str,
)
def test_a_folder_that_cannot_be_used(names, message, tmp_path):
    (tmp_path / "pics").mkdir()
    for name in names:
        path = tmp_path / "pics" / name
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (20, 20)).save(path)
    with pytest.raises(UserError, match=message):
        pictures_of(tmp_path / "pics")


def test_a_folder_of_what_is_no_picture(tmp_path):
    (tmp_path / "a.png").write_bytes(gzip.compress(b""))
    with pytest.raises(UserError, match="1 of 1 picture cannot be used"):
        pictures_of(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nothing/of/this", "the folder of pictures nothing/of/this is not there"),
        ("mnits", "mnits is no folder, and no data set: .*did you mean"),
        ("ring", "ring are no single pictures"),
    ],
)
def test_what_is_no_folder_of_pictures(given, message):
    with pytest.raises(UserError, match=message):
        pictures_of(given)


def test_other_flags_are_on_top(folder):
    values = flags.FlagValues()
    values.set_gnu_getopt()
    arguments = ["train", "--data", str(folder), "--config.data.height=16", "--config.num_steps=1e4"]
    assert values(define(values, arguments)) == ["train"]
    assert (values.config.data.height, values.config.num_steps, values.config.data.channels) == (
        16,
        10_000,
        1,
    )
    assert values.config.augment.name == "ada"


@pytest.mark.parametrize(
    ("more", "where", "said"),
    [
        ([], "runs/pics", ["config stylegan2_fashion_mnist at 28x28", "the run is in runs/pics"]),
        (["--config", "dcgan_shapes", "w"], "w", []),
        (["--workdir=w"], "w", ["config stylegan2_fashion_mnist", "the run is in w"]),
    ],
)
def test_train_with_data(more, where, said, folder, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(commands, "train", lambda *given: asked.append(given))
    assert main(["train", "--data", str(folder), *more]) == 0
    config, workdir, *_ = asked[0]
    assert str(workdir) == where
    assert (config.data.name, config.data.folder, config.data.height) == ("image_folder", str(folder), 28)
    out, err = capsys.readouterr()
    assert not out
    assert [words for words in said if words not in err] == []
    assert bool(err) is bool(said)
