"""Several runs beside each other: what they are, where their configs differ, curves, samples and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_jax.reports.charts import charts
from gan_jax.reports.grown import embedded_pixels, grown, main_grids
from gan_jax.reports.page import NOTHING, escaped, page, paragraph, section, table
from gan_jax.reports.panels import Panel, loss_panels, score_panels
from gan_jax.reports.run_facts import RunFacts
from gan_jax.reports.score_rows import scores_body
from gan_jax.reports.words import duration, hardware, value_text, what_it_is
from gan_jax.utils.names import counted


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other.

    Attributes:
        runs: with different names.
        drawn: samples of each run, by its name: the step and uint8 [h, w, C]; {} where the newest grids of
            the runs are shown, as they drew them while they trained.
        how: what is to be said of the samples.
    """

    runs: Sequence[RunFacts]
    drawn: Mapping[str, tuple[int, np.ndarray]]
    how: str = ""

    @property
    def grids(self) -> dict[str, dict[int, Path]]:
        """Of each run its sample grids by step."""
        return {run.name: main_grids(run.folder) for run in self.runs}

    def panels(self) -> tuple[list[Panel], list[Panel]]:
        """Curves of what was recorded at every step, and of scores."""
        return loss_panels(self.runs), score_panels(self.runs)

    def table_of_runs(self) -> list[list[str]]:
        """A row for each run, the head first."""
        rows = [
            ["run", "method", "data", "seed", "steps", "time trained", "hardware", "gan-jax", "git revision"]
        ]
        for run in self.runs:
            start, words = run.record["starts"][-1], what_it_is(run)
            version = (start.get("packages") or {}).get("gan-jax")
            told = [words["method"], words["data"], words["seed"]]
            steps = f"{run.step:,} of {run.fields.get('num_steps', 0):,}"
            revision = str(start.get("git_revision") or "")[:12]
            rest = [steps, duration(run), hardware(start), version, revision]
            rows.append([run.name, *told, *(str(value or NOTHING) for value in rest)])
        return rows

    def differences(self) -> list[list[str]]:
        """The fields in which the configs differ, a column for each run, the head first."""
        fields = [run.fields for run in self.runs]
        names = list(dict.fromkeys(name for found in fields for name in found))
        rows = [["field", *(run.name for run in self.runs)]]
        for name in names:
            cells = [value_text(found[name]) if name in found else NOTHING for found in fields]
            if len(set(cells)) > 1:
                rows.append([name, *cells])
        return rows


def comparison_page(compared: Comparison) -> str:
    """The page; it holds all it needs."""
    losses, scores = compared.panels()
    differing = compared.differences()
    names = ", ".join(run.name for run in compared.runs)
    return page(
        f"{names}: gan_jax",
        f"<header>\n<h1>{escaped(' / '.join(run.name for run in compared.runs))}</h1>\n</header>",
        section("Runs", table(compared.table_of_runs())),
        section("Samples", _samples(compared), paragraph(compared.how, "pale") if compared.how else ""),
        section("Scores", scores_body(compared.runs), charts(scores)),
        section(
            "Where the configs differ",
            table(differing) or paragraph("Nowhere."),
            paragraph(counted(len(differing) - 1, "field"), "pale") if len(differing) > 1 else "",
        ),
        section(
            "Curves",
            charts(losses),
            paragraph("The moving mean over a hundredth of each run.", "pale") if losses else "",
        ),
    )


def _samples(compared: Comparison) -> str:
    if not compared.drawn:
        return grown(compared.grids)
    pictures = {
        f"{name}, step {step:,}": embedded_pixels(pixels) for name, (step, pixels) in compared.drawn.items()
    }
    return grown({}, pictures)
