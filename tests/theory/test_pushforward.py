"""The density of G(z): closed forms, and against samples where G folds back."""

import math

import numpy as np
import pytest

from gan_jax.theory.grid import cells
from gan_jax.theory.pushforward import log_cells, normal_pieces, pushforward

ENDS, MASSES = normal_pieces(4000)
EDGES = np.linspace(-8.0, 8.0, 801)
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2


def phi(x):
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in np.ravel(x)])


def test_the_pieces_are_those_of_a_normal():
    assert MASSES.sum() == pytest.approx(1, abs=1e-15)
    assert MASSES @ ((ENDS[1:] + ENDS[:-1]) / 2) ** 2 == pytest.approx(1, abs=1e-5)
    assert MASSES[2000:2500].sum() == pytest.approx(float(phi(1.5)[0]) - 0.5, abs=1e-12)


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.7, 1.3), (-0.4, -2.0)])
def test_a_straight_generator(slope, shift):
    found = pushforward(slope * ENDS + shift, MASSES, EDGES)
    expected = np.diff(phi((EDGES - shift) / abs(slope)))
    assert found == pytest.approx(expected, abs=1e-6)
    density = np.exp(log_cells(found, EDGES))
    assert cells(-8.0, 8.0, 800).integral(density) == pytest.approx(1, abs=1e-8)


def test_a_monotone_generator_by_the_change_of_variables():
    """x = exp(z): the log-normal density."""
    found = pushforward(np.exp(ENDS), MASSES, EDGES)
    expected = np.diff(phi(np.log(np.maximum(EDGES, 1e-300))))
    assert found == pytest.approx(expected, abs=2e-6)
    assert found.sum() == pytest.approx(float(phi(math.log(8))[0]), abs=1e-6)  # the rest is outside


def test_a_generator_that_folds():
    """x = z^2: chi-square with one degree, whose density is infinite at 0."""
    found = pushforward(ENDS**2, MASSES, EDGES)
    expected = np.diff(2 * phi(np.sqrt(np.maximum(EDGES, 0))) - 1)
    assert found == pytest.approx(expected, abs=5e-6)
    samples = np.random.default_rng(0).normal(size=200_000) ** 2
    histogram = np.histogram(samples, EDGES)[0] / len(samples)
    assert found == pytest.approx(histogram, abs=5 * math.sqrt(expected.max() / len(samples)))


def test_a_generator_that_has_collapsed():
    found = pushforward(np.full(4001, 0.31), MASSES, EDGES)
    assert found[np.searchsorted(EDGES, 0.31) - 1] == pytest.approx(1)
    assert np.count_nonzero(found > 1e-12) == 1
    logs = log_cells(found, EDGES)
    assert np.isneginf(logs).sum() == 799
    half = pushforward(np.where(ENDS < 0, -1.01, ENDS), MASSES, EDGES)
    assert half[CENTRES < -0.9].sum() == pytest.approx(0.5, abs=2e-3)  # one piece joins both halves
    assert half[CENTRES > 0.1].sum() == pytest.approx(float(1 - phi(0.1)[0]), abs=0.01)


def test_probabilities_are_never_negative():
    """Differences of large sums: what rounding leaves must not become the logarithm of less than nothing."""
    wild = 3 * np.sin(7 * ENDS) + 1e-9 * ENDS
    found = pushforward(wild, MASSES, EDGES)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-9)


def test_misuse():
    with pytest.raises(ValueError, match="ends of pieces"):
        pushforward(np.zeros(5), np.ones(5) / 5, EDGES)
    with pytest.raises(ValueError, match="positive integer"):
        normal_pieces(0)
