"""The embedded set: uniform known factors, right areas and colours, and a recogniser that reads them back."""

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import shapes
from gan_jax.data.drawing import coverage, palette
from gan_jax.utils.errors import UserError


def factors(count, **fixed):
    """`count` pictures in the middle, with some factors set."""
    values = dict.fromkeys(shapes.FACTORS, 1) | {"shift_x": 2, "shift_y": 2} | fixed
    return {name: np.broadcast_to(value, count) for name, value in values.items()}


def test_the_set_is_what_the_seed_says():
    dataset = data.load("shapes", num_examples=60, resolution=24, seed=3)
    again = shapes.sample_factors(60, 3)
    images = dataset.arrays()["image"]
    assert dataset.image_shape == (24, 24, 3)
    assert dataset.class_names == shapes.SHAPES
    assert dataset.options == {"resolution": 24, "channels": 3, "num_examples": 60, "seed": 3}
    np.testing.assert_array_equal(images, shapes.draw(again, 24, 3))
    np.testing.assert_array_equal(dataset.arrays()["label"], again["shape"])
    for name, values in shapes.factors_of(dataset).items():
        np.testing.assert_array_equal(values, again[name])
    assert dataset.source[5]["colour"] == again["colour"][5]


def test_other_options_are_other_sets():
    base = data.load("shapes", num_examples=30)
    others = [
        data.load("shapes", num_examples=30, seed=1),
        data.load("shapes", num_examples=31),
        data.load("shapes", num_examples=30, channels=1),
        data.load("shapes", num_examples=30, resolution=16),
        data.load("shapes", num_examples=30, split="test"),
    ]
    assert len({dataset.fingerprint for dataset in (base, *others)}) == 6
    assert base.fingerprint == data.load("shapes", num_examples=30).fingerprint
    assert not np.array_equal(base.arrays()["image"][:3], others[-1].arrays()["image"])


def test_factors_are_uniform_and_independent():
    drawn = shapes.sample_factors(48_000, 0)
    for name, choices in shapes.FACTORS.items():
        counts = np.bincount(drawn[name], minlength=choices)
        assert len(counts) == choices
        expected = 48_000 / choices
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    # 192 kinds of picture, 250 times each.
    kinds = drawn["shape"] * 24 + drawn["colour"] * 4 + drawn["background"]
    counts = np.bincount(kinds, minlength=192)
    assert np.abs(counts - 250).max() < 5 * np.sqrt(250)
    correlations = np.corrcoef(np.stack(list(drawn.values()))) - np.eye(len(drawn))
    assert np.abs(correlations).max() < 5 / np.sqrt(48_000)


@pytest.mark.parametrize("resolution", [28, 32, 100])
def test_areas_are_those_of_geometry(resolution):
    radius = 0.33  # of the picture's side: "large"
    masks = coverage(factors(8, shape=np.arange(8), size=2), resolution)
    areas = dict(zip(shapes.SHAPES, masks.mean((1, 2)) / radius**2, strict=True))
    assert areas["disc"] == pytest.approx(np.pi * 0.93**2, rel=0.01)
    assert areas["square"] == pytest.approx(1.64**2, rel=0.01)
    assert areas["triangle"] == pytest.approx(0.98 * 1.78, rel=0.01)
    assert areas["ring"] == pytest.approx(np.pi * (0.97**2 - 0.55**2), rel=0.01)
    assert areas["plus"] == pytest.approx(4 * 0.3 * 0.95 * 2 - 4 * 0.3**2, rel=0.01)
    assert areas["star"] == pytest.approx(5 * 0.45 * np.sin(np.pi / 5), rel=0.01)  # ten triangles
    assert masks.max() == 1
    assert masks.min() == 0


def test_colours_place_and_direction():
    image = shapes.draw(factors(1, shape=1, colour=4, background=2), 32, 3)[0]
    colours, backgrounds = palette(3)
    np.testing.assert_array_equal(image[16, 16], colours[4])
    np.testing.assert_array_equal(image[0, 31], backgrounds[2])
    # To the right and down with growing column and row: the centre moves by a tenth of the side.
    for name, axis in (("column", 1), ("row", 0)):
        masks = coverage(factors(2, shape=0, **{name: np.array([0, 2])}), 40)
        centres = [(m.sum(1 - axis) * np.arange(40)).sum() / m.sum() for m in masks]
        assert centres[1] - centres[0] == pytest.approx(8, abs=0.05)
    # The triangle stands on its base.
    triangle = coverage(factors(1, shape=2), 32)[0]
    assert triangle[20].sum() > 2 * triangle[12].sum()


def test_every_figure_stands_out_from_every_ground():
    for channels, least in ((1, 48), (3, 90)):
        colours, backgrounds = palette(channels)
        distances = np.linalg.norm(colours[:, None] - backgrounds[None], axis=-1)
        assert distances.min() >= least


@pytest.mark.parametrize(("resolution", "channels"), [(32, 3), (28, 1), (64, 3)])
def test_the_recogniser_reads_drawn_pictures(resolution, channels):
    true = shapes.sample_factors(300, 11)
    images = shapes.draw(true, resolution, channels)
    found = shapes.recover(images)
    for name, values in true.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert found["quality"].min() > 0.99
    # As a generator gives them: float in [-1, 1], with noise of a tenth of the range's half.
    noise = np.random.default_rng(0).normal(0, 0.1, images.shape)
    noisy = np.clip(images / 127.5 - 1 + noise, -1, 1).astype(np.float32)
    found = shapes.recover(noisy)
    for name in ("shape", "colour", "background", "size", "column", "row"):
        assert (found[name] == true[name]).mean() >= 0.995, name


def test_the_recogniser_does_not_trust_nonsense():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    assert shapes.recover(noise)["quality"].max() < 0.1
    empty = np.full((3, 32, 32, 3), 200, np.uint8)
    assert shapes.recover(empty)["quality"].max() < 0.1
    drawn = shapes.draw(shapes.sample_factors(100, 0), 32, 3).astype(np.float32)
    blend = ((drawn[:50] + drawn[50:]) / 2).astype(np.uint8)
    clean = shapes.recover(drawn.astype(np.uint8))["quality"]
    assert np.median(shapes.recover(blend)["quality"]) < 0.6 < clean.min()


@pytest.mark.parametrize("options", [{"resolution": 8}, {"channels": 4}, {"num_examples": 0}, {"seed": -1}])
def test_bad_options(options):
    with pytest.raises(UserError, match="shapes: "):
        data.load("shapes", **options)
