"""report.html of a study: its report.md as a page, with the figures inside."""

from __future__ import annotations

import re
from pathlib import Path

from gan_jax.reports.grown import embedded
from gan_jax.reports.page import code, escaped, image, page, table
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors, write_atomically

MARKDOWN, FILE = "report.md", "report.html"
_FIGURE = re.compile(r"!\[(.*)\]\(([\w .=-]+\.png)\)")
_INLINE = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*(?!\*)")


def write_study_page(folder: Path, out: Path | None = None) -> Path:
    """Writes the page of a study from the report.md and the figures in its folder; returns where.

    Args:
        out: where; None for report.html in the folder.

    Raises:
        UserError: there is no report.md; the disk is full or the folder cannot be written to.
    """
    path = folder / MARKDOWN
    if not path.is_file():
        raise UserError(
            f"{folder} has no {MARKDOWN} yet: gan-jax study {folder} --merge makes it of the results so far"
        )
    with disk_errors(f"read {path}"):
        text = path.read_text(encoding="utf-8", errors="replace")
    out = out or folder / FILE
    write_atomically(out, study_page(text, folder).encode())
    return out


def study_page(text: str, folder: Path) -> str:
    """The page of what `study.report` writes: headings, tables, lists, code, figures and paragraphs."""
    blocks = [block for block in re.split(r"\n{2,}", text.strip()) if block.strip()]
    first = blocks[0].removeprefix("# ") if blocks and blocks[0].startswith("# ") else folder.resolve().name
    return page(f"{first}: gan_jax", *(_block(block, folder) for block in blocks))


def _block(block: str, folder: Path) -> str:
    lines = block.splitlines()
    if block.startswith("```"):
        return code("\n".join(line for line in lines if not line.startswith("```")))
    if heading := re.match(r"(#+) (.*)", block):
        level = min(3, len(heading[1]))
        return f"<h{level}>{_inline(heading[2])}</h{level}>"
    if figure := _FIGURE.fullmatch(block):
        return _figure(figure[1], folder / figure[2])
    if block.startswith("|") and len(lines) > 1:
        return table([_cells(line) for line in (lines[0], *lines[2:])])
    if block.startswith("- "):
        return _list(lines)
    return f"<p>{_inline(block)}</p>"


def _list(lines: list[str]) -> str:
    """A list, with one below an item where lines are indented."""
    parts: list[str] = ["<ul>"]
    below = False
    for line in lines:
        deeper = line.startswith("  ")
        if deeper != below:
            parts.append("<ul>" if deeper else "</li></ul></li>")
        elif len(parts) > 1:
            parts.append("</li>")
        parts.append(f"<li>{_inline(line.strip().removeprefix('- '))}")
        below = deeper
    parts.append("</li></ul></li></ul>" if below else "</li></ul>")
    return "".join(parts)


def _figure(about: str, path: Path) -> str:
    """A figure of the study's folder, inside the page; what is not there is left out."""
    found = embedded(path, figure=True) if path.is_file() else None
    return f"<figure>\n{image(found, about)}\n</figure>" if found else ""


def _cells(line: str) -> list[str]:
    """The cells of a table's row, as plain text."""
    cells = re.split(r"(?<!\\)\|", line.strip())[1:-1]
    return [re.sub(r"`|\*\*", "", cell).replace("\\|", "|").strip() for cell in cells]


def _inline(text: str) -> str:
    """Text with its code and what is bold."""

    def marked(found: re.Match[str]) -> str:
        return f"<code>{found[1]}</code>" if found[1] else f"<b>{_inline_escaped(found[2])}</b>"

    return _INLINE.sub(marked, escaped(text).replace("\n", " "))


def _inline_escaped(text: str) -> str:
    """The code inside what is bold; the text is escaped already."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
