"""The server: pages and pictures for this machine's browser, a line for everything else."""

import http.client
import io
import json
import re
import socket
import threading

import numpy as np
import pytest
from PIL import Image

from gan_jax.explorer import server as servers
from gan_jax.explorer.latents_page import LatentsPage
from gan_jax.explorer.named import Named
from gan_jax.explorer.pictures import Pictures, Point, View
from gan_jax.explorer.server import HOST, Server
from gan_jax.explorer.site import answer
from gan_jax.utils.errors import UserError
from tests.latent_tools.toys import plain, styled
from tests.reports.made import NASTY, Page


@pytest.fixture(scope="module")
def explored():
    return LatentsPage(Pictures(styled()), Named("a<b", 7, NASTY))


@pytest.fixture(scope="module")
def server(explored):
    listening = Server(explored, 0)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield listening
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def ask(server):
    """ask(target, headers, method, body) -> (status, headers, content)."""

    def call(target, headers=None, method="GET", body=None):
        connection = http.client.HTTPConnection(HOST, server.server_address[1], timeout=60)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    return call


def test_the_page_needs_nothing_from_elsewhere(ask):
    status, headers, content = ask("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = content.decode()
    # The picture and the link to it are this server's; all else must be as in a report.
    page = Page(re.sub(r' (href|src)="picture\.png"', "", text))
    assert "a<b" in page.text
    assert NASTY in page.text
    assert NASTY not in text
    assert len(page.all("input", **{"class": "move"})) == 3
    assert page.all("input", id="psi")
    assert not page.all("select", id="label")
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"\sstyle=", text)  # the policy allows none
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "Access-Control-Allow-Origin" not in headers


def test_pictures_of_queries(ask, explored):
    status, headers, content = ask("/picture.png?seed=3&moves=1.5&psi=0.5")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/png", "no-store")
    wanted = explored._pictures(View(Point(3, moves=(1.5,)), psi=0.5))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), wanted[..., 0])


def test_a_saved_picture_says_what_it_is(ask):
    _, headers, content = ask("/picture.png?seed=3&moves=1.5&save=1")
    assert headers["Content-Disposition"] == 'attachment; filename="a-b_seed3_d1+1.5.png"'
    with Image.open(io.BytesIO(content)) as picture:
        made_with = json.loads(picture.info["gan_jax"])
    assert made_with == {"run": "a<b", "step": 7, "seed": 3, "moves": [1.5], "layers": "all", "psi": 1.0}


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("/picture.png?seed=x", 400, "seed='x': a whole number"),
        ("/picture.png", 400, "seed is missing"),
        ("/etc/passwd", 404, "nothing at /etc/passwd"),
        ("/..%2f..", 404, "nothing at"),
    ],
)
def test_bad_requests_are_answered_in_a_line(ask, target, status, words):
    found, headers, content = ask(target)
    assert (found, headers["Content-Type"]) == (status, "text/plain; charset=utf-8")
    assert content.decode().count("\n") == 1
    assert words in content.decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8417"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost:9000"}, 200),  # a tunnel
        ({"Host": "[::1]:9000"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_other_sites_are_not_answered(ask, headers, status):
    for target in ("/", "/picture.png?seed=1"):
        assert ask(target, headers)[0] == status


def test_other_methods_and_what_is_sent_are_refused(ask, monkeypatch):
    assert ask("/", method="PUT")[::2] == (501, b"Unsupported method ('PUT')\n")
    assert ask("/picture.png?seed=1", method="POST", body=b"x")[0] == 404
    assert ask("/", {"Transfer-Encoding": "chunked"}, "POST")[0] == 411
    monkeypatch.setattr(servers, "_LARGEST", 3)
    assert ask("/", method="POST", body=b"long")[0] == 413


def test_what_nobody_foresaw_is_a_line_too(ask, explored, monkeypatch):
    monkeypatch.setattr(explored, "_pictures", lambda view: 1 / 0)
    assert ask("/picture.png?seed=1")[::2] == (500, b"unexpected ZeroDivisionError: division by zero\n")


def test_an_address_that_is_none(explored):
    found = answer(explored, "http://[::1/", {"host": "localhost"}, None)
    assert (found.status, found.content) == (400, b"Invalid IPv6 URL\n")


def test_a_port_in_use(explored, server, monkeypatch):
    port = server.server_address[1]
    with pytest.raises(UserError, match=f"port {port} is in use: choose another, or 0"):
        Server(explored, port)
    monkeypatch.setattr(servers, "PORT", port)
    with Server(explored, None) as other:
        assert other.server_address[1] not in (0, port)
        assert other.address == f"http://127.0.0.1:{other.server_address[1]}/"


def test_it_listens_on_this_machine_alone(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.socket.family == socket.AF_INET


def test_classes_are_chosen_by_their_names():
    page = Page(
        re.sub(
            r' (href|src)="picture\.png"',
            "",
            LatentsPage(Pictures(plain(condition="one_hot")), Named("r", 1, "", ("x", NASTY, "z"))).page,
        )
    )
    assert page.all("select", id="label")
    assert [own["value"] for own in page.all("option")] == ["0", "1", "2"]
    assert NASTY in page.text
    assert not page.all("input", id="psi")
