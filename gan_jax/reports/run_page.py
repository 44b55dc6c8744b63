"""report.html of a run: what it is, how far it has come, its curves, samples and scores, its config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.config.defaults import set_fields
from gan_jax.reports.charts import charts
from gan_jax.reports.grown import embedded, grown, sample_grids
from gan_jax.reports.page import NOTHING, code, escaped, facts, folded, page, paragraph, section, table
from gan_jax.reports.panels import loss_panels, score_panels
from gan_jax.reports.run_facts import RunFacts, run_facts
from gan_jax.reports.score_rows import scores_body
from gan_jax.reports.words import duration, hardware, value_text, versions, what_it_is
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import write_atomically
from gan_jax.utils.names import counted

FILE = "report.html"


def write_run_report(folder: Path, record: Mapping[str, Any], out: Path | None = None) -> Path:
    """Writes the report of a run, whose config.json the caller has read, and returns where.

    Args:
        out: where; None for report.html in the run's folder.

    Raises:
        UserError: the run's losses are damaged; the disk is full or the folder cannot be written to.
    """
    out = out or folder / FILE
    write_atomically(out, run_page(run_facts(folder, record)).encode())
    return out


def run_page(run: RunFacts) -> str:
    """The page."""
    scores, losses = score_panels([run]), loss_panels([run])
    return page(
        f"{run.name}: gan_jax",
        f"<header>\n<h1>{escaped(run.name)}</h1>\n{_lead(run)}\n</header>",
        section("Progress", facts(_progress(run))),
        section("Samples", _samples(run)),
        section("Scores", scores_body([run]), charts(scores)),
        section("Curves", charts(losses), _how_drawn() if losses else ""),
        section("Config", *_config(run)),
        section("Provenance", *_provenance(run)),
    )


def _lead(run: RunFacts) -> str:
    parts = [paragraph(run.headline, "lead")] if run.headline else []
    return "\n".join([*parts, facts(what_it_is(run).items())])


def _progress(run: RunFacts) -> Iterable[tuple[str, object]]:
    total, step = int(run.fields.get("num_steps", 0)), run.step
    share = f" ({100 * step / total:.0f} %)" if total else ""
    yield "steps", f"{step:,} of {total:,}{share}"
    batch = run.fields.get("batch_size")
    yield "images seen", f"{step * batch:,} in batches of {batch:,}" if isinstance(batch, int) else None
    if phases := run.fields.get("phases"):
        yield "phases", ", ".join(f"{p.get('name')} ({p.get('num_steps', 'the rest')})" for p in phases)
    yield "time trained", duration(run)
    rates = [row["steps_per_second"] for row in run.rows if row["steps_per_second"]]
    yield "speed", f"{np.median(rates):.4g} steps per second (median)" if rates else None
    for folder, name in (("checkpoints", "checkpoints"), ("best", "best checkpoint")):
        steps = sorted(int(path.name) for path in (run.folder / folder).glob("*") if path.name.isdigit())
        best = f", by {run.best['score']} {run.best['value']:.4g}" if folder == "best" and run.best else ""
        yield name, f"step {', '.join(f'{s:,}' for s in steps)}{best}" if steps else None


def _samples(run: RunFacts) -> str:
    series = {name.replace("_", " ") or "samples": found for name, found in sample_grids(run.folder).items()}
    reals = {}
    for path in sorted(run.folder.glob("reals*.png")):
        if (picture := embedded(path)) is not None:
            side = path.stem.removeprefix("reals").replace("_", " ").strip()
            reals[f"real examples: {side}" if side else "real examples"] = picture
    return grown(series, reals)


def _how_drawn() -> str:
    return paragraph(
        "Thick: the moving mean over a hundredth of the run. Pale: every step. A panel for each quantity.",
        "pale",
    )


def _config(run: RunFacts) -> list[str]:
    """What the config sets, then everything, and the file."""
    parts = []
    try:
        changed = set_fields(run.config)
    except (UserError, ValueError, KeyError, TypeError, AttributeError):  # of another version
        changed = {}
    rows = [[name, value_text(value), value_text(default)] for name, (value, default) in changed.items()]
    parts.append(paragraph(f"What differs from the defaults, {counted(len(rows), 'field')}:") if rows else "")
    parts.append(table([["field", "value", "default"], *rows]))
    every = [[name, value_text(value)] for name, value in run.fields.items()]
    parts.append(folded(f"All {counted(len(every), 'field')}", table([["field", "value"], *every])))
    if (source := run.source) is not None:
        parts.append(folded(f"The config file {run.record['source']['file']}", code(source)))
    return parts


def _provenance(run: RunFacts) -> list[str]:
    record = run.record
    last = record["starts"][-1]
    pairs: list[tuple[str, object]] = [
        ("began", record["starts"][0].get("time")),
        ("last start", last.get("time") if len(record["starts"]) > 1 else None),
        ("hardware", hardware(last)),
        ("versions", versions(last)),
        ("git revision", last.get("git_revision")),
        ("deterministic", "yes" if last.get("deterministic") else None),
        ("XLA flags", last.get("xla_flags")),
        ("data", record["data"].get("fingerprint")),
    ]
    source = record.get("source") or {}
    for name, digest in (source.get("sha256") or {}).items():
        pairs.append((f"source {name}", f"sha256 {digest}"))
    pairs.append(("own components", ", ".join(source.get("components") or ())))
    for name, digest in (record.get("frozen") or {}).items():
        pairs.append((f"pretrained {name}", digest))
    if origin := record.get("init_from"):
        pairs.append(("begun with", f"the weights of {origin.get('run')}, step {origin.get('step')}"))
    starts = [["start", "hardware", "gan-jax", "jax", "git revision"]]
    for start in record["starts"]:
        packages = start.get("packages") or {}
        own = [str(packages.get(name) or NOTHING) for name in ("gan-jax", "jax")]
        starts.append(
            [
                str(start.get("time", NOTHING)),
                hardware(start),
                *own,
                str(start.get("git_revision") or NOTHING),
            ]
        )
    count = len(starts) - 1
    return [facts(pairs), folded(f"All {count} starts", table(starts)) if count > 1 else ""]
