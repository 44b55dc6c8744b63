"""The scores of runs as a table, with dashes where a run has none."""

from __future__ import annotations

from collections.abc import Sequence

from gan_jax.evaluation.protocol import score_table
from gan_jax.reports.page import NOTHING, bullets, folded, paragraph, table
from gan_jax.reports.run_facts import RunFacts


def scores_of(runs: Sequence[RunFacts]) -> tuple[list[list[str]], list[str]]:
    """The runs' scores as rows of texts, the head first, and what they mean; unscored runs have dashes.

    ([], []) where no run is scored.
    """
    records = [record for run in runs for record in run.shown_scores]
    if not records:
        return [], []
    rows, notes = score_table(records)
    scored = {record.fake for record in records}
    rows[0][0] = "run"
    rows += [[run.name, f"{run.step}"] for run in runs if run.name not in scored]
    width = len(rows[0])
    return [[cell or NOTHING for cell in (*row, *[""] * (width - len(row)))] for row in rows], notes


def scores_body(runs: Sequence[RunFacts]) -> str:
    """`scores_of` as a part of a page."""
    rows, notes = scores_of(runs)
    if not rows:
        return paragraph(f"Not scored yet: gan-jax evaluate --fake={runs[0].folder}", "pale")
    return "\n".join([table(rows), folded("What the scores mean", bullets(notes))])
