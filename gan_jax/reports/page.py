"""The parts of a page: one HTML file without anything from elsewhere, for wide screens and phones.

Texts are escaped here: what is given to these functions is plain text, but where it is called a body.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources

NOTHING = "\u2013"  # a dash, in a cell without a value
_BREAKS = re.compile(r"(?<=[._/,=])(?=[^\W\d_])")  # where a long name may go on in the next line
_NUMBER = re.compile(rf"[-+]?[\d.,]+(e[-+]?\d+)?%?( ± .*| \[.*\])?( \(.*\))?|nan|inf|{NOTHING}|")


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
    columns = [_is_number(column) for column in zip(*rows[1:], strict=True)]
    lines = ["".join(map(_cell, row, columns)) for row in rows[1:]]
    head = "".join(
        f"<th{_NUMBER_CLASS * number}>{escaped(cell)}</th>"
        for cell, number in zip(rows[0], columns, strict=True)
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="wide">\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


_NUMBER_CLASS = ' class="number"'


def _is_number(column: Sequence[str]) -> bool:
    """Whether all cells of a column are numbers, or nothing."""
    return all(map(_NUMBER.fullmatch, column)) and any(cell not in ("", NOTHING) for cell in column)


def _cell(text: str, number: bool) -> str:
    return (
        f"<td{_NUMBER_CLASS * number}>{escaped(text) if number else _BREAKS.sub('<wbr>', escaped(text))}</td>"
    )


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


@dataclass(frozen=True)
class Embedded:
    """A picture inside a page.

    Attributes:
        uri: a `data_uri`.
        width, height: in pixels; a page that knows them does not jump while it opens.
    """

    uri: str
    width: int
    height: int


def image(picture: Embedded, about: str, attributes: str = "") -> str:
    """A picture, and what it shows for who cannot see it.

    Args:
        attributes: further ones, as they stand in the tag.
    """
    given = f"{attributes} " if attributes else ""
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<img {given}src="{escaped(picture.uri)}" {size} alt="{escaped(about)}">'
