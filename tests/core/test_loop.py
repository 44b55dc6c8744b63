"""The loop: where calls end, what is collected and done there and in which order, and how it stops."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.loop import Every, PeriodicWork, check_callbacks, repeat_step, run_steps

CALL = 4  # steps


class Toy:
    """Steps whose state is their number and whose metric is too, and what happened, in order."""

    def __init__(self, name="loss", runs=()):
        self.name = name
        self.runs = runs
        self.calls = []
        self.happened = []

    def __call__(self, state, step, count):
        assert state == step
        self.calls.append((step, count))
        values = np.full((*self.runs, CALL), np.nan, np.float32)
        values[..., :count] = np.arange(step, step + count) + 1
        return state + count, {self.name: jnp.asarray(values)}

    def does(self, what, every):
        return Every(every, lambda step, state, metrics: self.happened.append((what, step, state, metrics)))

    def record(self, step, metrics):
        self.happened.append(("record", step, None, metrics))

    def order(self):
        return [(what, step) for what, step, *_ in self.happened]

    def metrics_of(self, what, name="loss"):
        return [metrics[name].tolist() for done, _, _, metrics in self.happened if done == what]


def steps(first, last):
    """The metrics of the steps after `first` up to `last`."""
    return [float(step) for step in range(first + 1, last + 1)]


def test_calls_end_where_something_is_due():
    toy = Toy()
    work = PeriodicWork([toy.does("fives", 5), toy.does("eights", 8)], 17, toy.record)
    assert run_steps(toy, 0, 0, 17, CALL, work) == (17, 17, None)
    assert toy.calls == [(0, 4), (4, 1), (5, 3), (8, 2), (10, 4), (14, 1), (15, 1), (16, 1)]


def test_what_is_due_is_done_in_order_after_the_record_and_all_of_it_at_the_last_step():
    toy = Toy()
    work = PeriodicWork([toy.does("fives", 5), toy.does("fours", 4), toy.does("never", 100)], 9, toy.record)
    run_steps(toy, 0, 0, 9, CALL, work)
    assert toy.order() == [
        ("record", 4),
        ("fours", 4),
        ("record", 5),
        ("fives", 5),
        ("record", 8),
        ("fours", 8),
        *(("record", 9), ("fives", 9), ("fours", 9), ("never", 9)),
    ]
    assert all(state == step for what, step, state, _ in toy.happened if what != "record")


def test_without_callbacks_everything_is_collected_at_the_end():
    toy = Toy()
    run_steps(toy, 0, 0, 9, CALL, PeriodicWork([], 9, toy.record))
    assert toy.order() == [("record", 9)]
    assert toy.calls == [(0, 4), (4, 4), (8, 1)]


def test_every_step_is_recorded_once_and_a_callback_gets_those_since_its_last_time():
    toy = Toy()
    work = PeriodicWork([toy.does("fives", 5), toy.does("fours", 4)], 11, toy.record)
    run_steps(toy, 0, 0, 11, CALL, work)
    assert toy.metrics_of("record") == [steps(0, 4), steps(4, 5), steps(5, 8), steps(8, 10), steps(10, 11)]
    assert toy.metrics_of("fives") == [steps(0, 5), steps(5, 10), steps(10, 11)]
    assert toy.metrics_of("fours") == [steps(0, 4), steps(4, 8), steps(8, 11)]


def test_metrics_of_several_runs_have_the_steps_last():
    toy = Toy(runs=(3,))
    run_steps(toy, 0, 0, 9, CALL, PeriodicWork([toy.does("sixes", 6)], 9, toy.record))
    assert toy.metrics_of("sixes") == [[steps(0, 6)] * 3, [steps(6, 9)] * 3]


def test_a_run_that_is_continued_has_the_same_intervals():
    toy = Toy()
    run_steps(toy, 7, 7, 12, CALL, PeriodicWork([toy.does("fives", 5)], 12, toy.record))
    assert toy.calls == [(7, 3), (10, 2)]
    assert toy.metrics_of("fives") == [steps(7, 10), steps(10, 12)]


def test_nothing_is_done_where_no_step_is_left():
    toy = Toy()
    work = PeriodicWork([toy.does("fives", 5)], 10, toy.record)
    assert run_steps(toy, 10, 10, 10, CALL, work, lambda: "asked") == (10, 10, None)
    assert toy.calls == toy.happened == []


def test_a_run_of_several_stretches_with_other_metrics():
    """As one stretch, but for a boundary at the end of each, where only the metrics are collected."""
    first, then = Toy("loss"), Toy("other_loss")
    first.happened = then.happened
    work = PeriodicWork([then.does("tens", 10)], 12, then.record)
    state, step, _ = run_steps(first, 0, 0, 7, CALL, work)
    assert (state, step) == (7, 7)
    assert then.order() == [("record", 7)]
    run_steps(then, state, step, 12, CALL, work)
    assert then.calls == [(7, 3), (10, 2)]
    assert then.order() == [("record", 7), ("record", 10), ("tens", 10), ("record", 12), ("tens", 12)]
    before, after = (found for what, _, _, found in then.happened if what == "tens")
    np.testing.assert_array_equal(before["loss"], [*steps(0, 7), *[np.nan] * 3])
    np.testing.assert_array_equal(before["other_loss"], [*[np.nan] * 7, *steps(7, 10)])
    assert after.keys() == {"other_loss"}


@pytest.mark.parametrize("calls", [0, 3])
def test_a_stop_ends_it_before_the_next_call_with_all_metrics_recorded(calls):
    toy = Toy()
    asked = []

    def stop():
        asked.append(len(toy.calls))
        return "why" if len(toy.calls) == calls else 0

    work = PeriodicWork([toy.does("hundreds", 100)], 300, toy.record)
    assert run_steps(toy, 0, 0, 300, CALL, work, stop) == (CALL * calls, CALL * calls, "why")
    assert toy.calls == [(CALL * number, CALL) for number in range(calls)]
    assert asked == list(range(calls + 1))  # once before every call
    assert toy.order() == ([("record", CALL * calls)] if calls else [])
    assert toy.metrics_of("record") == ([steps(0, CALL * calls)] if calls else [])


def test_a_stop_at_a_boundary_finds_everything_collected():
    toy = Toy()
    work = PeriodicWork([toy.does("fours", 4)], 30, toy.record)
    assert run_steps(toy, 0, 0, 30, CALL, work, lambda: len(toy.calls) == 2)[1:] == (8, True)
    assert toy.order() == [("record", 4), ("fours", 4), ("record", 8), ("fours", 8)]


class Broken(Exception):
    pass


def breaks(*_):
    raise Broken


def test_metrics_that_cannot_be_recorded_end_it_before_anything_is_done():
    toy = Toy()
    with pytest.raises(Broken):
        run_steps(toy, 0, 0, 9, CALL, PeriodicWork([toy.does("fives", 5)], 9, breaks))
    assert toy.happened == []


def test_a_callback_that_raises_ends_it_after_those_before():
    toy = Toy()
    callbacks = [toy.does("before", 5), Every(5, breaks), toy.does("after", 5)]
    with pytest.raises(Broken):
        run_steps(toy, 0, 0, 9, CALL, PeriodicWork(callbacks, 9, toy.record))
    assert toy.order() == [("record", 5), ("before", 5)]


class OfMine:
    every_steps = 3

    def __call__(self, step, state, metrics):
        pass


def test_callbacks_are_checked():
    check_callbacks([OfMine(), Every(1, print)])
    wrong = OfMine()
    wrong.every_steps = 0
    for index, callback, every in ((0, wrong, "0"), (1, breaks, "None"), (0, np.float32(3), "None")):
        callbacks: list[Any] = [*[OfMine()] * index, callback]
        with pytest.raises(
            ValueError, match=rf"callbacks\[{index}\] is .* with every_steps={every}: .*Every\("
        ):
            check_callbacks(callbacks)
    with pytest.raises(ValueError, match=r"Every\(every_steps=-2.* must be a positive integer"):
        check_callbacks([Every(-2, print)])


@pytest.mark.parametrize("groups", [(4, 4, 1), (1, 3, 2, 3)])
def test_repeated_steps_do_not_depend_on_how_they_are_grouped(groups):
    def step(state, constants, item):
        state = state * constants["factor"] + item["x"]
        return state, {"state": state, "item": item["x"][0]}

    call = jax.jit(repeat_step(step, CALL))
    constants = {"factor": jnp.float32(0.7)}
    x = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    state, found, done = jnp.ones(2), [], 0
    for count in groups:
        items = {"x": np.resize(x[done : done + count], (CALL, 2))}
        state, metrics = call(state, constants, items, jnp.int32(count))
        assert np.isnan(metrics["item"][count:]).all()
        found.append(metrics["state"][:count])
        np.testing.assert_array_equal(metrics["item"][:count], x[done : done + count, 0])
        done += count
    assert done == 9
    expected, each = jnp.ones(2), []
    for number in range(9):
        expected, metrics = call(expected, constants, {"x": np.resize(x[number], (CALL, 2))}, jnp.int32(1))
        each.append(metrics["state"][:1])
    np.testing.assert_array_equal(state, expected)
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(each))
    by_hand = np.ones(2)
    for row in x:
        by_hand = by_hand * 0.7 + row
    np.testing.assert_allclose(state, by_hand, rtol=1e-5)
