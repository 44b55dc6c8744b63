"""Signals, as a process gets them: what is saved, what it says, and that the same command continues."""

import os
import signal
import threading
import time

import pytest

from gan_jax.training.checkpoint import Checkpoints
from gan_jax.utils.interrupt import Interrupted, StopRequest, interrupt
from tests import runs
from tests.runs import start, steps_done

LONG = {"num_steps": 400, "checkpoint_every_steps": 40, "log_every_steps": 10, "sample_every_steps": 400}


def command(workdir, data_dir):
    fields = [f"--config.{name}={value}" for name, value in {**LONG, "data.dir": data_dir}.items()]
    return "train", "--config", "tests/runs.py", "--workdir", str(workdir), *fields


def wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"too late: {process.communicate()}")
        time.sleep(0.002)


@pytest.mark.slow  # five processes; their parts are in training/test_train.py, the exit codes also below
def test_sigterm_sigint_and_sigkill_cost_nothing_but_time(tmp_path):
    data_dir, workdir = tmp_path / "data", tmp_path / "run"
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "programs")}
    for signum, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)):
        begun = steps_done(workdir)
        process = start(*command(workdir, data_dir), **cache)
        wait_for(lambda at=begun + 60: steps_done(workdir) >= at, process)
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Traceback" not in err + out
        assert 0 < steps_done(workdir) < 400
        if signum != signal.SIGKILL:
            said = err.splitlines()[-1]
            assert said.startswith("gan-jax: stopped and saved at step ")
            assert said.endswith("the same command continues the run")
            checkpoints = Checkpoints(workdir / "checkpoints")
            assert str(checkpoints.steps()[-1]) in said
            assert checkpoints.verify(checkpoints.steps()[-1]) is None
            checkpoints.close()

    process = start(*command(workdir, data_dir), **cache)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"400 steps done. The pictures: {workdir}/samples/step_0000400.png" in err.splitlines()[-1]

    process = start(*command(tmp_path / "straight", data_dir), **cache)
    process.communicate(timeout=60)
    assert process.returncode == 0
    runs.assert_same_records(workdir, tmp_path / "straight")
    for step in ("360", "400"):
        one, other = (folder / "checkpoints" / step for folder in (workdir, tmp_path / "straight"))
        assert runs.arrays(one).keys() == runs.arrays(other).keys()
        assert runs.arrays(one) == runs.arrays(other)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_preparation_leaves_nothing_that_looks_prepared(signum, code, tmp_path):
    arguments = ("data", "prepare", "shapes", "--data_dir", str(tmp_path))
    process = start(*arguments)
    wait_for(lambda: any(tmp_path.rglob("*incomplete*")), process)
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    # Python may drop the first interruption, with words of its own; the next one comes.
    assert err.splitlines()[-1] == "gan-jax: stopped; what was saved before stays"
    assert not out
    assert not list(tmp_path.rglob("dataset_info.json"))


@pytest.fixture
def usual_handler():
    """Python's own SIGINT handler, which a process started in the background does not have."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


def test_a_request_to_stop_is_noted_and_the_next_one_acts_as_usual(usual_handler):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert stop.signum is None
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signum == signal.SIGINT
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_without_a_signal_the_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_nothing_changes():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def enter():
        with StopRequest():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


def test_an_interruption_is_no_error_that_somebody_could_swallow(monkeypatch):
    monkeypatch.setattr("gan_jax.utils.interrupt._AGAIN_SECONDS", 0.05)
    again, before = [], signal.signal(signal.SIGUSR1, lambda signum, frame: again.append(signum))
    with pytest.raises(Interrupted) as stop:
        interrupt(signal.SIGUSR1, None)
    assert stop.value.signum == signal.SIGUSR1
    assert not isinstance(stop.value, Exception)
    deadline = time.monotonic() + 10
    while not again and time.monotonic() < deadline:  # where it was dropped all the same, it comes again
        time.sleep(0.01)
    signal.signal(signal.SIGUSR1, before)
    assert again == [signal.SIGUSR1]
