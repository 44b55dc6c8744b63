"""The geometric transforms, once more with SciPy in float64, and against pictures known in closed form."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, signal

from gan_jax.augment import ada, geometry
from gan_jax.augment.draws import NAMES, SLOTS, draw
from gan_jax.augment.wavelets import PHASE, SYM6
from tests.augment.cases import SIZES, chosen, keys_of, pictures

warp = jax.jit(geometry.warp)


def matrix(a, b, c, d, x=0.0, y=0.0):
    return np.array([[a, b, x], [c, d, y], [0, 0, 1]])


def turn(angle):
    return matrix(np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))


def warp_by_scipy(image, forward):
    """The paper's listing: pad, upsample 2x, bilinear lookup, downsample 2x, crop. [H, W, C], float64."""
    height, width, channels = image.shape
    margin = 4 * max(height, width)
    inverse = np.linalg.inv(forward)
    fine_y, fine_x = (np.arange(-5, 2 * n + 6) for n in (height, width))
    y, x = np.meshgrid(
        (fine_y - PHASE) / 2 - (height - 1) / 2, (fine_x - PHASE) / 2 - (width - 1) / 2, indexing="ij"
    )
    source_x = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2] + (width - 1) / 2
    source_y = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2] + (height - 1) / 2
    out = np.empty((height, width, channels))
    for channel in range(channels):
        wide = np.pad(np.float64(image[..., channel]), margin, "reflect")
        fine = signal.upfirdn(SYM6 * 2**0.5, signal.upfirdn(SYM6 * 2**0.5, wide, 2, axis=0), 2, axis=1)
        where = [2 * (source + margin) + 5 + PHASE for source in (source_y, source_x)]
        looked_up = ndimage.map_coordinates(fine, where, order=1, mode="constant", cval=np.nan)
        kernel = np.outer(SYM6, SYM6) / 2
        out[..., channel] = signal.correlate(looked_up, kernel, "valid", "direct")[::2, ::2][:height, :width]
    return out


TRANSFORMS = [
    turn(0.7),
    turn(np.pi),
    matrix(1.3, 0, 0, 1.3),
    matrix(0.6, 0, 0, 1 / 0.6),
    matrix(1, 0, 0, 1, 3.3, -7.1),
    turn(2.0) @ matrix(0.5, 0, 0, 0.9, 15.2, 30.5) @ turn(-0.4),
]


@pytest.mark.parametrize("size", SIZES)
def test_warps_as_scipy_does(size):
    x = pictures(len(TRANSFORMS), *size)
    inverse = np.stack([np.linalg.inv(forward) for forward in TRANSFORMS]).astype(np.float32)
    found = warp(x, inverse)
    for i, forward in enumerate(TRANSFORMS):
        np.testing.assert_allclose(found[i], warp_by_scipy(x[i], forward), atol=2e-4)


def test_no_transform_is_the_image():
    x = pictures(2, 20, 28, 3)
    np.testing.assert_allclose(
        warp(x, np.stack([np.eye(3, dtype=np.float32)] * 2)), x, atol=2e-5
    )  # coordinates round


def test_whole_pixel_shifts_are_numpys():
    x = pictures(1, 20, 28, 3)
    found = warp(x, matrix(1, 0, 0, 1, -4, 3).astype(np.float32)[None])[0]
    wide = np.pad(x[0], ((9, 9), (9, 9), (0, 0)), "reflect")
    np.testing.assert_allclose(found, np.roll(wide, (-3, 4), (0, 1))[9:29, 9:37], atol=5e-6)


@pytest.mark.parametrize("forward", TRANSFORMS[:5])
def test_a_blob_lands_where_it_should(forward):
    """A Gaussian under an affine transform is known exactly: fixes centre, directions and filter delay."""
    height, width = 40, 48
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]

    def blob(x, y):
        return np.exp(-((x - 4) ** 2 + (y + 3) ** 2 + 0.5 * (x - 4) * (y + 3)) / 18)

    inverse = np.linalg.inv(forward)
    source_x, source_y = (row[0] * x + row[1] * y + row[2] for row in inverse[:2])
    inside = (np.abs(source_x) < width / 2) & (np.abs(source_y) < height / 2)  # elsewhere its mirror images
    expected = blob(source_x, source_y) * inside
    found = warp(blob(x, y)[None, ..., None].astype(np.float32), inverse[None].astype(np.float32))
    found = found[0, ..., 0] * inside
    np.testing.assert_allclose(found, expected, atol=0.01)
    for place in (x, y):
        assert abs(np.sum((found - expected) * place) / np.sum(expected)) < 0.01  # pixels


def test_a_picture_smaller_than_the_filter():
    """The mirrors repeat as often as need be."""
    for size in [(2, 3, 1), (1, 5, 2)]:
        x = np.random.default_rng(0).uniform(-1, 1, (1, *size)).astype(np.float32)
        found = warp(x, np.linalg.inv(TRANSFORMS[-1])[None].astype(np.float32))
        assert found.shape == x.shape
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 3


# The whole of `transform_geometry` from the random numbers


def forward_by_the_listing(draws, i, height, width):
    """G of the paper's algorithm for example i, and the picture after its exact part."""
    gates, uniforms, normals = (
        dict(zip(SLOTS, np.asarray(values[i], np.float64), strict=True))
        for values in (draws.gates, draws.uniforms, draws.normals)
    )
    p = float(draws.p)
    p_rot = 1 - np.sqrt(1 - p)
    g = np.eye(3)
    if gates["shift"] < p:
        x, y = ((2 * u - 1) * 0.125 * n for u, n in zip(uniforms["shift"], (width, height), strict=True))
        g = matrix(1, 0, 0, 1, np.round(x), np.round(y)) @ g
    if gates["scale"] < p:
        s = np.exp(normals["scale"][0] * 0.2 * np.log(2))
        g = matrix(s, 0, 0, s) @ g
    if gates["rotate/before"] < p_rot:
        g = turn(np.pi * (2 * uniforms["rotate/before"][0] - 1)) @ g
    if gates["stretch"] < p:
        s = np.exp(normals["stretch"][0] * 0.2 * np.log(2))
        g = matrix(s, 0, 0, 1 / s) @ g
    if gates["rotate/after"] < p_rot:
        g = turn(np.pi * (2 * uniforms["rotate/after"][0] - 1)) @ g
    if gates["translate"] < p:
        x, y = (v * 0.125 * n for v, n in zip(normals["translate"], (width, height), strict=True))
        g = matrix(1, 0, 0, 1, x, y) @ g
    flip = gates["flip"] < p and uniforms["flip"][0] < 0.5
    turns = 0
    if gates["quarter_turn"] < p:
        u = uniforms["quarter_turn"][0]
        turns = int(4 * u) if height == width else 2 * int(2 * u)
    return g, flip, turns


@pytest.mark.parametrize("p", [0.3, 1.0])
@pytest.mark.parametrize("size", SIZES[:3])
def test_all_placements_together(size, p):
    count = 12
    x, keys = pictures(count, *size), keys_of(count)
    draws = draw(keys, jnp.float32(p), frozenset(NAMES))
    found = jax.jit(lambda x, keys: ada.transform_geometry(x, draw(keys, jnp.float32(p), frozenset(NAMES))))(
        x, keys
    )
    for i in range(count):
        forward, flip, turns = forward_by_the_listing(draws, i, *size[:2])
        exact = np.rot90(x[i][:, ::-1] if flip else x[i], turns)
        np.testing.assert_allclose(found[i], warp_by_scipy(exact, forward), atol=2e-4)


def test_what_is_only_blitted_is_exact():
    """Also where others of the batch are resampled."""
    x = pictures(3, 28, 28, 1)
    draws = chosen(3, flip=0.2, quarter_turn=0.3, shift=(0.9, 0.2))
    gates = draws.gates.at[2, SLOTS.index("scale")].set(0.0)
    found = np.asarray(ada.transform_geometry(jnp.asarray(x), dataclasses.replace(draws, gates=gates)))
    for i in range(2):
        turned = np.rot90(x[i][:, ::-1], 1)
        wide = np.pad(turned, ((9, 9), (9, 9), (0, 0)), "reflect")
        # 28 (2 u - 1) / 8 is 2.8 columns and -2.1 rows.
        np.testing.assert_array_equal(found[i], np.roll(wide, (-2, 3), (0, 1))[9:37, 9:37])
    assert not np.allclose(found[2], found[1])
