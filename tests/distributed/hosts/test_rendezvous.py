"""Who is missing, twice there or told something else is said by every process, in bounded time."""

import socket
import threading
import time

import pytest

from gan_jax import main
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


def test_what_else_calls_is_passed_over():
    address = ("127.0.0.1", free_port())
    first = threading.Thread(target=meet, args=("{}:{}".format(*address), 2, 0, 20.0))
    first.start()
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"", b"\xff\n"):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(address) as caller:
                    caller.sendall(nonsense)
                break
            except OSError:
                time.sleep(0.02)
    meet("{}:{}".format(*address), 2, 1, 20.0)
    first.join(10)
    assert not first.is_alive()


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
