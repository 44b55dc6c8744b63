"""The Fréchet distance in closed form, of singular covariances, and against three other programs."""

import warnings

import numpy as np
import pytest

from gan_jax.metrics.frechet import fid, frechet_distance, intra_class_fid
from gan_jax.metrics.moments import Moments, moments_of
from gan_jax.utils.errors import UserError


def gaussian(mean, covariance):
    """Moments with this mean and covariance."""
    return Moments(101, np.asarray(mean, np.float64), 100.0 * np.asarray(covariance, np.float64))


def rotation(seed, size):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def features(seed, count, size, shift=0.0):
    """Correlated, non-negative and of several scales, as activations after a ReLU are."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).standard_normal((size, size)) / np.sqrt(np.arange(1, size + 1))
    return np.maximum(rng.standard_normal((count, size)) @ mix + shift, -0.5).astype(np.float32)


# Closed forms


def test_one_dimension():
    """|m1 - m2|^2 + (s1 - s2)^2."""
    found = frechet_distance(gaussian([1.0], [[9.0]]), gaussian([-3.0], [[0.25]]))
    assert found == pytest.approx(16.0 + 2.5**2, rel=1e-14)


def test_covariances_that_commute():
    """With the same eigenvectors: the sum of (s1 - s2)^2 over the axes."""
    q, rng = rotation(0, 20), np.random.default_rng(1)
    values_a, values_b = rng.uniform(0.0, 4.0, 20), rng.uniform(0.0, 4.0, 20)
    mean_a, mean_b = rng.standard_normal(20), rng.standard_normal(20)
    expected = np.sum((mean_a - mean_b) ** 2) + np.sum((np.sqrt(values_a) - np.sqrt(values_b)) ** 2)
    found = frechet_distance(gaussian(mean_a, (q * values_a) @ q.T), gaussian(mean_b, (q * values_b) @ q.T))
    assert found == pytest.approx(expected, rel=1e-12)


def test_full_covariances_against_scipy():
    linalg = pytest.importorskip("scipy.linalg", reason="an independent matrix root")
    rng = np.random.default_rng(2)
    a, b = (factor @ factor.T for factor in rng.standard_normal((2, 30, 40)))
    root = linalg.sqrtm(a)
    expected = np.trace(a) + np.trace(b) - 2 * np.trace(linalg.sqrtm(root @ b @ root)).real + 30 * 0.25
    assert frechet_distance(gaussian(np.zeros(30), a), gaussian(np.full(30, 0.5), b)) == pytest.approx(
        expected, rel=1e-11
    )


def test_a_rotated_plane_in_closed_form():
    """Between rank-one covariances u u^T and v v^T: |u|^2 + |v|^2 - 2 |u.v|."""
    u, v = np.array([3.0, 0.0, 1.0, 0.0]), np.array([1.0, 2.0, -1.0, 0.0])
    found = frechet_distance(gaussian(np.zeros(4), np.outer(u, u)), gaussian(np.zeros(4), np.outer(v, v)))
    assert found == pytest.approx(10.0 + 6.0 - 2.0 * 2.0, rel=1e-14)


# Singular covariances


def test_fewer_samples_than_dimensions_is_the_low_dimensional_distance_rotated():
    """8 samples on each side that lie in a space of 5 dimensions, of 60: scipy's root sees only the 5."""
    linalg = pytest.importorskip("scipy.linalg", reason="an independent matrix root")
    q = rotation(3, 60)[:5]
    rng = np.random.default_rng(4)
    low = [rng.standard_normal((8, 5)) * [5, 2, 1, 0.1, 0.01] + shift for shift in (0.0, 0.3)]
    means, (a, b) = [x.mean(axis=0) for x in low], [np.cov(x, rowvar=False) for x in low]
    root = linalg.sqrtm(a)
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(a) + np.trace(b)
    expected -= 2 * np.trace(linalg.sqrtm(root @ b @ root)).real
    high = [x @ q for x in low]
    assert frechet_distance(*map(moments_of, high)) == pytest.approx(expected, rel=1e-11)
    assert fid(*high) == pytest.approx(expected, rel=1e-11)


def test_a_null_space_against_a_full_covariance_adds_nothing():
    """C1 = diag(1e6, 0, 0, ...), rotated, so that its zeros are rounding; C2 = 1."""
    size = 100
    q = rotation(5, size)
    singular = 1e6 * np.outer(q[:, 0], q[:, 0])
    found = frechet_distance(gaussian(np.zeros(size), singular), gaussian(np.zeros(size), np.eye(size)))
    assert found == pytest.approx(1e6 + size - 2 * 1e3, rel=1e-13, abs=1e-8)


def test_small_eigenvalues_that_are_no_rounding_count():
    """1e-12 of the largest, whose root is 1e-6 of the largest's."""
    a, b = np.diag([1.0, 1e-12]), np.diag([1e-12, 1.0])
    expected = 2 * (1 - 1e-6) ** 2
    assert frechet_distance(gaussian([0, 0], a), gaussian([0, 0], b)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("count", "other"), [(10, 10), (10, 200), (200, 10), (2, 2), (40, 39), (40, 41)])
def test_features_and_their_moments_have_one_distance(count, other):
    """`fid` takes the samples as factors where there are few, and eigenvalues where there are many."""
    a, b = features(6, count, 40), features(7, other, 40, 0.2)
    assert fid(a, b) == pytest.approx(frechet_distance(moments_of(a), moments_of(b)), rel=1e-11)
    assert fid(a, b) == pytest.approx(fid(b, a), rel=1e-12)


def test_few_samples_keep_what_eigenvalues_would_lose():
    """Deviations 1 and 1e-10 along two axes, and the other way round: nothing is dropped."""
    one, other = np.array([1.0, -1.0, 0.0]), 1e-10 * np.array([1.0, 1.0, -2.0]) / np.sqrt(3)
    a, b = np.zeros((2, 3, 5))
    a[:, 0], a[:, 1] = one, other
    b[:, 0], b[:, 1] = other, one
    assert fid(a, b) == pytest.approx(2 * (1 - 1e-10) ** 2, rel=1e-14)


def test_constant_features_have_the_distance_of_their_means():
    a, b = np.full((50, 3), 2.0), np.full((50, 3), 4.0)
    assert fid(a, b) == 12.0
    assert frechet_distance(moments_of(a[:2]), moments_of(b[:3])) == 12.0


@pytest.mark.parametrize("count", [5, 60, 2000])
def test_identical_sets_are_at_zero(count):
    x = features(8, count, 60, 3.0)
    trace = np.trace(moments_of(x).covariance)
    assert 0.0 <= fid(x, x) < 1e-13 * trace
    assert 0.0 <= frechet_distance(moments_of(x), moments_of(x[::-1])) < 1e-13 * trace


def test_rounding_never_goes_below_zero():
    """Of these equal pairs some come out below 0 unless they are clamped."""
    for seed in range(40):
        x = features(seed, 12, 6)
        assert fid(x, x) >= 0.0


# Other programs


@pytest.fixture(scope="module")
def sets():
    return features(10, 700, 48), features(11, 500, 48, 0.1)


def mean_and_covariance(x):
    return x.astype(np.float64).mean(axis=0), np.cov(x.astype(np.float64), rowvar=False)


def other_frechet(function, sets):
    (mean_a, covariance_a), (mean_b, covariance_b) = map(mean_and_covariance, sets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy's sqrtm has an argument that is going
        return function(mean_a, covariance_a, mean_b, covariance_b)


def test_pytorch_fid(sets):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = pytest.importorskip("pytorch_fid.fid_score", reason="pytorch-fid is compared with")
    assert fid(*sets) == pytest.approx(other_frechet(score.calculate_frechet_distance, sets), rel=1e-6)


def test_clean_fid(sets):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleanfid = pytest.importorskip("cleanfid.fid", reason="clean-fid is compared with")
    assert fid(*sets) == pytest.approx(other_frechet(cleanfid.frechet_distance, sets), rel=1e-6)


def test_torch_fidelity(sets):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch", reason="torch-fidelity is compared with")
        other = pytest.importorskip("torch_fidelity.metric_fid", reason="torch-fidelity is compared with")
    statistics = [other.fid_features_to_statistics(torch.from_numpy(np.float64(x))) for x in sets]
    expected = other.fid_statistics_to_metric(*statistics, verbose=False)[other.KEY_METRIC_FID]
    assert fid(*sets) == pytest.approx(expected, rel=1e-6)


# Bias


def test_the_bias_that_the_documentation_states():
    """Its first line of numbers, for D = 256 and equal eigenvalues."""
    rng = np.random.default_rng(12)
    for ratio, expected in ((0.5, 0.88), (10, 0.051)):
        a, b = rng.standard_normal((2, int(ratio * 256), 256))
        assert fid(a, b) / 256 == pytest.approx(expected, rel=0.03)


# Within classes


def test_each_class_has_its_own_distance():
    real, fake = features(13, 90, 6), features(14, 60, 6, 0.5)
    real_labels, fake_labels = np.arange(90) % 3, np.arange(60) % 3
    fake[fake_labels == 1] += 2.0
    found = intra_class_fid(real, real_labels, fake, fake_labels, 3)
    expected = [frechet_distance(moments_of(real[k::3]), moments_of(fake[k::3])) for k in range(3)]
    np.testing.assert_allclose(found.per_class, expected, rtol=1e-11)
    assert found.mean == pytest.approx(np.mean(expected), rel=1e-11)
    assert found.per_class[1] > 10 * max(found.per_class[0], found.per_class[2])


def test_fakes_of_the_wrong_class_are_seen_though_all_together_are_right():
    rng = np.random.default_rng(15)
    labels = np.repeat([0, 1], 300)
    real, fake = (rng.standard_normal((600, 4)) + 5.0 * labels[:, None] for _ in "ab")
    assert fid(real, fake) < 0.2
    assert intra_class_fid(real, labels, fake, labels, 2).mean < 0.2
    swapped = intra_class_fid(real, labels, fake, 1 - labels, 2)
    np.testing.assert_allclose(swapped.per_class, 4 * 25.0, rtol=0.1)


def test_a_class_without_two_samples_is_named():
    x, labels = features(16, 12, 3), np.arange(12) % 4
    with pytest.raises(UserError, match=r"^class 3: 3 real, 1 fake\. Intra-class FID needs at least 2"):
        intra_class_fid(x, labels, x[:8], labels[:8].clip(max=2) | (np.arange(8) == 3) * 3, 4)
    with pytest.raises(UserError, match=r"class 4: 0 real, 0 fake; .*class 8: 0 real, 0 fake; and 3 more"):
        intra_class_fid(x, labels, x, labels, 12)


def test_labels_that_do_not_fit():
    x, labels = features(17, 12, 3), np.arange(12) % 2
    for wrong, message in (
        (labels[:5], r"fake_labels must be integers \[12\]"),
        (labels.astype(float), r"fake_labels must be integers \[12\], not float64"),
        (labels + 1, "fake_labels are in 1 to 2: expected 0 to 1"),
        (labels - 1, "fake_labels are in -1 to 0: expected 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            intra_class_fid(x, labels, x, wrong, 2)
    with pytest.raises(ValueError, match="num_classes=0"):
        intra_class_fid(x, labels, x, labels, 0)


# Errors


def test_too_few_samples_and_what_is_not_finite():
    x = features(18, 10, 3)
    for call in (lambda a, b: frechet_distance(moments_of(a), moments_of(b)), fid):
        with pytest.raises(UserError, match="at least 2 samples on each side, and got 10 and 1"):
            call(x, x[:1])
        with pytest.raises(UserError, match="at least 2 samples on each side, and got 0 and 10"):
            call(x[:0], x)
        with pytest.raises(ValueError, match="3 and 2 features cannot be compared"):
            call(x, x[:, :2])
        broken = x.copy()
        broken[4, 1] = np.nan
        with pytest.raises(UserError, match="1 of 10 samples have NaN"):
            call(x, broken)
    with pytest.raises(UserError, match="real features: 1 of 10"):
        fid(broken, x)
