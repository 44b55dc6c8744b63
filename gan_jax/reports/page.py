"""The parts of a page: one HTML file without anything from elsewhere, for wide screens and phones.

Texts are escaped here: what is given to these functions is plain text, but where it is called a body.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files as resources

NOTHING = "\u2013"  # a dash, in a cell without a value
_NUMBER = re.compile(rf"[-+]?[\d.,]+(e[-+]?\d+)?%?( ± .*)?|nan|inf|{NOTHING}|")


def escaped(text: object) -> str:
    """Text as it may stand between tags and in attributes with double quotes."""
    return html.escape(str(text), quote=True)


def page(title: str, *bodies: str, style: str = "", script: str | None = None) -> str:
    """The whole file.

    Args:
        style: CSS beside that of every page.
        script: JavaScript in the place of that of the reports.
    """
    style = resource("gan_jax.reports", "page.css") + style
    script = resource("gan_jax.reports", "page.js") if script is None else script
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, bodies))
        + f"\n</main>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def resource(package: str, name: str) -> str:
    """A text file that is a part of a package."""
    return resources(package).joinpath(name).read_text(encoding="utf-8")


def section(heading: str, *bodies: str) -> str:
    """A part with a heading; "" where it would be empty."""
    kept = [body for body in bodies if body]
    return "\n".join(["<section>", f"<h2>{escaped(heading)}</h2>", *kept, "</section>"]) if kept else ""


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `kind` is a class of page.css."""
    return f'<p class="{kind}">{escaped(text)}</p>' if kind else f"<p>{escaped(text)}</p>"


def bullets(texts: Iterable[str]) -> str:
    """A list of lines; "" for none."""
    lines = [f"<li>{escaped(text)}</li>" for text in texts]
    return "\n".join(["<ul>", *lines, "</ul>"]) if lines else ""


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names with what they are, a line each; those that are None or "" are left out."""
    kept = [(name, value) for name, value in pairs if value not in (None, "")]
    lines = [f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in kept]
    return "\n".join(["<dl>", *lines, "</dl>"]) if lines else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts, the head first; it scrolls sideways where it is too wide. "" without a row below it."""
    if len(rows) < 2:
        return ""
    head = "".join(f"<th>{escaped(cell)}</th>" for cell in rows[0])
    lines = ["".join(map(_cell, row)) for row in rows[1:]]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="wide">\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _cell(text: str) -> str:
    kind = ' class="number"' if _NUMBER.fullmatch(text) else ""
    return f"<td{kind}>{escaped(text)}</td>"


def folded(summary: str, body: str) -> str:
    """A body that is shown when its summary is clicked; "" without one."""
    if not body:
        return ""
    return f"<details>\n<summary>{escaped(summary)}</summary>\n{body}\n</details>"


def code(text: str) -> str:
    """Text as it is, letter by letter."""
    return f"<pre><code>{escaped(text)}</code></pre>"


def data_uri(content: bytes, kind: str) -> str:
    """A file inside the page; `kind` such as "image/png"."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def image(uri: str, about: str) -> str:
    """A picture from a `data_uri`, and what it shows for who cannot see it."""
    return f'<img src="{escaped(uri)}" alt="{escaped(about)}">'
