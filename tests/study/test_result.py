"""Rows of results.jsonl: what is written comes back, and what is none of ours is refused with a reason."""

import dataclasses
import json
import math
import threading

import pytest

from gan_jax.study.result import Result
from gan_jax.study.results import RESULTS, add_results, read_results, write_results
from gan_jax.utils.files import taking_turns
from tests.study.made import result


def rows():
    return json.loads(json.dumps(result("plain", 3, [1.0, 2.5]).to_row(), allow_nan=False))


def test_a_row_gives_the_result_back():
    made = result("plain", 3, [1.0, 2.5], diverged_at=150, overrides={"loss.name": "hinge", "x": [1, None]})
    assert Result.from_row(json.loads(json.dumps(made.to_row(), allow_nan=False))) == made


def test_numbers_that_json_has_not():
    made = result("plain", 0, [math.nan, math.inf, -math.inf, 0.5])
    row = made.to_row()
    assert [value for _, value in row["scores"]["modes"]] == [None, "inf", "-inf", 0.5]
    back = Result.from_row(json.loads(json.dumps(row, allow_nan=False)))
    values = [value for _, value in back.scores["modes"]]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, 0.5]


def test_a_row_says_once_what_several_scores_share():
    shared = {"modes": "of 2,500", "kl": "in nats", "quality": "of 2,500"}
    scores = {name: [(1, 1 / 3)] for name in shared}
    made = dataclasses.replace(
        result("plain", 0, [1.0]), scores=scores, protocol=shared, better=dict.fromkeys(shared, "neither")
    )
    row = made.to_row()
    assert row["protocol"] == {"of 2,500": ["modes", "quality"], "in nats": ["kl"]}
    assert row["scores"]["kl"] == [[1, 0.3333333]]
    back = Result.from_row(json.loads(json.dumps(row)))
    assert list(back.protocol.items()) == list(shared.items())


def test_last_and_best():
    values = [math.nan, 3.0, 7.0, 5.0]
    assert result("plain", 0, values).last("modes") == 5.0
    assert result("plain", 0, values).best("modes") == 7.0
    assert result("plain", 0, values, better="lower").best("modes") == 3.0
    assert math.isnan(result("plain", 0, values, better="neither").best("modes"))
    assert math.isnan(result("plain", 0, [math.nan]).best("modes"))
    assert math.isnan(result("plain", 0, []).last("modes"))
    assert math.isnan(result("plain", 0, values).last("fid"))
    assert result("plain", 0, values).finished
    assert not result("plain", 0, values, diverged_at=0).finished


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": True}, "seed=True"),
        ({"seed": -1}, "seed=-1"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"variant": ""}, "variant=''"),
        ({"digest": None}, "digest=None"),
        ({"diverged_at": "never"}, "diverged_at='never'"),
        ({"seconds": -0.1}, "seconds=-0.1"),
        ({"seconds": math.inf}, "seconds=inf"),
        ({"overrides": []}, r"overrides=\[\]"),
        ({"environment": None}, "environment=None"),
        ({"scores": [1]}, r"scores=\[1\]"),
        ({"scores": {}}, "the same scores"),
        ({"better": {"modes": "more"}}, "better.'modes'.='more'"),
        ({"protocol": {"some words": "modes"}}, "expected texts, each with a list of scores"),
        ({"protocol": {"some words": ["kl"]}}, "the same scores"),
        ({"scores": {"modes": 3}}, "pairs of a step and a value, not 3"),
        ({"scores": {"modes": [[1]]}}, r"pairs of a step and a value, not \[1\]"),
        ({"scores": {"modes": [[1, "NaN"]]}}, "not 'NaN'"),
        ({"scores": {"modes": [[1, [2]]]}}, r"a number at step 1, not \[2\]"),
        ({"scores": {"modes": [[1, True]]}}, "a number at step 1, not True"),
        ({"scores": {"modes": [[1.5, 2.0]]}}, "a step of scores.'modes'.=1.5"),
        ({"scores": {"modes": [[2, 2.0], [2, 3.0]]}}, "step 2 follows 2"),
    ],
)
def test_a_row_that_cannot_be_read(change, message):
    with pytest.raises(ValueError, match=message):
        Result.from_row({**rows(), **change})


@pytest.mark.parametrize("row", [None, [], "plain"])
def test_a_row_is_an_object(row):
    with pytest.raises(ValueError, match="a JSON object"):
        Result.from_row(row)


def test_fields_are_neither_more_nor_fewer():
    row = rows()
    del row["seed"]
    with pytest.raises(ValueError, match=r"misses the fields \['seed'\] .* unknown fields \['sead'\]"):
        Result.from_row({**row, "sead": 3})


def test_a_result_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        result("plain", 0, [1.0]).seed = 2


def test_a_report_beside_a_training_loses_no_result(tmp_path):
    """Both write results.jsonl anew, each with what it has just read."""
    path, count = tmp_path / RESULTS, 40

    def add():
        for seed in range(count):
            add_results(path, [result("base", seed, [1.0, 2.0])])

    training = threading.Thread(target=add)
    training.start()
    while training.is_alive():
        with taking_turns(tmp_path):
            write_results(path, read_results(tmp_path, [])[1])
    assert [found.seed for found in read_results(tmp_path, [])[1]] == list(range(count))
