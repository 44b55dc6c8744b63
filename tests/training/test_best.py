"""The best checkpoint and best.json agree, and none is lost, wherever the process is killed."""

import json
import random
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from gan_jax.summaries.logs import append_row, read_rows
from gan_jax.training import best, manifest
from gan_jax.training.best import NOTE, BestCheckpoint, best_note
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.utils.errors import UserError
from tests.training.test_checkpoint import assert_same, flip_a_bit, make_state

SCORES = [3.0, 1.0, 2.0, 0.5]  # of the steps 1, 2, 3, 4; the least is the best


class Killed(BaseException):
    """Nothing that comes after it is done, as nothing is that comes after a kill."""


def note(step):
    return {"score": "fid", "value": SCORES[step - 1], "step": step, "column": "c"}


def play(folder, say=lambda line: None):
    """A run that is measured and saved at every step, in the order of training; it continues if it can."""
    with closing(Checkpoints(folder / "checkpoints")) as newest, closing(BestCheckpoint(folder)) as kept:
        restored = newest.restore(make_state())
        first = 0 if restored is None else int(restored.step)
        rows = [row for row in read_rows(folder / "rows") if row["step"] <= first]
        measured = {row["step"]: note(row["step"]) for row in rows}
        so_far = kept.begin(measured, lambda one, other: one["value"] < other["value"], say)
        for step in range(first + 1, len(SCORES) + 1):
            if so_far is None or note(step)["value"] < so_far["value"]:
                so_far = note(step)
                kept.save(make_state(step, seed=step), so_far)
            append_row(folder / "rows", {"step": step})
            newest.save(make_state(step, seed=step))


def check(folder):
    """best.json names a checkpoint that is there and is that of its step."""
    told = best_note(folder)
    assert told == note(told["step"])
    with closing(Checkpoints(folder / "best")) as checkpoints:
        assert_same(
            checkpoints.restore(make_state(), told["step"]), make_state(told["step"], seed=told["step"])
        )
    return told["step"]


def kill_at(monkeypatch, number):
    """The `number`-th change of the file system that a best checkpoint makes is the end."""
    done = []

    def counted(function):
        def change(*args, **kwargs):
            done.append(function.__qualname__)
            if len(done) >= number:
                raise Killed
            return function(*args, **kwargs)

        return change

    for owner, name in (
        (Checkpoints, "_make_room"),
        (manifest, "write"),
        (best, "write_json"),
        (Path, "rename"),
        (shutil, "rmtree"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    return done


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # a save that is killed
@pytest.mark.parametrize(
    "number", [3, 7, 8, pytest.param("every", marks=pytest.mark.slow)]
)  # while a second best is saved, before it is named, before the first one is deleted
def test_a_kill_at_any_moment(number, tmp_path, monkeypatch):
    survived = 0
    for moment in [number] if number != "every" else range(1, 1000):
        folder = tmp_path / str(moment)
        with monkeypatch.context() as patch:
            done = kill_at(patch, moment)
            try:
                play(folder)
            except Killed:
                survived += 1
        if len(done) < moment:
            break
        if (folder / NOTE).exists():
            check(folder)
        play(folder)
        assert check(folder) == 4
        with closing(Checkpoints(folder / "best")) as checkpoints:
            assert checkpoints.steps() == [4]
    assert survived == (1 if number != "every" else 25)


def test_a_slow_disk(tmp_path, monkeypatch):
    """Neither the note, nor the row, nor the run's own checkpoint is there before the best one is."""
    write, seen = manifest.write, []

    def slow(folder, step):
        if folder.parent.name == "best":
            time.sleep(0.1)
            named = best_note(tmp_path)["step"] if (tmp_path / NOTE).exists() else 0
            rows = [row["step"] for row in read_rows(tmp_path / "rows")]
            seen.append((step, named, rows, (tmp_path / "checkpoints" / str(step)).exists()))
        write(folder, step)

    monkeypatch.setattr(manifest, "write", slow)
    play(tmp_path)
    assert seen == [(1, 0, [], False), (2, 1, [1], False), (4, 2, [1, 2, 3], False)]


@pytest.fixture(scope="module")
def two_bests(tmp_path_factory):
    """A run that was killed after step 3, before the checkpoint of step 1 was deleted."""
    folder = tmp_path_factory.mktemp("two")
    with closing(Checkpoints(folder / "best", keep=None)) as checkpoints:
        for step in (1, 2):
            checkpoints.save(make_state(step, seed=step))
    (folder / NOTE).write_text(json.dumps(note(2)))
    return folder


def begun(folder, steps=(1, 2, 3)):
    """What `begin` returns and says, where the records know these steps."""
    said: list[str] = []
    with closing(BestCheckpoint(folder)) as kept:
        measured = {step: note(step) for step in steps}
        found = kept.begin(measured, lambda one, other: one["value"] < other["value"], said.append)
    return found, said


def test_what_agrees_is_not_spoken_of(two_bests, tmp_path):
    folder = shutil.copytree(two_bests, tmp_path / "run")
    assert begun(folder) == (note(2), [])
    assert [path.name for path in (folder / "best").iterdir() if path.is_dir()] == ["2"]
    assert begun(tmp_path / "new", ()) == (None, [])


@pytest.mark.parametrize("damage", ["flipped", "gone", "renamed"])
def test_a_best_checkpoint_that_is_damaged_is_said_and_replaced(damage, two_bests, tmp_path):
    folder = shutil.copytree(two_bests, tmp_path / "run")
    if damage == "flipped":
        flip_a_bit(max(folder.glob("best/2/d/*"), key=lambda path: path.stat().st_size))
    elif damage == "gone":
        shutil.rmtree(folder / "best" / "2")
    else:
        shutil.rmtree(folder / "best" / "2")
        shutil.copytree(folder / "best" / "1", folder / "best" / "2")
    found, (said,) = begun(folder)
    assert found == note(1)
    assert said.startswith("the best checkpoint of step 2 cannot be used (")
    assert said.endswith("): step 1 takes its place (fid 3)")
    assert check(folder) == 1
    assert begun(folder) == (note(1), [])


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b"\xff", b'{"score": "fid", "value": "x", "step": 2, "column": "c"}']
)
def test_a_note_that_is_damaged_is_said_and_made_anew(content, two_bests, tmp_path):
    folder = shutil.copytree(two_bests, tmp_path / "run")
    (folder / NOTE).unlink() if content is None else (folder / NOTE).write_bytes(content)
    with pytest.raises(UserError, match=r"best\.json (cannot be read|is not there)"):
        best_note(folder)
    found, (said,) = begun(folder)
    assert found == note(2)
    assert "best.json" in said
    assert said.endswith("step 2 takes its place (fid 1)")
    assert check(folder) == 2


def test_a_value_that_is_not_the_records_is_not_believed(two_bests, tmp_path):
    folder = shutil.copytree(two_bests, tmp_path / "run")
    (folder / NOTE).write_text(json.dumps({**note(2), "value": 0.01}))
    found, (said,) = begun(folder)
    assert found == note(2) == best_note(folder)
    assert "best.json says 0.01, the records otherwise): step 2 takes its place (fid 1)" in said
    other = {**note(2), "score": "kid", "value": 0.01}  # chosen by another score, which the records hold too
    (folder / NOTE).write_text(json.dumps(other))
    assert begun(folder) == (other, [])


def test_a_best_checkpoint_that_is_lost_does_not_stand_in_the_way_of_the_next(two_bests, tmp_path):
    folder = shutil.copytree(two_bests, tmp_path / "run")
    shutil.rmtree(folder / "best")
    found, (said,) = begun(folder)
    assert found is None
    assert said.endswith("best.json is not there): the next that is measured takes its place")
    play(folder)
    assert check(folder) == 4


def test_a_disk_that_is_full_leaves_the_best_so_far(two_bests, tmp_path, monkeypatch):
    folder = shutil.copytree(two_bests, tmp_path / "run")

    def full(folder, step):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifest, "write", full)
    with closing(BestCheckpoint(folder)) as kept, pytest.raises(UserError, match="Free some space"):
        kept.save(make_state(4, seed=4), note(4))
    assert check(folder) == 2


PLAY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.training.test_best import play
print("begun", flush=True)
play(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_real_kills(tmp_path):
    chance, killed = random.Random(0), 0
    for trial in range(12):
        folder = tmp_path / str(trial)
        command = [sys.executable, "-c", PLAY, str(folder), str(Path(__file__).parents[2])]
        for _ in range(2):
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            assert child.stdout.readline() == "begun\n"
            time.sleep(chance.uniform(0.1, 1.0))
            child.kill()
            child.communicate()
            killed += child.returncode < 0
            if (folder / NOTE).exists():
                check(folder)
        play(folder)
        assert check(folder) == 4
    assert killed > 12
