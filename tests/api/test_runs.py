"""Training and drawing from Python: what the arguments mean, and what they may not be."""

from pathlib import Path

import jax
import numpy as np
import pytest
from absl import flags
from PIL import Image

import gan_jax
from gan_jax.api import runs as runs_module
from gan_jax.api import training
from gan_jax.config.config_flag import define_config
from gan_jax.config.record import to_json
from gan_jax.inference.sample import make_sampler
from gan_jax.inference.translate import PictureTranslator
from gan_jax.training.restore import restored_run
from gan_jax.utils.errors import UserError
from tests.inference.test_translate import picture, toy
from tests.runs import get_config

WIDTHS = {"generator.widths": (8,), "discriminator.widths": (8,)}


@pytest.fixture(scope="module")
def run(trained):
    return gan_jax.load(trained[0] / "runs" / "small")


def test_the_images_are_those_of_the_averaged_generator_by_class(run):
    algorithm, spec, state = restored_run(run.workdir)
    expected = make_sampler(algorithm, spec)(state, 4, jax.random.key(3), np.array([0, 0, 1, 1], np.int32))
    np.testing.assert_array_equal(run.sample(4, seed=3), expected)
    np.testing.assert_array_equal(run.sample(4, ["0", 1], seed=3), expected)
    np.testing.assert_array_equal(run.sample(2, 0, seed=3), expected[:2])
    assert len(run._samplers) == 1  # compiled once
    assert jax.tree.map(np.shape, run.params) == jax.tree.map(np.shape, state.generator.params)


def test_pictures_of_images(run):
    images = np.array([-2, -1, 0.0, 1], np.float32).reshape(1, 2, 2, 1)
    assert run.to_uint8(images).ravel().tolist() == [0, 0, 128, 255]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num": 0}, "num=0: it must be a positive integer"),
        ({"label": "sneaker"}, "^label=sneaker: there is no class 'sneaker'"),
        ({"label": 2}, "label=2: the classes are 0 to 1"),
        ({"label": ["0", "1"], "num": 1}, "are 2 classes, and num=1"),
        ({"truncation": 0.7}, "has no mean style"),
        ({"steps": 20}, "steps=20: only diffusion models make their examples in steps"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn(arguments, message, run):
    with pytest.raises(UserError, match=message):
        run.sample(**arguments)


def test_checkpoints_by_their_step(run):
    assert gan_jax.load(str(run.workdir), step=2).step == 2
    with pytest.raises(UserError, match="give one of them"):
        gan_jax.load(run.workdir, step=2, best=True)
    with pytest.raises(UserError, match="holds no run"):
        gan_jax.load(run.workdir.parent)


@pytest.fixture
def asked(monkeypatch):
    """What `gan_jax.train` asks the trainer for: (config, the other arguments)."""
    found = []
    monkeypatch.setattr(
        training, "run_training", lambda config, *rest, **named: found.append((config, named))
    )
    monkeypatch.setattr(training, "load", lambda workdir: None)
    return found


def test_a_config_by_name_with_overrides(asked, tmp_path):
    overrides = {**WIDTHS, "loss.name": "hinge", "penalties.r1.weight": 2.0, "batch_size": 8.0}
    gan_jax.train("gan_shapes", tmp_path, num_steps=100, overrides=overrides)
    config, named = asked[0]
    assert (config.num_steps, config.batch_size, config.loss.name) == (100, 8, "hinge")
    assert (config.penalties.r1.weight, config.generator.widths) == (2.0, (8,))
    assert named["source"].file == "gan_shapes.py"
    assert named["dataset"] is None


def test_the_config_is_the_one_of_the_command_line(asked, tmp_path):
    overrides = {"loss.name": "hinge", "penalties.r1.weight": 2.0, "data.name": "ring"}
    gan_jax.train("gan_shapes", tmp_path, num_steps=100, overrides=overrides)
    given = [f"--config.{field}={value}" for field, value in {"num_steps": 100, **overrides}.items()]
    values = flags.FlagValues()
    values(define_config(values, ["gan-jax", "--config=gan_shapes", *given]))
    assert to_json(asked[0][0]) == to_json(values.config)


def test_a_config_dict_is_not_changed(asked, tmp_path):
    config = get_config()
    gan_jax.train(config, tmp_path, num_steps=7)
    assert (config.num_steps, asked[0][0].num_steps) == (30, 7)


def test_data_by_name_and_by_folder(asked, tmp_path):
    gan_jax.train("gan_shapes", tmp_path, dataset="mnist")
    Image.new("L", (40, 40)).save(tmp_path / "grey.png")
    gan_jax.train("gan_shapes", tmp_path, dataset=tmp_path)
    by_name, by_folder = asked[0][0].data, asked[1][0].data
    assert by_name.name == "mnist"
    assert "resolution" not in by_name
    assert (by_folder.name, by_folder.folder) == ("image_folder", str(tmp_path))
    assert (by_folder.height, by_folder.width, by_folder.channels) == (28, 28, 1)


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        ("gan_shapse", {}, "^config=gan_shapse: .*gan_shapes"),
        (7, {}, "config is int: give the name of a config"),
        ("gan_shapes", {"overrides": {"generator.width": 8}}, "overrides: generator.width: .*widths"),
        ("gan_shapes", {"num_steps": 1, "overrides": {"num_steps": 2}}, "num_steps is given twice"),
        ("gan_shapes", {"dataset": 7}, "examples are int"),
    ],
)
def test_what_cannot_be_trained(config, arguments, message, asked, tmp_path):
    with pytest.raises(UserError, match=message):
        gan_jax.train(config, tmp_path, **arguments)
    assert not asked


def test_a_folder_that_is_not_there(asked, tmp_path):
    with pytest.raises(UserError, match="is not there"):
        gan_jax.train("gan_shapes", tmp_path, dataset=tmp_path / "no")


@pytest.fixture
def translator():
    """An untrained run that translates both ways, with noise."""
    made = toy(noise=0.1, ways=("a_to_b", "b_to_a"))
    return gan_jax.Run(Path("runs/photos"), get_config(), *made)


def test_images_are_translated_as_the_command_does_it(translator):
    pictures = [picture(24, 17), 255 - picture(24, 17) // 4]  # the second has no dark pixel
    images = np.stack(pictures) / 127.5 - 1
    algorithm, spec, state = translator.algorithm, translator.spec, translator.state
    for seed, direction in ((0, "a_to_b"), (3, "b_to_a")):
        one = PictureTranslator(algorithm, spec, state, direction=direction, seed=seed)
        made = translator.translate(images, seed=seed, direction=direction)
        assert (made.dtype, made.shape) == (np.float32, (2, 24, 17, 3))
        np.testing.assert_array_equal(translator.to_uint8(made), np.stack([one(p) for p in pictures]))
    np.testing.assert_array_equal(translator.translate(np.stack(pictures)), translator.translate(images))
    assert len(translator._translators) == 2  # compiled once


def test_large_images_are_cut_into_tiles(translator, monkeypatch):
    monkeypatch.setattr(runs_module, "UNTILED", 32)
    monkeypatch.setattr(PictureTranslator, "largest_tile", lambda self: 32)
    images = picture(40, 40)[None]
    whole = PictureTranslator(translator.algorithm, translator.spec, translator.state, direction="a_to_b")
    assert translator.translate(images).shape == (1, *whole(images[0]).shape)
    assert translator._translators["a_to_b", 0].tile == 32


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (
            np.zeros((1, 8, 8, 1)),
            {},
            "have 1 channel, and the run in runs/photos translates a_to_b .* 3 chan",
        ),
        (np.full((1, 8, 8, 3), 2.0), {}, r"floats must be in \[-1, 1\]"),
        (np.zeros((8, 8)), {}, "the images"),
        (np.zeros((1, 8, 8, 3)), {"direction": "back"}, "direction=back: Toy translates a_to_b and b_to_a"),
    ],
    ids=str,
)
def test_what_cannot_be_translated(images, options, message, translator):
    with pytest.raises(UserError, match=message):
        translator.translate(images, **options)
