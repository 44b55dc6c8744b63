"""Compiled programs that are kept: where, for whom, and what happens when that fails."""

import logging
import os
import re
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from gan_jax.utils import compilation_cache
from gan_jax.utils.compilation_cache import machine, prune
from tests.runs import ROOT, rows, start

# Compiles one program of a known name and says whether it came from the folder, and what it computed.
PROGRAM = """
import sys
from absl import logging
from gan_jax.utils import compilation_cache
if "late" in sys.argv:
    import jax
compilation_cache.enable()
import jax, jax.numpy as jnp
hits = []
def listen(event, **_):
    if "cache_hits" in event:
        hits.append(event)
jax.monitoring.register_event_listener(listen)
def named(x):
    return jnp.sin(x @ x).sum(0)
x = jax.device_put(jnp.arange(10_000.0).reshape(100, 100) % 7.0)
hits.clear()
print(jax.jit(named)(x).tobytes().hex())
print(len(hits), jax.config.jax_compilation_cache_dir)
"""


def compiled(cache, *arguments, **environment):
    """Runs PROGRAM: (the bits of its result, whether it was compiled before, JAX's folder, what it said)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        env={**kept, "JAX_PLATFORMS": "cpu", "GAN_JAX_CACHE": str(cache), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    bits, rest = done.stdout.splitlines()
    hits, folder = rest.split(" ", 1)
    return bits, hits == "1", folder, done.stderr


def entries(cache):
    return sorted(Path(cache).glob("compiled/*/jit_named-*"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """The bits of PROGRAM, and a cache that has it."""
    cache = tmp_path_factory.mktemp("filled") / "cache"
    bits, hit, folder, err = compiled(cache)
    assert not hit
    assert not err
    assert folder == str(cache / "compiled" / machine())
    assert len(entries(cache)) == 1
    assert stat.S_IMODE((cache / "compiled").stat().st_mode) == 0o700
    return bits, cache


@pytest.mark.parametrize("arguments", [[], ["late"]])
def test_the_second_process_finds_the_program_and_has_the_same_bits(arguments, filled):
    bits, cache = filled
    assert compiled(cache, *arguments) == (bits, True, str(cache / "compiled" / machine()), "")


def test_it_can_be_switched_off(filled):
    assert compiled(filled[1], JAX_ENABLE_COMPILATION_CACHE="false")[:3] == (filled[0], False, "None")


@pytest.fixture
def without_jax(monkeypatch):
    """As in a process that has not imported JAX, and whose environment says nothing of the cache."""
    monkeypatch.delitem(sys.modules, "jax")
    for name in ("jax_compilation_cache_dir", "jax_enable_compilation_cache", *compilation_cache.OPTIONS):
        monkeypatch.setenv(name.upper(), "")  # so that it is put back after the test
        monkeypatch.delenv(name.upper())
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # likewise


def chosen():
    """JAX_COMPILATION_CACHE_DIR, and the least seconds of compilation."""
    names = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
    return tuple(os.environ.get(name) for name in names)


def test_what_the_user_chose_stays(without_jax, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "3")
    for name, value in (("COMPILATION_CACHE_DIR", "own"), ("ENABLE_COMPILATION_CACHE", "False")):
        with monkeypatch.context() as patch:
            patch.setenv(f"JAX_{name}", value)
            compilation_cache.enable()
            assert chosen() == ("own" if value == "own" else None, "3")
            assert not (tmp_path / "cache").exists()
    compilation_cache.enable()
    assert chosen() == (str(tmp_path / "cache" / "compiled" / machine()), "3")


@pytest.mark.parametrize("broken", ["file", "folder of a file", "open to others"])
def test_a_folder_that_cannot_be_used_is_said_and_left_alone(
    broken, without_jax, tmp_path, monkeypatch, caplog
):
    cache = tmp_path / "cache"
    if broken == "file":
        cache.write_text("")
    elif broken == "folder of a file":
        (tmp_path / "file").write_text("")
        cache = tmp_path / "file" / "cache"
    else:
        (cache / "compiled").mkdir(parents=True)
        (cache / "compiled").chmod(0o777)
    monkeypatch.setenv("GAN_JAX_CACHE", str(cache))
    with caplog.at_level(logging.WARNING, logger="absl"):
        compilation_cache.enable()
    (said,) = caplog.messages
    assert f"compiled programs are not kept in {cache}" in said
    assert "JAX_ENABLE_COMPILATION_CACHE=false switches it off" in said
    assert chosen() == (None, None)


@pytest.mark.parametrize("part", ["compiled", "compiled/MACHINE", "compiled/MACHINE/jit_f-1-cache"])
@pytest.mark.parametrize("how", ["owner", "mode", "link"])
def test_what_others_may_write_is_not_run(part, how, without_jax, tmp_path, monkeypatch, caplog):
    """The folder of this machine, and a program in it, as well as the folder above."""
    cache = tmp_path / "cache"
    inner = cache / "compiled" / machine()
    inner.mkdir(parents=True, mode=0o700)
    (inner / "jit_f-1-cache").write_bytes(b"")
    path = cache / part.replace("MACHINE", machine())
    if how == "link":
        theirs = path.rename(tmp_path / "theirs")
        path.symlink_to(theirs)
        path = theirs
    if how == "mode":
        inner.chmod(0o755)
        path.chmod(0o777)
    else:
        try:
            os.chown(path, 12345, 12345)
        except PermissionError:
            pytest.skip("only root gives files away")
    monkeypatch.setenv("GAN_JAX_CACHE", str(cache))
    with caplog.at_level(logging.WARNING, logger="absl"):
        compilation_cache.enable()
    (said,) = caplog.messages
    assert "others than this user may write to" in said
    assert chosen() == (None, None)
    if how == "mode":
        path.chmod(0o700)
        inner.chmod(0o700)
        (inner / "jit_f-1-cache").chmod(0o666)  # nobody can reach it
    else:
        os.chown(path, os.getuid(), -1)
    compilation_cache.enable()
    assert chosen()[0] == str(inner)


@pytest.mark.parametrize("damage", ["half", "flipped", "empty"])
def test_a_damaged_entry_is_said_once_and_replaced(damage, filled):
    bits, cache = filled
    (entry,) = entries(cache)
    good = entry.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    entry.write_bytes({"half": good[: len(good) // 2], "flipped": bytes(flipped), "empty": b""}[damage])
    again, hit, _, err = compiled(cache)
    assert (again, hit) == (bits, False)
    assert len(re.findall("reading a compiled program in .* failed", err)) == 1
    assert "UserWarning" not in err
    assert compiled(cache)[:2] == (bits, True)


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"


def test_a_full_disk_is_said_once_and_leaves_nothing_damaged(filled, tmp_path, monkeypatch):
    """A limit on the size of a file stands for the disk."""
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", FULL + PROGRAM)
    bits, hit, _, err = compiled(tmp_path)
    assert not hit
    assert err.count("writing a compiled program in") == 1
    assert "File too large" in err
    assert not entries(tmp_path)
    assert bits == filled[0]


def test_processes_at_the_same_time_share_a_folder(tmp_path):
    environment = {**os.environ, "XLA_FLAGS": "", "GAN_JAX_CACHE": str(tmp_path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    results = [process.communicate(timeout=100)[0].splitlines()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(set(results)) == 1
    assert len(entries(tmp_path)) == 1


def test_another_processor_and_other_cores_have_folders_of_their_own(monkeypatch):
    described = "processor\t: {}\nmodel name\t: {}\ncpu MHz\t\t: {}\nflags\t\t: {}\n\nprocessor\t: 1\n"
    monkeypatch.delenv("PJRT_NPROC", raising=False)

    def seen(number=0, model="A", frequency=2000, flags="sse avx2", cores=2):
        text = described.format(number, model, frequency, flags)
        monkeypatch.setattr(Path, "read_text", lambda path: text)
        monkeypatch.setattr(compilation_cache, "_cores", lambda: set(range(cores)))
        return machine()

    one = seen()
    assert re.fullmatch("[0-9a-f]{16}", one)
    assert one == seen(number=3, frequency=2600)
    others = [seen(model="B"), seen(flags="sse avx2 avx512f"), seen(cores=4)]
    monkeypatch.setenv("PJRT_NPROC", "1")
    others.append(seen())
    assert len({one, *others}) == 5


def test_what_was_used_longest_ago_goes_first(tmp_path):
    now = time.time()
    for age, name in enumerate(("a/new", "b/read_lately", "a/old", "b/older")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(10))
        os.utime(path, (now - 1000 * age, now - 1000 * (age if "read" not in name else 9)))
    prune(tmp_path, 40)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4
    prune(tmp_path, 25)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["new", "read_lately"]
    prune(tmp_path, 0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.slow  # that a run keeps its programs is also seen in test_determinism.py
def test_a_run_keeps_its_programs_and_finds_them(tmp_path):
    """The first of two runs compiles everything, so it has the bits of a run without a cache."""
    fields = (f"--config.data.dir={tmp_path / 'data'}", "--config.num_steps=5")
    kept = []
    for name in ("compiles", "finds"):
        arguments = ("train", "--config=tests/runs.py", *fields, f"--workdir={tmp_path / name}")
        process = start(*arguments, GAN_JAX_CACHE=str(tmp_path / "cache"))
        _, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        kept.append(sorted((tmp_path / "cache").glob("compiled/*/*")))
    assert kept[0] == kept[1]
    assert len([path for path in kept[0] if path.name.startswith("jit_call-")]) == 1
    assert losses("compiles", tmp_path) == losses("finds", tmp_path)
    assert rows(tmp_path / "compiles") == rows(tmp_path / "finds")


def losses(name, folder):
    """The file with every step's losses."""
    return (folder / name / "losses.npy").read_bytes()
