"""Classifiers of unbalanced sets: which images their mini-batches hold, what is weighted, what is refused."""

import re
from typing import Any

import jax
import numpy as np
import pytest

from gan_jax.feature_networks import balanced_training
from gan_jax.feature_networks.balanced_training import (
    Labelled,
    Training,
    evenly,
    predict_with,
    train_balanced,
)
from gan_jax.utils.errors import UserError

COUNTS = (90, 30, 6)
LABELS = np.repeat(np.arange(3), COUNTS)


def labelled(counts, seed=0, side=8):
    """Grey noise, the brighter the higher the class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(seed).integers(0, 60, (len(labels), side, side, 1))
    return Labelled((noise + 90 * labels[:, None, None, None]).astype(np.uint8), labels.astype(np.int32))


@pytest.fixture
def asked(monkeypatch):
    """What `fit` is asked for, in the place of a training."""
    seen: dict[str, Any] = {}

    def fit(model, images, labels, batches, recipe, **rest):
        seen.update(model=model, images=images, labels=labels, batches=batches, recipe=recipe, **rest)
        return {}

    monkeypatch.setattr(balanced_training, "fit", fit)
    return seen


def shares(asked, batches=60):
    """How often the classes come."""
    chosen = asked["batches"](0, batches)
    return np.bincount(asked["labels"][chosen.ravel()], minlength=3) / chosen.size


def test_as_they_are(asked):
    train_balanced(labelled(COUNTS), 3, Training(batch_size=16))
    assert shares(asked, 63) == pytest.approx(np.array(COUNTS) / 126)  # whole passes
    assert asked["image_weights"] is None
    assert asked["batches"](0, 2).shape == (2, 16)
    np.testing.assert_array_equal(asked["batches"](3, 2)[1], asked["batches"](4, 1)[0])
    train_balanced(labelled((3, 3, 1)), 3, Training(batch_size=16))  # a mini-batch larger than the set
    assert asked["batches"](0, 7).shape == (7, 16)


def test_over_sampling_and_class_weights(asked):
    train_balanced(labelled(COUNTS), 3, Training(batch_size=16, balance="oversample"))
    assert shares(asked) == pytest.approx([1 / 3] * 3, abs=0.01)
    rare = asked["batches"](0, 60)
    rare = rare[LABELS[rare] == 2]
    assert set(np.bincount(rare)[-6:]) <= {len(rare) // 6, len(rare) // 6 + 1}
    train_balanced(labelled(COUNTS), 3, Training(batch_size=16, balance="weights"))
    weights = asked["image_weights"]
    assert weights == pytest.approx(np.array([126 / 3 / count for count in COUNTS])[LABELS])
    assert weights.mean() == pytest.approx(1)


def test_class_weights_are_those_of_the_real_images_alone(asked):
    choices = Training(batch_size=16, balance="weights", ratio=1.0)
    train_balanced(labelled(COUNTS), 3, choices, generated=labelled((5, 5, 5)))
    weights, labels = asked["image_weights"], asked["labels"]
    chosen = asked["batches"](0, 63)
    for part in (chosen < 126, chosen >= 126):  # of either kind each class counts as much as any other
        indices = chosen[part]
        sums = np.bincount(labels[indices], weights[indices], minlength=3)
        assert sums / sums.sum() == pytest.approx([1 / 3] * 3, abs=0.01)


@pytest.mark.parametrize(("ratio", "generated"), [(1.0, 8), (3.0, 12), (0.1, 1)])
def test_generated_ones_beside_the_real(asked, ratio, generated):
    train_balanced(labelled(COUNTS), 3, Training(batch_size=16, ratio=ratio), generated=labelled((0, 5, 7)))
    chosen = asked["batches"](0, 50)
    assert ((chosen >= 126).sum(1) == generated).all()
    made = asked["labels"][chosen[chosen >= 126]]
    assert np.bincount(made, minlength=3) / len(made) == pytest.approx([0, 0.5, 0.5], abs=0.01)
    assert len(asked["images"]) == 138


def test_evenly_is_a_function_of_the_number_of_the_batch():
    batches = evenly(LABELS, 7, seed=3)
    whole = batches(0, 40)
    np.testing.assert_array_equal(np.concatenate([batches(0, 11), batches(11, 29)]), whole)
    assert (np.diff(np.bincount(LABELS[whole.ravel()])) <= 1).all()
    assert not np.array_equal(whole, evenly(LABELS, 7, seed=4)(0, 40))


def test_classic_augmentation_is_the_recipes():
    assert Training(augment=("shift", "flip")).recipe(28).shift == 2
    assert Training(augment=("shift",)).recipe(64).shift == 4
    assert not Training(augment=("shift",)).recipe(28).flip
    plain = Training().recipe(28)
    assert (plain.shift, plain.flip) == (0, False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"balance": "undersample"}, "balance='undersample': choose none, weights, oversample"),
        ({"augment": ("rotate",)}, "augment='rotate': choose some of shift, flip"),
        ({"ratio": 1000.0}, "ratio=1000: of the 64 images in a mini-batch 64 would be generated"),
        ({"ratio": 0.001}, "0 would be generated"),
    ],
)
def test_choices(change, said):
    with pytest.raises(UserError, match=re.escape(said)):
        Training(**change)
    with pytest.raises(ValueError, match="ratio"):
        Training(ratio=-1.0)


@pytest.mark.parametrize(
    ("counts", "ratio", "generated", "said"),
    [
        ((9, 0, 2), 0.0, None, "has no images of the classes 1"),
        ((9, 3, 2), 1.0, None, "ratio=1 with no generated images"),
        ((9, 3, 2), 0.0, labelled((1, 1)), "ratio=0 with generated images and no ratio"),
        ((9, 3, 2), 1.0, labelled((1, 1), side=9), "they must have one size"),
    ],
)
def test_what_is_refused(asked, counts, ratio, generated, said):
    with pytest.raises(UserError, match=said):
        train_balanced(labelled(counts), 3, Training(ratio=ratio), generated=generated)


@pytest.mark.slow  # compiles two programs
def test_a_training(monkeypatch):
    monkeypatch.setattr("gan_jax.feature_networks.classifier_training._SETTLING_STEPS", 10)
    training = Training(steps=40, batch_size=12, balance="weights", widths=(4, 4, 4), learning_rate=1e-2)
    real = labelled(COUNTS)
    found = [train_balanced(real, 3, training, seed=seed, progress=False) for seed in (1, 1)]
    first, again = ([np.asarray(x) for x in jax.tree.leaves(one)] for one in found)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    test = labelled((5, 5, 5), seed=9)
    assert (predict_with(found[0], training, 3, test.images) == test.labels).mean() > 0.9
