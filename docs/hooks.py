"""A hook of MkDocs: pages may link to files beside docs/, and these come with the site.

docs/course.md links to ../experiments/dirac_gan/README.md, as it must to be read in the repository. That file
becomes a page of the site, with its pictures and whatever else it links to, and the links between pages are
written anew. A link to nothing is left as it is, for MkDocs to warn of.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parent.resolve()
ROOT = DOCS.parent
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")


def on_files(files: Files, config: Any) -> Files:
    """Adds each file that a page links to, and what the pages among them link to."""
    pages = [Path(file.abs_src_path) for file in files.documentation_pages() if file.abs_src_path]
    while pages:
        for target in linked(pages.pop()):
            if files.get_file_from_path(place(target)) is None:
                files.append(File.generated(config, place(target), abs_src_path=str(target)))
                if target.suffix == ".md":
                    pages.append(target)
    return files


def on_page_markdown(markdown: str, *, page: Any, files: Files, **_: Any) -> str:
    """A page whose links lead to the places of files in the site."""
    here = Path(page.file.abs_src_path).parent
    folder = posixpath.dirname(page.file.src_uri)

    def mended(found: re.Match[str]) -> str:
        target = place((here / found[1]).resolve())
        if files.get_file_from_path(target) is None:
            return found[1]
        return posixpath.relpath(target, folder or ".")

    return LINK.sub(mended, markdown)


def linked(page: Path) -> Iterator[Path]:
    """The files that a page links to."""
    for found in LINK.finditer(page.read_text()):
        target = (page.parent / found[1]).resolve()
        if target.is_file() and target.is_relative_to(ROOT):
            yield target


def place(target: Path) -> str:
    """Where a file of the repository lies in the site; the README is the home page."""
    if target == ROOT / "README.md":
        return "index.md"
    return target.relative_to(DOCS if target.is_relative_to(DOCS) else ROOT).as_posix()
