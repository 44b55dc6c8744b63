"""Sliced Wasserstein distances: scipy's distance on a line, patches cut out one by one."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from gan_jax.metrics import sliced_wasserstein as module
from gan_jax.metrics.sliced_wasserstein import (
    downsample,
    laplacian_pyramid,
    num_levels,
    sliced_wasserstein_pyramid,
    unit_directions,
    upsample,
)
from gan_jax.utils.errors import UserError


def normal(seed, *shape) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def smooth_images(seed, count, size=32, channels=3, blur=1.0):
    drawn = ndimage.gaussian_filter(normal(seed, count, size, size, channels), (0, blur, blur, 0))
    return np.clip(128 + 60 * drawn / drawn.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 42), (7, 5), (1, 6)])
def test_distances_on_a_line_are_those_of_scipy(n, m):
    x, y = normal(0, 25, n), 1.5 * normal(1, 25, m) + 0.3
    expected = [stats.wasserstein_distance(a, b) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(module._distances(x.copy(), y.copy()), expected, rtol=1e-5)


def test_directions_are_units_and_point_everywhere():
    directions = unit_directions(3, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(directions @ directions.T / 20_000, np.eye(3) / 3, atol=0.01)


# The pyramid


def test_the_pyramid_gives_the_image_back():
    images = normal(0, 2, 32, 48, 3)
    pyramid = laplacian_pyramid(jnp.asarray(images), 3)
    assert [level.shape[1:3] for level in pyramid] == [(32, 48), (16, 24), (8, 12)]
    whole = pyramid[-1]
    for level in pyramid[-2::-1]:
        whole = level + upsample(whole)
    np.testing.assert_allclose(whole, images, atol=1e-5)


def test_the_filters_are_scipys_with_a_mirrored_border():
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    image = normal(0, 12, 10)
    pixels = jnp.asarray(image)[None, :, :, None]
    blurred = ndimage.convolve(np.float64(image), kernel, mode="mirror")
    np.testing.assert_allclose(downsample(pixels)[0, :, :, 0], blurred[::2, ::2], atol=1e-6)
    spread = np.zeros((24, 20))
    spread[::2, ::2] = image
    enlarged = ndimage.convolve(spread, 4 * kernel, mode="mirror")
    np.testing.assert_allclose(upsample(pixels)[0, :, :, 0], enlarged, atol=1e-6)


def test_a_plain_image_has_no_details():
    details, rest = laplacian_pyramid(jnp.full((1, 32, 32, 1), 77.0), 2)
    np.testing.assert_allclose(details, 0.0, atol=1e-5)
    np.testing.assert_allclose(rest, 77.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "levels"),
    [
        (28, 28, 1),
        (31, 64, 1),
        (32, 32, 2),
        (32, 128, 2),
        (36, 36, 2),
        (64, 64, 3),
        (1024, 1024, 7),
        (8, 8, 1),
    ],
)
def test_levels_are_halved_exactly_down_to_sixteen(height, width, levels):
    assert num_levels(height, width) == levels


# Images


def patches_one_by_one(images, level, levels, places):
    """[N * P, 7, 7, C] with scipy's filter, in float64, normalised per channel."""
    kernel = (np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256)[..., None]
    found = []
    for image, corners in zip(images, places, strict=False):
        planes, current = [], image.astype(np.float64)
        for _ in range(levels - 1):
            smaller = ndimage.convolve(current, kernel, mode="mirror")[::2, ::2]
            spread = np.zeros_like(current)
            spread[::2, ::2] = smaller
            planes.append(current - ndimage.convolve(spread, 4 * kernel, mode="mirror"))
            current = smaller
        planes.append(current)
        found += [planes[level][row : row + 7, column : column + 7] for row, column in corners]
    patches = np.stack(found)
    return (patches - patches.mean((0, 1, 2))) / patches.std((0, 1, 2))


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_what_loops_over_patches_and_directions_find(monkeypatch, channels):
    monkeypatch.setattr(module, "_PIXELS", 2 * 32 * 32 * channels)  # blocks of two images
    monkeypatch.setattr(module, "_PROJECTED_BYTES", 4 * 5 * 11 * 4)  # and of four directions
    real, fake = smooth_images(0, 5, channels=channels), smooth_images(1, 3, channels=channels, blur=1.6)
    found = sliced_wasserstein_pyramid(real, fake, seed=7, patches=11, projections=10)
    for level, name in enumerate(("32x32", "16x16")):
        generator = np.random.default_rng([7, level])
        directions = unit_directions(49 * channels, 10, generator)
        places = generator.integers(0, [(32 >> level) - 6] * 2, (5, 11, 2), np.int32)
        x, y = (patches_one_by_one(s, level, 2, places).reshape(-1, 49 * channels) for s in (real, fake))
        one_by_one = [stats.wasserstein_distance(x @ u, y @ u) for u in directions.T.astype(np.float64)]
        assert found.levels[name] == pytest.approx(1000 * np.mean(one_by_one), rel=1e-4)
    assert found.mean == pytest.approx(np.mean(list(found.levels.values())))


def test_patches_reach_every_corner_and_no_further():
    places = np.array([[[0, 0], [21, 0], [0, 21], [21, 21]]], np.int32)
    image = np.arange(28 * 28).reshape(1, 28, 28, 1)
    cut = np.asarray(module._patches(jnp.asarray(image), jnp.asarray(places), 0, 1)).reshape(4, 7, 7)
    whole = image[0, :, :, 0]
    np.testing.assert_array_equal(cut, [whole[:7, :7], whole[21:, :7], whole[:7, 21:], whole[21:, 21:]])
    drawn = np.random.default_rng([0, 0])
    unit_directions(49, 4, drawn)
    places = drawn.integers(0, [22, 22], (50, 128, 2), np.int32)
    assert places.min() == 0
    assert places.max() == 21


def test_the_same_images_are_at_distance_zero_whatever_their_contrast():
    images = smooth_images(0, 6)
    found = sliced_wasserstein_pyramid(images, images.copy(), seed=0, patches=16, projections=16)
    assert found.mean == 0.0
    assert list(found.levels) == ["32x32", "16x16"]
    dimmer = (images // 2 + 20).astype(np.uint8)
    assert (
        sliced_wasserstein_pyramid(2 * (images // 2), dimmer, seed=0, patches=16, projections=16).mean < 0.1
    )


def test_noise_and_blur_make_it_grow_and_noise_most_at_the_fine_level():
    real = smooth_images(0, 20, blur=2.0)
    noise = np.random.default_rng(2).normal(0, 1, real.shape)
    noisy = [real + deviation * noise for deviation in (3, 10, 30)]
    blurred = [ndimage.gaussian_filter(np.float32(real), (0, blur, blur, 0)) for blur in (0.7, 1.5, 3.0)]
    for family in (noisy, blurred):
        found = [
            sliced_wasserstein_pyramid(
                real, np.clip(fake, 0, 255).astype(np.uint8), seed=0, patches=16, projections=32
            )
            for fake in family
        ]
        assert 0 < found[0].mean < found[1].mean < found[2].mean
        if family is noisy:
            assert all(distances.levels["32x32"] > distances.levels["16x16"] for distances in found)


def test_a_set_of_one_plain_colour_has_a_finite_distance():
    """Its patches become 0: each distance is then the mean size of the other side's projections."""
    real, plain = smooth_images(0, 5), np.full((5, 32, 32, 3), 77, np.uint8)
    found = sliced_wasserstein_pyramid(real, plain, seed=0, patches=16, projections=16)
    assert np.isfinite(found.mean)
    assert found.mean > 100
    assert sliced_wasserstein_pyramid(plain, plain // 7, seed=0, patches=4, projections=4).mean < 0.1


def test_the_rounding_of_a_plain_colour_is_not_blown_up(monkeypatch):
    """A device may round the mean of equal values; what is left must not be divided by itself."""
    level = module._Level(0, 1, np.zeros((3, 4, 2), np.int32), 3)
    moments = np.array([[77.0, 5.0], [77.00001, 6.0], [77.0, 7.0]]), np.array([[1e-9, 4.0]] * 3)
    monkeypatch.setattr(module, "_moments", lambda *_: moments)
    mean, deviation = module._mean_and_deviation(np.zeros((3, 7, 7, 2), np.uint8), level)
    np.testing.assert_allclose(mean, [77.0, 6.0], rtol=1e-6)
    np.testing.assert_allclose(deviation, [1.0, np.sqrt(4 + 2 / 3)], rtol=1e-6)


def test_images_of_one_level_are_compared_as_they_are():
    found = sliced_wasserstein_pyramid(
        smooth_images(0, 4, 28, 1), smooth_images(1, 6, 28, 1), seed=0, patches=8, projections=8
    )
    assert list(found.levels) == ["28x28"]
    assert found.mean == found.levels["28x28"] > 0


def test_images_that_have_no_patches_are_refused():
    images = smooth_images(0, 4)
    with pytest.raises(UserError, match="at least 7 x 7"):
        sliced_wasserstein_pyramid(images[:, :6], images[:, :6], seed=0)
    with pytest.raises(UserError, match="0 fake"):
        sliced_wasserstein_pyramid(images, images[:0], seed=0)
    with pytest.raises(ValueError, match="expected fake uint8"):
        sliced_wasserstein_pyramid(images, images.astype(np.float32), seed=0)
    with pytest.raises(ValueError, match="expected fake uint8"):
        sliced_wasserstein_pyramid(images, images[:, :16], seed=0)
