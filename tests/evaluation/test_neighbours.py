"""Fakes beside their nearest reals."""

from dataclasses import replace

import numpy as np
import pytest

from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.neighbours import neighbours_picture, picked
from gan_jax.evaluation.sources.image_source import array_source, subset
from gan_jax.feature_networks.simple_networks import pixel_network
from gan_jax.summaries.pictures import grid
from tests.metrics import toy

SHAPE = (6, 5, 1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))


def picture(fakes, reals, num_fakes=12, num_reals=None, **sizes):
    evaluator = Evaluator(
        ("fid",),
        array_source("reals", reals),
        pixel_network(SHAPE),
        num_fakes=num_fakes,
        num_reals=num_reals,
        progress=False,
    )
    return neighbours_picture(
        evaluator, GeneratedSet(source=replace(array_source("fakes", fakes), size=None)), **sizes
    )


def expected(fakes, reals, rows, k):
    """By comparing every fake with every real."""
    shown = []
    for fake in fakes[:rows]:
        distances = ((fake.astype(float) - reals.astype(float)) ** 2).sum((1, 2, 3))
        shown += [fake, *reals[np.argsort(distances)[:k]]]
    return grid(np.stack(shown), columns=k + 1)


def test_each_row_is_a_fake_and_its_nearest_reals_in_order():
    fakes, reals = toy.images(14, 1, SHAPE), toy.images(50, 2, SHAPE)
    np.testing.assert_array_equal(picture(fakes, reals), expected(fakes, reals, 10, 7))
    np.testing.assert_array_equal(picture(fakes, reals, rows=3, k=2), expected(fakes, reals, 3, 2))


def test_only_the_reals_that_are_compared_are_shown():
    fakes, reals = toy.images(14, 1, SHAPE), toy.images(50, 2, SHAPE)
    np.testing.assert_array_equal(
        picture(fakes, reals, num_reals=20), expected(fakes, reals[subset(50, 20)], 10, 7)
    )


def test_few_fakes_and_few_reals():
    """As many rows and columns as there are."""
    fakes, reals = toy.images(4, 1, SHAPE), toy.images(5, 2, SHAPE)
    np.testing.assert_array_equal(picture(fakes, reals, num_fakes=4), expected(fakes, reals, 4, 5))


def test_reals_are_picked_in_any_order_and_more_than_once():
    images = toy.images(2_500, 3, SHAPE)
    given = array_source("reals", images)
    batches = []
    indices = np.array([2_049, 0, 1_023, 1_024, 0, 2_047, 1_500])

    def counted(count, batch_size):
        for batch in given.read(count, batch_size):
            batches.append(len(batch[0]))
            yield batch

    np.testing.assert_array_equal(picked(replace(given, read=counted), 2_500, indices), images[indices])
    assert sum(batches) == 2_500
    batches.clear()
    np.testing.assert_array_equal(
        picked(replace(given, read=counted), 2_500, indices[1:4]), images[indices[1:4]]
    )
    assert sum(batches) == 2_048  # a generator draws no more than are needed
    among = subset(2_500, 2_100)
    np.testing.assert_array_equal(picked(given, 2_100, indices), images[among[indices]])
