"""DiffAugment: each example's parameters are read off its result, which NumPy then has to reproduce."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gan_jax.augment import DiffAugment
from gan_jax.augment.diffaugment import pixels
from tests.augment.cases import SIZES, compiled, keys_of, pictures


def augmented(x, seed=0, **fields):
    return np.asarray(compiled(DiffAugment(**fields))(x, keys_of(len(x), seed)))


def colour_parameters(x, y):
    """What was added to all, and the factors of saturation and contrast: [B] each."""
    x, y = np.float64(x), np.float64(y)
    brightness = (y - x).mean((1, 2, 3))  # the other two keep the mean
    x, y = x - x.mean((1, 2, 3), keepdims=True), y - y.mean((1, 2, 3), keepdims=True)
    grey_x, grey_y = x.mean(3, keepdims=True), y.mean(3, keepdims=True)
    contrast = (grey_x * grey_y).sum((1, 2, 3)) / np.square(grey_x).sum((1, 2, 3))
    colour_x, colour_y = x - grey_x, y - grey_y
    with np.errstate(invalid="ignore"):
        both = (colour_x * colour_y).sum((1, 2, 3)) / np.square(colour_x).sum((1, 2, 3))
    return brightness, both / contrast, contrast


def test_colour_is_the_papers_formula_with_uniform_strengths():
    count = 1500
    x = np.repeat(pictures(30, 8, 12, 3), count // 30, 0)
    y = augmented(x, policy=("color",))
    drawn = colour_parameters(x, y)
    for values, low, high in zip(drawn, (-0.5, 0.0, 0.5), (0.5, 2.0, 1.5), strict=True):
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4
    assert np.abs(np.corrcoef(drawn) - np.eye(3)).max() < 5 / np.sqrt(count)
    brightness, saturation, contrast = (values[:, None, None, None] for values in drawn)
    z = np.float64(x) + brightness
    z = (z - z.mean(3, keepdims=True)) * saturation + z.mean(3, keepdims=True)
    z = (z - z.mean((1, 2, 3), keepdims=True)) * contrast + z.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(y, z, atol=1e-5)


def test_saturation_does_nothing_to_one_channel():
    x = pictures(8, 28, 28, 1)
    full = augmented(x, policy=("color",))
    np.testing.assert_allclose(augmented(x, policy=("color",), saturation=0.0), full, atol=1e-6)
    brightness, _, contrast = (values[:, None, None, None] for values in colour_parameters(x, full))
    mean = x.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(full, (x - mean) * contrast + mean + brightness, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_translations_are_uniform_and_bring_in_zeros(size):
    height, width, _ = size
    count = 1200
    x = np.repeat(pictures(1, *size) + 2.0, count, 0)
    y = augmented(x, policy=("translation",))
    reach = [int(n / 8 + 0.5) for n in (height, width)]
    wide = np.pad(x[0], ((height, height), (width, width), (0, 0)))
    kinds: dict[bytes, int] = {}
    for down in range(-reach[0], reach[0] + 1):
        for right in range(-reach[1], reach[1] + 1):
            moved = np.roll(wide, (down, right), (0, 1))[height : 2 * height, width : 2 * width]
            kinds[moved.tobytes()] = len(kinds)
    found = [kinds[image.tobytes()] for image in y]  # a KeyError is a result that should not be
    assert stats.chisquare(np.bincount(found, minlength=len(kinds))).pvalue > 1e-4


@pytest.mark.parametrize("size", SIZES)
def test_cutout_centres_are_uniform(size):
    count = 1200
    x = np.ones((count, *size), np.float32)
    y = augmented(x, policy=("cutout",))
    assert set(np.unique(y)) == {0.0, 1.0}
    np.testing.assert_array_equal(y, y[..., :1].repeat(size[2], 3))
    for axis in (1, 2):
        side = size[axis - 1]
        length = int(side / 2 + 0.5)
        cut = (y == 0).any((3 - axis, 3))  # [count, side]
        places = range(side + 1 - length % 2)
        expected = {}
        for centre in places:
            mask = np.zeros(side, bool)
            mask[max(centre - length // 2, 0) : centre - length // 2 + length] = True
            expected[mask.tobytes()] = centre
        centres = [expected[mask.tobytes()] for mask in cut]
        assert stats.chisquare(np.bincount(centres, minlength=len(places))).pvalue > 1e-4
    rows, columns = (y == 0).any((2, 3)), (y == 0).any((1, 3))
    np.testing.assert_array_equal(y[..., 0] == 0, rows[:, :, None] & columns[:, None, :])


def test_sizes_round_half_up():
    assert [pixels(0.125, side) for side in (20, 28, 32, 3, 4)] == [3, 4, 4, 0, 1]


def test_a_policy_is_its_parts_in_order():
    x, keys = pictures(6, 20, 28, 3), keys_of(6)
    parts = x
    for name in ("cutout", "color", "translation"):
        parts = compiled(DiffAugment(policy=(name,)))(parts, keys)
    np.testing.assert_allclose(
        augmented(x, policy=("cutout", "color", "translation")), parts, rtol=1e-5, atol=1e-6
    )


def test_zero_strengths_are_the_identity():
    x = pictures(6, 20, 28, 3)
    still = augmented(x, brightness=0.0, saturation=0.0, contrast=0.0, translation=0.0, cutout=0.0)
    np.testing.assert_allclose(still, x, atol=1e-6)


def test_a_cutout_of_everything_still_may_leave_a_half():
    y = augmented(np.ones((50, 8, 8, 1), np.float32), policy=("cutout",), cutout=1.0)
    assert 0 < y.mean() < 0.75


def test_it_is_affine_in_the_image_and_has_the_transposed_gradient():
    """f(x + v) - f(x) = J v, and <u, J v> = <J^T u, v>."""
    x, v, u = (pictures(4, 20, 28, 3, seed=seed) for seed in range(3))

    def f(x):
        return compiled(DiffAugment())(x, keys_of(4))

    jv = f(x + v) - f(x)
    back = jax.jit(lambda u: jax.vjp(f, jnp.asarray(x))[1](u)[0])(u)
    np.testing.assert_allclose(f(x + 2 * v) - f(x), 2 * jv, atol=1e-5)
    np.testing.assert_allclose(np.vdot(u, jv), np.vdot(back, v), rtol=1e-4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(policy=("colour",)), r"policy=\('colour',\).*color, translation, cutout"),
        (dict(policy="color"), "policy='color'.*tuple"),
        (dict(policy=()), r"policy=\(\)"),
        (dict(policy=("color", "color")), "policy=.*different"),
        (dict(translation=1.5), r"translation=1\.5.*\[0, 1\]"),
        (dict(cutout=-0.1), r"cutout=-0\.1.*\[0, 1\]"),
        (dict(brightness=float("nan")), "brightness=nan"),
        (dict(saturation="much"), "saturation='much'"),
        (dict(contrast=True), "contrast=True"),
    ],
)
def test_bad_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        DiffAugment(**fields)
