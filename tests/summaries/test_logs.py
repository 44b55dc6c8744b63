"""A run's records: readable by others, and the same whether or not the run was interrupted."""

import contextlib
import errno
import json
import math
import os
import pty
import subprocess
import sys
import termios
import time
from contextlib import closing

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_jax.summaries import events, logs
from gan_jax.summaries.logs import RunLog, last_metrics, read_losses, read_metrics
from gan_jax.utils import files, progress, provenance
from gan_jax.utils.errors import UserError

NAMES = ("discriminator_loss", "generator_loss")


def write(log, step, metrics):
    log.record(step, metrics)
    log.row(step)


def metrics_of(first, last, names=NAMES):
    """Each step's metrics, functions of the step alone: arrays [last - first + 1]."""
    steps = np.arange(first, last + 1, dtype=np.float32)
    return {name: steps * (i + 1) for i, name in enumerate(names)}


def log_steps(workdir, first, last, *, every=4, num_steps=20, names=NAMES):
    """A process that logs the steps first to last and is gone."""
    with closing(RunLog(workdir, num_steps=num_steps, first_step=first - 1)) as log:
        for start in range(first, last + 1, every):
            end = min(start + every - 1, last)
            write(log, end, metrics_of(start, end, names))


def without_time(rows):
    return [{k: v for k, v in row.items() if k not in ("time", "steps_per_second")} for row in rows]


# metrics.jsonl and losses.npy


def test_rows_and_losses(tmp_path):
    log_steps(tmp_path / "run", 1, 10, num_steps=12)
    rows = read_metrics(tmp_path / "run")
    assert without_time(rows) == [
        {"step": 4, "discriminator_loss": 2.5, "generator_loss": 5.0},
        {"step": 8, "discriminator_loss": 6.5, "generator_loss": 13.0},
        {"step": 10, "discriminator_loss": 9.5, "generator_loss": 19.0},
    ]
    assert last_metrics(tmp_path / "run") == rows[-1]
    assert rows[0]["time"] > 1.6e9
    assert rows[0]["steps_per_second"] > 0
    losses = read_losses(tmp_path / "run")
    assert losses is not None
    assert losses.dtype == [("discriminator_loss", "<f4"), ("generator_loss", "<f4")]
    np.testing.assert_array_equal(losses["generator_loss"], [*range(2, 22, 2), np.nan, np.nan])


def test_nothing_recorded_yet(tmp_path):
    with closing(RunLog(tmp_path, num_steps=5, first_step=0)):
        assert read_metrics(tmp_path) == []
        assert last_metrics(tmp_path) is None
        assert read_losses(tmp_path) is None


def test_rows_are_on_the_disk_at_once(tmp_path):
    with closing(RunLog(tmp_path, num_steps=5, first_step=0)) as log:
        write(log, 1, metrics_of(1, 1))
        assert len(read_metrics(tmp_path)) == 1
        losses = read_losses(tmp_path)
        assert losses is not None
        assert losses["generator_loss"][0] == 2


def test_resumed_run_has_the_records_of_an_uninterrupted_one(tmp_path):
    log_steps(tmp_path / "whole", 1, 20)
    log_steps(tmp_path / "killed", 1, 20)
    with (tmp_path / "killed" / logs.METRICS).open("a") as file:
        file.write('{"step": 20, "gener')
    log_steps(tmp_path / "killed", 13, 16)  # and killed again, from a checkpoint at step 12
    stale = read_losses(tmp_path / "killed")
    assert stale is not None
    assert np.isnan(stale["generator_loss"][16:]).all()
    log_steps(tmp_path / "killed", 13, 20)
    assert without_time(read_metrics(tmp_path / "killed")) == without_time(read_metrics(tmp_path / "whole"))
    one, other = (tmp_path / run / logs.LOSSES for run in ("whole", "killed"))
    assert one.read_bytes() == other.read_bytes()


def edited(path, before, after):
    path.write_text(path.read_text().replace(before, after))


DAMAGES = [
    (lambda losses, rows: None, []),
    (lambda losses, rows: losses.unlink(), ["losses.npy lacks 12 of the 12 steps"]),
    (lambda losses, rows: np.save(losses, np.load(losses)[:5]), ["losses.npy lacks 7 of the 12 steps"]),
    (lambda losses, rows: rows.unlink(), ["rows until step 12 are lost"]),
    (lambda losses, rows: edited(rows, '"step": 8', '"step" 8'), ["damaged: line 2 cannot be read"]),
    (lambda losses, rows: rows.write_bytes(rows.read_bytes()[:-9]), []),  # half-written: only a kill
]


@pytest.mark.parametrize("number", range(len(DAMAGES)))
def test_records_that_lack_something_are_said_when_a_run_continues(number, tmp_path, caplog):
    damage, said = DAMAGES[number]
    log_steps(tmp_path, 1, 12)
    damage(tmp_path / logs.LOSSES, tmp_path / logs.METRICS)
    log_steps(tmp_path, 13, 16)
    assert len(caplog.messages) == len(said)
    for text, message in zip(said, caplog.messages, strict=True):
        assert text in message


def test_half_written_line_is_left_out(tmp_path):
    log_steps(tmp_path, 1, 8)
    path = tmp_path / logs.METRICS
    path.write_text(path.read_text()[:-9])
    assert [row["step"] for row in read_metrics(tmp_path)] == [4]
    path.write_bytes(path.read_bytes() + b"\n\xff\x00\n[1]\n")
    assert [row["step"] for row in read_metrics(tmp_path)] == [4]


def test_others_rows_stay_and_are_not_the_last_metrics(tmp_path):
    log_steps(tmp_path, 1, 8)
    with (tmp_path / logs.METRICS).open("a") as file:
        file.write(json.dumps({"step": 8, "fid": 12.5}) + "\n")
    log_steps(tmp_path, 9, 12)
    assert [row["step"] for row in read_metrics(tmp_path)] == [4, 8, 8, 12]
    last = last_metrics(tmp_path)
    assert last is not None
    assert last["step"] == 12


def test_values_that_are_not_finite_are_null(tmp_path):
    with closing(RunLog(tmp_path, num_steps=2, first_step=0)) as log:
        write(log, 2, {"a_loss": np.array([math.nan] * 2), "b_loss": np.array([math.inf, 1])})

    def refuse(constant):
        raise AssertionError(constant)

    row = json.loads((tmp_path / logs.METRICS).read_text(), parse_constant=refuse)
    assert row["a_loss"] is None
    assert row["b_loss"] is None
    losses = read_losses(tmp_path)
    assert losses is not None
    np.testing.assert_array_equal(losses["b_loss"], [math.inf, 1])


@pytest.mark.parametrize(("num_steps", "rows"), [(20, 20), (30, 30), (16, 20)])
def test_losses_grow_with_the_run_and_never_shrink(tmp_path, num_steps, rows):
    log_steps(tmp_path, 1, 12, num_steps=20)
    log_steps(tmp_path, 13, 16, num_steps=num_steps)
    losses = read_losses(tmp_path)
    assert losses is not None
    assert len(losses) == rows
    np.testing.assert_array_equal(losses["discriminator_loss"][:16], np.arange(1, 17))
    assert np.isnan(losses["discriminator_loss"][16:]).all()


def test_metrics_may_join_and_leave(tmp_path):
    """A phase of another kind: every metric keeps its column, NaN where it did not exist."""
    with closing(RunLog(tmp_path, num_steps=6, first_step=0)) as log:
        write(log, 2, {"a": np.ones(2)})
        write(log, 4, {"b": np.ones(2), "a": np.ones(2)})
        write(log, 6, {"b": np.ones(2)})
    losses = read_losses(tmp_path)
    assert losses is not None
    nan = np.nan
    np.testing.assert_array_equal(losses["a"], [1, 1, 1, 1, nan, nan])
    np.testing.assert_array_equal(losses["b"], [nan, nan, 1, 1, 1, 1])


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY\x01\x00"])
def test_damaged_losses(tmp_path, content):
    (tmp_path / logs.LOSSES).write_bytes(content)
    with pytest.raises(UserError, match="Move it away"):
        read_losses(tmp_path)


def test_losses_of_another_kind(tmp_path):
    np.save(tmp_path / logs.LOSSES, np.zeros(3))
    with pytest.raises(UserError, match=r"losses\.npy is not a record of losses"):
        read_losses(tmp_path)


# TensorBoard


def tensorboard_of(workdir):
    accumulator = EventAccumulator(str(workdir / logs.TENSORBOARD))
    accumulator.Reload()
    return accumulator


def test_tensorboard_shows_the_scalars_once(tmp_path):
    log_steps(tmp_path, 1, 20)
    log_steps(tmp_path, 13, 20)
    shown = tensorboard_of(tmp_path)
    assert set(shown.Tags()["scalars"]) == {*NAMES, "steps_per_second"}
    for name in NAMES:
        values = {event.step: event.value for event in shown.Scalars(name)}
        assert len(shown.Scalars(name)) == len(values) == 5
        assert values == {row["step"]: row[name] for row in read_metrics(tmp_path)}


@pytest.mark.parametrize("starts", [[1_900_000_000.0, 1_800_000_000.0, 3.0, 1_700_000_000.0], [1.8e9] * 12])
def test_tensorboard_shows_every_start_whatever_the_clock_says(tmp_path, starts, monkeypatch):
    """A clock that was set back, or never set; and many starts in the same second."""
    for number, now in enumerate(starts):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        log_steps(tmp_path, 20 * number + 1, 20 * number + 20, num_steps=20 * len(starts))
    shown = [event.step for event in tensorboard_of(tmp_path).Scalars("generator_loss")]
    assert shown == list(range(4, 20 * len(starts) + 1, 4))


def test_tensorboards_files_beside_others(tmp_path):
    folder = tmp_path / logs.TENSORBOARD
    folder.mkdir()
    for name in (
        "events.out.tfevents.x",
        "events.out.tfevents.17",
        "events.out.tfevents.1900000000.host.3.0",
    ):
        (folder / name).write_bytes(b"")
    log_steps(tmp_path, 1, 4)
    assert (folder / "events.out.tfevents.1900000001.0").exists()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tensorboard_shows_the_pictures(tmp_path, channels):
    picture = np.random.default_rng(0).integers(0, 256, (20, 300, channels), dtype=np.uint8)
    with closing(RunLog(tmp_path, num_steps=9, first_step=0)) as log:
        log.picture(300, "samples", picture)
    (event,) = tensorboard_of(tmp_path).Images("samples")
    assert (event.step, event.height, event.width) == (300, 20, 300)
    path = tmp_path / "shown.png"
    path.write_bytes(event.encoded_image_string)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image).reshape(picture.shape), picture)


def test_checksum_of_the_standards_examples():
    """RFC 3720 appendix B.4: 32 zeros, 32 ones, 0 to 31; unmasked as TensorBoard does."""
    for content, crc in [(bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)]:
        masked = (int.from_bytes(events._checksum(content), "little") - 0xA282EAD8) & 0xFFFFFFFF
        assert (masked << 15 | masked >> 17) & 0xFFFFFFFF == crc


# Progress


def test_plain_lines_where_there_is_no_terminal(tmp_path, capsys, monkeypatch):
    with closing(RunLog(tmp_path, num_steps=400, first_step=0)) as log:
        log.say("hello")
        for step in range(100, 400, 100):
            write(log, step, {"a_loss": np.full(100, 0.5), "other": np.ones(100)})
        monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
        write(log, 400, {"a_loss": np.full(100, 0.25)})
    hello, first, last = capsys.readouterr().err.splitlines()
    assert hello == "hello"
    assert first.startswith("step 100/400  a_loss 0.5  ")
    assert "other" not in first
    assert last.startswith("step 400/400  a_loss 0.25  ")
    assert last.endswith(" steps/s  0:00:00 left")


def test_time_left(capsys):
    shown = progress.Progress(num_steps=37_500, first_step=0)
    shown.update(500, {"generator_loss": 0.8123, "discriminator_loss": 0.64}, 9.4)
    line = "step 500/37500  generator_loss 0.812  discriminator_loss 0.64  9.4 steps/s  1:05:36 left\n"
    assert capsys.readouterr().err == line


def test_a_study_that_is_continued_before_its_first_step_has_no_rate(capsys):
    progress.Progress(num_steps=10, first_step=0).update(0, {}, 0.0)
    assert capsys.readouterr().err == "step 0/10\n"


def test_what_is_no_training_is_left_out_of_the_rate(tmp_path, monkeypatch):
    """Compiling, for example."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with closing(RunLog(tmp_path / "run", num_steps=20, first_step=0)) as log:
        now = 1.0
        with log.no_training():
            now = 101.0
        now = 102.0
        write(log, 4, metrics_of(1, 4))
    assert [row["steps_per_second"] for row in read_metrics(tmp_path / "run")] == [2.0]


def test_last_line_is_shown_when_a_run_ends_early(capsys):
    shown = progress.Progress(num_steps=10, first_step=0)
    for step in (1, 2, 3):
        shown.update(step, {}, 1.0)
    shown.close()
    shown.close()
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["1/10", "3/10"]


@pytest.mark.parametrize("columns", [100, 80, 0])  # 0: it does not say how wide it is, as in many containers
def test_bar_on_a_terminal(monkeypatch, columns):
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, columns))
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        shown = progress.Progress(num_steps=20_000, first_step=13_000)
        shown.update(13_100, {"discriminator_loss": 1.3712, "generator_loss": 0.69123}, 10.0)
        shown.say("a line of its own")
        shown.close()
    chunks = []
    with contextlib.suppress(OSError):  # how a terminal that was closed says that this is all
        while chunk := os.read(reader, 65536):
            chunks.append(chunk)
    os.close(reader)
    text = b"".join(chunks).decode()
    assert "13100/20000" in text
    assert "loss of D 1.37 of G 0.691]" in text
    assert "a line of its own\r\n" in text


# Disks and the rest


def test_unwritable_workdir(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*Not a directory.*Check the folder"):
        RunLog(tmp_path / "file", num_steps=1, first_step=0)


class FullDisk:
    """A file on a disk without space."""

    def seek(self, position):
        pass

    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self):
        pass


@pytest.mark.parametrize("part", ["_rows", "_losses", "_events"])
def test_full_disk(tmp_path, part):
    log = RunLog(tmp_path, num_steps=9, first_step=0)
    write(log, 1, metrics_of(1, 1))
    owner, name = (log, part) if part == "_rows" else (getattr(log, part), "_file")
    getattr(owner, name).close()
    setattr(owner, name, FullDisk())
    with pytest.raises(UserError, match=r"cannot write .*No space left on device\. Free some space"):
        write(log, 2, metrics_of(2, 2))
    log.close()


def test_write_json(tmp_path):
    files.write_json(tmp_path / "deep" / "config.json", {"seed": 1, "name": "é"})
    assert json.loads((tmp_path / "deep" / "config.json").read_text()) == {"seed": 1, "name": "é"}
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["config.json"]


def test_environment():
    told = provenance.describe_environment()
    json.dumps(told)
    assert told["packages"]["jax"]
    assert told["devices"] == {"platform": "cpu", "kind": "cpu", "count": 8}


def test_git_revision(tmp_path, monkeypatch):
    def git(*arguments):
        settings = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    assert provenance.git_revision(tmp_path) is None
    git("init")
    (tmp_path / "a.py").write_text("1")
    assert provenance.git_revision(tmp_path) is None
    git("add", ".")
    git("commit", "-m", "first")
    assert provenance.git_revision(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "a.py").write_text("2")
    assert provenance.git_revision(tmp_path) == git("rev-parse", "HEAD") + "-dirty"
    monkeypatch.setenv("PATH", "")
    assert provenance.git_revision(tmp_path) is None


def test_nothing_heavy_is_imported():
    code = (
        "import sys, gan_jax.summaries.logs, gan_jax.utils.provenance; "
        "sys.exit(str({'tensorflow', 'torch', 'matplotlib'} & {*sys.modules} or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.stderr.strip(), done.stderr


def test_a_run_resumed_between_two_rows_writes_the_same_rows(tmp_path):
    log_steps(tmp_path / "whole", 1, 8)
    with closing(RunLog(tmp_path / "parts", num_steps=20, first_step=0)) as log:
        write(log, 4, metrics_of(1, 4))
        log.record(6, metrics_of(5, 6))
    with closing(RunLog(tmp_path / "parts", num_steps=20, first_step=5)) as log:
        log.record(8, metrics_of(6, 8))
        log.row(8)
    whole, parts = (read_metrics(tmp_path / name) for name in ("whole", "parts"))
    assert without_time(parts) == without_time(whole)


def test_a_lazy_metric_is_averaged_over_the_steps_that_have_it(tmp_path):
    with closing(RunLog(tmp_path, num_steps=4, first_step=0)) as log:
        write(log, 4, {"a_loss": np.ones(4), "penalty": np.array([3, math.nan, 5, math.nan])})
    assert read_metrics(tmp_path)[0]["penalty"] == 4.0
