"""Signals, as a process gets them: what is saved, what it says, and that the same command continues."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gan_jax.training.checkpoint import Checkpoints
from gan_jax.utils.interrupt import Interrupted, StopRequest, interrupt
from tests import runs
from tests.runs import start, steps_done

LONG = {"num_steps": 480, "checkpoint_every_steps": 40, "log_every_steps": 10, "sample_every_steps": 480}


@pytest.fixture(autouse=True)
def hang_ups_count():
    """The tests themselves may run under nohup, and what they start would ignore SIGHUP as they do."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


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


@pytest.mark.slow  # six processes; their parts are in training/test_train.py, the exit codes also below
def test_sigterm_sigint_and_sigkill_cost_nothing_but_time(tmp_path):
    data_dir, workdir = tmp_path / "data", tmp_path / "run"
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "programs")}
    ends = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129, signal.SIGKILL: -9}
    for signum, code in ends.items():
        begun = steps_done(workdir)
        process = start(*command(workdir, data_dir), **cache)
        wait_for(lambda at=begun + 60: steps_done(workdir) >= at, process)
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Traceback" not in err + out
        assert 0 < steps_done(workdir) < 480
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
    assert (
        f"480 steps done. Samples beside reals, and the losses: {workdir}/overview.png"
        in err.splitlines()[-1]
    )

    process = start(*command(tmp_path / "straight", data_dir), **cache)
    process.communicate(timeout=60)
    assert process.returncode == 0
    runs.assert_same_records(workdir, tmp_path / "straight")
    for step in ("440", "480"):
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


def test_a_request_to_stop_is_noted_and_the_next_one_acts_as_usual(usual_handler, monkeypatch):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert stop.signum is None
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signum == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)  # a launcher passes on what the terminal has sent already
        monkeypatch.setattr("gan_jax.utils.interrupt._COPY_SECONDS", -1.0)
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


def test_an_interruption_is_no_error_that_somebody_could_swallow():
    with pytest.raises(Interrupted) as stop:
        interrupt(signal.SIGUSR1, None)
    assert stop.value.signum == signal.SIGUSR1
    assert not isinstance(stop.value, Exception)


# A program of one's own. What Python cannot interrupt is a digest here, in a compiler's place.

PROGRAM = """
import hashlib, sys, time
from gan_jax.utils import interrupt
interrupt.answer_signals()
def deaf():
    print("deaf", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**8)
{body}
"""


def program(body, ignored=""):
    """A process that runs this in a program that answers signals, once it says a line.

    Args:
        ignored: a signal that it is started with as ignored.
    """
    shell = ["sh", "-c", f'trap "" {ignored}; exec "$0" "$@"'] if ignored else []
    process = subprocess.Popen(
        [*shell, sys.executable, "-c", PROGRAM.format(body=body)],
        cwd=runs.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    time.sleep(0.2)  # it is about to begin
    return process


def ended(process, within):
    """(the exit code, what it said on standard error) of a process that ends within so many seconds."""
    begun = time.monotonic()
    err = process.communicate(timeout=60)[1]
    assert time.monotonic() - begun < within, err
    return process.returncode, err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_where_nothing_is_to_be_saved_one_signal_ends_what_python_cannot_interrupt(signum):
    process = program("deaf()")
    process.send_signal(signum)
    assert ended(process, within=3) == (128 + signum, "gan-jax: stopped; what was saved before stays\n")


def test_while_it_compiles_the_first_signal_is_answered_and_the_second_ends_it():
    process = program("with interrupt.StopRequest(): deaf()")
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    line = process.stderr.readline()
    assert time.monotonic() - begun < 1
    assert line.startswith(
        "gan-jax: SIGINT: stopping once the steps that are under way, or the compiler, are"
    )
    assert line.endswith("saved. A second one stops at once\n")
    assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert ended(process, within=3) == (130, "gan-jax: stopped; what was saved before stays\n")


def test_a_signal_that_a_launcher_passes_on_too_is_one():
    process = program(
        "with interrupt.StopRequest() as stop:\n"
        "    print('ready', flush=True)\n"
        "    while stop.signum is None: time.sleep(0.01)\n"
        "    time.sleep(1.5)\n"
        "print('saved')"
    )
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (0, "saved\n", 1)


@pytest.mark.slow  # it waits
def test_a_program_that_cleans_up_is_given_time_but_not_for_ever():
    process = program("try: print('ready', flush=True); time.sleep(60)\nfinally: time.sleep(60)")
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code, _ = ended(process, within=8)
    assert code == 143
    assert time.monotonic() - begun > 3


def test_a_signal_during_an_import_ends_the_program_before_a_module_is_half_there(tmp_path):
    (tmp_path / "slow_module.py").write_text(
        "import time\nprint('importing', flush=True)\ntry: time.sleep(30)\nfinally: print('half')\n"
    )
    process = program(f"sys.path.insert(0, {str(tmp_path)!r}); import slow_module")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (143, "")
    assert err == "gan-jax: stopped; what was saved before stays\n"


def test_a_hang_up_that_nohup_ignores_stays_ignored():
    process = program("with interrupt.StopRequest(): print('x', flush=True); time.sleep(1)", ignored="HUP")
    process.send_signal(signal.SIGHUP)
    assert ended(process, within=5) == (0, "")


def catches(process, signum):
    """Whether it has a handler of its own: before, the interpreter itself starts."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (signum - 1) & 1)


@pytest.mark.slow  # many starts
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_in_the_first_second(signum, tmp_path):
    for number in range(10):
        process = start(*command(tmp_path / str(number), tmp_path / "data"))
        wait_for(lambda caught=process: catches(caught, signal.SIGTERM), process)
        time.sleep(0.2 * number)
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 128 + signum, (number, err)
        assert "Traceback" not in err + out
        assert err.splitlines()[-1].startswith("gan-jax: stopped")
