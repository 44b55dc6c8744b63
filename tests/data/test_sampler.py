"""The order of the examples: without replacement, a pure function of (seed, step), nothing lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gan_jax.data import IndexSampler
from gan_jax.data import sampler as sampler_module
from gan_jax.utils.errors import UserError


@pytest.mark.parametrize("remainder", ["drop", "carry"])
def test_any_step_alone_equals_the_steps_in_a_row(remainder):
    sampler = IndexSampler(23, 5, minibatches=3, seed=7, remainder=remainder)
    whole = sampler.indices(0, 40)
    assert whole.shape == (40, 3, 5)
    assert whole.dtype == np.int32
    for step in (39, 0, 17, 3):
        np.testing.assert_array_equal(sampler.indices(step, 1)[0], whole[step])
    again = IndexSampler(23, 5, minibatches=3, seed=7, remainder=remainder)
    np.testing.assert_array_equal(again.indices(11, 20), whole[11:31])


def test_drop_leaves_out_the_partial_minibatch_and_never_repeats_within_an_epoch():
    sampler = IndexSampler(23, 5, seed=1)
    assert sampler.minibatches_per_epoch == 4
    epochs = sampler.indices(0, 4 * 6).reshape(6, 20)
    left_out = [set(range(23)) - set(epoch) for epoch in epochs]
    assert all(len(missing) == 3 for missing in left_out)
    assert len({frozenset(missing) for missing in left_out}) > 1  # not always the same examples


def test_carry_shows_every_example_once_per_epoch():
    sampler = IndexSampler(23, 5, seed=1, remainder="carry")
    assert sampler.minibatches_per_epoch == pytest.approx(4.6)
    epochs = sampler.indices(0, 23).reshape(5, 23)  # 23 mini-batches of 5 are 5 epochs of 23
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(23))


def test_minibatches_of_a_step_are_the_next_ones_of_the_same_row():
    one, three = IndexSampler(50, 4, seed=3), IndexSampler(50, 4, minibatches=3, seed=3)
    np.testing.assert_array_equal(three.indices(2, 4).reshape(-1, 4), one.indices(6, 12)[:, 0])


def test_epochs_and_seeds_differ():
    first, second = IndexSampler(1000, 1000).indices(0, 2)[:, 0]
    other = IndexSampler(1000, 1000, seed=1).indices(0, 1)[0, 0]
    assert (first != second).mean() > 0.9
    assert (first != other).mean() > 0.9


def test_every_place_of_the_order_is_uniform():
    # 4000 epochs of 4 examples: each of the 24 orders comes 167 times, with a standard deviation of 13.
    orders = IndexSampler(4, 4).indices(0, 4000)[:, 0]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert np.abs(counts - 4000 / 24).max() < 5 * 13


def test_the_order_is_the_raw_stream_of_philox():
    # Written out independently: a change of the order would silently change every recorded run.
    raw = np.random.Philox(key=np.array([9, 2], np.uint64)).random_raw(8)
    expected = sorted(range(8), key=lambda i: int(raw[i]))
    assert IndexSampler(8, 8, seed=9).indices(2, 1).ravel().tolist() == expected


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
        IndexSampler(10, **arguments)


def test_many_samplers_at_once_sort_each_epoch_once(monkeypatch):
    """A study reads the same set in many orders, one call of each in turn."""
    sorted_epochs = []
    permutation = sampler_module._permutation

    def counted(num_examples, seed, epoch):
        sorted_epochs.append((seed, epoch))
        return permutation(num_examples, seed, epoch)

    monkeypatch.setattr(sampler_module, "_permutation", counted)
    samplers = [IndexSampler(40, 8, seed=seed, remainder="carry") for seed in range(10)]
    for step in range(0, 20, 2):
        for sampler in samplers:
            sampler.indices(step, 2)
    assert sorted(sorted_epochs) == [(seed, epoch) for seed in range(10) for epoch in range(4)]


def test_the_next_epochs_order_is_made_in_the_background_and_once():
    """A large set: whoever reaches the next epoch, in however many threads, finds its order there."""
    made, release = [], threading.Event()

    def make(epoch):
        made.append((epoch, threading.current_thread() is threading.main_thread()))
        if epoch == 4:
            release.wait(5)
        return np.array([epoch])

    orders = sampler_module.EpochOrders(make, ahead=True)
    assert orders(3) == [3]  # does not wait for the order of epoch 4
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(orders, 4) for _ in range(4)]
        release.set()
        assert [order.result(5).item() for order in found] == [4, 4, 4, 4]
        assert pool.submit(orders, 5).result(5) == [5]
    assert sorted(made)[:3] == [(3, True), (4, False), (5, False)]
    assert len(made) == len(set(made))


def test_an_order_that_failed_is_made_again():
    attempts = []

    def make(epoch):
        attempts.append(epoch)
        if len(attempts) == 1:
            raise MemoryError
        return np.array([epoch])

    orders = sampler_module.EpochOrders(make, ahead=False)
    with pytest.raises(MemoryError):
        orders(0)
    assert orders(0) == [0]
    assert attempts == [0, 0]


def test_a_large_set_has_the_order_that_it_had(monkeypatch):
    """Made ahead or not, the batches across the end of an epoch are the same."""
    plain = IndexSampler(1000, 30, seed=5, remainder="carry").indices(30, 40)
    monkeypatch.setattr(sampler_module, "AHEAD_EXAMPLES", 1000)
    np.testing.assert_array_equal(IndexSampler(1000, 30, seed=5, remainder="carry").indices(30, 40), plain)


@pytest.mark.parametrize("levels", [3, 2**62])
def test_the_order_of_equal_values_is_theirs(levels):
    values = np.random.default_rng(0).integers(0, levels, 500).astype(np.uint64)
    expected = [place for _, place in sorted((int(value), i) for i, value in enumerate(values))]
    assert sampler_module.stable_order(values).tolist() == expected


def test_a_stream_that_is_drawn_in_parts_is_the_same():
    count = 2 * sampler_module._RAW_AT_ONCE + 77
    raw = np.random.Philox(key=np.array([4, 0], np.uint64)).random_raw(count)
    np.testing.assert_array_equal(IndexSampler(count, count, seed=4).indices(0, 1).ravel(), np.argsort(raw))
