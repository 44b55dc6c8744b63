"""Downloads from servers that misbehave: one line for each, and no more memory than was agreed."""

import gzip
import socket
import threading
import time

import pytest

from gan_jax.data import download as module
from gan_jax.data import idx
from gan_jax.data.download import download
from gan_jax.data.idx import Mnist, _unpack
from gan_jax.utils.errors import UserError


@pytest.fixture
def serve():
    """Starts a server that answers one call with these parts, with pauses between: its address."""
    opened = []

    def start(*parts, pause=0.0):
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(0.5)

        def answer():
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(10_000)
                    for part in parts:
                        connection.sendall(part)
                        time.sleep(pause)
            except OSError:  # hung up on, which is what is tested, or never called
                pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        opened.append((listening, thread))
        return f"http://127.0.0.1:{listening.getsockname()[1]}/file.gz"

    yield start
    for listening, thread in opened:
        thread.join(5)
        listening.close()


def get(*urls):
    return download(urls, lambda body, url: body, "Do something else.", 1000)


def answer(body, length=None, status="200 OK"):
    length = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n".encode() + body


def test_a_body_comes_back(serve):
    assert get(serve(answer(b"x" * 1000))) == b"x" * 1000
    assert get(serve(b"HTTP/1.0 200 OK\r\n\r\n", b"without a length")) == b"without a length"
    assert get(serve(answer(b"abc", "three")), serve(answer(b"abc"))) == b"abc"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([answer(b"x" * 1001)], "longer than 1000 bytes"),
        ([answer(b"x", 10**15)], "longer than 1000 bytes"),
        ([b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 600] * 5], "longer than 1000 bytes"),
        ([answer(b"x" * 10, 20)], "cut off after 10 of 20 bytes"),
        ([b"SSH-2.0-OpenSSH\r\n"], "BadStatusLine"),
        ([b""], "RemoteDisconnected|Remote end closed"),
        ([b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"], "got more than 100 headers"),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000], "LineTooLong"),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"],
            "IncompleteRead|invalid literal",
        ),
        ([b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"], "not allowed|302"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://[:::1/\r\n\r\n"], "Invalid IPv6|URL"),
    ],
)
def test_servers_that_misbehave(serve, parts, message):
    with pytest.raises(UserError, match=message) as told:
        get(serve(*parts))
    assert "\n" not in str(told.value)
    assert "Do something else." in str(told.value)


def test_a_server_that_drips(serve, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(UserError, match="is too slow: "):
        get(serve(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 20, pause=0.05))


def test_what_unpacks_to_too_much_is_another_file(monkeypatch):
    monkeypatch.setattr(idx, "_MOST_BYTES", 2**20)
    bomb = gzip.compress(bytes(2**21))
    assert len(bomb) < 2**14
    with pytest.raises(UserError, match="unpacks to more than 1048576 bytes"):
        _unpack(bomb, "file.gz")


def test_https_comes_first():
    from gan_jax.data import catalog

    for builder in catalog.DATASETS.values():
        mirrors = list(getattr(builder, "MIRRORS", ()))
        assert mirrors == sorted(mirrors, key=lambda url: not url.startswith("https://"))
    assert Mnist.MIRRORS
