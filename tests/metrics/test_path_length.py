"""Perceptual path length of generators whose length is known, and the paths themselves."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.feature_networks.network import FeatureNetwork, Outputs
from gan_jax.feature_networks.simple_networks import random_network
from gan_jax.metrics.path_length import EPSILON, latent_pairs, lerp, path_length, slerp
from gan_jax.utils.errors import UserError


def network(maps, **fields) -> FeatureNetwork:
    return FeatureNetwork(
        name="test",
        digest="",
        resizer="none",
        image_shape=(None, None, None),
        num_features=1,
        num_classes=None,
        params={},
        apply=lambda params, images: Outputs(images.mean((1, 2))),
        maps=maps,
        **fields,
    )


def pixel(latents, labels):
    """The latents are the channels of an image of one pixel."""
    return jnp.asarray(latents)[:, None, None, :]


def array(seed, *shape) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


# The features are the latents themselves, and of those the direction.
DIRECTIONS = network(lambda params, images: [images / 127.5 - 1.0])
# The features are the latents beside a constant that outweighs them: the direction is nearly linear.
WEIGHT = 30.0
NEARLY_LINEAR = network(
    lambda params, images: [
        jnp.concatenate([images / 127.5 - 1.0, jnp.full_like(images[..., :1], WEIGHT)], -1)
    ]
)


# Paths


def test_slerp_ends_where_it_should_and_turns_at_constant_speed():
    a, b = array(0, 6, 4), 3 * array(1, 6, 4)
    np.testing.assert_allclose(slerp(a, b, np.zeros(6)), a, atol=1e-12)
    np.testing.assert_allclose(slerp(a, b, np.ones(6)), b, atol=1e-12)
    points = np.stack([slerp(a, b, np.full(6, t)) for t in np.linspace(0, 1, 6)])
    units = points / np.linalg.norm(points, axis=2, keepdims=True)
    steps = np.arccos(np.sum(units[1:] * units[:-1], axis=2))
    whole = np.arccos(np.sum(units[0] * units[-1], axis=1))
    np.testing.assert_allclose(steps, np.tile(whole / 5, (5, 1)), rtol=1e-8)


def test_slerp_of_one_norm_is_the_sine_formula_and_keeps_the_norm():
    """sin((1 - t) w) / sin w a + sin(t w) / sin w b, White 2016."""
    a, b = array(0, 6, 4), array(1, 6, 4)
    a, b = (2 * x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    t = np.linspace(0.1, 0.9, 6)[:, None]
    w = np.arccos(np.sum(a * b, axis=1, keepdims=True) / 4)
    expected = np.sin((1 - t) * w) / np.sin(w) * a + np.sin(t * w) / np.sin(w) * b
    found = slerp(a, b, t[:, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 2.0, rtol=1e-12)


def test_slerp_between_latents_of_one_direction_is_straight():
    a = array(0, 3, 4)
    np.testing.assert_allclose(slerp(a, 2 * a, np.full(3, 0.25)), 1.25 * a, rtol=1e-12)


def test_lerp():
    a, b = array(0, 2, 3), array(1, 2, 3)
    np.testing.assert_allclose(lerp(a, b, np.array([0.0, 0.25])), [a[0], 0.75 * a[1] + 0.25 * b[1]])


@pytest.mark.parametrize("latent", ["normal", "uniform"])
def test_pairs_are_a_step_apart_and_on_the_distribution(latent):
    starts, ends = latent_pairs(8, 4000, 0, 1e-3, latent, "end")
    assert starts.dtype == ends.dtype == np.float32
    deviation = 1.0 if latent == "normal" else np.sqrt(1 / 3)
    np.testing.assert_allclose(starts.std(), deviation, rtol=0.02)
    step = np.linalg.norm(ends - starts, axis=1)
    assert step.min() > 0
    assert step.max() < 2e-3 * np.linalg.norm(starts, axis=1).max() * np.pi
    middle, _ = latent_pairs(8, 4000, 0, 1e-3, latent, "full")
    assert not np.allclose(middle, starts)
    if latent == "uniform":  # halfway the variance is less: (1 - t)^2 + t^2 is 2/3 on average
        np.testing.assert_allclose(middle.std(), deviation * np.sqrt(2 / 3), rtol=0.02)
        assert np.abs(middle).max() < 1.0


# Lengths


@pytest.mark.parametrize(("size", "expected"), [(2, np.pi**2 / 3), (3, np.pi**2 / 2 - 2)])
@pytest.mark.parametrize("sampling", ["full", "end"])
def test_the_length_of_a_turn_is_its_squared_angle(size, expected, sampling):
    """The angle of two normal latents is uniform on [0, pi] in the plane, and of density sin / 2 in space."""
    found = path_length(
        pixel, DIRECTIONS, latent_size=size, num=20_000, seed=0, sampling=sampling, batch_size=5000
    )
    assert found.raw_mean == pytest.approx(expected, rel=0.03)
    assert abs(found.raw_mean - expected) < 5 * found.standard_error
    assert found.paths == 20_000


def test_the_length_of_a_straight_path_is_its_square():
    """|b - a|^2 / weight^2 for uniform latents, of which the mean is 2 Z / 3 / weight^2."""
    found = path_length(
        pixel, NEARLY_LINEAR, latent_size=6, num=8000, seed=0, epsilon=0.05, latent="uniform", batch_size=4000
    )
    assert found.raw_mean == pytest.approx(2 * 6 / 3 / WEIGHT**2, rel=0.03)


def mixed(latents, labels):
    """A linear generator of 2x2 pixels with 3 channels."""
    return jnp.tanh(jnp.matmul(latents, MIX)).reshape(-1, 2, 2, 3)


MIX = array(5, 5, 12).astype(np.float32) / 2
LAYERS = (array(6, 3, 4).astype(np.float32), array(7, 12, 6).astype(np.float32))
MIXING = network(
    lambda params, images: [images @ LAYERS[0], images.reshape(len(images), 1, 1, 12) @ LAYERS[1]]
)


@pytest.mark.parametrize("latent", ["normal", "uniform"])
def test_it_is_what_a_loop_in_float64_finds(latent):
    num, epsilon = 50, 1e-3
    found = path_length(
        mixed, MIXING, latent_size=5, num=num, seed=3, epsilon=epsilon, latent=latent, batch_size=16
    )
    generator = np.random.default_rng(3)
    draw = generator.standard_normal if latent == "normal" else lambda size: generator.uniform(-1, 1, size)
    a, b = draw((2, num, 5))
    path = slerp if latent == "normal" else lerp
    t = generator.uniform(size=num)
    lengths = []
    for start, end in zip(path(a, b, t), path(a, b, t + epsilon), strict=True):
        total = 0.0
        x, y = ((np.tanh(z @ np.float64(MIX)) + 1) * 127.5 for z in (start, end))
        for layer, shape in zip(LAYERS, ((4, 3), (1, 12)), strict=True):
            u, v = (s.reshape(shape) @ layer for s in (x, y))
            u, v = (s / np.linalg.norm(s, axis=1, keepdims=True) for s in (u, v))
            total += np.mean(np.sum((u - v) ** 2, axis=1))
        lengths.append(total / epsilon**2)
    assert found.raw_mean == pytest.approx(np.mean(lengths), rel=2e-3)
    # Of 50 the 1st percentile rounds down to the least, and the 99th up to the largest.
    assert (found.mean, found.kept) == (found.raw_mean, num)


def test_what_lies_outside_the_percentiles_is_dropped():
    """Of 1000 paths the 9 shortest and the 9 longest."""
    settings: Any = dict(latent_size=3, num=1000, seed=0, sampling="end", batch_size=1000)
    found = path_length(pixel, DIRECTIONS, **settings)
    a, b = np.random.default_rng(0).standard_normal((2, 1000, 3))
    cosines = np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    squares = np.sort(np.arccos(cosines) ** 2)
    assert found.kept == 982
    assert found.mean == pytest.approx(squares[9:-9].mean(), rel=1e-3)
    assert found.raw_mean == pytest.approx(squares.mean(), rel=1e-3)
    assert found.standard_error == pytest.approx(squares[9:-9].std(ddof=1) / np.sqrt(982), rel=1e-3)


def test_a_collapsed_generator_has_no_length():
    found = path_length(
        lambda latents, labels: np.full((len(latents), 2, 2, 3), 0.25, np.float32),
        MIXING,
        latent_size=4,
        num=20,
        seed=0,
    )
    assert found.mean == found.raw_mean == found.standard_error == 0.0


def test_the_default_step_is_right_in_float32():
    """With a convolutional network and 28x28 images; larger steps, whose rounding is less, say the same."""
    weights = array(0, 16, 28 * 28).astype(np.float32) / 4

    def generate(latents, labels):
        return jnp.tanh(jnp.tanh(latents) @ weights).reshape(-1, 28, 28, 1)

    judge = random_network((28, 28, 1))
    found = [
        path_length(generate, judge, latent_size=16, num=64, seed=0, epsilon=epsilon).raw_mean
        for epsilon in (EPSILON, 5 * EPSILON)
    ]
    assert found[0] == pytest.approx(found[1], rel=0.01)


def test_both_ends_of_a_path_have_its_label_and_all_calls_one_shape():
    seen = []

    def generate(latents, labels):
        seen.append((latents.shape, labels))
        return pixel(latents * (1 + labels[:, None]), None)

    labels = np.arange(10) % 3
    found = path_length(generate, DIRECTIONS, latent_size=4, num=10, seed=0, labels=labels, batch_size=4)
    assert [shape for shape, _ in seen] == [(8, 4)] * 3
    for (_, given), first in zip(seen, (0, 4, 8), strict=True):
        np.testing.assert_array_equal(given[:4], given[4:])
        np.testing.assert_array_equal(given[: min(4, 10 - first)], labels[first : first + 4])
    plain = path_length(pixel, DIRECTIONS, latent_size=4, num=10, seed=0, batch_size=10)
    assert found.raw_mean == pytest.approx(plain.raw_mean, rel=1e-3)  # a direction does not see the factor


def test_the_seed_decides():
    first, again, other = (path_length(pixel, DIRECTIONS, latent_size=3, num=30, seed=s) for s in (1, 1, 2))
    assert first == again != other


def test_what_has_no_length_is_refused():
    settings: Any = dict(latent_size=3, num=10, seed=0)
    with pytest.raises(UserError, match="has no maps"):
        path_length(pixel, dataclasses.replace(DIRECTIONS, maps=None), **settings)
    with pytest.raises(UserError, match="takes images any x any x 1"):
        path_length(pixel, dataclasses.replace(DIRECTIONS, image_shape=(None, None, 1)), **settings)
    with pytest.raises(UserError, match="10 of 10 perceptual distances"):
        path_length(lambda z, _: pixel(z, None) * np.nan, DIRECTIONS, **settings)
    with pytest.raises(UserError, match="1 path"):
        path_length(pixel, DIRECTIONS, **settings | {"num": 1})
    with pytest.raises(UserError, match="single entry"):
        path_length(pixel, DIRECTIONS, **settings | {"latent_size": 1})
    with pytest.raises(ValueError, match="expected 10 labels"):
        path_length(pixel, DIRECTIONS, **settings, labels=np.zeros(9, np.int32))
    with pytest.raises(ValueError, match="uint8"):
        path_length(lambda z, _: pixel(z, None).astype(np.uint8), DIRECTIONS, **settings)
    for wrong, named in (
        ({"latent": "cauchy"}, "cauchy"),
        ({"sampling": "half"}, "half"),
        ({"epsilon": 0.0}, "eps"),
    ):
        with pytest.raises(ValueError, match=named):
            path_length(pixel, DIRECTIONS, **settings | wrong)
