"""The order of the examples: without replacement, a pure function of (seed, step), nothing lost."""

import numpy as np
import pytest

from gan_jax.data import Sampler
from gan_jax.data import sampler as sampler_module
from gan_jax.errors import UserError


@pytest.mark.parametrize("remainder", ["drop", "carry"])
def test_any_step_alone_equals_the_steps_in_a_row(remainder):
    sampler = Sampler(23, 5, minibatches=3, seed=7, remainder=remainder)
    whole = sampler.indices(0, 40)
    assert whole.shape == (40, 3, 5)
    assert whole.dtype == np.int32
    for step in (39, 0, 17, 3):
        np.testing.assert_array_equal(sampler.indices(step, 1)[0], whole[step])
    again = Sampler(23, 5, minibatches=3, seed=7, remainder=remainder)
    np.testing.assert_array_equal(again.indices(11, 20), whole[11:31])


def test_drop_leaves_out_the_partial_minibatch_and_never_repeats_within_an_epoch():
    sampler = Sampler(23, 5, seed=1)
    assert sampler.minibatches_per_epoch == 4
    epochs = sampler.indices(0, 4 * 6).reshape(6, 20)
    left_out = [set(range(23)) - set(epoch) for epoch in epochs]
    assert all(len(missing) == 3 for missing in left_out)
    assert len({frozenset(missing) for missing in left_out}) > 1  # not always the same examples


def test_carry_shows_every_example_once_per_epoch():
    sampler = Sampler(23, 5, seed=1, remainder="carry")
    assert sampler.minibatches_per_epoch == pytest.approx(4.6)
    epochs = sampler.indices(0, 23).reshape(5, 23)  # 23 mini-batches of 5 are 5 epochs of 23
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(23))


def test_minibatches_of_a_step_are_the_next_ones_of_the_same_row():
    one, three = Sampler(50, 4, seed=3), Sampler(50, 4, minibatches=3, seed=3)
    np.testing.assert_array_equal(three.indices(2, 4).reshape(-1, 4), one.indices(6, 12)[:, 0])


def test_epochs_and_seeds_differ():
    first, second = Sampler(1000, 1000).indices(0, 2)[:, 0]
    other = Sampler(1000, 1000, seed=1).indices(0, 1)[0, 0]
    assert (first != second).mean() > 0.9
    assert (first != other).mean() > 0.9


def test_every_place_of_the_order_is_uniform():
    # 4000 epochs of 4 examples: each of the 24 orders comes 167 times, with a standard deviation of 13.
    orders = Sampler(4, 4).indices(0, 4000)[:, 0]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert np.abs(counts - 4000 / 24).max() < 5 * 13


def test_the_order_is_the_raw_stream_of_philox():
    # Written out independently: a change of the order would silently change every recorded run.
    raw = np.random.Philox(key=np.array([9, 2], np.uint64)).random_raw(8)
    expected = sorted(range(8), key=lambda i: int(raw[i]))
    assert Sampler(8, 8, seed=9).indices(2, 1).ravel().tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 11}, "batch size is 11.*only 10 examples"),
        ({"batch_size": 0}, "at least 1"),
        ({"batch_size": 2, "minibatches": 0}, "at least 1"),
        ({"batch_size": 2, "seed": -1}, "from 0"),
        ({"batch_size": 2, "remainder": "keep"}, "drop, carry"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(UserError, match=message):
        Sampler(10, **arguments)


def test_many_samplers_at_once_sort_each_epoch_once(monkeypatch):
    """A study reads the same set in many orders, one call of each in turn."""
    sorted_epochs = []
    permutation = sampler_module._permutation

    def counted(num_examples, seed, epoch):
        sorted_epochs.append((seed, epoch))
        return permutation(num_examples, seed, epoch)

    monkeypatch.setattr(sampler_module, "_permutation", counted)
    samplers = [Sampler(40, 8, seed=seed, remainder="carry") for seed in range(10)]
    for step in range(0, 20, 2):
        for sampler in samplers:
            sampler.indices(step, 2)
    assert sorted(sorted_epochs) == [(seed, epoch) for seed in range(10) for epoch in range(4)]
