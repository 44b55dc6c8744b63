"""The server of the local page: Python's own, on 127.0.0.1."""

from __future__ import annotations

import contextlib
import errno
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gan_jax.explorer.site import Answer, Explored, answer, line, refused
from gan_jax.utils.errors import UserError

HOST = "127.0.0.1"
PORT = 8417  # that is tried first
_LARGEST = 64 * 2**20  # bytes that may be sent
_IDLE_SECONDS = 60


class Server(ThreadingHTTPServer):
    """Listens from the start; `serve_forever` answers, a thread for each connection."""

    daemon_threads = True

    def __init__(self, explored: Explored, port: int | None) -> None:
        """Listens on this port; 0 for any free one, None for the usual one or else any.

        Raises:
            UserError: the port is in use, or may not be used.
        """
        self.explored = explored
        try:
            super().__init__((HOST, PORT if port is None else port), _Handler)
        except OSError as error:
            if port is None and error.errno == errno.EADDRINUSE:
                super().__init__((HOST, 0), _Handler)
                return
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise UserError(f"port {PORT if port is None else port} {why}: choose another, or 0") from None

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is none."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "gan_jax"
    sys_version = ""
    timeout = _IDLE_SECONDS
    server: Server

    def do_GET(self) -> None:
        told = self._told()
        if {"content-length", "transfer-encoding"} & set(told):
            self.close_connection = True  # what was sent along is not read
        self._send(answer(self.server.explored, self.path, told, None))

    def do_POST(self) -> None:
        told = self._told()
        length = told.get("content-length", "")
        refusal = refused(told)  # before anything is read
        if refusal is None and not (length.isascii() and length.isdigit()):
            refusal = line(411, "the length of what is sent is missing")
        elif refusal is None and int(length) > _LARGEST:
            refusal = line(413, f"at most {_LARGEST // 2**20} MB can be sent")
        if refusal is not None:
            self.close_connection = True
            self._send(refusal)
            return
        self._send(answer(self.server.explored, self.path, told, self.rfile.read(int(length))))

    def _told(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _send(self, found: Answer) -> None:
        self.send_response(found.status)
        given = {
            "Content-Type": found.kind,
            "Content-Length": str(len(found.content)),
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            **found.headers,
            **({"Connection": "close"} if self.close_connection else {}),
        }
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(found.content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the server itself refuses, in a line too."""
        self.close_connection = True
        self._send(line(code, message or "this cannot be answered"))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is said of requests."""
