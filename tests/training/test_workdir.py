"""A run's folder: what lies in it, and that only its own run is ever continued in it."""

import json
import shutil

import jax
import ml_collections
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_jax import data
from gan_jax.config.components import complete
from gan_jax.summaries.logs import read_metrics
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.workdir import check_workdir, note_start, read_record
from gan_jax.utils.errors import UserError
from tests import runs
from tests.runs import STEPS, digests, losses_of, run, tiny


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data_dir):
    """A finished run; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(tiny(data_dir), folder)
    return folder


def check(folder, config):
    chosen = config.data.to_dict()
    options = {k: chosen[k] for k in ("resolution", "channels", "num_examples", "seed")}
    return check_workdir(folder, complete(config), data.load("shapes", data_dir=chosen["dir"], **options))


def test_the_files_of_a_run(finished):
    names = {path.name for path in finished.iterdir()}
    files = {"config.json", "reals.png", "overview.png", "metrics.jsonl", "losses.npy"}
    assert names == files | {"samples", "tensorboard", "checkpoints", ".lock"}
    pictures = [f"step_{step:07d}.png" for step in (0, 15, 30)]
    assert sorted(path.name for path in (finished / "samples").iterdir()) == pictures
    for path in (finished / "reals.png", *(finished / "samples").iterdir()):
        with Image.open(path) as picture:
            assert picture.mode == "L"
            assert min(picture.size) > 16
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
    with pytest.raises(UserError, match=rf"another config.*Differing:.*{field}: .* -> .*--workdir"):
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
