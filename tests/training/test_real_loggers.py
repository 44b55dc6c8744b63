"""Weights & Biases and MLflow, where they are installed, take what the loggers send; without the network."""

import json

import numpy as np
import pytest
from PIL import Image

import gan_jax
from gan_jax.data.spec import Field

pytestmark = [
    pytest.mark.slow,  # their imports and MLflow's tables take seconds
    pytest.mark.filterwarnings("ignore"),  # of their own
]


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """The folder of a run of four steps."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    (folder / "samples").mkdir(parents=True)
    record = {
        "config": {"num_steps": 4, "loss": {"name": "hinge"}},
        "data": {"fields": {"image": Field((8, 8, 1)).describe()}, "num_classes": None},
        "starts": [{"time": "2026-01-01"}],
    }
    (folder / "config.json").write_text(json.dumps(record))
    return folder


def train(make_logger, workdir, end_process=lambda: None):
    """Calls a new logger after two steps and, as a run that goes on does, another one after two more.

    Each finds a row and a picture.
    """
    for step in (2, 4):
        with (workdir / "metrics.jsonl").open("a") as rows:
            rows.write(json.dumps({"step": step, "generator_loss": step / 10}) + "\n")
        Image.new("L", (8, 8)).save(workdir / "samples" / f"step_000000{step}.png")
        make_logger(workdir, "gans", every_steps=2)(step, None, {"generator_loss": np.zeros(2)})
        end_process()


def test_mlflow(workdir, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workdir.parent}/runs.db")
    train(gan_jax.MLflowLogger, workdir)
    client = mlflow.MlflowClient()
    [run] = client.search_runs([client.get_experiment_by_name("gans").experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.data.params == {"num_steps": "4", "loss.name": "hinge"}
    history = client.get_metric_history(run.info.run_id, "generator_loss")
    assert [(found.step, found.value) for found in history] == [(2, 0.2), (4, 0.4)]
    kept = [file.path for file in client.list_artifacts(run.info.run_id, "samples")]
    assert kept == ["samples/step_0000002.png", "samples/step_0000004.png"]


def test_weights_and_biases(workdir, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name, value in {"MODE": "offline", "DIR": str(workdir.parent), "SILENT": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    train(gan_jax.WandbLogger, workdir, wandb.finish)
    kept = sorted(workdir.parent.glob("wandb/offline-run-*"))
    assert len(kept) == 2  # without the network nothing says that the run is known, and all is sent again
    assert len({folder.name.rpartition("-")[2] for folder in kept}) == 1
    assert [len(list(folder.glob("files/media/images/samples_*.png"))) for folder in kept] == [1, 2]
