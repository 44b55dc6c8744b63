"""Who is lost, who hangs, after which call all stop, and how an error reaches the others."""

import json
import threading
import time

import pytest

from gan_jax.distributed.hosts.failure_detector import Judge, Patience
from gan_jax.distributed.hosts.group import Group, differing
from gan_jax.distributed.hosts.heartbeat import SAID, Pulse
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted, StopRequest
from tests.distributed.hosts.store import Store

PATIENCE = Patience(lost=30.0, stalled=100.0)
QUICK = Patience(lost=0.6, stalled=0.6, beat=0.02)


def judged(judge, pulses, seconds=1.0, suspicious=False):
    return judge.verdict(dict(enumerate(pulses)), seconds, suspicious)


def test_a_process_without_a_sign_of_life_is_lost():
    judge = Judge(3, PATIENCE)
    for beat in range(1, 32):
        assert judged(judge, [f"{beat} 5", "7 5", f"{beat} 5"]) == ""
    verdict = judged(judge, ["32 5", "7 5", "32 5"])
    assert verdict.startswith("process 1 of 3 stopped answering (for 30 s). Start all processes again")


def test_one_that_comes_back_in_time_is_not():
    judge = Judge(2, PATIENCE)
    for beat in range(200):
        assert judged(judge, [f"{beat} 5", f"{beat // 25} 5"]) == ""


def test_once_a_connection_has_broken_less_silence_is_enough():
    judge = Judge(2, PATIENCE)
    for beat in range(1, 7):
        assert judged(judge, [f"{beat} 5", "9 5"]) == ""
    assert judged(judge, ["7 5", "9 5"], suspicious=True).startswith("process 1 of 2 stopped answering")


def test_one_that_lives_but_stays_behind_hangs():
    judge = Judge(3, PATIENCE)
    assert judged(judge, ["1 8", "1 8", "1 8"]) == ""
    for beat in range(2, 102):
        assert judged(judge, [f"{beat} 9", f"{beat} 8", f"{beat} 9"]) == ""
    verdict = judged(judge, ["102 9", "102 8", "102 9"])
    assert verdict.startswith("process 1 of 3 hangs: alive, but behind the others")


def test_where_all_wait_for_something_long_nobody_hangs():
    judge = Judge(2, PATIENCE)
    for beat in range(1000):
        assert judged(judge, [f"{beat} 9", f"{beat} 9"]) == ""


@pytest.fixture
def processes(monkeypatch):
    """start(count) -> store, pulses, ends: what each process would have ended with, (text, code)."""
    started: list[Pulse] = []
    ends: dict[int, tuple[str, int]] = {}

    def end(self, text, code):
        if not self._closing.is_set():
            ends.setdefault(self._index, (text, code))
            self._closing.set()

    def start(count, patience=QUICK):
        store = Store()
        pulses = [Pulse(store, index, count, "host:1", patience) for index in range(count)]
        started.extend(pulses)
        for pulse in pulses:
            pulse.start()
        return store, pulses, ends

    monkeypatch.setattr(Pulse, "_end", end)
    monkeypatch.setattr("gan_jax.distributed.hosts.heartbeat._GRACE_SECONDS", 0.3)
    yield start
    for pulse in started:
        pulse.close()


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def calls_until_stopped(pulse, stop, pause, begun):
    """A loop of calls, each as long as `pause`; appends to `begun` and returns the signal."""
    while (signum := pulse.stop_signal(stop)) is None:
        begun.append(1)
        time.sleep(pause)
    return signum


def test_all_stop_after_the_same_call_however_fast_each_is(processes):
    _, pulses, ends = processes(3, Patience(lost=20.0, stalled=20.0, beat=0.02))
    stops, signals = [StopRequest() for _ in pulses], [0, 0, 0]
    begun: list[list[int]] = [[], [], []]

    def loop(number, pause):
        signals[number] = calls_until_stopped(pulses[number], stops[number], pause, begun[number])

    threads = [
        threading.Thread(target=loop, args=(i, pause)) for i, pause in enumerate((0.001, 0.003, 0.009))
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    stops[1].signum = 15
    for thread in threads:
        thread.join(20)
    assert signals == [15, 15, 15]
    assert len(begun[0]) == len(begun[1]) == len(begun[2]) > 20
    assert not ends


def test_without_a_request_every_call_goes_on_at_once(processes):
    _, pulses, _ = processes(2)
    stop, began = StopRequest(), time.perf_counter()
    for _ in range(1000):
        assert pulses[0].stop_signal(stop) is None
    assert (time.perf_counter() - began) / 1000 < 1e-3  # seconds; it is a microsecond, on a machine at rest


def test_a_killed_process_ends_all_others_with_its_name(processes):
    _, pulses, ends = processes(3)
    time.sleep(0.1)
    pulses[2].close()
    until(lambda: len(ends) == 2)
    assert {index: code for index, (_, code) in ends.items()} == {0: 1, 1: 1}
    for text, _ in ends.values():
        assert text.startswith("process 2 of 3 stopped answering")


def test_a_frozen_coordinator_ends_the_others(processes):
    store, _, ends = processes(2)
    time.sleep(0.1)
    store.frozen.set()
    until(lambda: 1 in ends)
    assert ends[1][0].startswith("process 0 of 2 (the coordinator, host:1) has not answered for 1 s")
    store.frozen.clear()


@pytest.mark.parametrize("failing", [0, 1])
def test_what_one_process_alone_raises_ends_the_others_with_its_words(failing, processes):
    store, pulses, ends = processes(2)
    group = Group(store, pulses[failing], failing, 2)
    with pytest.raises(UserError), group.propagate_errors():
        raise UserError("the disk is full")
    until(lambda: 1 - failing in ends)
    assert ends[1 - failing] == (f"process {failing} of 2 ended: the disk is full", 1)
    until(lambda: failing in ends)  # where its main thread cannot end, it is ended
    assert ends[failing] == ("the disk is full", 1)


def test_what_all_raise_is_told_by_each_itself(processes):
    store, pulses, ends = processes(2)
    with pytest.raises(Interrupted), Group(store, pulses[1], 1, 2).propagate_errors():
        raise Interrupted(15, "stopped", everywhere=True)
    time.sleep(0.2)
    assert f"{SAID}end" not in store.values
    assert not ends


def test_a_signal_to_one_process_before_the_loop_ends_all_with_its_code(processes):
    store, pulses, ends = processes(2)
    with pytest.raises(Interrupted), Group(store, pulses[1], 1, 2).propagate_errors():
        raise Interrupted(15, "stopped")
    until(lambda: 0 in ends)
    assert ends[0] == ("process 1 of 2 ended: stopped", 143)
    assert json.loads(store.values[f"{SAID}end"])["by"] == 1


def test_a_broken_connection_is_the_fault_of_whoever_is_silent(processes):
    store, pulses, ends = processes(3)
    pulses[1].close()

    def main():
        with pytest.raises(ValueError, match="Gloo"), Group(store, pulses[2], 2, 3).propagate_errors():
            raise ValueError("Gloo all-reduce failed")

    thread = threading.Thread(target=main)
    thread.start()
    until(lambda: {0, 2} <= ends.keys())
    thread.join(20)
    for index in (0, 2):
        assert ends[index][0].startswith("process 1 of 3 stopped answering")


def test_an_agreement_is_computed_once(processes):
    store, pulses, _ = processes(3)
    groups = [Group(store, pulse, index, 3) for index, pulse in enumerate(pulses)]
    calls: list[str] = []
    found: list[list[object]] = [[], [], []]

    def computed(value):
        calls.append(value)
        return [value]

    def one(number):
        for value in ("first", "second"):
            found[number].append(groups[number].broadcast_from_first(lambda value=value: computed(value)))
        found[number].append(groups[number].collect(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert calls == ["first", "second"]
    assert found == [[["first"], ["second"], [0, 1, 2]]] * 3


def test_how_two_configs_differ():
    one = {"a": 1, "b": {"c": 2, "d": 3}}
    assert differing(one, one) == []
    assert differing(one, {"a": 1, "b": {"c": 5}}) == ["b.c: 2 -> 5", "b.d: 3 -> absent"]
