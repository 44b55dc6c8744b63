"""The rows of a study's runs: all of them, or it is said."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gan_jax.study.history import FILE, History
from gan_jax.utils.errors import UserError

RUNS, EVERY = 3, 6


def rows_until(step):
    """What is measured until a step: scores of every run at the steps 6 and 12, but run 1 is lost at 8."""
    rows: list[dict[str, Any]] = []
    for at in range(1, step + 1):
        if at == 8:
            rows.append({"step": 8, "run": 1, "diverged_at": 8})
        for run in range(RUNS):
            if at % EVERY == 0 and (at, run) != (12, 1):
                rows.append({"step": at, "run": run, "scores": {"fid": at + run / 10, "kid": None}})
    return rows


def written(folder, *seals):
    """A history with these seals."""
    folder.mkdir(parents=True, exist_ok=True)
    history, before = History(folder), 0
    assert history.begin(None) == []
    for step in seals:
        for row in rows_until(step)[before:]:
            history.add(row)
        before = len(rows_until(step))
        history.seal(step, step / 7)
    return folder / FILE


def begun(path, step):
    """The rows of another start, without its seals."""
    return [row for row in History(path.parent).begin(step) if "seconds" not in row]


def test_every_row_comes_back(tmp_path):
    path = written(tmp_path, 5, 10, 15)
    for step in (15, 10, 5):
        assert History(tmp_path).problem(step) is None
        assert begun(path, step) == rows_until(step)
    assert "lacks" in str(History(tmp_path).problem(10))  # what came after the seal is gone
    assert begun(path, None) == []
    assert path.read_bytes() == b""


def test_a_kill_while_a_row_is_written_leaves_the_sealed_ones(tmp_path):
    whole = written(tmp_path / "whole", 5, 10, 15).read_bytes()
    sealed = written(tmp_path / "sealed", 5, 10).read_bytes()
    path = tmp_path / "killed" / FILE
    path.parent.mkdir()
    for end in range(len(sealed), len(whole)):
        path.write_bytes(whole[:end])
        assert begun(path, 10) == rows_until(10)
        assert path.read_bytes() == sealed
        assert "lacks" in str(History(path.parent).problem(15))


def test_a_step_may_be_sealed_twice(tmp_path):
    """A signal at a step of which there is a checkpoint."""
    path = written(tmp_path, 5, 10, 10)
    assert begun(path, 10) == rows_until(10)


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_any_flipped_bit_is_found(bit, tmp_path):
    """Of the two checkpoints the one counts whose rows are as they were."""
    path = written(tmp_path, 5, 10, 15)
    whole = path.read_bytes()
    first = written(tmp_path / "first", 5).read_bytes()
    assert whole.startswith(first)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        history = History(tmp_path)
        assert history.problem(15) is not None, place
        assert (history.problem(5) is None) == (place >= len(first)), place


def test_any_missing_line_is_found(tmp_path):
    path = written(tmp_path, 5, 10, 15)
    lines = path.read_bytes().splitlines(keepends=True)
    for number in range(len(lines)):
        for changed in (lines[:number] + lines[number + 1 :], lines[: number + 1] + lines[number:]):
            path.write_bytes(b"".join(changed))
            # A seal that is there twice is what a signal at a checkpoint's step would leave, but its digest.
            twice = changed[-1] == changed[-2]
            assert (History(tmp_path).problem(15) is None) == twice, number


@pytest.mark.parametrize("content", [b"", b"\xff\n\x00", b"[" * 100_000, b'{"step": 5, "seconds": 1}\n'])
def test_what_is_no_history_seals_nothing(content, tmp_path):
    (tmp_path / FILE).write_bytes(content)
    assert "lacks what was measured" in str(History(tmp_path).problem(5))


def test_a_history_without_its_checkpoints(tmp_path):
    path = written(tmp_path / "one", 5)
    assert begun(path, None) == []  # the process may have been killed before the first was finished
    path = written(tmp_path / "two", 5, 10)
    before = path.read_bytes()
    with pytest.raises(UserError, match="tells of 10 steps, but there is no checkpoint beside it"):
        begun(path, None)
    assert path.read_bytes() == before


@pytest.mark.parametrize("moment", ["open", "fsync", "replace"])
def test_a_failure_while_it_is_written_anew_leaves_it_as_it_was(moment, tmp_path, monkeypatch):
    path = written(tmp_path, 5, 10, 15)
    before = path.read_bytes()

    def fails(*args, **kwargs):
        raise OSError(28, "No space left on device")

    history = History(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path if moment == "replace" else os, moment, fails)
        with pytest.raises(UserError, match="No space left"):
            history.begin(5)
    assert path.read_bytes() == before
    assert begun(path, 10) == rows_until(10)


def test_a_seal_is_on_the_disk_before_its_checkpoint(tmp_path, monkeypatch):
    path, flushed = written(tmp_path, 5), []
    history = History(tmp_path)
    history.begin(5)
    monkeypatch.setattr("os.fsync", lambda descriptor: flushed.append(path.read_bytes()))
    history.add(rows_until(6)[0])
    assert not flushed
    history.seal(10, 1.5)
    (seen,) = flushed
    assert json.loads(seen.splitlines()[-1])["step"] == 10


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from gan_jax.study.history import History

history, step = History(Path(sys.argv[1])), int(sys.argv[2])
kept = history.begin(step or None)
assert [row["step"] for row in kept if "run" in row] == [at for at in range(1, step + 1) for _ in range(3)]
print("begun", flush=True)
while True:
    step += 1
    for run in range(3):
        history.add({"step": step, "run": run, "scores": {"fid": step / 7}})
    history.seal(step, step / 3)
    print(step, flush=True)
"""


@pytest.mark.slow
def test_real_kills(tmp_path):
    """Whatever was sealed is there, and a start is killed as soon as it begins to write."""
    chance, sealed = random.Random(0), 0
    for trial in range(15):
        command = [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path), str(sealed)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        time.sleep(chance.uniform(0, 0.05 if trial % 2 else 0.3))
        child.kill()
        for line in child.communicate()[0].splitlines(keepends=True):
            sealed = int(line) if line.endswith("\n") else sealed
        assert History(tmp_path).problem(sealed) is None
    assert sealed > 15
