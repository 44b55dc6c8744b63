"""What is sent to Weights & Biases and MLflow, of which stand-ins write down what they are told."""

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import gan_jax
from gan_jax.data.spec import Field
from gan_jax.evaluation.protocol import WHILE_TRAINING, Record, Score, Setting
from gan_jax.utils.errors import UserError

SETTING = Setting(8, 9, "reals", "x", "pixels", "y", "none", "float32")


def score_row(step, which=WHILE_TRAINING, value=5.0):
    scores = {"fid": Score(value, "fid", 1, "")}
    return Record("fake", "", step, which, True, "none", 0, SETTING, scores, 1.0, {}).row()


@pytest.fixture
def folder(tmp_path):
    """A run of 200 steps as its folder says it after 100."""
    workdir = tmp_path / "run"
    (workdir / "samples").mkdir(parents=True)
    record = {
        "config": {"num_steps": 200, "loss": {"name": "hinge"}},
        "data": {"fields": {"image": Field((8, 8, 1)).describe()}, "num_classes": None},
        "starts": [{"time": "2026-01-01"}],
    }
    (workdir / "config.json").write_text(json.dumps(record))
    add(
        workdir,
        {"step": 50, "time": 1.0, "loss": 0.5, "gone": None},
        score_row(100),
        {"step": 100, "loss": 0.4},
    )
    add(workdir, score_row(100, "last", 7.0))
    for name in ("step_0000000.png", "step_0000100.png", "step_0000100_source.png", "notes.png"):
        (workdir / "samples" / name).touch()
    return workdir


def add(workdir, *rows):
    with (workdir / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def call(logger, step, steps):
    logger(step, None, {"loss": np.zeros(steps)})


@pytest.fixture
def wandb(monkeypatch):
    """The module's stand-in; `runs` are those that it was asked for, by their id."""
    module: Any = ModuleType("wandb")
    module.runs = {}

    def init(*, id, **named):
        resumed = id in module.runs
        run = module.runs.setdefault(id, SimpleNamespace(named=named, rows=[], finished=False))
        run.resumed = resumed
        run.log = lambda values, step: run.rows.append((step, values))
        run.finish = lambda: setattr(run, "finished", True)
        return run

    module.init, module.Image = init, lambda path: ("picture", path.rpartition("/")[2])
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


FIRST = [
    (0, {"samples": ("picture", "step_0000000.png")}),
    (50, {"loss": 0.5}),
    (
        100,
        {
            "evaluation/fid": 5.0,
            "loss": 0.4,
            "samples": ("picture", "step_0000100.png"),
            "samples_source": ("picture", "step_0000100_source.png"),
        },
    ),
]


def test_rows_scores_and_pictures_go_to_wandb_step_by_step(folder, wandb):
    logger = gan_jax.WandbLogger(folder, project="gans", every_steps=100)
    assert logger.every_steps == 100
    call(logger, 100, 100)
    [run] = wandb.runs.values()
    assert (run.named["project"], run.named["name"], run.named["resume"]) == ("gans", "run", "allow")
    assert run.named["config"]["loss"] == {"name": "hinge"}
    assert run.rows == FIRST
    assert not run.finished
    add(folder, {"step": 150, "loss": 0.3})
    again = gan_jax.WandbLogger(folder, project="gans")  # the training was stopped, and goes on
    call(again, 200, 100)
    assert list(wandb.runs.values()) == [run]
    assert run.rows == [*FIRST, (150, {"loss": 0.3})]
    assert run.finished


def test_a_record_that_begins_late_has_all(folder, wandb):
    call(gan_jax.WandbLogger(folder, project="gans"), 100, 10)  # ten steps of this process
    [run] = wandb.runs.values()
    assert run.rows == FIRST


class Client:
    """The stand-in of MLflow's client."""

    runs: dict
    said: list

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id="7") if self.runs else None

    def create_experiment(self, name):
        self.said.append(("experiment", name))
        return "7"

    def search_runs(self, experiments, text):
        assert experiments == ["7"]
        return [run for tag, run in self.runs.items() if text == f"tags.gan_jax_run = '{tag}'"]

    def create_run(self, experiment, *, run_name, tags):
        run = SimpleNamespace(info=SimpleNamespace(run_id=run_name))
        self.runs[tags["gan_jax_run"]] = run
        return run

    def log_batch(self, run, metrics=(), params=()):
        self.said += [*metrics, *params]

    def log_artifact(self, run, path, folder):
        self.said.append((folder, path.rpartition("/")[2]))

    def set_terminated(self, run):
        self.said.append(("end", run))


def test_rows_scores_and_pictures_go_to_mlflow(folder, monkeypatch):
    said: list = []
    client = type("Own", (Client,), {"runs": {}, "said": said})
    module: Any = ModuleType("mlflow")
    entities: Any = ModuleType("mlflow.entities")
    module.MlflowClient = client
    entities.Param = lambda name, value: (name, value)
    entities.Metric = lambda name, value, time, step: (name, value, step)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    call(gan_jax.MLflowLogger(folder, experiment="gans"), 100, 100)
    assert said == [
        ("experiment", "gans"),
        ("num_steps", "200"),
        ("loss.name", "hinge"),
        ("samples", "step_0000000.png"),
        ("loss", 0.5, 50),
        ("evaluation/fid", 5.0, 100),
        ("loss", 0.4, 100),
        ("samples", "step_0000100.png"),
        ("samples", "step_0000100_source.png"),
    ]
    said.clear()
    call(gan_jax.MLflowLogger(folder, experiment="gans"), 200, 100)
    assert said == [("end", "run")]


@pytest.mark.parametrize(("name", "package"), [("WandbLogger", "wandb"), ("MLflowLogger", "mlflow")])
def test_a_package_that_is_missing(name, package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"{name} needs a package that is not there: pip install {package}"):
        getattr(gan_jax, name)(tmp_path, "gans")
    with pytest.raises(ValueError, match="every_steps=0"):
        getattr(gan_jax, name)(tmp_path, "gans", 0)
