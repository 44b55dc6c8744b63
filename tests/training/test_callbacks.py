"""Evaluation while a run trains: its rows, its best checkpoint, and that it changes nothing."""

import dataclasses
import json
import time
from contextlib import closing

import numpy as np
import pytest

from gan_jax.config.build import build
from gan_jax.evaluation.plan import EvaluationPlan
from gan_jax.evaluation.protocol import from_row
from gan_jax.evaluation.scores import METRICS
from gan_jax.summaries.logs import read_metrics
from gan_jax.training import manifest
from gan_jax.training.best import NOTE, best_note
from gan_jax.training.callbacks import PeriodicEvaluator
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted
from tests.runs import STEPS, assert_same_bits, run, tiny
from tests.variants import slow_but

WATCHED = {
    "evaluation.metrics": "fid,prdc",
    "evaluation.every_steps": 7,
    "evaluation.num": 40,
    "evaluation.network": "random",
}


def config_of(data_dir, **fields):
    config = tiny(data_dir)
    with config.unlocked():
        config.evaluation = {name.partition(".")[2]: value for name, value in WATCHED.items()}
    config.update_from_flattened_dict(fields)
    return config


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


EARLY: list[str] = []  # what was there before the best checkpoint that it speaks of, on a slow disk


@pytest.fixture(scope="module")
def watched(tmp_path_factory, data_dir):
    """(final state, workdir) of a run that is evaluated as it trains; its disk is slow."""
    folder = tmp_path_factory.mktemp("watched") / "run"
    write = manifest.write

    def slow(saved, step):
        if saved.parent.name == "best":
            time.sleep(0.1)
            if (folder / NOTE).exists() and best_note(folder)["step"] == step:
                EARLY.append(f"note {step}")
            EARLY.extend(f"row {record.step}" for record in records(folder) if record.step >= step)
            if (folder / "checkpoints" / str(step)).exists():
                EARLY.append(f"checkpoint {step}")
        write(saved, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "write", slow)
        patch.setenv("GAN_JAX_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return run(config_of(data_dir), folder), folder


def records(workdir):
    return [record for record in map(from_row, read_metrics(workdir)) if record is not None]


def fids(workdir):
    return {record.step: record.scores["fid"].value for record in records(workdir)}


def best_steps(workdir):
    with closing(Checkpoints(workdir / "best")) as checkpoints:
        return checkpoints.steps()


def test_scores_come_at_the_interval_and_at_the_end(watched):
    _, workdir = watched
    assert list(fids(workdir)) == [7, 14, 21, 28, STEPS]
    record = records(workdir)[-1]
    assert (record.which, record.averaged, record.setting.num_fakes) == ("while training", True, 40)
    assert record.setting.num_reals == 44
    assert set(record.scores) == {"fid", "precision", "recall", "density", "coverage"}


def test_note_row_and_checkpoint_come_after_the_best_checkpoint(watched):
    assert best_steps(watched[1])
    assert not EARLY


def test_the_run_is_the_one_that_nobody_watches(watched, tmp_path, data_dir):
    state, workdir = watched
    alone = run(tiny(data_dir), tmp_path / "alone")
    assert_same_bits(state, alone)
    assert (workdir / "losses.npy").read_bytes() == (tmp_path / "alone" / "losses.npy").read_bytes()


def test_eight_devices_measure_the_same(watched, tmp_path, data_dir):
    run(config_of(data_dir), tmp_path / "run", devices=8)
    one, eight = fids(watched[1]), fids(tmp_path / "run")
    assert eight.keys() == one.keys()
    np.testing.assert_allclose(list(eight.values()), list(one.values()), rtol=2e-3)


def test_the_best_checkpoint_is_kept_beside_the_newest(watched):
    _, workdir = watched
    values = fids(workdir)
    assert best_steps(workdir) == [min(values, key=lambda step: values[step])]
    with closing(Checkpoints(workdir / "checkpoints")) as checkpoints:
        assert checkpoints.steps()[-1] == STEPS


@pytest.mark.parametrize(
    ("best", "choose"), slow_but(("coverage", max), among=[("coverage", max), ("fid", min)])
)
def test_the_best_is_chosen_by_the_score_that_the_config_names(best, choose, tmp_path, data_dir, monkeypatch):
    given = {"fid": [3.0, 1.0, 2.0, 9.0, 8.0], "coverage": [0.1, 0.2, 0.5, 0.4, 0.3]}
    evaluate = PeriodicEvaluator.__call__
    told = iter(range(5))

    def measure(self, step, state, metrics):
        index = next(told)

        class Told:
            def __init__(self, evaluator):
                self.evaluator = evaluator

            def __call__(self, fake):
                record = self.evaluator(fake)
                for name, values in given.items():
                    object.__setattr__(record.scores[name], "value", values[index])
                return record

        real, self._evaluator = self._evaluator, Told(self._evaluator)
        evaluate(self, step, state, metrics)
        self._evaluator = real

    monkeypatch.setattr(PeriodicEvaluator, "__call__", measure)
    run(config_of(data_dir, **{"evaluation.best": best}), tmp_path / "run")
    values = given[best]
    assert best_steps(tmp_path / "run") == [[7, 14, 21, 28, STEPS][values.index(choose(values))]]


def without_times(workdir):
    """The rows without what a clock or the machine says."""
    rows = []
    for row in read_metrics(workdir):
        row = {name: value for name, value in row.items() if name not in ("time", "steps_per_second")}
        if "evaluation" in row:
            row["evaluation"] = {
                name: value
                for name, value in row["evaluation"].items()
                if name not in ("seconds", "environment", "fake")
            }
        rows.append(row)
    return rows


def test_a_run_in_pieces_has_the_scores_and_the_best_checkpoint_of_one_piece(watched, tmp_path, data_dir):
    _, whole = watched
    workdir = tmp_path / "run"
    for stop_at in (10, 21):
        with pytest.raises(Interrupted):
            run(config_of(data_dir), workdir, stop_at=stop_at)
    with pytest.raises(RuntimeError):
        run(config_of(data_dir), workdir, stop_at=28, by=RuntimeError)
    run(config_of(data_dir), workdir)
    assert without_times(workdir) == without_times(whole)
    assert best_steps(workdir) == best_steps(whole)


def test_what_is_measured_may_change_when_a_run_is_continued(tmp_path, data_dir):
    workdir = tmp_path / "run"
    with pytest.raises(Interrupted):
        run(tiny(data_dir), workdir, stop_at=10)
    run(config_of(data_dir), workdir)
    assert list(fids(workdir)) == [14, 21, 28, STEPS]


def test_the_cost_is_said(tmp_path, data_dir, capsys):
    run(config_of(data_dir), tmp_path / "run")
    lines = [line for line in capsys.readouterr().err.splitlines() if "evaluation is" in line]
    assert len(lines) == 5
    assert lines[0].startswith("step 7: fid ")
    assert "% of the time so far" in lines[0]


def test_rows_of_scores_are_plain_json(watched):
    _, workdir = watched
    text = (workdir / "metrics.jsonl").read_text()
    assert len([json.loads(line) for line in text.splitlines()]) == len(read_metrics(workdir))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metrics": "fid,fed"}, "'fed' is not one of fid, kid"),
        ({"metrics": "kid", "num": 999}, "num=999: kid needs at least 1000 images"),
        ({"metrics": "fid", "best": "coverage"}, "best='coverage' is not a score of fid"),
        ({"metrics": "kid", "num": 1000, "best": "kid_std"}, "can be ranked: kid"),
        ({"every_steps": 0}, "every_steps"),
        ({"network": "random", "number": 3}, "evaluation has no field number; its fields are"),
    ],
)
def test_wrong_fields(fields, message, data_dir):
    config = tiny(data_dir)
    with config.unlocked():
        config.evaluation = fields
    with pytest.raises(UserError, match=message):
        build(config)


def test_an_evaluation_that_cannot_be_done_is_said_before_the_first_step(tmp_path, data_dir):
    config = config_of(data_dir, **{"evaluation.metrics": "inception_score"})
    with pytest.raises(UserError, match="inception_score needs a network that classifies"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_the_fakes_lack_is_said_before_the_first_step(tmp_path, data_dir):
    config = config_of(data_dir, **{"evaluation.metrics": "intra_class_fid"})
    with pytest.raises(UserError, match="needs labelled fakes"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_metric_that_cannot_be_measured_does_not_end_a_training(tmp_path, data_dir, monkeypatch, capsys):
    def fails(given):
        raise UserError("too few of something")

    monkeypatch.setitem(METRICS, "fid", dataclasses.replace(METRICS["fid"], compute=fails))
    run(config_of(data_dir, **{"evaluation.metrics": "fid"}), tmp_path / "run")
    assert "step 7: not measured: too few of something" in capsys.readouterr().err
    assert not best_steps(tmp_path / "run")


def test_the_best_checkpoint_says_why_it_is_there(watched):
    _, workdir = watched
    note = best_note(workdir)
    assert (note["score"], [note["step"]]) == ("fid", best_steps(workdir))
    assert note["value"] == fids(workdir)[note["step"]]


def test_another_protocol_replaces_the_best_checkpoint_and_says_so(tmp_path, data_dir, capsys):
    workdir = tmp_path / "run"
    with pytest.raises(Interrupted):
        run(config_of(data_dir), workdir, stop_at=10)
    before = best_note(workdir)
    capsys.readouterr()
    run(config_of(data_dir, **{"evaluation.num": 41}), workdir)
    said = capsys.readouterr().err
    assert f"(step 7, fid {before['value']:.4g}) was chosen by another score or protocol" in said
    assert best_note(workdir)["column"] != before["column"]


def test_ranking():
    plan = EvaluationPlan(metrics="prdc, fid")
    assert plan.names == ("prdc", "fid")
    assert plan.ranked_by == "precision"
    assert plan.is_better(0.6, 0.5)
    assert EvaluationPlan(metrics="fid").is_better(0.5, 0.6)
    assert EvaluationPlan(metrics="memorisation").ranked_by is None
    assert EvaluationPlan().names == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"evaluation.metrics": "kid", "evaluation.num": 1000},
            "kid needs at least 1000 reals, and there are 44",
        ),
        ({"evaluation.metrics": "intra_class_fid"}, "intra_class_fid needs labelled fakes"),
        ({"evaluation.metrics": "fid,density"}, "density needs reals of a known density"),
    ],
)
def test_what_a_metric_lacks_is_said_before_a_classifier_is_trained(
    fields, words, tmp_path, data_dir, monkeypatch
):
    monkeypatch.setattr("gan_jax.training.evaluators.open_network", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(UserError, match=words):
        run(config_of(data_dir, **fields), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()
