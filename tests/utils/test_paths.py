"""`~` in paths, and users without a home folder."""

import inspect
import pkgutil
from pathlib import Path

import numpy as np
import pytest

from gan_jax.data.prepared import data_root
from gan_jax.evaluation.sources.sources import is_run, npz_source, open_source
from gan_jax.main import COMMANDS, main
from gan_jax.summaries.logs import append_row, read_rows
from gan_jax.training.restore import restored_run
from gan_jax.training.train import train
from gan_jax.utils.cache import cache_folder
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import write_atomically
from gan_jax.utils.paths import expanded, home
from tests.runs import tiny


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A user without HOME and without an entry in the list of users."""

    def unknown(*_):
        raise KeyError("no such user")

    for variable in ("HOME", "XDG_CACHE_HOME", "GAN_JAX_CACHE", "TFDS_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_the_home_folder_is_meant(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/run") == expanded(Path("~/run")) == tmp_path / "run"
    assert expanded("a/~/b") == Path("a/~/b")
    assert home() == tmp_path
    with pytest.raises(UserError, match="~nobody-of-this-name/x: no home folder is known"):
        expanded("~nobody-of-this-name/x")


def test_an_empty_home_is_none(monkeypatch):
    """Not the root folder, which the system takes it for."""
    monkeypatch.setenv("HOME", "")
    assert home() is None
    with pytest.raises(UserError, match="no home folder is known"):
        expanded("~/run")


def test_without_a_home_folder_the_cache_is_temporary_and_data_ask_for_a_folder(nobody, tmp_path):
    assert home() is None
    folder = cache_folder("features")
    assert folder.parent.parent == tmp_path
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UserError, match="TFDS_DATA_DIR"):
        data_root(None)
    assert data_root("/data") == Path("/data")


def test_somebody_elses_temporary_cache_is_not_used(nobody):
    folder = cache_folder("features").parent
    folder.chmod(0o777)
    with pytest.raises(UserError, match="is not this user's alone: set GAN_JAX_CACHE"):
        cache_folder("features")
    folder.rmdir()
    folder.symlink_to("/tmp")
    with pytest.raises(UserError, match="is not this user's alone"):
        cache_folder("features")


def test_a_command_without_a_home_folder(nobody, tmp_path, capsys):
    assert main(["info", f"--workdir={tmp_path}"]) == 1
    assert capsys.readouterr().err.startswith(f"gan-jax: {tmp_path} holds no run")
    assert main(["info", "--workdir=~/run"]) == 2
    assert "no home folder is known" in capsys.readouterr().err


# Flags that hold text and no path; `data`, a folder or the name of a data set, takes ~ when it is opened.
TEXTS = {"coordinator", "label", "metrics", "network", "shard", "only", "layers", "seeds", "rows", "columns"}
TEXTS |= {"data", "target", "solver", "fitness", "classes", "augment"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_path_of_a_command_takes_the_home_folder(command, monkeypatch, tmp_path):
    from absl import flags

    monkeypatch.setenv("HOME", str(tmp_path))
    values = flags.FlagValues()
    COMMANDS[command].define(values, ["gan-jax", "--help"])
    own = {name for name in values if values[name].flag_type() == "string"} - TEXTS - {"config"}
    assert not own, "a flag of text must be a path, or be named in TEXTS"
    for name in values:
        if values[name].flag_type() == "path":
            values[name].parse("~/there")
            assert values[name].value == str(tmp_path / "there")


def test_paths_in_configs_take_the_home_folder(monkeypatch, tmp_path, data_dir):
    monkeypatch.setenv("HOME", str(data_dir.parent))
    config = tiny(Path("~") / data_dir.name, num_steps=1)
    train(config, "~/run", devices=1)
    assert (data_dir.parent / "run" / "config.json").is_file()
    assert list(data_dir.iterdir())
    _, spec, state = restored_run("~/run")  # text, as everywhere in Python
    assert (spec.image_shape, int(state.step)) == ((16, 16, 1), 1)
    assert int(restored_run(str(data_dir.parent / "run"))[2].step) == 1


def test_python_takes_text_and_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_atomically("~/deep/file", b"x")
    assert (tmp_path / "deep" / "file").read_bytes() == b"x"
    append_row("~/rows.jsonl", {"step": 1})
    assert read_rows("~/rows.jsonl") == [{"step": 1}]
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 4, 4, 1), np.uint8))
    assert npz_source("~/x.npz").size == open_source("~/x.npz").size == open_source(Path("~/x.npz")).size == 2
    assert not is_run("~")


# What Python programs are likely to call with a path.
PUBLIC = """
config.build.open_data data.load data.prepare evaluation.networks.open_network
evaluation.sources.sources.folder_source evaluation.sources.sources.npz_source
evaluation.sources.sources.open_source feature_networks.classifier_cache.classifier
feature_networks.classifier_cache.load_classifier feature_networks.classifier_cache.prepare_classifier
feature_networks.inception_weights.inception feature_networks.pth.read_pth study.figures.write_figures
study.montage.montage study.report.write_report study.results.read_results study.runner.Runner.__init__
study.study.open_study summaries.events.EventFile.__init__ summaries.logs.append_row
summaries.logs.read_losses summaries.logs.read_metrics summaries.logs.read_rows summaries.logs.RunLog.__init__
summaries.overview.overview summaries.pictures.save_picture summaries.plotting.save_figure
summaries.sample_files.sample_files training.best.best_note training.checkpoint.Checkpoints.__init__
training.restore.restored_run training.restore.run_conditions training.train.train
training.workdir.recorded_run utils.files.locked utils.files.write_atomically utils.files.write_json
"""


@pytest.mark.parametrize("name", PUBLIC.split())
def test_public_functions_take_a_path_as_text_too(name):
    parameters = inspect.signature(pkgutil.resolve_name(f"gan_jax.{name}")).parameters.values()
    paths = [parameter for parameter in parameters if "Path" in str(parameter.annotation)]
    assert paths
    assert all("str" in str(parameter.annotation) for parameter in paths)
