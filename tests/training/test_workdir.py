"""A run's folder: what lies in it, and that only its own run is ever continued in it."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import ml_collections
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_jax import data
from gan_jax.config import components
from gan_jax.config.build import open_data
from gan_jax.config.choices import with_components
from gan_jax.config.components import complete
from gan_jax.core.loop import Every
from gan_jax.summaries.logs import read_metrics
from gan_jax.training import train as training
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.restore import run_conditions, run_data
from gan_jax.training.workdir import check_workdir, note_start, read_record, start_over
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import write_json
from tests import runs
from tests.runs import STEPS, digests, losses_of, run, tiny

OPTIONS = dict(resolution=16, channels=1, num_examples=44, seed=0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data_dir):
    """A finished run; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(tiny(data_dir), folder, drawn=True)
    return folder


def check(folder, config):
    chosen = config.data.to_dict()
    options = {name: chosen[name] for name in OPTIONS}
    return check_workdir(folder, complete(config), data.load("shapes", data_dir=chosen["dir"], **options))


def test_the_files_of_a_run(finished):
    names = {path.name for path in finished.iterdir()}
    files = {"config.json", "reals.png", "overview.png", "metrics.jsonl", "losses.npy", "report.html"}
    assert names == files | {"samples", "tensorboard", "checkpoints", ".lock"}
    pictures = [f"step_{step:07d}.png" for step in (0, 15, 30)]
    assert sorted(path.name for path in (finished / "samples").iterdir()) == pictures
    for path in (finished / "reals.png", *(finished / "samples").iterdir()):
        with Image.open(path) as picture:
            assert picture.mode == "L"
            assert min(picture.size) > 16
    with Image.open(finished / "overview.png") as picture:
        assert min(picture.size) > 800
    assert [row["step"] for row in read_metrics(finished)] == [5, 10, 15, 20, 25, 30]
    row = read_metrics(finished)[1]
    for name, values in losses_of(finished).items():
        assert values.shape == (STEPS,)
        assert np.isfinite(values).all()
        assert row[name] == pytest.approx(values[5:10].mean(), rel=1e-6)
    checkpoints = Checkpoints(finished / "checkpoints")
    assert checkpoints.steps() == [24, 30]
    assert [checkpoints.verify(step) for step in (24, 30)] == [None, None]
    checkpoints.close()


def test_tensorboard_reads_it(finished):
    events = EventAccumulator(str(finished / "tensorboard")).Reload()
    assert events.Tags()["images"] == ["samples"]
    assert [event.step for event in events.Images("samples")] == [0, 15, 30]
    rows = read_metrics(finished)
    assert [event.step for event in events.Scalars("generator_loss")] == [row["step"] for row in rows]
    values = [event.value for event in events.Scalars("generator_loss")]
    np.testing.assert_allclose(values, [row["generator_loss"] for row in rows], rtol=1e-6)


def test_the_record_says_what_was_run_and_where(finished, data_dir):
    record = runs.recorded(finished)
    assert record["config"] == json.loads(complete(tiny(data_dir)).to_json_best_effort())
    assert record["data"]["examples"] == 44
    assert record["data"]["image_shape"] == [16, 16, 1]
    (begun,) = record["starts"]
    assert begun["packages"]["jax"] == jax.__version__
    assert begun["devices"]["platform"] == jax.devices()[0].platform
    assert {"time", "python", "git_revision", "cpus"} <= begun.keys()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", 1),
        ("batch_size", 16),
        ("generator_optimizer.learning_rate", 2e-3),
        ("discriminator_optimizer.name", "rmsprop"),
        ("generator.widths", (9,)),
        ("discriminator.dropout", 0.5),
        ("ema.decay", 0.5),
        ("loss.name", "hinge"),
        ("game.name", "simultaneous"),
        ("data.flip", False),
        ("data.remainder", "carry"),
        ("data.split", "train[:40]"),
        ("data.seed", 1),
        ("data.num_examples", 45),
    ],
)
def test_what_alters_the_mathematics_is_refused_and_nothing_changes(field, value, finished, data_dir):
    before, config = digests(finished), tiny(data_dir)
    if field == "discriminator_optimizer.name":
        with config.unlocked():
            config.discriminator_optimizer = dict(name=value, learning_rate=1e-3)
    else:
        config.update_from_flattened_dict({field: value})
    with pytest.raises(UserError, match=rf"another config.*Differing:.*{field}: .* -> .*workdir"):
        run(config, finished)
    assert digests(finished) == before


def test_other_fields_may_change(finished, data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "data")
    intervals = {f"{name}_every_steps": 7 for name in ("log", "checkpoint", "sample")}
    others = {"data.placement": "stream", "steps_per_call": 3, "num_steps": 99}
    record = check(finished, tiny(tmp_path / "data", **intervals, **others))
    assert record["config"]["data"]["dir"] == str(tmp_path / "data")
    assert record["config"]["num_steps"] == 99


def test_other_pictures_are_refused(finished, data_dir, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    record = runs.recorded(tmp_path / "run")
    record["data"]["fingerprint"] += " of other pictures"
    (tmp_path / "run" / "config.json").write_text(json.dumps(record))
    before = digests(tmp_path / "run")
    with pytest.raises(UserError, match=r"the data: .* of other pictures -> .*shapes"):
        run(tiny(data_dir), tmp_path / "run")
    assert digests(tmp_path / "run") == before


@pytest.fixture
def of_pictures(tmp_path, monkeypatch):
    """A function that makes the config of a run on a folder of pictures; the folder is "flat"."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flat").mkdir()
    for number in range(8):
        Image.new("RGB", (16, 16), (30 * number, 5, 5)).save(tmp_path / "flat" / f"{number}.png")

    def config(folder):
        made = tiny(Path("tfds"))  # a relative path, too
        made = with_components(made, {"data.name": "image_folder"})
        made.data.folder = str(folder)
        return complete(made)

    return config


def started(config):
    """Makes the folder "run" that of a run with this config, and nothing else."""
    folder = Path("run")
    folder.mkdir(exist_ok=True)
    note_start(folder, check_workdir(folder, config, open_data(config)))
    return read_record(folder)


def test_a_folder_of_pictures_is_known_by_what_is_in_it(of_pictures, tmp_path):
    record = started(of_pictures("flat"))
    assert record["config"]["data"]["folder"] == str(tmp_path / "flat")
    assert record["config"]["data"]["dir"] == str(tmp_path / "tfds")
    for spelling in ("flat/", "./flat", tmp_path / "flat"):
        assert len(started(of_pictures(spelling))["data"]["fingerprint"]) > 64
    (tmp_path / "flat").rename(tmp_path / "moved")
    assert started(of_pictures("moved"))["config"]["data"]["folder"] == str(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / "again")
    with pytest.raises(UserError, match="no such folder: put them back, or say where"):
        run_data("run")
    assert run_data("run", real_dir="again").name == "image_folder"
    Image.new("RGB", (16, 16), "white").save(tmp_path / "again" / "3.png")
    with pytest.raises(UserError, match=r"the data: image_folder.* -> image_folder"):
        started(of_pictures("again"))
    with pytest.raises(UserError, match=r"are not those that it was trained on: .* --changed_r"):
        run_data("run", real_dir="again")
    assert len(run_data("run", real_dir="again", changed=True)) == 8


def test_an_npz_file_may_move_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = np.zeros((30, 16, 16, 3), np.uint8)
    np.savez("pairs.npz", source=pictures, image=pictures + 9)
    config = with_components(tiny(Path("tfds")), {"data.name": "npz_pairs"})
    config.data.file = "pairs.npz"
    record = started(complete(config))
    assert record["config"]["data"]["file"] == str(tmp_path / "pairs.npz")
    Path("pairs.npz").rename("moved.npz")
    with pytest.raises(UserError, match="no such file: put them back, or say where"):
        run_data("run")
    assert run_data("run", real_dir="moved.npz").name == "npz_pairs"
    made_of_sources: Any = SimpleNamespace(conditions=("source",))
    conditions = run_conditions("run", made_of_sources, real_dir="moved.npz")
    assert conditions is not None
    assert conditions.name == "npz_pairs:test"


def test_a_zip_of_folders_may_move_too(of_pictures, tmp_path):
    def config(folder):
        made = of_pictures("")
        part = dict(made.data, folder=str(folder))
        for field in components.DATA:
            part.pop(field)
        made = with_components(made, {"data.name": "zip"})
        with made.unlocked():
            made.data.parts = dict(
                image=dict(name="image_folder", **part), source=dict(name="shapes", num_examples=9)
            )
        return complete(made)

    started(config("flat"))
    (tmp_path / "flat").rename(tmp_path / "moved")
    started(config("moved"))
    assert run_data("run").parts["image"].name == "image_folder"


def test_a_record_of_before_there_were_digests_is_continued_and_completed(of_pictures):
    record = started(of_pictures("flat"))
    now = record["data"]["fingerprint"]
    record["data"]["fingerprint"] = now.partition(", decoded")[0]
    write_json(Path("run") / "config.json", record)
    assert run_data("run").fingerprint == now
    assert started(of_pictures("flat"))["data"]["fingerprint"] == now


def test_real_dir_is_for_folders_of_pictures(finished):
    with pytest.raises(
        UserError, match="was trained on shapes, which is no folder of pictures: leave it out"
    ):
        run_data(finished, real_dir="x")


def test_other_records_under_the_same_name_are_refused(tmp_path):
    """As by a copy of another machine's data folder."""
    config = tiny(tmp_path / "a")
    record = check_workdir(tmp_path / "run", complete(config), open_data(config))
    note_start(tmp_path / "run", record)
    other = data.load("shapes", data_dir=str(tmp_path / "b"), **dict[str, Any](OPTIONS, seed=5))
    (path,) = (tmp_path / "b").rglob("*-train.array_record*")
    (mine,) = (tmp_path / "a").rglob("*-train.array_record*")
    mine.write_bytes(path.read_bytes())
    assert len(other) == len(open_data(config))
    with pytest.raises(UserError, match=r"the data: .* -> .*"):
        check_workdir(tmp_path / "run", complete(config), open_data(config))


def test_a_refused_start_makes_no_folder(tmp_path, data_dir):
    for fields in ({"data.placement": "nowhere"}, {"data.split": "nothing"}, {"batch_size": 48}):
        with pytest.raises(UserError):
            run(tiny(data_dir, **fields), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_only_a_new_or_empty_folder_becomes_a_run(tmp_path, data_dir):
    (tmp_path / "file").write_text("")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("")
    for name, words in (("file", "is a file"), ("foreign", "not empty and holds no run")):
        with pytest.raises(UserError, match=words):
            check(tmp_path / name, tiny(data_dir))
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / ".config.json.123.tmp").write_text("{")  # by a start that was killed
    for name in ("killed", "new"):
        assert check(tmp_path / name, tiny(data_dir))["starts"] == []


def test_each_start_is_noted(tmp_path, data_dir):
    for expected in (1, 2):
        note_start(tmp_path, check(tmp_path, tiny(data_dir)))
        assert len(read_record(tmp_path)["starts"]) == expected


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"config": {}, "data": {}, "starts": [{}]}', '{"config": {}}', "\xff"]
)
def test_a_damaged_record_is_named(text, tmp_path, data_dir):
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    for read in (read_record, lambda folder: check(folder, tiny(data_dir))):
        with pytest.raises(UserError, match=r"config\.json is damaged .*put back a copy"):
            read(tmp_path)
    assert (tmp_path / "config.json").read_text(encoding="latin-1") == text


def test_a_config_survives_its_record(finished, data_dir):
    assert ml_collections.ConfigDict(runs.recorded(finished)["config"]).to_dict() == json.loads(
        complete(tiny(data_dir)).to_json_best_effort()
    )


@pytest.mark.parametrize("how", ["removed", "replaced"])
@pytest.mark.parametrize("at", [8, 30])
def test_a_folder_that_vanishes_under_a_training_is_an_error(how, at, tmp_path, data_dir):
    """In the middle, and after the last step: a disk that was unmounted, or an rm -r in another window."""
    folder = tmp_path / "run"

    def vanish(step, state, metrics):
        if step == at:
            shutil.move(folder, tmp_path / "moved")
            if how == "replaced":
                folder.mkdir()

    with pytest.raises(UserError, match="run has been removed or replaced while it was trained in"):
        run(tiny(data_dir), folder, callbacks=[Every(at, vanish)])


# Checkpoints that are gone.


@pytest.fixture(scope="module")
def saved(tmp_path_factory, data_dir):
    """A run of 8 steps with a checkpoint at the last one."""
    folder = tmp_path_factory.mktemp("saved") / "run"
    run(tiny(data_dir, num_steps=8), folder)
    return folder


def without_manifests(workdir):
    for path in (workdir / "checkpoints").glob("*/manifest.json"):
        path.unlink()


def without_steps(workdir):
    shutil.rmtree(workdir / "checkpoints")
    (workdir / "checkpoints").mkdir()


@pytest.mark.parametrize(
    ("lose", "words"),
    [
        (lambda workdir: shutil.rmtree(workdir / "checkpoints"), "checkpoints is not there, or empty: mount"),
        (without_steps, "checkpoints is not there, or empty: mount"),
        (without_manifests, r"checkpoints holds none that is finished \(8\): mount"),
    ],
    ids=["deleted", "empty", "no manifests"],
)
def test_a_run_whose_checkpoints_are_gone_does_not_begin_again_by_itself(
    lose, words, saved, tmp_path, data_dir
):
    workdir = tmp_path / "run"
    shutil.copytree(saved, workdir)
    lose(workdir)
    before = digests(workdir)
    message = rf"has had checkpoints \(its records reach step 8\), and .*{words}.*train --start_anew begins"
    with pytest.raises(UserError, match=message):
        run(tiny(data_dir, num_steps=8), workdir)
    after = digests(workdir)
    assert after == before | {".lock": after[".lock"]}


def test_a_new_start_moves_the_records_aside(saved, tmp_path, data_dir):
    workdir = tmp_path / "run"
    shutil.copytree(saved, workdir)
    shutil.rmtree(workdir / "checkpoints")
    metrics = (workdir / "metrics.jsonl").read_bytes()
    config = tiny(data_dir, num_steps=8)
    training.train(config, workdir, 1, start_anew=True)
    assert (workdir / "earlier-1" / "metrics.jsonl").read_bytes() == metrics
    assert runs.rows(workdir) == runs.rows(saved)
    assert (workdir / "checkpoints" / "8" / "manifest.json").exists()
    # Where there is a checkpoint the flag does nothing: a job that is started again has it too.
    training.train(config, workdir, 1, start_anew=True)
    assert not (workdir / "earlier-2").exists()
    assert runs.recorded(workdir)["saved"]
    assert len(runs.recorded(workdir)["starts"]) == 3


@pytest.mark.parametrize(
    ("recorded", "rows", "refused"),
    [(False, 16, False), (False, 17, True), (True, 1, True), (True, 0, True), (False, 0, False)],
)
def test_when_there_must_have_been_a_checkpoint(recorded, rows, refused, saved, tmp_path):
    """Older runs are told by their rows: the second save, at step 16, waits for the first."""
    record = runs.recorded(saved)
    (tmp_path / "config.json").write_text(json.dumps({**record, "saved": recorded}))
    (tmp_path / "metrics.jsonl").write_text(f'{{"step": {rows}, "steps_per_second": 1.0}}\n' if rows else "")
    if refused:
        with pytest.raises(UserError, match="has had checkpoints"):
            start_over(tmp_path)
    else:
        start_over(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "metrics.jsonl"]
