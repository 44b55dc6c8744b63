"""Real processes train one run together: as one process would, and through every way of dying."""

import os
import shutil
import signal
import socket
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
from gan_jax.utils.interrupt import Interrupted
from tests import runs
from tests.distributed.hosts import waiting
from tests.distributed.hosts.jobs import job
from tests.runs import STEPS, assert_same_bits, assert_same_records, steps_done, tiny

pytestmark = pytest.mark.usefixtures("quick_compiler")
LOST = 6  # seconds
LONG = {"num_steps": 300, "checkpoint_every_steps": 30, "log_every_steps": 10, "sample_every_steps": 300}


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
    return ("--config", "tests/runs.py", "--workdir", str(workdir), f"--lost_seconds={LOST}", *set_)


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


def test_four_processes_train_as_one_with_four_devices_does(four, data_dir, tmp_path):
    """Within rounding: four numbers are added in another order. (Two have one order only, see below.)"""
    state = runs.run(tiny(data_dir), tmp_path / "run", devices=4)
    losses = runs.losses_of(tmp_path / "run")
    for name, values in runs.losses_of(four[0]).items():
        np.testing.assert_allclose(values, losses[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert [row["step"] for row in runs.rows(four[0])] == [row["step"] for row in runs.rows(tmp_path / "run")]
    shutil.copytree(four[0], tmp_path / "restored")
    assert_close(runs.run(tiny(data_dir), tmp_path / "restored", devices=4), state)  # nothing is left to do


def test_the_first_of_four_processes_writes_and_the_others_are_silent(four):
    workdir, said = four
    assert f"{STEPS} steps done" in said[0].splitlines()[-1]
    for text in said[1:]:
        assert [line for line in text.splitlines() if not line.startswith("[Gloo]")] == []
    assert len(list((workdir / "tensorboard").iterdir())) == 1
    assert runs.recorded(workdir)["starts"][0]["processes"] == 4


def test_a_checkpoint_of_four_processes_continues_in_one(four, data_dir, tmp_path):
    shutil.copytree(four[0], tmp_path / "run")
    state = runs.run(tiny(data_dir, num_steps=40), tmp_path / "run", devices=1)
    straight = runs.run(tiny(data_dir, num_steps=40), tmp_path / "straight", devices=1)
    assert_close(state, straight)


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


# Ways of dying, one after the other, in one run


def slurm(count):
    """What srun tells the tasks of a step."""
    port = free_port_above()
    common = {
        "SLURM_JOB_ID": "0",
        "SLURM_STEP_ID": str(port - 61440),
        "SLURM_NTASKS": str(count),
        "SLURM_STEP_NUM_TASKS": str(count),
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_STEP_TASKS_PER_NODE": str(count),
        "SLURM_NODEID": "0",
    }
    return [{**common, "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)} for i in range(count)]


def free_port_above():
    """A free port of those that SLURM jobs use."""
    for port in range(61440 + os.getpid() % 4000, 65536):
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


def open_mpi(count):
    """What mpirun (Open MPI 4) tells its processes."""
    number = (free_port_above() - 61440) * 4096
    common = {
        "OMPI_MCA_orte_hnp_uri": f"{number}.0;tcp://127.0.0.1,10.1.2.3:34911",
        "OMPI_COMM_WORLD_SIZE": str(count),
        "OMPI_COMM_WORLD_LOCAL_SIZE": str(count),
    }
    return [
        {**common, "OMPI_COMM_WORLD_RANK": str(i), "OMPI_COMM_WORLD_LOCAL_RANK": str(i)} for i in range(count)
    ]


def test_two_processes_are_stopped_and_killed_and_lose_nothing(programs, data_dir, tmp_path):
    config, workdir, expected = tiny(data_dir, **LONG), tmp_path / "run", tmp_path / "expected"
    with pytest.raises(Interrupted):  # begun by one process
        runs.run(config, workdir, devices=1, stop_at=20)
    shutil.copytree(workdir, expected)
    state = runs.run(config, expected, devices=2)

    def interrupted(number, signum, environments=None):
        """The job, from the moment it has gone on a little; what became of it, once it is over."""
        begun = steps_done(workdir)
        with job(
            tmp_path / "said", 2, *arguments(workdir, data_dir, **LONG), environments=environments
        ) as started:
            started.wait_for(lambda: steps_done(workdir) >= begun + 20)
            at = time.monotonic()
            started.processes[number].send_signal(signum)
            survivor = started.processes[1 - number]
            survivor.wait(90)
            seconds = time.monotonic() - at
            codes = started.codes()
            assert "Traceback" not in "".join(started.texts())
            return codes, started.last_lines(), seconds

    codes, said, _ = interrupted(1, signal.SIGTERM, environments=slurm(2))
    assert codes == [143, 143], said
    checkpoints = Checkpoints(workdir / "checkpoints")
    newest = checkpoints.steps()[-1]
    assert checkpoints.verify(newest) is None
    checkpoints.close()
    stopped = f"gan-jax: stopped and saved at step {newest}; the same command continues the run"
    assert said == [stopped, stopped]

    codes, said, seconds = interrupted(1, signal.SIGKILL, environments=open_mpi(2))
    assert codes == [1, -9], said
    assert said[0].startswith("gan-jax: process 1 of 2 stopped answering")
    assert "the same command to continue from the last checkpoint" in said[0]
    assert seconds < 40

    assert_same_bits(runs.run(config, workdir, devices=2), state)
    assert_same_records(workdir, expected)


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


@pytest.mark.parametrize(
    ("victim", "signum", "expected"),
    [
        (1, signal.SIGSTOP, f"gan-jax: process 1 of 2 stopped answering (for {waiting.LOST} s)"),
        (0, signal.SIGSTOP, "gan-jax: process 0 of 2 (the coordinator, 127.0.0.1:"),
        (0, signal.SIGKILL, "gan-jax: process 0 of 2 (the coordinator, 127.0.0.1:"),
    ],
)
def test_a_frozen_or_killed_process_ends_the_other_in_bounded_time(victim, signum, expected, tmp_path):
    with job(tmp_path, 2, program=("tests.distributed.hosts.waiting",)) as started:
        started.wait_for(lambda: all("here" in text for text in started.texts()))
        began = time.monotonic()
        started.processes[victim].send_signal(signum)
        assert started.processes[1 - victim].wait(60) == 1
        seconds = time.monotonic() - began
    last = started.last_lines()[1 - victim]
    assert last.startswith(expected)
    assert last.endswith(
        "Start all processes again with the same command to continue from the last checkpoint"
    )
    assert seconds < 30
    assert seconds > waiting.LOST - 1 or signum == signal.SIGKILL
