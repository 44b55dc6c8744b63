"""The cycle error, of ways back that can and cannot read what a translation hides."""

from typing import Any

import jax
import numpy as np
import pytest

from gan_jax.data.codecs import Lab
from gan_jax.data.dataset import Dataset
from gan_jax.data.spec import Field
from gan_jax.evaluation.cycles import make_cycle
from gan_jax.evaluation.generated import GeneratedSetMaker
from gan_jax.inference.conditions import dataset_conditions
from gan_jax.utils.errors import UserError
from tests.algorithms.test_cyclegan import cyclegan

SOURCE = np.random.default_rng(0).integers(0, 256, (70, 4, 4, 3), np.uint8)  # more than one call's
STATE: Any = None


class Hiding:
    """There it makes everything grey, but for the source in a thousandth of a level; back it reads that."""

    directions = ("a_to_b", "b_to_a")
    hidden = 1e-3 / 127.5
    grey = 1 / 255

    def translate(self, state, picture, key, direction):
        if direction == "a_to_b":
            return self.grey + picture * self.hidden
        return (picture - self.grey) / self.hidden


class Halving(Hiding):
    """What it needs stands in the picture; back it forgets a tenth."""

    def translate(self, state, picture, key, direction):
        return picture * (0.5 if direction == "a_to_b" else 1.8)


def rows(codec=None):
    field = Field((4, 4, 3), *([] if codec is None else [codec]))
    records = [{"source": source, "image": source} for source in SOURCE]
    return Dataset("toy", "test", records, {"source": field, "image": field}, None, (), "toy test")


def measured(algorithm: Any, direction="a_to_b", chosen=range(70)):
    cycle = make_cycle(algorithm, rows(), direction)
    assert cycle is not None
    return cycle(STATE, 3, np.array(chosen))


def test_what_is_hidden_is_lost_by_rounding_and_noise():
    found = measured(Hiding())
    assert found["cycle_error"].max() < 1e-2
    np.testing.assert_allclose(
        found["cycle_error_8_bits"], np.abs(SOURCE / 127.5 - 1).mean((1, 2, 3)) / 2, atol=1e-4
    )
    assert found["cycle_error_noise"].min() > 100


def test_an_honest_translation_survives_both():
    found = measured(Halving())
    each = np.abs(SOURCE / 127.5 - 1).mean((1, 2, 3)) / 20
    np.testing.assert_allclose(found["cycle_error"], each, atol=1e-6)
    np.testing.assert_allclose(found["cycle_error_8_bits"], each, atol=2.5e-3)
    # E|x| of a normal variable is sd sqrt(2 / pi); 1.8 times it, where it does not cancel against the tenth
    assert found["cycle_error_noise"].mean() == pytest.approx(
        np.abs(
            np.float64(SOURCE) / 1275
            - 0.1
            + 1.8 * 4 / 255 * np.random.default_rng(1).normal(size=SOURCE.shape)
        ).mean()
        / 2,
        rel=0.05,
    )


def test_the_rows_are_those_that_are_asked_for_and_the_noise_that_of_the_seed():
    whole, some = measured(Halving()), measured(Halving(), chosen=(5, 1, 69))
    np.testing.assert_allclose(some["cycle_error"], whole["cycle_error"][[5, 1, 69]], rtol=1e-6)
    again = measured(Halving())
    np.testing.assert_array_equal(again["cycle_error_noise"], whole["cycle_error_noise"])


def test_the_other_way_begins_there():
    found = measured(Hiding(), "b_to_a", range(3))
    assert found["cycle_error"].max() < 1e-5
    assert found["cycle_error_8_bits"].min() > 0.1  # a picture so bright is clipped


def test_what_goes_one_way_or_is_no_pixels_has_none():
    one: Any = type("One", (Hiding,), {"directions": ("a_to_b",)})()
    two: Any = Hiding()
    assert make_cycle(one, rows(), "a_to_b") is None
    assert make_cycle(two, rows(Lab()), "a_to_b") is None


def test_a_method_that_has_diverged_is_told():
    broken: Any = type("Broken", (Hiding,), {"hidden": np.nan})()
    with pytest.raises(UserError, match="not finite"):
        measured(broken)


def test_cyclegans_have_one_and_truths_where_the_fields_are_aligned():
    algorithm = cyclegan(identity=0.0)
    for aligned in (True, False):
        fields = {"source": Field((8, 8, 1)), "image": Field((8, 8, 3), aligned=aligned)}
        records = [{"source": np.zeros((8, 8, 1), np.uint8), "image": np.zeros((8, 8, 3), np.uint8)}] * 5
        data = Dataset("toy", "test", records, fields, None, (), "toy test")
        conditions = dataset_conditions(data, algorithm.conditions)
        make = GeneratedSetMaker("x", algorithm, data.spec, conditions=conditions)
        state = algorithm.init(
            jax.random.key(0), {name: np.zeros((2, *field.shape)) for name, field in fields.items()}
        )
        fake = make(state, seed=0, which="", averaged=False)
        assert fake.source.size == 5
        assert fake.cycle is not None
        assert fake.labels == "of toy:test"
        assert (fake.truth is not None) == aligned
        if not aligned:
            assert fake.no_truth == "the fields of toy:test are of different examples"
