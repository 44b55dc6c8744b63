"""What the page says of a run at its head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gan_jax.reports.page import escaped, paragraph


@dataclass(frozen=True)
class Named:
    """A run.

    Attributes:
        name: what it is called.
        step: of the checkpoint.
        about: a line.
        class_names: in order; () where there are none.
    """

    name: str
    step: int
    about: str = ""
    class_names: Sequence[str] = ()


def header(named: Named) -> str:
    """The head of the page."""
    about = paragraph(named.about, "pale") if named.about else ""
    return f"<header>\n<h1>{escaped(named.name)}</h1>\n{about}\n</header>"
