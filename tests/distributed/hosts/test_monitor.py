"""Who is lost, who hangs, and with which words and code what one process raises ends the others."""

import json

import pytest

from gan_jax.distributed.hosts.monitor import Monitor
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted


class Ended(BaseException):
    """Stands for the end of the process."""


class Store(dict):
    """Stands for the coordinator's key-value store."""

    key_value_set = dict.__setitem__


@pytest.fixture
def monitor(monkeypatch):
    """Of process 1 of 3, which is asked once a second from the second 0 on."""

    def end(self, text, code):
        raise Ended(text, code)

    monkeypatch.setattr(Monitor, "_end", end)
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    return Monitor(Store(), 1, 3, lost_seconds=30, stalled_seconds=100)


def verdicts(monitor, seconds, alive):
    """What it says in each second; alive(second) lists (beat, progress) of each process."""
    for second in range(seconds):
        said = {f"gan_jax/alive/{i}": json.dumps(told) for i, told in enumerate(alive(second))}
        yield monitor.verdict(said, float(second))


def test_a_process_without_a_sign_of_life_is_lost(monitor):
    *before, last = verdicts(monitor, 40, lambda t: [(t, 5), (t, 5), (min(t, 8), 5)])
    assert before[:39] == [""] * 39
    assert last.startswith("process 2 of 3 stopped answering (for 30 s). Start all processes again")


def test_one_that_never_gave_a_sign_of_life_is_lost(monitor):
    assert monitor.verdict({}, 30.0) == ""
    assert monitor.verdict({}, 31.0).startswith("process 0, 1, 2 of 3 stopped answering")


def test_one_that_comes_back_in_time_is_not(monitor):
    assert not any(verdicts(monitor, 200, lambda t: [(t, 5), (t, 5), (t // 25, 5)]))


def test_one_that_lives_but_stays_behind_hangs(monitor):
    *before, last = verdicts(monitor, 103, lambda t: [(t, t), (t, t), (t, min(t, 1))])
    assert not any(before)
    assert last.startswith(
        "process 2 of 3 hangs: alive, but behind the others and without progress for 100 s"
    )


def test_where_all_wait_for_something_long_nobody_hangs(monitor):
    assert not any(verdicts(monitor, 1000, lambda t: [(t, 9)] * 3))


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (UserError("the disk\nis full"), "the disk; is full", 1),
        (Interrupted(15, "stopped"), "stopped", 143),
        (ValueError("a mistake"), "ValueError: a mistake", 1),
    ],
    ids=str,
)
def test_what_one_process_alone_raises_is_told_to_the_others(error, text, code, monitor):
    with pytest.raises(Ended) as ended:
        monitor.fail(error)
    assert ended.value.args == (text, code)
    assert json.loads(monitor._store["gan_jax/end"]) == [1, code, text]


def test_a_broken_connection_is_the_fault_of_whoever_is_lost(monitor, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    with pytest.raises(Ended):
        monitor.fail(ValueError("UNKNOWN: Gloo AllGather failed: Connection reset by peer"))
    assert slept == [32]  # seconds, in which the monitor's thread names it
