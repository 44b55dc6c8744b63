"""MS-SSIM against scipy's filters, its limits, and the error of a mean over pairs that share images."""

import numpy as np
import pytest
from scipy import ndimage

from gan_jax.metrics import ms_ssim as module
from gan_jax.metrics.ms_ssim import ms_ssim, ms_ssim_diversity, num_scales, scale_weights
from gan_jax.utils.errors import UserError

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]  # Wang et al. 2003, section 3.2


def smooth_images(seed, count, height, width, channels=1):
    drawn = np.random.default_rng(seed).standard_normal((count, height, width, channels))
    drawn = ndimage.gaussian_filter(drawn, (0, 2, 2, 0))
    return np.clip(128 + 50 * drawn / drawn.std(), 0, 255).astype(np.uint8)


def noisy(images, deviation, seed=1):
    noise = np.random.default_rng(seed).normal(0, deviation, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def by_scipy(a, b, scales, data_range):
    """One channel [H, W] at a time, with a filter over the whole image of which the border is cut off."""
    a, b = np.float64(a), np.float64(b)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def window(image):
        # scipy ends its window at truncate * sigma: 5 pixels on each side.
        return ndimage.gaussian_filter(image, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    score = 1.0
    weights = np.array(WEIGHTS[:scales])
    if scales < 5:
        weights = weights / weights.sum()
    for scale in range(scales):
        mean_a, mean_b = window(a), window(b)
        var_a, var_b = window(a * a) - mean_a**2, window(b * b) - mean_b**2
        covariance = window(a * b) - mean_a * mean_b
        factor = (2 * covariance + c2) / (var_a + var_b + c2)
        if scale == scales - 1:
            factor = factor * (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        score *= max(np.mean(factor), 0.0) ** weights[scale]
        even = [image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2] for image in (a, b)]
        a, b = (image.reshape(len(image) // 2, 2, -1, 2).mean((1, 3)) for image in even)
    return score


@pytest.mark.parametrize(
    ("height", "width", "channels", "scales"),
    [(28, 28, 1, 2), (64, 64, 3, 3), (51, 70, 2, 3), (176, 180, 1, 5), (191, 177, 1, 5)],
)
def test_it_is_what_scipys_filters_give(height, width, channels, scales):
    assert num_scales(height, width) == scales
    a = smooth_images(0, 3, height, width, channels)
    b = noisy(a, 30)
    b[2] = a[1]  # an unrelated pair
    expected = [
        np.mean([by_scipy(x[..., c], y[..., c], scales, 255.0) for c in range(channels)])
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(ms_ssim(a, b), expected, rtol=1e-9)


def test_equal_images_are_1_and_noise_lowers_it():
    a = smooth_images(0, 4, 48, 48, 3)
    np.testing.assert_array_equal(ms_ssim(a, a), 1.0)
    scores = [ms_ssim(a, noisy(a, deviation)).mean() for deviation in (5, 20, 60)]
    assert 1 > scores[0] > scores[1] > scores[2] > 0
    np.testing.assert_array_equal(ms_ssim(a, noisy(a, 20)), ms_ssim(noisy(a, 20), a))


def test_plain_images_differ_in_luminance_only():
    """Of brightness 50 and 100: (2 * 5000 + c1) / (12500 + c1), to the power of the last scale's weight."""
    a, b = np.full((1, 28, 28, 1), 50, np.uint8), np.full((1, 28, 28, 1), 100, np.uint8)
    c1 = 2.55**2
    expected = ((10_000 + c1) / (12_500 + c1)) ** (0.2856 / (0.0448 + 0.2856))
    assert ms_ssim(a, b)[0] == pytest.approx(expected, rel=1e-9)


def test_a_negative_is_0():
    a = smooth_images(0, 2, 32, 32)
    np.testing.assert_array_equal(ms_ssim(a, 255 - a), 0.0)


def test_the_range_scales_with_the_images():
    a = smooth_images(0, 3, 32, 32)
    b = noisy(a, 20)
    small = ms_ssim(a / np.float64(255), b / np.float64(255), data_range=1.0)
    np.testing.assert_allclose(small, ms_ssim(a, b), rtol=1e-9)


def test_bright_images_keep_their_digits():
    """A variance of 1 beside a mean of 250 is lost to float32."""
    generator = np.random.default_rng(0)
    a = (250 + generator.integers(0, 3, (2, 32, 32, 1))).astype(np.uint8)
    b = (250 + generator.integers(0, 3, (2, 32, 32, 1))).astype(np.uint8)
    expected = [by_scipy(x[..., 0], y[..., 0], 2, 255.0) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ms_ssim(a.astype(np.float32), b.astype(np.float32)), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("side", "scales"),
    [(11, 1), (21, 1), (22, 2), (28, 2), (32, 2), (64, 3), (128, 4), (175, 4), (176, 5), (512, 5)],
)
def test_as_many_scales_as_windows_fit(side, scales):
    assert num_scales(side, side + 100) == scales == num_scales(side + 100, side)
    if scales < 5:
        assert scale_weights(scales).sum() == pytest.approx(1.0)
    ratios = scale_weights(scales) / WEIGHTS[:scales]
    np.testing.assert_allclose(ratios, ratios[0])


def test_fewer_scales_can_be_asked_for():
    a = smooth_images(0, 2, 64, 64)
    b = noisy(a, 30)
    expected = [by_scipy(x[..., 0], y[..., 0], 1, 255.0) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ms_ssim(a, b, scales=1), expected, rtol=1e-9)
    with pytest.raises(ValueError, match="scales=4: 3 fit"):
        ms_ssim(a, b, scales=4)


def test_blocks_do_not_show(monkeypatch):
    a = smooth_images(0, 5, 28, 28)
    b = noisy(a, 40)
    whole = ms_ssim(a, b)
    diversity = ms_ssim_diversity(a, pairs=7, seed=0)
    monkeypatch.setattr(module, "_VALUES", 2 * 28 * 28)
    np.testing.assert_array_equal(ms_ssim(a, b), whole)
    assert ms_ssim_diversity(a, pairs=7, seed=0) == diversity
    assert len(ms_ssim(a[:0], b[:0])) == 0


def test_images_that_cannot_be_compared_are_refused():
    a = smooth_images(0, 3, 28, 28)
    with pytest.raises(UserError, match="10 x 28"):
        ms_ssim(a[:, :10], a[:, :10])
    with pytest.raises(UserError, match="NaN"):
        ms_ssim(np.where(a > 127, np.nan, a), a)
    with pytest.raises(ValueError, match="one shape"):
        ms_ssim(a, a[:2])
    with pytest.raises(ValueError, match="data_range"):
        ms_ssim(a, a, data_range=0.0)


# Diversity


def test_copies_have_no_diversity():
    images = np.repeat(smooth_images(0, 1, 28, 28), 6, 0)
    found = ms_ssim_diversity(images, pairs=30, seed=0)
    assert (found.mean, found.standard_error, found.pairs, found.scales) == (1.0, 0.0, 30, 2)


def test_pairs_are_of_different_images_and_of_all_of_them(monkeypatch):
    seen = []

    def compared(images, first, second):
        seen.append((first, second))
        return np.zeros(len(first))

    monkeypatch.setattr(module, "_compared", compared)
    ms_ssim_diversity(smooth_images(0, 4, 11, 11), pairs=4000, seed=0)
    first, second = seen[0]
    counts = np.zeros((4, 4))
    np.add.at(counts, (first, second), 1)
    np.testing.assert_array_equal(np.diag(counts), 0)
    assert counts[~np.eye(4, dtype=bool)].min() > 4000 / 12 * 0.8


def test_the_error_of_a_mean_of_class_means(monkeypatch):
    """The root of the sum of the classes' variances, divided by their number."""
    labels, values = np.array([0] * 10 + [1] * 6 + [2] * 4), np.random.default_rng(0).standard_normal(90)
    seen = []

    def compared(images, first, second):
        seen.append((first, second))
        return values

    monkeypatch.setattr(module, "_compared", compared)
    found = ms_ssim_diversity(smooth_images(0, 20, 11, 11), labels=labels, pairs=90, seed=0)
    first, second = seen[0]
    np.testing.assert_array_equal(labels[first], labels[second])
    classes = [labels[first] == label for label in range(3)]
    assert [chosen.sum() for chosen in classes] == [30, 30, 30]
    each = [module._mean_and_variance(values[c], first[c], second[c]) for c in classes]
    assert found.mean == pytest.approx(np.mean([mean for mean, _ in each]))
    assert found.standard_error == pytest.approx(np.sqrt(sum(variance for _, variance in each)) / 3)


def test_with_labels_pairs_are_of_one_class_and_classes_count_alike():
    """Class 3 is two copies, whose similarity is 1; class 8 has the mean similarity m: (1 + m) / 2."""
    copies, others = np.repeat(smooth_images(0, 1, 22, 22), 2, 0), smooth_images(1, 5, 22, 22)
    images, labels = np.concatenate([others, copies]), np.array([8] * 5 + [3] * 2)
    found = ms_ssim_diversity(images, labels=labels, pairs=2000, seed=0)
    i, j = np.nonzero(~np.eye(5, dtype=bool))
    every_pair = ms_ssim(others[i], others[j]).mean()
    assert found.mean == pytest.approx((1 + every_pair) / 2, abs=0.01)
    assert ms_ssim_diversity(images, labels=labels, pairs=2000, seed=0) == found
    assert ms_ssim_diversity(images, labels=labels, pairs=2000, seed=1) != found
    assert ms_ssim_diversity(images, pairs=2000, seed=0).mean < found.mean


def test_the_standard_error_is_the_spread_over_fresh_images_and_pairs():
    """The kernel u_i + u_j over N images and P pairs: variance 4 var(u) / N + 2 var(u) / P, nearly."""
    generator = np.random.default_rng(0)
    count, pairs, means, variances = 50, 400, [], []
    for _ in range(400):
        u = generator.standard_normal(count)
        first = generator.integers(count, size=pairs)
        second = (first + 1 + generator.integers(count - 1, size=pairs)) % count
        mean, variance = module._mean_and_variance(u[first] + u[second], first, second)
        means.append(mean)
        variances.append(variance)
    assert np.var(means) == pytest.approx(4 / count + 2 / pairs, rel=0.2)
    assert np.mean(variances) == pytest.approx(np.var(means), rel=0.2)
    few = module._mean_and_variance(np.array([1.0, 3.0]), np.array([0, 1]), np.array([2, 3]))
    assert few == (2.0, 0.5)  # pairs without a common image: the sum of squares over the number squared


def test_sets_without_pairs_are_refused():
    images = smooth_images(0, 4, 28, 28)
    with pytest.raises(UserError, match=r"class 7 \(1\)"):
        ms_ssim_diversity(images, labels=np.array([1, 1, 7, 1]), pairs=10, seed=0)
    with pytest.raises(UserError, match=r"the images \(1\)"):
        ms_ssim_diversity(images[:1], pairs=10, seed=0)
    with pytest.raises(UserError, match="3 pairs for 2 classes"):
        ms_ssim_diversity(images, labels=np.array([1, 1, 7, 7]), pairs=3, seed=0)
    with pytest.raises(ValueError, match="expected 4 labels"):
        ms_ssim_diversity(images, labels=np.arange(3), pairs=10, seed=0)
