"""Who is missing, twice there or told something else is said by every process, in bounded time."""

import contextlib
import socket
import struct
import threading
import time

import pytest

from gan_jax import main
from gan_jax.distributed.hosts import rendezvous
from gan_jax.distributed.hosts.rendezvous import bind_address, meet, split_address
from gan_jax.utils.errors import UserError
from tests.distributed.hosts.jobs import free_port


def call(*processes, seconds=20.0):
    """What each of these (process_id, num_processes) is told when they meet; "" if all is well."""
    address = f"127.0.0.1:{free_port()}"
    told = [""] * len(processes)

    def come(number):
        index, count = processes[number]
        try:
            meet(address, count, index, seconds)
        except UserError as error:
            told[number] = str(error)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(len(processes))]
    for thread in reversed(threads):  # process 0 comes last
        thread.start()
    for thread in threads:
        thread.join(seconds + 10)
    return told


def test_all_are_there():
    assert call((0, 4), (1, 4), (2, 4), (3, 4)) == ["", "", "", ""]


@pytest.mark.parametrize(
    ("processes", "expected"),
    [
        ([(0, 3), (1, 3), (1, 3)], "two processes have process_id=1: give each its own, 0 to 2"),
        ([(0, 2), (1, 3)], "process 0 was told num_processes=2 and process 1 num_processes=3"),
        ([(0, 3), (1, 2)], "process 0 was told num_processes=3 and process 1 num_processes=2"),
        ([(0, 4), (1, 4), (3, 4)], "after 1 s process 2 of 4 had not come to 127.0.0.1:"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told_to_all(processes, expected):
    for told in call(*processes, seconds=1.0):
        assert told.startswith(expected)


@contextlib.contextmanager
def waiting(count=2, seconds=20.0):
    """Process 0, which waits for the others: a function that calls there, and what it was told at the end."""
    address = ("127.0.0.1", free_port())
    told: list[str] = []

    def wait():
        try:
            meet("{}:{}".format(*address), count, 0, seconds)
            told.append("")
        except UserError as error:
            told.append(str(error))

    first = threading.Thread(target=wait)
    first.start()
    with contextlib.ExitStack() as held:

        def caller(said=b""):
            deadline = time.monotonic() + 10
            while True:
                try:
                    connection = held.enter_context(socket.create_connection(address))
                    break
                except ConnectionRefusedError:  # it does not listen yet
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            with contextlib.suppress(OSError):  # it may have heard enough
                connection.sendall(said)
            return connection

        yield caller, "{}:{}".format(*address), told
        first.join(seconds + 10)
    assert not first.is_alive()
    assert told == [""]


NO_GREETINGS = [
    b"",
    b"\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\xff\n",
    bytes(63) + b"\n",
    b"1 2\n",
    b"gan-jax 1\n",
    b"gan-jax 1 2 3\n",
    b"gan-jax -1 2\n",
    b"gan-jax 0 2\n",
    b"gan-jax 2 2\n",
    b"gan-jax 7 2\n",
    b"gan-jax 1_0 20\n",
    b"gan-jax 1 2\ngan-jax 1 2\n",
    b"gan-jax 99999999999999999999 99999999999999999999\n",
    "gan-jax \u0661 \u0662\n".encode(),
    b"gan-jax 1 2" + b" " * 600,
]


def test_what_else_calls_is_passed_over():
    with waiting() as (caller, address, _):
        for number, nonsense in enumerate(NO_GREETINGS):
            stranger = caller(nonsense)
            if number % 3 == 0:
                stranger.close()
            elif number % 3 == 1:  # with a reset
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stranger.close()
        meet(address, 2, 1, 20.0)


def test_silent_callers_do_not_hold_up_a_start():
    """More of them than are listened to at a time, and one that says a letter now and then."""
    with waiting() as (caller, address, _):
        silent = [caller() for _ in range(150)]
        drip = caller(b"g")
        begun = time.monotonic()
        meet(address, 2, 1, 20.0)
        assert time.monotonic() - begun < 5
        assert len(silent) == 150
        with contextlib.suppress(OSError):
            drip.sendall(b"a")


def test_a_greeting_without_an_end_is_not_kept():
    with waiting() as (caller, address, _):
        flood = caller()
        flood.settimeout(10)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 2**30:
                sent += flood.send(bytes(2**16))
        assert sent < 2**25  # what the system's buffers take
        meet(address, 2, 1, 20.0)


def test_a_process_that_goes_may_come_again():
    with waiting(3) as (caller, address, _):
        caller(b"gan-jax 1 3\n").close()
        last = threading.Thread(target=meet, args=(address, 3, 2, 20.0))
        last.start()
        time.sleep(0.3)
        meet(address, 3, 1, 20.0)
        last.join(20)


def test_how_many_others_called_is_said():
    with waiting(seconds=1.0) as (caller, _, told):
        caller(b"hello\n")
        while not told:
            time.sleep(0.05)
        assert "process 1 of 2 had not come" in told[0]
        assert "(calls of others there: 1)" in told[0]
        told[0] = ""


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", r"something else answers there: b'SSH-2.0"),
        (b"\x00" * 100_000, "something else answers there"),
        (b"", "it hung up"),
        (b"gan-jax: bad\x1b[2J\xff news\n", "^bad.2J. news$"),
    ],
)
def test_what_listens_where_process_0_should(says, expected):
    """What is no answer is waited out; what is one cannot do anything to the terminal."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    with caller, contextlib.suppress(OSError):
                        caller.recv(100)
                        caller.sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(UserError, match=expected):
            meet(f"127.0.0.1:{server.getsockname()[1]}", 2, 1, 0.5)
        server.shutdown(socket.SHUT_RDWR)


def test_what_never_answers_is_not_waited_for_long(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(rendezvous, "_GRACE_SECONDS", 0.2)
        begun = time.monotonic()
        with pytest.raises(UserError, match="did not answer at --coordinator"):
            meet(f"127.0.0.1:{server.getsockname()[1]}", 2, 1, 0.5)
        assert time.monotonic() - begun < 3


def test_the_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"cannot listen at --coordinator={address}: .*in use"):
            meet(address, 2, 0, 2.0)


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_coordinator_that_cannot_be_reached(host, tmp_path, capsys):
    flags = [
        f"--coordinator={host}:{free_port()}",
        "--num_processes=2",
        "--process_id=1",
        "--connect_seconds=1",
    ]
    workdir = tmp_path / "run"
    assert main.main(["train", "--config", "tests/runs.py", "--workdir", str(workdir), *flags]) == 1
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(f"gan-jax: process 0 did not answer at --coordinator={host}:")
    assert "within 1 s" in said
    assert "no firewall" in said
    assert not workdir.exists()


def test_addresses():
    assert split_address("node1:61500") == ("node1", 61500)
    assert split_address("[fe80::1]:61500") == ("fe80::1", 61500)
    for wrong in ("a", "a:0", "a:65536", "http://a:80", ":80", "fe80::1:80", "a:x"):
        with pytest.raises(UserError, match="it must be HOST:PORT"):
            split_address(wrong)


def test_a_job_on_one_machine_is_open_to_that_one_only():
    assert bind_address("127.0.0.1:61500") == "127.0.0.1:61500"
    assert bind_address("node1:61500") is None
