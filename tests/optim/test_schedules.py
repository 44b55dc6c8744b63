"""Schedules against their formulas in float64, and what is refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.optim.schedules import SCHEDULES, as_schedule, constant, cosine, exponential, is_off, linear

RAMPS = {"linear": linear, "cosine": cosine, "exponential": exponential}
FORMULAS = {
    "linear": lambda start, end, t: start + (end - start) * t,
    "cosine": lambda start, end, t: end + (start - end) * (1 + np.cos(np.pi * t)) / 2,
    "exponential": lambda start, end, t: np.exp(np.log(start) + (np.log(end) - np.log(start)) * t),
}


def values(schedule, steps):
    return np.array([schedule(jnp.int32(step)) for step in steps])


def test_configs_can_name_them_all():
    assert {"constant": constant, **RAMPS} == SCHEDULES


def test_constant_is_the_same_at_every_step():
    schedule = constant(0.3)
    assert (values(schedule, [0, 1, 10**6]) == np.float32(0.3)).all()
    assert schedule.bounds == (0.3, 0.3)
    assert schedule(jnp.int32(3)).dtype == jnp.float32


@pytest.mark.parametrize("name", RAMPS)
@pytest.mark.parametrize(("start", "end"), [(2e-4, 1e-6), (0.1, 3.0), (0.5, 0.5)])
@pytest.mark.parametrize(("steps", "delay"), [(1, 0), (7, 0), (1000, 0), (1000, 30)])
def test_ramps(name, start, end, steps, delay):
    schedule = RAMPS[name](start, end, steps, delay)
    at = np.unique(np.r_[0, delay // 2, delay, delay + np.arange(0, steps + 1, max(1, steps // 9)), 10**7])
    share = np.clip((at - delay) / steps, 0, 1)
    found = values(schedule, at)
    np.testing.assert_allclose(found, FORMULAS[name](start, end, share), rtol=5e-6)
    assert (found[at <= delay] == np.float32(start)).all()
    assert (found[at >= delay + steps] == np.float32(end)).all()
    assert schedule.bounds == (min(start, end), max(start, end))


@pytest.mark.parametrize("name", RAMPS)
@pytest.mark.parametrize(("start", "end"), [(2e-4, 1e-6), (0.1, 3.0)])
def test_ramps_are_monotone_and_never_leave_their_bounds(name, start, end):
    """In float32 too: a decay whose last step rounds below 0 or above 1 would be a surprise."""
    schedule = RAMPS[name](start, end, 4099, 3)
    found = np.asarray(jax.vmap(schedule)(jnp.arange(4200)))
    assert found.min() == np.float32(min(start, end))
    assert found.max() == np.float32(max(start, end))
    step = np.diff(found) * np.sign(end - start)
    assert (step >= -2e-7 * max(start, end)).all()  # but for rounding


def test_ramps_may_end_at_or_cross_zero():
    assert values(cosine(1e-3, 0.0, 10), [10, 11]).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(values(linear(-1.0, 1.0, 4), range(5)), [-1, -0.5, 0, 0.5, 1])


def test_geometric_ramps_multiply_by_the_same_factor():
    found = values(exponential(1.0, 1e-4, 4), range(5))
    np.testing.assert_allclose(found[1:] / found[:-1], 0.1, rtol=1e-6)


@pytest.mark.parametrize("name", RAMPS)
def test_under_jit_and_vmap(name):
    schedule = RAMPS[name](0.1, 0.7, 20, 5)
    steps = jnp.arange(30)
    one_by_one = values(schedule, range(30))
    np.testing.assert_allclose(jax.jit(jax.vmap(schedule))(steps), one_by_one, rtol=1e-6)
    assert jax.jit(schedule)(jnp.int32(3)).shape == ()
    assert jax.jit(schedule)(jnp.int32(3)).dtype == jnp.float32


def test_schedules_can_be_compared_and_hashed():
    """Frozen dataclasses hold them."""
    assert linear(0.0, 1.0, 3) == linear(0.0, 1.0, 3) != cosine(0.0, 1.0, 3)
    assert len({linear(0.0, 1.0, 3), linear(0.0, 1.0, 3), constant(1.0)}) == 2


@pytest.mark.parametrize("name", RAMPS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("start", math.nan),
        ("end", math.inf),
        ("start", "0.1"),
        ("end", None),
        ("start", True),
        ("steps", 0),
        ("steps", 1.5),
        ("delay", -1),
        ("delay", 0.5),
        ("delay", False),
    ],
)
def test_impossible_fields_are_refused(name, field, value):
    fields = {"start": 1.0, "end": 2.0, "steps": 3, "delay": 0, field: value}
    with pytest.raises(ValueError, match=f"^{field}={value!r}: .*must be"):
        RAMPS[name](**fields)


@pytest.mark.parametrize("field", ["start", "end"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_geometric_ramps_need_positive_ends(field, value):
    with pytest.raises(ValueError, match=f"^{field}={value}: .*must be positive"):
        exponential(**{"start": 1.0, "end": 2.0, "steps": 3, field: value})


@pytest.mark.parametrize("value", [math.nan, math.inf, "x", None, True])
def test_constants_must_be_finite_numbers(value):
    with pytest.raises(ValueError, match=f"^value={value!r}: it must be a finite number"):
        constant(value)


def test_numbers_become_constant_schedules():
    schedule = as_schedule(3, "weight")
    assert float(schedule(jnp.int32(9))) == 3.0
    assert as_schedule(0.5, "weight") == constant(0.5)
    ramp = linear(0.0, 1.0, 3)
    assert as_schedule(ramp, "weight") is ramp


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan, math.inf, "1", None, False, {"name": "linear"}])
def test_what_is_no_number_in_the_range_is_refused(value):
    with pytest.raises(ValueError, match=r"^share=.*it must be"):
        as_schedule(value, "share", 0.0, 1.0)


def test_the_extremes_of_a_schedule_are_checked_too():
    as_schedule(linear(0.0, 1.0, 3), "share", 0.0, 1.0)
    with pytest.raises(ValueError, match=r"^share: its extremes are \(0\.5, 1\.5\): it must be in \[0, 1\]"):
        as_schedule(linear(1.5, 0.5, 3), "share", 0.0, 1.0)
    with pytest.raises(ValueError, match=r"^weight: .*\(-1\.0, 0\.0\): it must be in \[0, inf\)"):
        as_schedule(cosine(-1.0, 0.0, 3), "weight")


def test_the_upper_end_may_be_excluded_also_where_float32_rounds_to_it():
    as_schedule(0.999999, "b2", high=1.0, below=True)
    for value in (1.0, 1 - 1e-9):
        with pytest.raises(ValueError, match=r"^b2=.*in \[0, 1\)"):
            as_schedule(value, "b2", high=1.0, below=True)
    with pytest.raises(ValueError, match=r"^b2: .*in \[0, 1\)"):
        as_schedule(linear(0.9, 1.0, 3), "b2", high=1.0, below=True)


def test_other_functions_of_the_step_are_taken_on_trust():
    schedule = as_schedule(lambda step: -1.0 * step, "weight")
    assert float(schedule(jnp.int32(2))) == -2.0


def test_is_off():
    assert is_off(0.0)
    assert is_off(constant(0.0))
    assert is_off(linear(0.0, 0.0, 5))
    assert not is_off(1e-9)
    assert not is_off(linear(0.0, 1e-9, 5))
    assert not is_off(lambda step: 0.0 * step)  # nothing is known of it
