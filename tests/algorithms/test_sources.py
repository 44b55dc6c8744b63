"""What translators are given: against Pillow, and by example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.algorithms.sources import Downscale, Lightness, Masked, OfField
from gan_jax.core.randomness import example_keys
from gan_jax.data.codecs import Lab, Pixels, Tiles
from gan_jax.data.spec import Field

KEY = jax.random.key(3)


def pictures(count=4, height=16, width=24, channels=3, seed=0):
    """Smooth and hard-edged at once, uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, height // 4, width // 4, channels))
    fine = rng.integers(-40, 40, (count, height, width, channels))
    return np.clip(coarse.repeat(4, 1).repeat(4, 2) + fine, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("low", [0, 60])
def test_downscale_is_pillows_bicubic(factor, low):
    """Of floats; of bytes too, where Pillow clips nothing between its two passes."""
    images = (low + pictures() * (1 - 2 * low / 255)).astype(np.uint8)
    got = Downscale(factor)({"image": Pixels().decode(jnp.asarray(images))}, example_keys(KEY, 4))
    size = images.shape[2] // factor, images.shape[1] // factor
    small = lambda x, mode: np.asarray(Image.fromarray(x, mode).resize(size, Image.Resampling.BICUBIC))
    levels = Pixels().encode(np.asarray(got)).astype(int)
    channels = np.moveaxis(images, -1, 1).astype(np.float32)
    floats = np.moveaxis(np.array([[small(x, "F") for x in image] for image in channels]), 1, -1)
    assert np.abs(levels - np.clip(floats, 0, 255)).max() <= 0.501
    np.testing.assert_allclose(Pixels().decode(jnp.asarray(levels, jnp.uint8)), got, atol=1e-6)
    if low:
        assert np.abs(levels - np.stack([small(x, "RGB") for x in images])).max() <= 1


def test_downscale_refuses_sides_that_it_does_not_divide():
    Downscale(4).check({"image": Field((8, 12, 3))})
    with pytest.raises(ValueError, match="factor=4 does not divide the images' 10x12"):
        Downscale(4).check({"image": Field((10, 12, 3))})
    with pytest.raises(ValueError, match="at least 2"):
        Downscale(1)
    with pytest.raises(ValueError, match="is for pixels"):
        Downscale(4).check({"image": Field((8, 12, 3), Lab())})


def test_lightness_stays_and_grey_pictures_have_it_too():
    stored = pictures()
    image = Lab().decode(jnp.asarray(stored))
    source = Lightness()({"image": image}, example_keys(KEY, 4))
    assert source.shape == (4, 16, 24, 1)
    made = Lightness().complete(jnp.zeros_like(image), source)
    np.testing.assert_array_equal(made[..., :1], image[..., :1])
    grey = Lab().encode(np.asarray(Lightness().pictured(source, image.shape[1:])))
    assert np.ptp(grey.astype(int), axis=-1).max() <= 1
    with pytest.raises(ValueError, match=r'data\.codec="lab"'):
        Lightness().check({"image": Field((8, 8, 3))})


def test_a_hole_is_grey_known_pixels_stay_and_each_example_has_its_own():
    image = Pixels().decode(jnp.asarray(pictures(64)))
    keys = example_keys(KEY, 64)
    source = Masked(0.5)({"image": image}, keys)
    alpha = (np.asarray(source[..., -1]) + 1) / 2
    assert set(np.unique(alpha)) == {0.0, 1.0}
    np.testing.assert_array_equal((1 - alpha).sum((1, 2)), 8 * 12)
    np.testing.assert_array_equal(source[..., :3], image * alpha[..., None])
    made = Masked(0.5).complete(jnp.full_like(image, 0.25), source)
    np.testing.assert_array_equal(made, np.where(alpha[..., None] == 1, image, 0.25))
    corners = {tuple(np.argwhere(one == 0)[0]) for one in alpha}
    assert len(corners) > 30
    assert {0, 8} <= {row for row, _ in corners}
    part = Masked(0.5)({"image": image[:8]}, keys[:8])
    np.testing.assert_array_equal(part, source[:8])
    with pytest.raises(ValueError, match="no pixel"):
        Masked(0.01).check({"image": Field((8, 12, 3))})


def test_a_field_is_taken_as_it_is_and_must_be_there():
    batch = {"image": jnp.ones((2, 4, 4, 3)), "source": jnp.zeros((2, 4, 4, 1))}
    assert OfField()(batch, example_keys(KEY, 2)) is batch["source"]
    assert OfField("image")(batch, example_keys(KEY, 2)) is batch["image"]
    shown = OfField().pictured(batch["source"], (8, 8, 3))
    assert shown.shape == (2, 8, 8, 3)
    unpaired = {"image": Field((4, 4, 3)), "source": Field((4, 4, 1), aligned=False)}
    OfField("image").check(unpaired)
    with pytest.raises(ValueError, match=r"are no pairs, .* or algorithm\.name=cyclegan"):
        OfField().check(unpaired)
    with pytest.raises(ValueError, match="take a data set of pairs"):
        OfField().check({"image": Field((4, 4, 3), Tiles(np.zeros((3, 3), np.uint8)))})
