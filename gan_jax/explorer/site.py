"""Answers of the local page: which address gives what, and what is refused.

Only pages of this machine are answered. A browser lets any site point a name of its own at 127.0.0.1 (DNS
rebinding), which the Host header gives away, and embed addresses of other sites, which Sec-Fetch-Site says. A
link to this one may be followed: what it leads to is not shown to the site it is on.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from absl import logging

from gan_jax.utils.errors import UserError
from gan_jax.utils.memory import is_out_of_memory

HOSTS = ("127.0.0.1", "localhost", "[::1]")  # at any port: a tunnel may end at another
TEXT, HTML, PNG = "text/plain; charset=utf-8", "text/html; charset=utf-8", "image/png"
_OWN = ("same-origin", "none")  # none: typed in, or a bookmark


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    Attributes:
        status: of HTTP.
        kind: the content's type.
        content: what is sent.
        headers: beside those of every answer.
    """

    status: int
    kind: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Explored(Protocol):
    """A run as its page shows it."""

    page: str

    def answer(self, path: str, query: str, body: bytes | None) -> Answer | None:
        """What is at an address below the page; None for nothing.

        Args:
            body: what was sent with a POST; None of a GET.

        Raises:
            UserError: what is asked for is wrong; its message is a line.
        """


def answer(explored: Explored, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """The answer to a GET (without a body) or a POST; never an error.

    Args:
        target: the address without the host, as it was asked for.
        headers: of the request, by their names in lower case.
    """
    if (refusal := refused(headers)) is not None:
        return refusal
    try:
        parts = urlsplit(target)
        if parts.path in ("/", "/index.html") and body is None:
            return Answer(
                200, HTML, explored.page.encode(), {"Content-Security-Policy": policy(explored.page)}
            )
        if parts.path == "/favicon.ico":
            return Answer(204, TEXT, b"")  # browsers ask for it
        found = explored.answer(parts.path, parts.query, body)
    except (UserError, ValueError) as error:
        return line(400, str(error))
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        if is_out_of_memory(error):
            what = "not enough memory for it"
        logging.error("%s: %s", target[:200], what)
        return line(500, f"unexpected {what}")
    return found or line(404, f"there is nothing at {parts.path[:80]}")


def refused(headers: Mapping[str, str]) -> Answer | None:
    """The refusal of what does not come from a page of this machine; None of what does."""
    host = re.sub(r":\d+$", "", headers.get("host", ""))
    if host.lower() not in HOSTS:
        return line(403, f"only {' and '.join(HOSTS[:2])} are answered")
    followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    if headers.get("sec-fetch-site", "none") not in _OWN and not followed:
        return line(403, "other sites are not answered")
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{headers['host']}":
        return line(403, "other sites are not answered")
    return None


def line(status: int, text: str) -> Answer:
    """A text of one line."""
    return Answer(status, TEXT, ("; ".join(text.splitlines())[:500] + "\n").encode())


def policy(page: str) -> str:
    """The Content-Security-Policy of a page: its own styles and scripts, this server's pictures, no more."""

    def digests(tag: str) -> str:
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        sums = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found)
        return " ".join(f"'sha256-{one}'" for one in sums)

    return (
        f"default-src 'none'; script-src {digests('script')}; style-src {digests('style')}; "
        "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
