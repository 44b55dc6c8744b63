"""Recalls of classes, by hand."""

import math

import numpy as np
import pytest

from gan_jax.metrics.class_recalls import class_recalls


def test_recalls_by_hand():
    labels = np.array([0, 0, 0, 0, 1, 1, 3])
    found = class_recalls(np.array([0, 0, 0, 1, 1, 0, 2]), labels, 4)
    assert found.recalls[0] == 0.75
    assert found.recalls[1] == 0.5
    assert math.isnan(found.recalls[2])
    assert found.recalls[3] == 0.0
    assert found.accuracy == pytest.approx(4 / 7)
    assert found.balanced_accuracy == pytest.approx((0.75 + 0.5 + 0.0) / 3)
    assert found.mean_of([1, 2, 3]) == 0.25
    assert math.isnan(found.mean_of([2]))


def test_always_the_largest_class_is_right_half_of_the_time_on_the_average():
    labels = np.repeat([0, 1], [98, 2])
    found = class_recalls(np.zeros(100, int), labels, 2)
    assert (found.accuracy, found.balanced_accuracy) == (0.98, 0.5)


def test_nothing_to_count():
    with pytest.raises(ValueError, match="two vectors of one length"):
        class_recalls(np.zeros(0, int), np.zeros(0, int), 2)
