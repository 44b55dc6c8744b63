"""A method that translates both ways, scored in both."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from gan_jax.cli import evaluation_commands as commands
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.data.views import turned
from gan_jax.distributed.parallel import make_mesh
from gan_jax.evaluation.generated import GeneratedSetMaker
from gan_jax.evaluation.plan import EvaluationPlan
from gan_jax.evaluation.protocol import from_row, table
from gan_jax.inference.conditions import dataset_conditions
from gan_jax.inference.sample import make_sampler
from gan_jax.main import main
from gan_jax.metrics.paired import l1
from gan_jax.summaries.logs import read_rows
from gan_jax.training.evaluators import open_evaluator
from gan_jax.utils.errors import UserError
from tests.algorithms.test_cyclegan import cyclegan
from tests.toys.common import ToyData, squares

FIELDS = {"image": Field((8, 8, 3), Pixels()), "source": Field((8, 8, 1), Pixels())}
DATA = ToyData(
    FIELDS,
    lambda count, rng: {"image": np.repeat(squares(count, rng), 3, -1), "source": 255 - squares(count, rng)},
)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """An untrained run of two translators: its folder, algorithm and state."""
    algorithm, train, test = cyclegan(identity=0.0), DATA.open("train", {}), DATA.open("test", {})
    shapes = {name: np.zeros((2, *field.shape)) for name, field in FIELDS.items()}
    state = algorithm.init(jax.random.key(0), shapes)
    conditions = dataset_conditions(test, algorithm.conditions)
    given: dict[str, Any] = {
        "restored_run": (algorithm, train.spec, state),
        "recorded_run": ({}, "", {}),
        "complete": None,
        "is_averaged": False,
        "data_folder": None,
        "run_data": train,
        "run_conditions": conditions,
        "held_out_of": None,
    }
    for name, made in given.items():
        monkeypatch.setattr(commands, name, lambda *given, made=made, **named: made)
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    return tmp_path / "run", algorithm, state


def test_a_run_is_scored_in_both_directions(run, tmp_path, capsys):
    folder, algorithm, state = run
    rows = tmp_path / "rows.jsonl"
    command = ["evaluate", f"--fake={folder}", "--network=random", f"--out={rows}"]
    assert main([*command, "--metrics=fid,l1,cycle_error"]) == 0
    assert main([*command, "--metrics=fid,l1,cycle_error", "--direction=b_to_a"]) == 0
    there, back = filter(None, map(from_row, read_rows(rows)))
    assert back.scores.keys() == {f"{name}_b_to_a" for name in there.scores}
    assert back.setting.real_fingerprint == f"b_to_a of {there.setting.real_fingerprint}"
    assert (there.setting.num_fakes, back.setting.num_fakes) == (16, 16)
    for record, direction in ((there, "a_to_b"), (back, "b_to_a")):
        data = DATA.open("test", {}) if direction == "a_to_b" else turned(DATA.open("test", {}))
        conditions = dataset_conditions(data, ("source",))
        sampler = make_sampler(algorithm.turned(direction), data.spec, conditions)
        made = Pixels().encode(sampler(state, 16, jax.random.key(0))["image"])
        truth = data.arrays()["image"]
        name = "l1" if direction == "a_to_b" else "l1_b_to_a"
        assert record.scores[name].value == pytest.approx(l1(made, truth).mean(), rel=1e-12)
    together = table([there, back])  # one row of the same weights
    assert len([line for line in together.splitlines() if line.startswith("| run")]) == 1
    capsys.readouterr()
    assert main([*command, "--metrics=l1", "--num=17"]) == 1
    said = "run makes 16 images, one of each example of toy:test, and 17 are asked for"
    assert said in capsys.readouterr().err


def test_without_metrics_those_of_pairs_and_the_cycle_stand_before_the_usual_ones(run, tmp_path, capsys):
    folder, _, _ = run
    assert main(["evaluate", f"--fake={folder}", "--network=random", f"--out={tmp_path / 'rows.jsonl'}"]) == 0
    err = capsys.readouterr().err
    (record,) = filter(None, map(from_row, read_rows(tmp_path / "rows.jsonl")))
    assert {score.metric for score in record.scores.values()} == {"l1", "psnr", "cycle_error", "fid", "prdc"}
    assert "ssim needs pictures of at least 11 x 11, and those of toy:train are 8 x 8 x 3; kid needs" in err


def test_without_a_network_what_needs_none_is_measured(run, monkeypatch, tmp_path, capsys):
    def no_weights(*given, **named):
        raise UserError("no weights")

    folder, _, _ = run
    monkeypatch.setattr(commands, "open_network", no_weights)
    command = ["evaluate", f"--fake={folder}", f"--out={tmp_path / 'rows.jsonl'}"]
    assert main(command) == 0
    assert "; fid, inception_score, prdc: no weights" in capsys.readouterr().err
    (record,) = filter(None, map(from_row, read_rows(tmp_path / "rows.jsonl")))
    assert {score.metric for score in record.scores.values()} == {"l1", "psnr", "cycle_error"}
    for asked in ("--metrics=l1,fid", "--network=inception"):
        assert main([*command, asked]) == 1
        assert capsys.readouterr().err.endswith("gan-jax: no weights\n")


def test_rows_are_looked_for_where_the_reals_are(run, monkeypatch, tmp_path):
    folder, algorithm, _ = run
    asked = []

    def conditions(*given):
        asked.append(given[2:])
        return dataset_conditions(DATA.open("test", {}), algorithm.conditions)

    monkeypatch.setattr(commands, "run_conditions", conditions)
    where = ["--data_dir=prepared", "--real_dir=moved"]
    assert (
        main(["evaluate", f"--fake={folder}", "--metrics=l1", *where, f"--out={tmp_path / 'x.jsonl'}"]) == 0
    )
    assert [tuple(Path(path).name for path in given) for given in asked] == [("prepared", "moved")]


def test_a_run_that_makes_images_of_rows_is_no_reals(run, tmp_path, capsys):
    folder, _, _ = run
    np.savez(tmp_path / "x.npz", images=np.zeros((4, 8, 8, 3), np.uint8))
    assert main(["evaluate", f"--fake={tmp_path / 'x.npz'}", f"--real={folder}", "--num_real=4"]) == 1
    said = capsys.readouterr().err
    assert "is a run that makes its images of given ones: write some with gan-jax sample" in said


def one_way(algorithm):
    one = copy.copy(algorithm)
    object.__setattr__(one, "__class__", type("One", (type(algorithm),), {"directions": ("a_to_b",)}))
    return one


def plan_of(algorithm, metrics):
    """What `open_evaluator` reads of a plan."""
    train, test = DATA.open("train", {}), DATA.open("test", {})
    plan: Any = SimpleNamespace(
        evaluation=EvaluationPlan(metrics=metrics, network="random"),
        dataset=train,
        data_dir=None,
        phases=(SimpleNamespace(algorithm=algorithm),),
        conditions=lambda phase: dataset_conditions(test, algorithm.conditions),
    )
    return plan


def test_both_ways_are_one_record_while_training(run):
    _, algorithm, state = run
    names = "l1,fid,fid_b_to_a,l1_b_to_a,cycle_error_b_to_a"
    plan = plan_of(algorithm, names)
    assert plan.evaluation.scores["cycle_error_8_bits_b_to_a"] == "lower"
    conditions = plan.conditions(None)
    make = GeneratedSetMaker("run", algorithm, plan.dataset.spec, conditions=conditions)
    fake = make(state, seed=0, which="", averaged=False)
    measure = open_evaluator(plan, make_mesh(), fake)
    measure.check_fake(fake)
    record = measure(fake)
    assert record.scores.keys() == plan.evaluation.scores.keys()
    assert record.setting_of("fid_b_to_a").real_fingerprint == f"b_to_a of {plan.dataset.fingerprint}"
    assert record.setting_of("fid_b_to_a").num_reals == 40
    assert from_row(record.row()) == record
    alone = open_evaluator(plan_of(algorithm, "l1_b_to_a"), make_mesh(), fake)(fake)
    assert alone.scores["l1_b_to_a"].value == record.scores["l1_b_to_a"].value
    assert alone.column("l1_b_to_a") == record.column("l1_b_to_a")
    other = plan_of(one_way(algorithm), "l1,fid_b_to_a")
    with pytest.raises(UserError, match=r"fid_b_to_a needs a method that translates both ways, and One does"):
        open_evaluator(other, make_mesh(), fake)


def test_the_best_is_by_any_score_of_either_way():
    plan = EvaluationPlan(metrics="l1,psnr,psnr_b_to_a", best="psnr_b_to_a")
    assert plan.is_better(30.0, 20.0)
    assert EvaluationPlan(metrics="l1,psnr").ranked_by == "l1"
    with pytest.raises(ValueError, match="'fad_b_to_a' is not one of"):
        EvaluationPlan(metrics="fad_b_to_a")


def test_directions_that_are_not_there_are_told(run, monkeypatch, tmp_path, capsys):
    folder, algorithm, state = run
    one = one_way(algorithm)
    monkeypatch.setattr(commands, "restored_run", lambda *_: (one, DATA.open("train", {}).spec, state))
    command = ["evaluate", f"--fake={folder}", "--metrics=l1", "--direction=b_to_a"]
    assert main(command) == 1
    said = "scores of the direction b_to_a need a method that translates both ways, and run is no run of one"
    assert said in capsys.readouterr().err
    assert main(["evaluate", f"--fake={folder}", "--metrics=l1_b_to_a"]) == 1
    said = "unknown metric 'l1_b_to_a', which is l1 with gan-jax evaluate --direction b_to_a; the metrics"
    assert said in capsys.readouterr().err
    np.savez(tmp_path / "x.npz", images=np.zeros((4, 8, 8, 3), np.uint8))
    files = [f"--{side}={tmp_path / 'x.npz'}" for side in ("fake", "real")]
    assert main(["evaluate", *files, "--metrics=l1", "--direction=b_to_a"]) == 1
    assert "--direction is for runs" in capsys.readouterr().err


def test_turning_a_data_set_exchanges_its_fields_and_is_undone_by_turning_again():
    data = DATA.open("train", {})
    other = turned(data)
    np.testing.assert_array_equal(other.arrays()["image"], data.arrays()["source"])
    assert other.options["direction"] == "b_to_a"
    again = turned(other)
    np.testing.assert_array_equal(again.arrays()["image"], data.arrays()["image"])
    assert again.options["direction"] == "a_to_b"
