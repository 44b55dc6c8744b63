"""Projections find latents whose pictures are the targets."""

import logging
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.data.codecs import Points, Tiles
from gan_jax.data.spec import Field
from gan_jax.latent_tools.distance import Distance, open_distance
from gan_jax.latent_tools.projection import project
from gan_jax.latent_tools.targets import read_targets
from gan_jax.utils.errors import UserError
from tests.latent_tools.toys import LATENT, LAYERS, SHAPE, SIZE, SPEC, plain, styled


@pytest.mark.parametrize("space", ["z", "w"])
def test_the_picture_of_a_latent_is_found(space):
    generator = styled()
    targets = generator(generator.drawn([11, 12]))
    found = project(generator, targets, Distance(), space=space, iterations=150)
    assert found.latents.values.shape == ((2, LATENT) if space == "z" else (2, LAYERS, SIZE))
    assert found.distances.shape == (2, 151)
    assert np.abs(found.images - targets).max() < 0.05
    assert (found.distances[:, -1] < 0.02 * found.distances[:, 0]).all()
    np.testing.assert_allclose(generator(found.latents), found.images, rtol=1e-5, atol=1e-6)
    if space == "w":  # one style in all layers
        np.testing.assert_array_equal(found.latents.values, found.latents.values[:, :1].repeat(LAYERS, 1))


def test_of_a_conditional_generator_the_class_is_found_too_and_z_stays_inside():
    generator = plain(condition="one_hot")
    labels = np.array([2, 0], np.int32)
    targets = generator(generator.many(2, 3, labels))
    distance = open_distance("random", "", SPEC.fields["image"], 1.0)
    free = project(generator, targets, distance, space="z", iterations=60)
    np.testing.assert_array_equal(free.latents.labels, labels)
    told = project(generator, targets, distance, space="z", iterations=3, labels=labels[::-1].copy())
    np.testing.assert_array_equal(told.latents.labels, labels[::-1])
    assert (np.linalg.norm(free.latents.values, axis=1) < 4.3).all()  # chi of 4 dimensions, 99.9 %
    assert (free.distances[:, -1] < 0.2 * free.distances[:, 0]).all()


def test_distances_in_a_network_are_zero_for_equal_pictures_and_refuse_other_channels():
    field = SPEC.fields["image"]
    network = open_distance("", "", field, 1.0).network
    assert network is not None
    assert network.name == "random"
    assert open_distance("", "", Field((6, 5, 2)), 1.0).network is None
    with pytest.raises(UserError, match="channels, not of 2; none compares pixels alone"):
        open_distance("random", "", Field((6, 5, 2)), 1.0)
    with pytest.raises(UserError, match="choose one of vgg19"):
        open_distance("lpips", "", field, 1.0)
    distance = open_distance("random", "", field, 1.0)
    image = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, *SHAPE)), jnp.float32)
    seen = distance.seen(distance.weights, image)
    np.testing.assert_allclose(distance.between(seen, seen), 0.0, atol=1e-6)
    other = distance.seen(distance.weights, image[::-1])
    assert (distance.between(seen, other) > 0.1).all()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, shape in (("a.png", (6, 5)), ("b.png", (12, 10, 3)), ("c/d.png", (9, 5))):
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(path)
    return tmp_path / "in"


def test_targets_get_the_shape_and_the_channels_of_the_run(folder, caplog):
    with caplog.at_level(logging.WARNING):
        targets = read_targets(folder, SPEC.fields["image"])
    assert sorted(targets.names) == ["a.png", "b.png", "c/d.png"]
    assert targets.pictures.shape == (3, *SHAPE)
    exact = np.asarray(Image.open(folder / "a.png"))[..., None] / 127.5 - 1
    np.testing.assert_allclose(targets.pictures[targets.names.index("a.png")], exact, atol=1e-6)
    assert "2 pictures (" in caplog.text
    assert "brought to the 6 x 5 pixels" in caplog.text
    assert "1 picture (b.png): with colours, made grey" in caplog.text


def test_targets_are_read_in_the_range_of_the_runs_data(folder, caplog):
    Image.fromarray(np.full((6, 5), 4095, np.uint16)).save(folder / "e.png")
    field = replace(SPEC.fields["image"], file_range=(0, 4095))
    with caplog.at_level(logging.WARNING):
        targets = read_targets(folder, field)
    np.testing.assert_allclose(targets.pictures[targets.names.index("e.png")], 1)
    assert "1 picture (e.png): 0 becomes black and 4095 white" in caplog.text


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (Field((6, 5, 2)), "the run makes images of the shape 6 x 5 x 2"),
        (Field((1, 1, 2), Points()), "the run makes points"),
        (Field((6, 5, 3), Tiles(np.zeros((3, 1), int))), "the run makes levels of tiles"),
    ],
)
def test_what_has_no_pictures_of_colours_takes_no_targets(field, words, folder):
    with pytest.raises(UserError, match=words):
        read_targets(folder, field)


def test_a_target_that_is_damaged_is_named(folder):
    (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1 of 3 pictures cannot be read: 1 .*a\.png"):
        read_targets(folder, SPEC.fields["image"])
