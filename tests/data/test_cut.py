"""Cuts of labelled data sets: which examples they keep, what a run records of them, and what stays whole."""

import re

import numpy as np
import pytest

from gan_jax import data
from gan_jax.config.build import base_config, open_data
from gan_jax.config.components import complete
from gan_jax.config.record import differences, to_json
from gan_jax.data.cut import cut, kept, whole
from gan_jax.data.views import viewed
from gan_jax.evaluation.evaluate import held_out_split
from gan_jax.utils.errors import UserError

SHAPES = {"resolution": 16, "channels": 1, "num_examples": 400}


@pytest.fixture(scope="module")
def arrays():
    """1,000 examples of four classes, whose only pixel says their number."""
    numbers = np.arange(1000)
    images = np.stack([numbers // 256, numbers % 256], axis=-1).astype(np.uint8).reshape(-1, 1, 2, 1)
    return data.from_arrays(images, np.random.default_rng(0).integers(0, 4, 1000).astype(np.int32))


def counts(dataset):
    return np.bincount(dataset.arrays()["label"], minlength=dataset.num_classes).tolist()


def test_examples_of_each_class(arrays):
    few = cut(arrays, per_class=30)
    assert counts(few) == [30] * 4
    assert few.options == {"per_class": 30}
    rare = cut(arrays, per_class=60, imbalance=20)
    assert counts(rare) == [60, 60, 3, 3]
    assert counts(cut(arrays, per_class=2, imbalance=50)) == [2, 2, 1, 1]
    most = max(counts(arrays)[:2])
    assert counts(cut(arrays, imbalance=10))[2:] == [most // 10] * 2
    assert counts(cut(arrays, per_class=10**6, imbalance=10))[2:] == [most // 10] * 2  # of what there is
    assert cut(arrays, per_class=10**6).fingerprint != arrays.fingerprint  # all of them, and named as a cut


def test_oversampled(arrays):
    even = cut(arrays, per_class=60, imbalance=20, oversample=True)
    assert counts(even) == [60] * 4
    assert even.options == {"per_class": 60, "imbalance": 20, "oversample": True}
    rare = even.arrays()["image"][even.arrays()["label"] == 3]
    assert len(np.unique(rare, axis=0)) == 3
    own = counts(arrays)
    assert counts(cut(arrays, oversample=True)) == [max(own)] * 4


def test_always_the_same_and_nested(arrays):
    labels = arrays.arrays()["label"]
    small, large = kept(labels, 4, 10, 1), kept(labels, 4, 30, 1)
    assert set(small) < set(large)
    np.testing.assert_array_equal(large, kept(labels, 4, 30, 1))
    assert (np.diff(large) > 0).all()
    assert small.max() > 500  # not the first ones
    # Philox's raw numbers are promised to stay: so are these.
    assert kept(np.zeros(20, np.int32), 2, 4, 1).tolist() == [7, 11, 15, 18]


def test_examples_are_those_of_the_whole(arrays):
    some = cut(arrays, per_class=5)
    everything, indices = arrays.arrays(), kept(arrays.arrays()["label"], 4, 5, 1)
    np.testing.assert_array_equal(some.arrays()["image"], everything["image"][indices])
    np.testing.assert_array_equal(
        some.gather(np.array([3, 0]))["image"], everything["image"][indices[[3, 0]]]
    )
    np.testing.assert_array_equal(some.records([7])[0]["image"], everything["image"][indices[7]])
    np.testing.assert_array_equal(some.source[7]["image"], everything["image"][indices[7]])


def test_nothing_is_cut_without_being_asked(arrays):
    assert viewed(arrays) is arrays
    assert whole({"resolution": 16, "per_class": 3, "imbalance": 2, "oversample": True}) == {"resolution": 16}


def test_as_options_of_a_config(data_dir):
    config = base_config()
    config.data.update(name="shapes", dir=str(data_dir), per_class=6, imbalance=3, **SHAPES)
    config = complete(config)
    dataset = open_data(config)
    assert counts(dataset) == [6] * 4 + [2] * 4
    assert dataset.options["imbalance"] == 3
    assert dataset.fingerprint.startswith("cut per_class=6 imbalance=3 (32 of 400, ")
    test = held_out_split(dataset, data_dir)
    assert test is not None
    assert len(test) == 40  # whole
    other = complete(config.copy_and_resolve_references())
    other.data.imbalance = 2
    assert differences(to_json(config), to_json(other)) == ["data.imbalance: 3 -> 2"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"per_class": -1}, "data.per_class=-1: it must be a whole number of at least 0"),
        ({"oversample": 1}, "data.oversample=1: it must be True or False"),
        ({"imbalance": 0}, "data.imbalance=0: it must be a whole number of at least 1"),
        ({"imbalance": "1:50"}, "data.imbalance='1:50': it must be a whole number"),
        (
            {"per_class": 3, "imbalance": 2},
            "data.per_class=3, data.imbalance=2 chooses examples by their classes",
        ),
    ],
)
def test_what_is_refused(asked, said):
    unlabelled = data.from_arrays(np.zeros((4, 8, 8, 1), np.uint8))
    with pytest.raises(UserError, match=re.escape(said)):
        cut(unlabelled, **asked)
