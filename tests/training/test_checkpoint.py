"""What is restored is what was saved, bit for bit, or it is not restored."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl import logging
from jax.sharding import NamedSharding, PartitionSpec

from gan_jax.core.state import Player, TrainState
from gan_jax.training import manifest
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.utils.errors import UserError

TX = optax.adam(1e-3)


def make_state(step=0, *, seed=0, width=3, impl="threefry2x32", **replaced):
    """A small state with everything that is awkward to store: a typed key, empty nodes, odd dtypes."""
    rng = np.random.default_rng(seed)

    def player(stats):
        kernel = jnp.asarray(rng.normal(size=(8, width)), jnp.float32)
        params = {"Dense_0": {"kernel": kernel, "bias": jnp.zeros(width)}}
        gradients = jax.tree.map(jnp.ones_like, params)
        return Player(params=params, stats=stats, opt=TX.update(gradients, TX.init(params))[1])

    state = TrainState(
        step=jnp.int32(step),
        key=jax.random.key(seed, impl=impl),
        generator=player({"batch_stats": {"mean": jnp.asarray(rng.normal(size=4), jnp.float32)}}),
        discriminator=player({}),
        ema={"params": {"kernel": jnp.asarray(rng.normal(size=(2, 2)), jnp.bfloat16)}, "stats": {}},
        extra={"pool": jnp.arange(5, dtype=jnp.uint8), "on": jnp.array(True), "none": ()},
        frozen=(),
    )
    return state.replace(**replaced)


def raw(leaf):
    """A leaf's bytes as uint8, so that equality means bitwise equality."""
    array = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
    return np.asarray(array).tobytes(), leaf.dtype, leaf.shape


def assert_same(one, other):
    assert str(jax.tree.structure(one)) == str(jax.tree.structure(other))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert raw(a) == raw(b)


def saved(folder, *steps, **kwargs):
    """A folder with these steps, each with its own numbers."""
    with closing(Checkpoints(folder, keep=max(2, len(steps)))) as checkpoints:
        for step in steps:
            checkpoints.save(make_state(step, seed=step, **kwargs))
    return Path(folder)


@pytest.fixture
def warnings_logged(monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(logging, "warning", lambda message, *args: told.append(message % args))
    return told


@pytest.fixture(scope="module")
def two_steps(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("two") / "checkpoints", 1, 2)


def files_of(step_folder):
    return sorted(p.relative_to(step_folder).as_posix() for p in step_folder.rglob("*") if p.is_file())


# Round trips


@pytest.mark.parametrize("abstract", [False, True])
@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_roundtrip_is_bitwise(tmp_path, abstract, impl):
    state = make_state(7, seed=1, impl=impl)
    like = make_state(0, seed=2, impl=impl)
    if abstract:
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like)
    with closing(Checkpoints(tmp_path / "c")) as checkpoints:
        assert checkpoints.restore(like) is None
        checkpoints.save(state)
        restored = checkpoints.restore(like)
    assert_same(restored, state)
    assert restored is not None
    assert jax.random.key_impl(restored.key) == impl
    assert int(restored.step) == 7


def test_frozen_is_put_back_and_not_saved(tmp_path):
    perceptual = {"kernel": jnp.full(3, 5.0)}
    with closing(Checkpoints(tmp_path / "c")) as checkpoints:
        checkpoints.save(make_state(1, frozen={"kernel": jnp.zeros(3)}))
        restored = checkpoints.restore(make_state(frozen=perceptual))
    assert_same(restored, make_state(1, frozen=perceptual))


def test_state_may_be_donated_right_after_save(tmp_path):
    weights = np.random.default_rng(0).normal(size=(1500, 1500)).astype(np.float32)
    state = make_state(1, extra={"big": jnp.asarray(weights)})

    def overwrite(state):
        return jax.tree.map(lambda x: x * 0 - 1 if x.dtype == jnp.float32 else x, state)

    step = jax.jit(overwrite, donate_argnums=0).lower(state).compile()
    with closing(Checkpoints(tmp_path / "c")) as checkpoints:
        checkpoints.save(state)
        for _ in range(3):
            state = step(state)
        jax.block_until_ready(state)
        restored = checkpoints.restore(make_state(extra={"big": jnp.zeros_like(weights)}))
    assert restored is not None
    np.testing.assert_array_equal(restored.extra["big"], weights)


@pytest.mark.parametrize(("before", "after"), [(8, 1), (1, 8)])
def test_devices_may_change(tmp_path, before, after):
    def placed(state, count):
        mesh = jax.make_mesh((count,), ("data",), devices=jax.devices()[:count])
        whole, split = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))
        state = jax.device_put(state, whole)
        return state.replace(extra=jax.device_put(state.extra, split))

    extra = {"pool": jnp.arange(16.0), "keys": jax.random.split(jax.random.key(1), 8)}
    state = make_state(3, seed=3, extra=extra)
    like = placed(make_state(extra=jax.tree.map(lambda x: x, extra)), after)
    with closing(Checkpoints(tmp_path / "c")) as checkpoints:
        checkpoints.save(placed(state, before))
        restored = checkpoints.restore(like)
    assert_same(restored, state)
    for got, wanted in zip(jax.tree.leaves(restored), jax.tree.leaves(like), strict=True):
        assert got.sharding.is_equivalent_to(wanted.sharding, got.ndim)


def test_named_step(two_steps):
    with closing(Checkpoints(two_steps)) as checkpoints:
        assert_same(checkpoints.restore(make_state(), step=1), make_state(1, seed=1))
        with pytest.raises(UserError, match=r"checkpoint 3 .*not there.*Steps there: 1, 2"):
            checkpoints.restore(make_state(), step=3)


# Damage


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def test_a_flipped_bit_in_any_file_is_found(two_steps):
    folder = two_steps / "2"
    for name in files_of(folder):
        content = (folder / name).read_bytes()
        flip_a_bit(folder / name)
        assert manifest.verify(folder, 2) is not None, name
        (folder / name).write_bytes(content)
        assert manifest.verify(folder, 2) is None


def test_any_flipped_bit_of_the_manifest_is_found(two_steps):
    folder = two_steps / "2"
    content = (folder / manifest.NAME).read_bytes()
    for bit in random.Random(0).sample(range(8 * len(content)), 150):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (folder / manifest.NAME).write_bytes(flipped)
        assert manifest.verify(folder, 2) is not None, bit
    (folder / manifest.NAME).write_bytes(content)


def data_file(folder):
    return max((p for p in folder.rglob("d/*") if p.is_file()), key=lambda p: p.stat().st_size)


def truncate(folder):
    data_file(folder).write_bytes(data_file(folder).read_bytes()[:-1])


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


DAMAGES = {
    "sha256 differs": lambda folder: flip_a_bit(data_file(folder)),
    r"\d+ bytes instead of \d+": truncate,
    "missing": lambda folder: data_file(folder).unlink(),
    "not in the manifest": lambda folder: (folder / "d" / "more").write_bytes(b"x"),
    "empty": empty,
    "manifest.json itself is damaged": lambda folder: (folder / manifest.NAME).write_text("{}]"),
    "file .*: missing": lambda folder: shutil.rmtree(folder / "d"),
}


@pytest.mark.parametrize("told", DAMAGES)
def test_damage_falls_back_and_moves_aside(two_steps, tmp_path, warnings_logged, told):
    folder = shutil.copytree(two_steps, tmp_path / "c")
    DAMAGES[told](folder / "2")
    with closing(Checkpoints(folder)) as checkpoints:
        problem = checkpoints.verify(2)
        assert problem is not None
        with pytest.raises(UserError, match=told):
            checkpoints.restore(make_state(), step=2)
        assert_same(checkpoints.restore(make_state()), make_state(1, seed=1))
        assert any(problem in line for line in warnings_logged)
        assert checkpoints.steps() == [1]
        assert (folder / "damaged-2-1").is_dir()
        checkpoints.save(make_state(2, seed=2))
        assert_same(checkpoints.restore(make_state()), make_state(2, seed=2))
        assert (folder / "damaged-2-1").is_dir()


def test_damaged_step_is_replaced_when_saved_again(two_steps, tmp_path, warnings_logged):
    folder = shutil.copytree(two_steps, tmp_path / "c")
    truncate(folder / "2")
    (folder / "damaged-2-1").mkdir()
    with closing(Checkpoints(folder)) as checkpoints:
        checkpoints.save(make_state(2, seed=9))
        assert_same(checkpoints.restore(make_state()), make_state(2, seed=9))
    assert (folder / "damaged-2-2").is_dir()
    assert "moved to" in warnings_logged[0]


def test_unfinished_step_does_not_count(two_steps, tmp_path, warnings_logged):
    folder = shutil.copytree(two_steps, tmp_path / "c")
    (folder / "2" / manifest.NAME).unlink()
    with closing(Checkpoints(folder)) as checkpoints:
        assert checkpoints.verify(2) == manifest.UNFINISHED
        assert_same(checkpoints.restore(make_state()), make_state(1, seed=1))
        assert manifest.UNFINISHED in warnings_logged[0]
        assert checkpoints.steps() == [1, 2]  # it may be another process's, about to be finished
        checkpoints.save(make_state(2, seed=9))
        assert_same(checkpoints.restore(make_state()), make_state(2, seed=9))


def test_only_an_unfinished_step_means_none(tmp_path):
    folder = saved(tmp_path / "c", 1)
    (folder / "1" / manifest.NAME).unlink()
    with closing(Checkpoints(folder)) as checkpoints:
        assert checkpoints.restore(make_state()) is None


def test_no_step_intact_is_an_error_each_time(two_steps, tmp_path):
    folder = shutil.copytree(two_steps, tmp_path / "c")
    truncate(folder / "1")
    empty(folder / "2")
    with closing(Checkpoints(folder)) as checkpoints:
        for _ in range(2):
            with pytest.raises(
                UserError, match=r"intact \(step 2: empty; step 1: .* instead of .*move the folder"
            ):
                checkpoints.restore(make_state())


# A copy under another name


def without_step(folder):
    """Its manifest as earlier versions wrote it."""
    path = folder / manifest.NAME
    path.write_text(json.dumps(json.loads(path.read_text())["files"], indent=1, sort_keys=True) + "\n")


@pytest.mark.parametrize("name", ["3", "9999"])
def test_a_copy_under_another_number_is_not_that_step(two_steps, tmp_path, warnings_logged, name):
    folder = shutil.copytree(two_steps, tmp_path / "c")
    shutil.copytree(folder / "2", folder / name)
    with closing(Checkpoints(folder)) as checkpoints:
        told = "it holds step 2: a copy under another name"
        assert checkpoints.verify(int(name)) == told
        with pytest.raises(UserError, match=told):
            checkpoints.restore(make_state(), step=int(name))
        assert_same(checkpoints.restore(make_state()), make_state(2, seed=2))
        assert warnings_logged[0] == f"checkpoint {name}: {told}; going back to step 2"
        checkpoints.save(make_state(3, seed=3))
        assert_same(checkpoints.restore(make_state()), make_state(3, seed=3))
    assert (folder / f"damaged-{name}-1").is_dir()


def test_a_copy_that_appears_during_a_run_neither_shadows_nor_displaces(two_steps, tmp_path):
    folder = shutil.copytree(two_steps, tmp_path / "c")
    with closing(Checkpoints(folder)) as checkpoints:
        for number in (3, 9999):
            shutil.copytree(folder / "2", folder / str(number))
        checkpoints.save(make_state(3, seed=3))
        checkpoints.wait()
        assert checkpoints.steps() == [2, 3]
        assert_same(checkpoints.restore(make_state()), make_state(3, seed=3))
    assert sorted(path.name for path in folder.glob("damaged*")) == ["damaged-3-1", "damaged-9999-1"]


def test_only_a_copy_is_no_checkpoint(two_steps, tmp_path):
    shutil.copytree(two_steps / "2", tmp_path / "c" / "30")
    with (
        closing(Checkpoints(tmp_path / "c")) as checkpoints,
        pytest.raises(UserError, match=r"no checkpoint in .* is intact \(step 30: it holds step 2"),
    ):
        checkpoints.restore(make_state())


def test_a_manifest_of_an_earlier_version_counts_and_its_arrays_say_the_step(two_steps, tmp_path):
    folder = shutil.copytree(two_steps, tmp_path / "c")
    without_step(folder / "2")
    with closing(Checkpoints(folder)) as checkpoints:
        assert checkpoints.verify(2) is None
        assert_same(checkpoints.restore(make_state()), make_state(2, seed=2))
        flip_a_bit(data_file(folder / "2"))
        assert "sha256 differs" in str(checkpoints.verify(2))
        flip_a_bit(data_file(folder / "2"))
        shutil.copytree(folder / "2", folder / "30")
        with pytest.raises(UserError, match=r"checkpoint 30 in .* holds step 2: .*Move it away"):
            checkpoints.restore(make_state())
        shutil.rmtree(folder / "30")
        checkpoints.save(make_state(3, seed=3))
        assert_same(checkpoints.restore(make_state()), make_state(3, seed=3))


def test_the_disk_has_every_file_before_the_manifest_has_its_name(tmp_path, monkeypatch):
    flushed, replace = set(), Path.replace
    fsync = os.fsync

    def flush(descriptor):
        fsync(descriptor)
        flushed.add(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def named(self, target):
        if target.name == manifest.NAME:
            expected = {Path(name).name for name in files_of(target.parent)} - {manifest.NAME}
            assert expected <= flushed
            flushed.add("named")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", named)
    saved(tmp_path / "c", 1)
    assert "named" in flushed


# What does not fit


def test_mismatch_names_the_leaves(two_steps):
    other = make_state(width=4)
    other = other.replace(step=jnp.float32(0), extra={"more": jnp.zeros(1)})
    with closing(Checkpoints(two_steps)) as checkpoints:
        with pytest.raises(UserError, match="does not fit this config") as error:
            checkpoints.restore(other)
        assert checkpoints.steps() == [1, 2]
        text = str(error.value)
        assert (
            "generator/params/Dense_0/kernel is float32[8,3] in the checkpoint, float32[8,4] expected" in text
        )
        assert "more. Use the config of the run" in text
        with pytest.raises(UserError, match=r"step is int32\[\] in the checkpoint, float32\[\] expected"):
            checkpoints.restore(make_state(step=0).replace(step=jnp.float32(0)))
        with pytest.raises(
            UserError, match=r"extra/on is in the .*; extra/pool is in the checkpoint and not"
        ):
            checkpoints.restore(make_state(extra=()))
        with pytest.raises(UserError, match="key/rbg is expected and not in the checkpoint"):
            checkpoints.restore(make_state(impl="rbg"))


# Retention


@pytest.mark.parametrize("keep", [1, 3])
def test_keeps_the_newest(tmp_path, keep):
    with closing(Checkpoints(tmp_path / "c", keep=keep)) as checkpoints:
        for step in range(10, 60, 10):
            checkpoints.save(make_state(step))
        checkpoints.wait()
        assert checkpoints.steps() == [10, 20, 30, 40, 50][-keep:]
        assert sorted(p.name for p in (tmp_path / "c").iterdir()) == [str(s) for s in checkpoints.steps()]
    with pytest.raises(ValueError, match="at least 1"):
        Checkpoints(tmp_path / "c", keep=0)


def test_old_step_stays_until_the_new_one_has_its_manifest(tmp_path, monkeypatch):
    writing, go_on = threading.Event(), threading.Event()
    write = manifest.write

    def held_up(folder, step):
        writing.set()
        assert go_on.wait(30)
        write(folder, step)

    with closing(Checkpoints(tmp_path / "c", keep=1)) as checkpoints:
        checkpoints.save(make_state(1))
        checkpoints.wait()
        monkeypatch.setattr(manifest, "write", held_up)
        checkpoints.save(make_state(2))
        assert writing.wait(30)
        assert checkpoints.verify(1) is None
        assert checkpoints.verify(2) == manifest.UNFINISHED
        go_on.set()
        checkpoints.wait()
        assert checkpoints.steps() == [2]


def test_saving_a_step_twice_writes_once(tmp_path):
    with closing(Checkpoints(tmp_path / "c")) as checkpoints:
        checkpoints.save(make_state(1, seed=1))
        checkpoints.save(make_state(1, seed=2))
        assert_same(checkpoints.restore(make_state()), make_state(1, seed=1))


def test_leftovers_of_a_kill_are_swept(tmp_path):
    folder = tmp_path / "c"
    (folder / "5.orbax-checkpoint-tmp" / "d").mkdir(parents=True)
    (folder / "deleting-3").mkdir()
    saved(folder, 5)
    assert [p.name for p in folder.iterdir()] == ["5"]


# Disks


def test_full_disk(tmp_path, caplog):
    """On a small disk of its own: an earlier checkpoint stays, the error says what to do."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can only be mounted by root")
    try:
        big = jnp.asarray(np.random.default_rng(0).normal(size=(1000, 1000)), jnp.float32)
        checkpoints = Checkpoints(disk / "c")
        checkpoints.save(make_state(1, seed=1))
        checkpoints.save(make_state(2, extra={"big": big}))
        with pytest.raises(UserError, match=r"No space left on device\. Free some space"):
            checkpoints.wait()
        checkpoints.save(make_state(3, extra={"big": big}))
        with pytest.raises(UserError, match="No space left"):
            checkpoints.save(make_state(4))
        checkpoints.save(make_state(5, seed=5))  # what was half-written is gone, so there is room again
        assert_same(checkpoints.restore(make_state()), make_state(5, seed=5))
        assert checkpoints.steps() == [1, 5]
        checkpoints.close()
        assert "Traceback" not in caplog.text
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_background_error_surfaces_once(tmp_path, monkeypatch):
    def full(folder, step):
        raise OSError(28, "No space left on device")

    with closing(Checkpoints(tmp_path / "c")) as checkpoints:
        with monkeypatch.context() as patched:
            patched.setattr(manifest, "write", full)
            checkpoints.save(make_state(1))
            with pytest.raises(UserError, match="Free some space"):
                checkpoints.save(make_state(2))
        checkpoints.save(make_state(2))
        checkpoints.wait()
        assert checkpoints.verify(2) is None


def test_other_errors_are_not_dressed_up(tmp_path, monkeypatch):
    def broken(folder, step):
        raise ZeroDivisionError

    monkeypatch.setattr(manifest, "write", broken)
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(make_state(1))
    with pytest.raises(ZeroDivisionError):
        checkpoints.close()


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        closing(Checkpoints(tmp_path / "file" / "c")) as checkpoints,
        pytest.raises(UserError, match=r"cannot write a checkpoint to .*Not a directory"),
    ):
        checkpoints.save(make_state(1))


# Kills

SAVE_FOR_EVER = """
    import itertools, sys
    import jax, jax.numpy as jnp
    sys.path.insert(0, sys.argv[2])
    from tests.training.test_checkpoint import make_state
    from gan_jax.training.checkpoint import Checkpoints

    checkpoints = Checkpoints(sys.argv[1])
    restored = checkpoints.restore(make_state())
    first = 0 if restored is None else int(restored.step)
    print("from", first, flush=True)
    for step in itertools.count(first + 1):
        checkpoints.save(make_state(step, seed=step))
        print("begun", step, flush=True)  # so step - 1 is finished
"""


def test_kill_loses_at_most_the_save_in_flight(tmp_path):
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", textwrap.dedent(SAVE_FOR_EVER), str(tmp_path / "c"), root]
    finished, rng = 0, random.Random(0)
    for _ in range(4):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
        assert child.stdout is not None
        assert int(child.stdout.readline().split()[1]) >= finished
        timer = threading.Timer(rng.uniform(0.2, 1.0), child.send_signal, [signal.SIGKILL])
        timer.start()
        begun = [int(line.split()[1]) for line in child.stdout if line.endswith("\n")]
        child.wait()
        child.stdout.close()
        finished = max(finished, begun[-1] - 1 if begun else 0)
        with closing(Checkpoints(tmp_path / "c")) as checkpoints:
            restored = checkpoints.restore(make_state())
        step = 0 if restored is None else int(restored.step)
        assert step >= finished
        if restored is not None:
            assert_same(restored, make_state(step, seed=step))
    assert finished > 0
    assert not any("damaged" in p.name for p in (tmp_path / "c").iterdir())


def test_nothing_heavy_is_imported():
    heavy = "{'tensorflow', 'torch'} & {*sys.modules}"
    code = f"import sys, gan_jax.training.checkpoint; sys.exit(str({heavy} or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.stderr.strip(), done.stderr
