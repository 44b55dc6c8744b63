"""The inception score of classifiers whose answer is known, by its formula, and against torch-fidelity."""

import itertools
import warnings

import numpy as np
import pytest

from gan_jax.metrics import inception_score as module
from gan_jax.metrics.inception_score import inception_score
from gan_jax.utils.errors import UserError


def logits(seed, count, classes, scale=2.0):
    return (scale * np.random.default_rng(seed).standard_normal((count, classes))).astype(np.float32)


def by_formula(x):
    """exp(mean KL), with probabilities and their mean written out."""
    p = np.exp(x.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    divergences = np.sum(p * (np.log(p) - np.log(p.mean(axis=0))), axis=1)
    return np.exp(divergences.mean())


@pytest.mark.parametrize("value", [0.0, 50.0, -1e6])
def test_a_uniform_classifier_scores_one(value):
    found = inception_score(np.full((100, 7), value, np.float32))
    np.testing.assert_allclose([found.whole, found.mean, found.std], [1, 1, 0], rtol=1e-14, atol=1e-14)


def test_a_classifier_that_says_the_same_of_all_scores_one():
    found = inception_score(np.tile(logits(0, 1, 9), (100, 1)))
    np.testing.assert_allclose([found.whole, found.mean, found.std], [1, 1, 0], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("scale", [100.0, 1e4, 1e30])
def test_a_sure_classifier_of_balanced_classes_scores_their_number(scale):
    """At 1e4 and more the other classes' probabilities are 0 in float64."""
    x = scale * np.eye(10, dtype=np.float32)[np.arange(200) % 10]
    found = inception_score(x)
    np.testing.assert_allclose([found.whole, found.mean, found.std], [10, 10, 0], rtol=1e-12, atol=1e-12)


def test_classes_that_never_come_do_not_count():
    x = 1e5 * np.eye(10, dtype=np.float32)[np.arange(60) % 3]
    assert inception_score(x, splits=1).whole == pytest.approx(3.0, rel=1e-12)


def test_two_classes_in_closed_form():
    """Sure of both, a share s of one: exp of the entropy of (s, 1 - s)."""
    x = 1e5 * np.eye(2, dtype=np.float32)[(np.arange(100) < 20).astype(int)]
    expected = np.exp(-0.2 * np.log(0.2) - 0.8 * np.log(0.8))
    assert inception_score(x).whole == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("block", [7, 4096])
@pytest.mark.parametrize("count", [200, 203])
def test_the_formula_over_contiguous_splits(monkeypatch, count, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    x = logits(1, count, 12)
    found = inception_score(x, splits=4)
    bounds = [int(i * count / 4) for i in range(5)]
    scores = [by_formula(x[a:b]) for a, b in itertools.pairwise(bounds)]
    assert found.whole == pytest.approx(by_formula(x), rel=1e-12)
    assert found.mean == pytest.approx(np.mean(scores), rel=1e-12)
    assert found.std == pytest.approx(np.std(scores), rel=1e-10)
    assert found.mean < found.whole - 0.01


def test_sorted_classes_score_one_in_splits():
    """Contiguous: each split sees one class, all together see four."""
    x = 1e5 * np.eye(4, dtype=np.float32)[np.repeat(np.arange(4), 25)]
    found = inception_score(x, splits=4)
    assert found.whole == pytest.approx(4.0, rel=1e-12)
    assert found.mean == pytest.approx(1.0, rel=1e-12)


def test_one_split_is_the_whole():
    x = logits(2, 50, 5)
    found = inception_score(x, splits=1)
    assert found.whole == found.mean
    assert found.std == 0.0


def test_a_constant_added_to_an_image_s_logits_changes_nothing():
    x = np.round(logits(3, 50, 5) * 1024) / 1024
    shift = np.arange(50, dtype=np.float32)[:, None] * 8
    assert inception_score(x + shift, 5).whole == pytest.approx(inception_score(x, 5).whole, rel=1e-12)


@pytest.mark.parametrize(("count", "shuffle"), [(500, False), (503, False), (503, True)])
def test_torch_fidelity(count, shuffle):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch", reason="torch-fidelity is compared with")
        other = pytest.importorskip("torch_fidelity.metric_isc", reason="torch-fidelity is compared with")
    x = logits(4, count, 20)
    expected = other.isc_features_to_metric(torch.from_numpy(x), 10, shuffle, 2020)
    if shuffle:
        x = x[np.random.RandomState(2020).permutation(count)]
    found = inception_score(x)
    assert found.mean == pytest.approx(expected[other.KEY_METRIC_ISC_MEAN], rel=1e-10)
    assert found.std == pytest.approx(expected[other.KEY_METRIC_ISC_STD], rel=1e-8)


def test_errors():
    x = logits(5, 8, 3)
    with pytest.raises(UserError, match="8 samples cannot be in 10 splits: give more samples, or splits=8"):
        inception_score(x)
    with pytest.raises(UserError, match=r"0 samples cannot be in 1 splits: give more samples$"):
        inception_score(x[:0], splits=1)
    with pytest.raises(ValueError, match="splits=0"):
        inception_score(x, splits=0)
    with pytest.raises(ValueError, match=r"logits must be real numbers"):
        inception_score(x[0])
    x[2, 1] = -np.inf
    with pytest.raises(UserError, match="logits: 1 of 8 samples have NaN or infinite"):
        inception_score(x, splits=2)
