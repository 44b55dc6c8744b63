"""L1, PSNR, SSIM and colourfulness against plain statements, values by hand, and scikit-image where it is."""

import numpy as np
import pytest

from gan_jax.metrics.colourfulness import colourfulness
from gan_jax.metrics.paired import cropped, l1, luma, psnr, ssim
from gan_jax.utils.errors import UserError
from tests.metrics.test_ms_ssim import noisy, smooth_images

FLAT = np.ones((1, 16, 16, 3), np.uint8)


def by_windows(a, b):
    """SSIM of one channel [H, W] from the definition: weighted moments in one window after the other."""
    a, b = np.float64(a), np.float64(b)
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(line, line) / np.outer(line, line).sum()
    found = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            x, y = (image[i : i + 11, j : j + 11] for image in (a, b))
            mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
            var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
            covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
            c1, c2 = 2.55**2, 7.65**2
            found.append(
                (2 * mean_x * mean_y + c1)
                * (2 * covariance + c2)
                / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
            )
    return np.mean(found)


@pytest.mark.parametrize(("height", "width", "channels"), [(11, 11, 1), (20, 31, 3)])
def test_ssim_is_its_definition(height, width, channels):
    a = smooth_images(0, 2, height, width, channels)
    b = noisy(a, 20)
    expected = [
        np.mean([by_windows(x[..., c], y[..., c]) for c in range(channels)])
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(ssim(a, b), expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(ssim(a, a), 1, rtol=0, atol=1e-12)


def test_ssim_of_flat_pictures_is_its_luminance():
    expected = (2 * 50 * 80 + 2.55**2) / (50**2 + 80**2 + 2.55**2)
    assert ssim(50 * FLAT, 80 * FLAT) == pytest.approx([expected], abs=1e-9)
    assert ssim(0 * FLAT, 255 * FLAT) == pytest.approx([2.55**2 / (255**2 + 2.55**2)], abs=1e-9)


def test_ssim_and_psnr_are_scikit_images():
    metrics = pytest.importorskip("skimage.metrics")
    a = smooth_images(3, 2, 40, 33, 3)
    b = noisy(a, 15)
    gaussian = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 255}
    theirs = [
        metrics.structural_similarity(x, y, channel_axis=-1, **gaussian) for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(ssim(a, b), theirs, atol=1e-9)
    theirs = [metrics.peak_signal_noise_ratio(x, y, data_range=255) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(psnr(a, b), theirs, atol=1e-9)


def test_l1_and_psnr_by_hand():
    b = np.concatenate([50 * FLAT, 50 * FLAT])
    b[0, :, :8] += 51  # half the pixels by a fifth of the range
    b[1, :, :, 0] += 30  # one channel of three
    a = np.concatenate([50 * FLAT, 50 * FLAT])
    np.testing.assert_allclose(l1(a, b), [0.1, 30 / 255 / 3])
    np.testing.assert_allclose(psnr(a, b), [10 * np.log10(25 * 2), 10 * np.log10(255**2 / 300)])
    np.testing.assert_array_equal(l1(a, b), l1(b, a))  # also where uint8 would go round
    assert psnr(a, a).tolist() == [np.inf, np.inf]


def test_the_luma_is_that_of_matlab():
    """rgb2ycbcr of MATLAB's documentation: black 16, white 235; red, green and blue from its matrix."""
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_allclose(luma(colours)[0, :, 0], [16, 235, 81.481, 144.553, 40.966])
    with pytest.raises(ValueError, match="3 channels"):
        luma(colours[..., :1])


def test_a_border_is_cut_off_on_all_sides():
    image = np.arange(2 * 5 * 7).reshape(2, 5, 7, 1)
    np.testing.assert_array_equal(cropped(image, 2), image[:, 2:3, 2:5])
    assert cropped(image, 0).shape == image.shape
    for border in (3, -1):
        with pytest.raises(UserError, match=f"border={border}: nothing is left of pictures of 5 x 7"):
            cropped(image, border)


def test_what_cannot_be_compared_is_said():
    with pytest.raises(UserError, match=r"11 x 11 pixels, and these pictures are 16 x 10"):
        ssim(FLAT[:, :, :10], FLAT[:, :, :10])
    with pytest.raises(ValueError, match="one shape"):
        l1(FLAT, FLAT[:, :8])
    with pytest.raises(UserError, match="NaN or infinite"):
        psnr(np.full(FLAT.shape, np.nan), FLAT)


def test_colourfulness_by_hand():
    pictures = np.zeros((3, 2, 4, 3), np.uint8)
    pictures[0] = 90  # grey
    pictures[1, ..., 0] = 255  # red: rg = 255, yb = 127.5 everywhere
    pictures[2, 0, :, 0] = pictures[2, 1, :, 1] = 255  # red above green: rg = +-255, yb = 127.5
    expected = [0, 0.3 * np.hypot(255, 127.5), 255 + 0.3 * 127.5]
    np.testing.assert_allclose(colourfulness(pictures), expected)
    with pytest.raises(ValueError, match="3"):
        colourfulness(pictures[..., :1])
