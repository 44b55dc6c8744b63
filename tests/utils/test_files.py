"""What is written is a regular file, whole or not there, and nothing else is touched."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gan_jax.summaries.logs import RunLog, append_row, check_appendable
from gan_jax.summaries.pictures import save_png
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import locked, write_atomically

PRECIOUS = b"ssh-ed25519 AAAA"


def lock(path):
    with locked(path.parent, path.name):
        pass


def log(path):
    RunLog(path.parent, num_steps=2, first_step=0).close()


WRITERS = {
    "write_atomically": lambda path: write_atomically(path, b"new"),
    "save_png": lambda path: save_png(path, np.zeros((4, 4, 1), np.uint8)),
    "append_row": lambda path: append_row(path, {"step": 1}),
    "check_appendable": check_appendable,
    "lock": lock,
    "metrics.jsonl": log,
}


def named(folder, writer):
    return folder / (writer if "." in writer else "out.png")


@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_link_is_never_followed(writer, dangling, tmp_path):
    """Others may have put it there: `.lock` that leads to a file of this user's."""
    victim, path = tmp_path / "victim", named(tmp_path, writer)
    if not dangling:
        victim.write_bytes(PRECIOUS)
    path.symlink_to(victim)
    with pytest.raises(UserError, match=f"cannot write .*{path.name}: it is a link, .*Choose another name"):
        WRITERS[writer](path)
    assert path.is_symlink()
    assert not victim.exists() if dangling else victim.read_bytes() == PRECIOUS


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_only_regular_files_are_written(writer, kind, tmp_path):
    """As root, `sample --out /dev/full` would replace the device; a pipe would be waited for.

    (/dev/stdout is a link.)
    """
    path = named(tmp_path, writer)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 7))  # /dev/full
        except PermissionError:
            pytest.skip("only root makes devices")
    before = path.lstat()
    with pytest.raises(UserError, match=f"it is a {kind}, and only regular files"):
        WRITERS[writer](path)
    assert path.lstat().st_ino == before.st_ino
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_lock_leaves_what_is_in_its_file(tmp_path):
    """It may be another name of a file that is not ours."""
    (tmp_path / "victim").write_bytes(PRECIOUS)
    os.link(tmp_path / "victim", tmp_path / ".lock")
    with locked(tmp_path, ".lock"):
        pass
    assert (tmp_path / "victim").read_bytes() == PRECIOUS


def test_a_link_that_comes_after_the_check_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_bytes(PRECIOUS)
    (tmp_path / ".lock").symlink_to(victim)
    monkeypatch.setattr(files, "check_regular", lambda path: None)
    with pytest.raises(UserError, match=r"cannot write .*symbolic link"), locked(tmp_path, ".lock"):
        pass
    with pytest.raises(OSError, match="symbolic link"):
        files.open_file(tmp_path / ".lock", "wb")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):  # and is not waited for
        files.open_file(tmp_path / "pipe", "ab")
    assert victim.read_bytes() == PRECIOUS


def test_a_temporary_name_cannot_be_guessed_and_is_not_followed(tmp_path, monkeypatch):
    names = []
    replace = Path.replace

    def seen(self, target):
        names.append(self.name)
        assert stat.S_IMODE(self.stat().st_mode) == 0o640  # as the user's umask wants it
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", seen)
    before = os.umask(0o027)
    try:
        for _ in range(20):
            write_atomically(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert len(set(names)) == 20
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "known")
    (tmp_path / "victim").write_bytes(PRECIOUS)
    (tmp_path / ".b.known.tmp").symlink_to(tmp_path / "victim")
    with pytest.raises(UserError, match="cannot write"):
        write_atomically(tmp_path / "b", b"x")
    assert (tmp_path / "victim").read_bytes() == PRECIOUS


def test_the_disk_has_the_content_before_the_name_is_given(tmp_path, monkeypatch):
    done: list[int | str] = []
    replace = Path.replace

    def named(self, target):
        done.append("named")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(os.fstat(descriptor).st_size))
    monkeypatch.setattr(Path, "replace", named)
    write_atomically(tmp_path / "a", bytes(1234))
    assert done[:2] == [1234, "named"]
    assert len(done) == 3  # and the folder's list of names


@pytest.mark.parametrize("moment", ["open", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(moment, tmp_path, monkeypatch):
    write_atomically(tmp_path / "a", b"old")

    def fails(*args, **kwargs):
        raise OSError(28, "No space left on device")

    owner = Path if moment == "replace" else os
    with monkeypatch.context() as patch:
        patch.setattr(owner, moment, fails)
        with pytest.raises(UserError, match="No space left"):
            write_atomically(tmp_path / "a", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_what_a_kill_left_does_not_stay_for_ever(tmp_path):
    old, young = (f".a[1].{digit * 16}.tmp" for digit in "0f")
    others = {".a[1].mine.tmp", f".a1.{'0' * 16}.tmp", f".b.{'0' * 16}.tmp"}
    for name in (old, young, *others):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - (60 if name == young else 7200),) * 2)
    write_atomically(tmp_path / "a[1]", b"x")
    assert {path.name for path in tmp_path.iterdir()} == {"a[1]", young, *others}


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    write_atomically(tmp_path / ("ä" * 127), b"x")
    with pytest.raises(UserError, match="File name too long"):
        write_atomically(tmp_path / ("ä" * 128), b"x")


KILLED = """
import itertools, sys
from gan_jax.utils.files import write_atomically
for n in itertools.count():
    write_atomically(sys.argv[1], bytes([n % 256]) * 300_000)
    print(n, flush=True)
"""


@pytest.mark.slow
def test_a_kill_leaves_one_of_the_two_contents(tmp_path):
    for trial in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "a")], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(5 + trial):
            child.stdout.readline()
        child.kill()
        child.communicate()
        content = (tmp_path / "a").read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1
