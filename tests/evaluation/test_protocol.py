"""Scores and what they mean, written down and read back; tables in which protocols do not mix."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from gan_jax.evaluation.protocol import Record, Score, Setting, column, from_row, table

SETTING = Setting(
    num_fakes=1000,
    num_reals=60_000,
    real="mnist:train",
    real_fingerprint="f" * 64,
    network="classifier of mnist",
    network_digest="0123456789abcdef",
    resizer="none",
    precision="float32",
)
FID = Score(12.5, "fid", 1, "")
RECORD = Record(
    fake="cgan_mnist",
    fake_id="weights",
    step=500,
    which="last",
    averaged=True,
    labels="balanced",
    seed=0,
    setting=SETTING,
    scores={"fid": FID, "kid": Score(0.25, "kid", 2, "100 subsets of 1000", "lower")},
    seconds=3.5,
    environment={"time": "2026-01-01T00:00:00+00:00"},
)


def changed(value: float = 12.5, **fields) -> Record:
    return dataclasses.replace(RECORD, scores={"fid": dataclasses.replace(FID, value=value)}, **fields)


def rows_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_record_survives_its_row():
    again = from_row(json.loads(json.dumps(RECORD.row())))
    assert again == RECORD


def test_a_row_says_everything_about_the_measurement():
    row = RECORD.row()
    assert row["step"] == 500
    assert row["evaluation"]["setting"] == dataclasses.asdict(SETTING)
    assert row["evaluation"]["scores"]["kid"] == {
        "value": 0.25,
        "metric": "kid",
        "version": 2,
        "protocol": "100 subsets of 1000",
        "better": "lower",
    }


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_score_that_is_not_finite_comes_back_as_it_was(value):
    text = json.dumps(changed(value).row(), allow_nan=False)
    again = from_row(json.loads(text))
    assert again is not None
    np.testing.assert_equal(again.scores["fid"].value, value)


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        ([math.inf], "inf"),
        ([math.nan, math.nan], "nan"),
        ([math.inf, 4.0], "4 (1 of 2 finite)"),
        ([math.inf, 4.0, 6.0], "5 ± 1.4 (2 of 3 finite)"),
    ],
)
def test_what_is_not_finite_does_not_spoil_the_table(values, cell):
    _, _, row = rows_of(table([changed(value, seed=seed) for seed, value in enumerate(values)]))
    assert row[2] == cell


TEXT = RECORD.row()
TEXT["evaluation"]["scores"]["fid"]["value"] = "much"


@pytest.mark.parametrize(
    "row", [{"step": 5, "generator_loss": 1.0}, {"step": 5, "evaluation": {"a": 1}}, TEXT]
)
def test_other_rows_are_no_records(row):
    assert from_row(row) is None


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Setting)])
def test_every_part_of_the_setting_makes_another_column(field):
    value = getattr(SETTING, field)
    changes: dict[str, Any] = {field: value + 1 if isinstance(value, int) else value + "x"}
    other = dataclasses.replace(SETTING, **changes)
    assert column(other, "fid", FID) != column(SETTING, "fid", FID)
    text = table([changed(), changed(20.0, fake="other", setting=other)])
    head, _, one, two = rows_of(text)
    assert head[2:] == ["fid (A)", "fid (B)"]
    assert (one[2:], two[2:]) == (["12.5", ""], ["", "20"])
    assert f"[{SETTING.id}]" in text
    assert f"[{other.id}]" in text


def test_another_version_or_parameter_of_a_metric_makes_another_column():
    for other in (dataclasses.replace(FID, version=2), dataclasses.replace(FID, protocol="k=4")):
        assert column(SETTING, "fid", other) != column(SETTING, "fid", FID)
        rows = rows_of(table([changed(), dataclasses.replace(RECORD, fake="b", scores={"fid": other})]))
        assert [row[2:] for row in rows[2:]] == [["12.5", ""], ["", "12.5"]]


def test_equal_protocols_share_a_column():
    text = table([changed(), changed(20.0, fake="other", step=900)])
    head, _, one, two = rows_of(text)
    assert head == ["fake", "step", "fid"]
    assert one == ["cgan_mnist (last)", "500", "12.5"]
    assert two == ["other (last)", "900", "20"]
    assert str(SETTING) in text
    assert "fid version 1" in text


def test_seeds_of_one_checkpoint_are_one_row_and_called_evaluation_noise():
    text = table([changed(value, seed=seed) for seed, value in enumerate((10.0, 12.0, 14.0))])
    _, _, row = rows_of(text)
    assert row[2] == "12 ± 2"
    assert "over 3 seeds of the evaluation" in text
    assert "nothing of how trainings differ" in text


def test_the_last_of_two_with_the_same_seed_counts():
    _, _, row = rows_of(table([changed(10.0), changed(11.0)]))
    assert row[2] == "11"


def test_averaged_and_trained_weights_are_rows_of_their_own():
    rows = rows_of(table([changed(10.0), changed(11.0, averaged=False)]))[2:]
    assert [row[1:] for row in rows] == [["500", "10"], ["500, not averaged", "11"]]


def test_files_have_no_step():
    rows = rows_of(table([changed(step=None, averaged=None, which="", fake="folder x")]))
    assert rows[2] == ["folder x", "", "12.5"]


def test_other_weights_or_files_of_the_same_name_are_other_rows():
    text = table([changed(10.0), changed(30.0, fake_id="others", seed=1)])
    assert [row[2] for row in rows_of(text)[2:]] == ["10", "30"]
    assert "±" not in text


def test_details_are_shown_only_where_they_are_asked_for():
    scores = {"fid": FID, "fid_of_sevens": dataclasses.replace(FID, value=3.0, better="detail")}
    record = dataclasses.replace(RECORD, scores=scores)
    assert rows_of(table([record]))[0] == ["fake", "step", "fid"]
    rows = rows_of(table([record], only=["fid_of_sevens"]))
    assert (rows[0][2:], rows[2][2:]) == (["fid_of_sevens"], ["3"])


def test_heads_say_which_way_is_better_and_a_protocol_stays_together():
    other = dataclasses.replace(SETTING, num_fakes=7)
    both = {
        "fid": dataclasses.replace(FID, better="lower"),
        "recall": Score(0.5, "prdc", 1, "", "higher"),
    }
    first, second = (dataclasses.replace(RECORD, scores=both, setting=s) for s in (SETTING, other))
    head = rows_of(table([dataclasses.replace(first, scores={"fid": both["fid"]}), second, first]))[0]
    assert head[2:] == ["fid ↓ (A)", "recall ↑ (A)", "fid ↓ (B)", "recall ↑ (B)"]


def test_two_ways_to_measure_a_score_have_two_letters():
    """Else nothing says which of two columns of one name is which."""
    ways = [Score(value, "l1", 1, f"border {border}", "lower") for border, value in ((0, 0.1), (3, 0.2))]
    scores = [{"l1": ways[0], "psnr": Score(9.0, "psnr", 1, "border 0")}, {"l1": ways[1]}]
    text = table([dataclasses.replace(RECORD, scores=each) for each in scores])
    assert rows_of(text)[0][2:] == ["l1 ↓ (A)", "psnr (A)", "l1 ↓ (B)"]
    first, second = (line for line in text.splitlines() if line.startswith("Protocol"))
    assert first.startswith(f"Protocol A [{SETTING.id}]")
    assert first.endswith("; l1 version 1 (border 0), psnr version 1 (border 0).")
    assert second.startswith(f"Protocol B [{SETTING.id}]")
    assert second.endswith("; l1 version 1 (border 3).")


def test_only_what_was_measured_of_these_weights_names_the_row():
    text = table([changed(10.0, which="while training"), changed(11.0, averaged=False, which="last")])
    assert [row[0] for row in rows_of(text)[2:]] == ["cgan_mnist (while training)", "cgan_mnist (last)"]
