"""`~` in paths, and users without a home folder."""

import inspect
import pkgutil
import typing
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import gan_jax
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


# Flags that hold text and no path.
TEXTS = {"coordinator", "metrics", "network", "shard", "only"}


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


# What only the package itself calls, with a path that it made.
INNER = ("gan_jax.cli", "gan_jax.training.manifest", "gan_jax.training.workdir", "gan_jax.study.command")
INNER_NAMES = {
    *("find_folder", "open_folder", "prune", "git_revision", "add_result", "write_results", "picture_file"),
    *("make_periodic_evaluator", "open_log", "picture_of_reals"),
}


def test_public_functions_take_a_path_as_text_too():
    wrong = []
    for found in pkgutil.walk_packages(gan_jax.__path__, "gan_jax."):
        for name, item in inspect.getmembers(import_module(found.name), inspect.isfunction):
            if item.__module__.startswith(INNER) or name.startswith("_") or name in INNER_NAMES:
                continue
            try:
                types = typing.get_type_hints(item)
            except NameError:  # of what is imported for its types only
                continue
            for parameter, kind in types.items():
                kinds = typing.get_args(kind) or (kind,)
                if parameter != "return" and Path in kinds and str not in kinds:
                    wrong.append(f"{found.name}.{name}({parameter})")
    assert not wrong
