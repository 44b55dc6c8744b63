"""Who is missing, twice there or of another kind is said by every process, in bounded time."""

import json
import socket
import threading
import time

import pytest

from gan_jax import main
from gan_jax.distributed.hosts import Place
from gan_jax.distributed.hosts.rendezvous import bind_address, roll_call
from gan_jax.utils.errors import UserError
from tests.distributed.hosts.jobs import free_port

SAME = {"jax": "1.0"}


def call(count, ids, seconds=20.0, versions=None, counts=None):
    """The roll call of these processes, each in a thread: what each of them is told, "" if all is well."""
    address = f"127.0.0.1:{free_port()}"
    told = [""] * len(ids)

    def one(number):
        try:
            place = Place(address, counts[number] if counts else count, ids[number])
            roll_call(place, versions[number] if versions else SAME, seconds)
        except UserError as error:
            told[number] = str(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(ids))]
    for thread in reversed(threads):  # process 0 comes last
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join(seconds + 10)
    assert not any(thread.is_alive() for thread in threads)
    return told


def test_all_are_there():
    assert call(4, [0, 1, 2, 3]) == ["", "", "", ""]


def test_two_have_the_same_number():
    for told in call(3, [0, 1, 1]):
        assert told.startswith("two processes have process_id=1, on ")


def test_some_were_told_another_count():
    for told in call(0, [0, 1], counts=[2, 3]):
        assert told.startswith("process 0 was told num_processes=2 and process 1 (on ")
        assert "num_processes=3" in told


def test_versions_differ():
    for told in call(2, [0, 1], versions=[{"jax": "1.0", "flax": "1"}, {"jax": "1.1", "flax": "1"}]):
        assert "have different versions: jax 1.0 and 1.1; install the same everywhere" in told


def test_one_is_missing():
    began = time.monotonic()
    for told in call(4, [0, 1, 3], seconds=1.5):
        assert told.startswith("after 2 s process 2 of 4 had not come to 127.0.0.1:")
    assert time.monotonic() - began < 8


def test_what_else_calls_is_passed_over():
    address = f"127.0.0.1:{free_port()}"
    first = threading.Thread(target=roll_call, args=(Place(address, 2, 0), SAME, 20.0))
    first.start()
    host, port = address.split(":")
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"", json.dumps({"greeting": "?"}).encode() + b"\n"):
        deadline = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection((host, int(port)), timeout=5) as caller:
                    caller.sendall(nonsense)
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
    roll_call(Place(address, 2, 1), SAME, 20.0)
    first.join(10)
    assert not first.is_alive()


def test_the_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on port {port} .* another program uses it"):
            roll_call(Place(f"127.0.0.1:{port}", 2, 0), SAME, 2.0)


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_coordinator_that_cannot_be_reached(host, tmp_path, capsys):
    arguments = ["train", "--config", "tests/runs.py", "--workdir", str(tmp_path / "run")]
    began = time.monotonic()
    flags = [
        f"--coordinator={host}:{free_port()}",
        "--num_processes=2",
        "--process_id=1",
        "--connect_seconds=1",
    ]
    assert main.main([*arguments, *flags]) == 1
    assert time.monotonic() - began < 30
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"gan-jax: process 0 did not answer at --coordinator={host}:")
    assert "within 1 s" in said[0]
    assert "no firewall" in said[0]
    assert not (tmp_path / "run").exists()


def test_a_job_on_one_machine_is_open_to_that_one_only():
    assert bind_address(Place("127.0.0.1:61500", 2, 0)) == "127.0.0.1:61500"
    assert bind_address(Place("node1:61500", 2, 0)) == "[::]:61500"
