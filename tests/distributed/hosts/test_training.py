"""Real processes train one run together: as one process would, and through every way of dying."""

import shutil
import signal
import time

import jax
import numpy as np
import pytest

from gan_jax.distributed.hosts import Hosts
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.train import build, open_feed, train
from gan_jax.training.workdir import LOCK
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import locked
from tests import runs
from tests.distributed.hosts.jobs import job, open_mpi, slurm
from tests.runs import STEPS, assert_same_bits, assert_same_records, steps_done, tiny

CONTINUE = "Start all processes again with the same command to continue from the last checkpoint"
LONG = {"checkpoint_every_steps": 100, "log_every_steps": 10, "sample_every_steps": 100_000}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Programs are compiled once for all processes of this file."""
    folder = tmp_path_factory.mktemp("programs")
    told = {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # as quick_compiler, here and there
    }
    with pytest.MonkeyPatch.context() as patch, runs.compiled_once(folder):
        for name, value in told.items():
            patch.setenv(name, value)
        yield


def arguments(workdir, data_dir, **fields):
    set_ = [f"--config.{name}={value}" for name, value in {**fields, "data.dir": data_dir}.items()]
    command = ("gan_jax.main", "train", "--config", "tests/runs.py", "--lost_seconds=6")
    return (*command, "--workdir", str(workdir), *set_)


@pytest.mark.slow
def test_a_signal_to_one_of_two_stops_both_at_the_same_step_with_the_bits_of_one_process(
    programs, data_dir, tmp_path
):
    """Started as by SLURM. Process 0 alone speaks, and the other ends in the same words."""
    workdir, expected = tmp_path / "run", tmp_path / "expected"
    command = arguments(workdir, data_dir, num_steps=20_000, **LONG)
    with job(tmp_path / "said", 2, *command, variables=slurm(2)) as started:
        started.wait_for(lambda: steps_done(workdir) >= 20)
        started.processes[1].send_signal(signal.SIGTERM)
        assert started.codes() == [143, 143], started.texts()
        said, other = started.texts()
    checkpoints = Checkpoints(workdir / "checkpoints")
    newest = checkpoints.steps()[-1]
    assert checkpoints.verify(newest) is None
    checkpoints.close()
    stopped = f"gan-jax: stopped and saved at step {newest}; the same command continues the run"
    assert said.splitlines()[-1] == stopped
    kept = [line for line in other.splitlines() if "Gloo" not in line and "preemption_notifier" not in line]
    assert kept == [stopped]
    config = tiny(data_dir, num_steps=newest, **LONG)
    state = runs.run(config, expected, devices=2, drawn=True)
    losses = runs.losses_of(expected)
    for name, values in runs.losses_of(workdir).items():
        np.testing.assert_array_equal(values[:newest], losses[name], err_msg=name)
    assert_same_bits(runs.run(config, workdir, devices=2), state)  # nothing is left to do


def test_each_process_reads_its_share_of_a_batch(data_dir):
    plan = build(tiny(data_dir, **{"data.placement": "stream"}))
    whole = open_feed(plan, plan.phases[0], Hosts()).get(0, 2)
    shares = []
    for index in range(4):
        hosts = Hosts()
        hosts.index, hosts.count = index, 4
        feed = open_feed(plan, plan.phases[0], hosts)
        shares.append(feed.get(0, 2))
        feed.close()
    assert {share["image"].shape[2] for share in shares} == {plan.batch_size // 4}
    for name, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([share[name] for share in shares], axis=2), values)


def test_a_second_process_in_the_same_workdir_is_refused(tmp_path, data_dir):
    with locked(tmp_path / "run", LOCK), pytest.raises(UserError, match=r"another process trains in .*run"):
        train(tiny(data_dir), tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [LOCK]


def test_hosts_that_do_not_fit_the_processes_are_a_mistake_of_the_caller(tmp_path, data_dir):
    hosts = Hosts()
    hosts.count = 2
    assert jax.process_count() == 1
    with pytest.raises(ValueError, match="there are 1 processes"):
        train(tiny(data_dir), tmp_path / "run", hosts=hosts)


@pytest.fixture(scope="module")
def four(programs, data_dir, tmp_path_factory):
    """(workdir, what each process said) of a run in four processes, in one piece."""
    folder = tmp_path_factory.mktemp("four")
    with job(folder / "said", 4, *arguments(folder / "run", data_dir)) as started:
        assert started.codes() == [0, 0, 0, 0], started.texts()
        return folder / "run", started.texts()


def assert_close(one, other):
    """States that differ by rounding only."""
    found = runs.leaves(one)
    for name, expected in runs.leaves(other).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_four_processes_train_as_one_with_four_devices_does(four, data_dir, tmp_path):
    """Within rounding: four numbers are added in another order. (Two have one order only, see below.)"""
    state = runs.run(tiny(data_dir), tmp_path / "run", devices=4)
    losses = runs.losses_of(tmp_path / "run")
    for name, values in runs.losses_of(four[0]).items():
        np.testing.assert_allclose(values, losses[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert [row["step"] for row in runs.rows(four[0])] == [row["step"] for row in runs.rows(tmp_path / "run")]
    shutil.copytree(four[0], tmp_path / "restored")
    assert_close(runs.run(tiny(data_dir), tmp_path / "restored", devices=4), state)  # nothing is left to do


@pytest.mark.slow
def test_the_first_of_four_processes_writes_and_the_others_are_silent(four):
    workdir, said = four
    assert f"{STEPS} steps done" in said[0].splitlines()[-1]
    for text in said[1:]:
        assert [line for line in text.splitlines() if not line.startswith("[Gloo]")] == []
    assert len(list((workdir / "tensorboard").iterdir())) == 1
    assert runs.recorded(workdir)["starts"][0]["processes"] == 4


@pytest.mark.slow
def test_a_checkpoint_of_four_processes_continues_in_one(four, data_dir, tmp_path):
    shutil.copytree(four[0], tmp_path / "run")
    state = runs.run(tiny(data_dir, num_steps=40), tmp_path / "run", devices=1)
    straight = runs.run(tiny(data_dir, num_steps=40), tmp_path / "straight", devices=1)
    assert_close(state, straight)


@pytest.mark.slow
def test_a_job_whose_process_is_killed_goes_on_with_the_same_bits(programs, data_dir, tmp_path):
    """Started as by Open MPI."""
    config, workdir, expected = tiny(data_dir, num_steps=300, **LONG), tmp_path / "run", tmp_path / "expected"
    state = runs.run(config, expected, devices=2, drawn=True)
    command = arguments(workdir, data_dir, num_steps=300, **LONG)
    with job(tmp_path / "said", 2, *command, variables=open_mpi(2)) as started:
        started.wait_for(lambda: steps_done(workdir) >= 110)
        started.processes[1].kill()
        assert started.codes() == [1, -9], started.texts()
        said = started.last_lines()[0]
    assert said == f"gan-jax: process 1 of 2 stopped answering (for 6 s). {CONTINUE}"
    with job(tmp_path / "said", 2, *command, variables=open_mpi(2)) as started:
        assert started.codes() == [0, 0], started.texts()
    assert_same_bits(runs.run(config, workdir, devices=2), state)
    assert_same_records(workdir, expected)


def lives(folder, fate="lives"):
    """A job of two processes that do nothing, or of which process 1 has another fate."""
    return job(folder, 2, "tests.distributed.hosts.waiting", fate)


def all_here(started):
    started.wait_for(lambda: all("here" in text for text in started.texts()))
    return time.monotonic()


def test_an_interrupt_from_the_keyboard_stops_all(tmp_path):
    with lives(tmp_path) as started:
        all_here(started)
        started.processes[0].send_signal(signal.SIGINT)
        assert started.codes() == [130, 143], started.texts()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fate", "victim", "signum", "code", "said", "least", "most"),
    [
        ("lives", 1, signal.SIGKILL, 1, "process 1 of 2 stopped answering (for 4 s). ", 3, 20),
        ("lives", 1, signal.SIGSTOP, 1, "process 1 of 2 stopped answering (for 4 s). ", 3, 20),
        ("lives", 0, signal.SIGSTOP, 1, "process 0 of 2 (the coordinator) has not answered for 4 s. ", 3, 20),
        ("hangs", 1, None, 1, "process 1 of 2 hangs: alive, but behind the others and ", 4, 30),
        ("fails", 1, None, 1, "process 1 of 2 ended: the disk is full", 0, 15),
        ("lives", 0, signal.SIGKILL, -signal.SIGABRT, "JAX distributed service detected fatal errors", 0, 10),
    ],
)
def test_what_becomes_of_one_process_ends_the_other_in_bounded_time(
    fate, victim, signum, code, said, least, most, tmp_path
):
    with lives(tmp_path, fate) as started:
        began = all_here(started) if signum else time.monotonic() + 0.0
        if signum:
            started.processes[victim].send_signal(signum)
        assert started.processes[1 - victim].wait(60) == code, started.texts()
        seconds = time.monotonic() - began
        text = started.texts()[1 - victim]
    assert said in text
    if code == 1:
        assert text.splitlines()[-1].startswith(f"gan-jax: {said}")
    assert least < seconds < most
