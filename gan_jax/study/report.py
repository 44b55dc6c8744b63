"""The report of a study as Markdown: a ranking, paired comparisons, and what is needed to judge them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax.study.figures import curves_name, ranking_name
from gan_jax.study.markdown import escaped, interval_text, json_text, listed, number, p_value, plural, table
from gan_jax.study.montage import SAMPLES
from gan_jax.study.result import Result
from gan_jax.study.statistics import FEW, Paired, holm, paired
from gan_jax.study.summary import Summary, direction, in_order, ranking
from gan_jax.utils.files import write_atomically
from gan_jax.utils.paths import expanded

FILE = "report.md"
_LEVEL = 0.05  # of the corrected p-values that are called a difference


def write_report(
    folder: Path | str,
    *,
    title: str,
    question: str,
    variants: Mapping[str, Mapping[str, Any]],
    results: Iterable[Result],
    ranked_by: Sequence[str],
    compare_to: str | None,
    missing: Sequence[str],
    command: str,
) -> None:
    """Writes report.md; the same results, in any order, give the same bytes.

    The figures that `figures.write_figures` has put into the folder are shown: draw them first.

    Args:
        folder: the study's.
        title: of the report.
        question: that the study asks.
        variants: in the study's order, with the config fields that each changes (dotted names).
        results: one of each run that is done.
        ranked_by: the scores to show; the first ranks.
        compare_to: the variant that the others are compared with; None: no comparisons.
        missing: the runs that are not done, in words.
        command: that makes this report.

    Raises:
        ValueError: results that do not belong to the study, or no score to rank by.
        UserError: the disk is full or the folder cannot be written to.
    """
    if not ranked_by or (compare_to is not None and compare_to not in variants):
        raise ValueError(f"ranked_by={ranked_by!r}, compare_to={compare_to!r}: expected scores and a variant")
    folder, ordered = expanded(folder), in_order(results, list(variants))
    tables = {score: ranking(ordered, list(variants), score) for score in dict.fromkeys(ranked_by)}
    parts = [
        f"# {title}",
        question,
        f"```bash\n{command}\n```",
        *_runs(ordered, variants, missing),
        *_ranked(tables),
        *(_comparisons(tables, compare_to) if compare_to is not None else []),
        *_figures(folder, tables),
        *_meanings(ordered, tables),
        *_changes(variants),
        *_made_on(ordered),
    ]
    write_atomically(folder / FILE, ("\n\n".join(parts) + "\n").encode())


def _runs(results: list[Result], variants: Mapping[str, Any], missing: Sequence[str]) -> list[str]:
    """How many runs and seeds there are, which diverged and which are missing."""
    seeds = {name: [run.seed for run in results if run.variant == name] for name in variants}
    counts = {name: len(found) for name, found in seeds.items()}
    text = f"{plural(len(results), 'run')} of {plural(len(variants), 'variant')}"
    if len(set(map(tuple, seeds.values()))) == 1:
        text += f", each with {plural(next(iter(counts.values())), 'training seed')}."
    elif len(set(counts.values())) == 1:
        text += f", each with {plural(next(iter(counts.values())), 'training seed')}, but not the same ones."
    else:
        unequal = ", ".join(f"{name} {count}" for name, count in counts.items())
        text += f". **The numbers of training seeds differ:** {unequal}."
    steps = sorted({run.steps for run in results if run.finished})
    if steps:
        between = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}, by variant"
        text += f" Train steps: {between}."
    parts = ["## Runs", text]
    diverged = [_divergence(name, [run for run in results if run.variant == name]) for name in variants]
    if any(diverged):
        parts += ["**Diverged (a loss was not finite):**", "\n".join(filter(None, diverged))]
    if missing:
        parts.append(f"**Not done yet:** {listed(missing)}.")
    return parts


def _divergence(variant: str, runs: list[Result]) -> str:
    """A line of a list, or "" where all runs finished."""
    seeds = [f"seed {run.seed} at step {run.diverged_at:,}" for run in runs if run.diverged_at is not None]
    return f"- {variant}, {len(seeds)} of {plural(len(runs), 'run')}: {listed(seeds)}" if seeds else ""


def _ranked(tables: Mapping[str, list[Summary]]) -> list[str]:
    """The table of last values, the table of best ones and medians, and how both count."""
    first, by_name = next(iter(tables.values())), _by_name(tables)
    heads = [_head(score, found[0].better) for score, found in tables.items()]
    last = [["", "variant", *heads, "seeds", "diverged", "seconds per run"]]
    best = [["variant", *(f"{head}, {kind}" for head in heads for kind in ("best", "median of all"))]]
    for rank, summary in enumerate(first, 1):
        cells = [by_name[score][summary.variant] for score in tables]
        shown = [interval_text(cell.last) + _counted(cell, summary) for cell in cells]
        gone = f"**{len(summary.diverged)} of {summary.runs}**" if summary.diverged else "0"
        name, seconds = escaped(summary.variant), number(summary.seconds)
        last.append([str(rank), name, *shown, str(summary.last.n), gone, seconds])
        best.append([name, *(text for cell in cells for text in (number(cell.best), _worst(cell)))])
    return [
        "## Ranking",
        f"By `{next(iter(tables))}`, last values: mean over training seeds and its 95 % confidence interval.",
        table(last),
        _how_counted(tables),
        "The best value of each run over its training (mean over the runs that count; optimistic, as the "
        "best of noisy values is picked), and the median over *all* runs, with those that do not count "
        "taken as worst:",
        table(best),
    ]


def _how_counted(tables: Mapping[str, list[Summary]]) -> str:
    first = next(iter(tables.values()))
    text = (
        "Intervals: bootstrap over training seeds (expanded percentile interval, 10,000 resamples). "
        "The noise of the evaluation is part of them, as each run is measured once. Intervals that overlap, "
        "or not, are no test: see the comparisons. `seeds` are the runs that count: a run that diverged "
        "counts neither in the mean nor in its interval, so both tell of the runs that finished."
    )
    few = [escaped(summary.variant) for summary in first if summary.last.n < FEW]
    if few:
        text += (
            f" **Fewer than {FEW} seeds ({', '.join(few)}): the interval is their range at best, not 95 %.**"
        )
    lost = [
        f"{escaped(summary.variant)} {summary.score} seed {', '.join(map(str, summary.not_finite))}"
        for found in tables.values()
        for summary in found
        if summary.not_finite
    ]
    if lost:
        text += f" Finished without a finite last value, and not counted: {listed(lost)}."
    if first[0].better not in ("higher", "lower"):
        text += " No direction of this score is better: the order is the study's."
    return text


def _comparisons(tables: Mapping[str, list[Summary]], compare_to: str) -> list[str]:
    """Paired differences to one variant, all corrected together."""
    rows: list[tuple[Summary, Paired]] = []
    for found in tables.values():
        reference = next(summary for summary in found if summary.variant == compare_to)
        rows += [
            (summary, paired(summary.values, reference.values, summary.better))
            for summary in found
            if summary.variant != compare_to
        ]
    corrected = holm([pair.p_value for _, pair in rows])
    heads = ["variant", "score", "difference", "better in", "equal in", "pairs", "p", "p, Holm", "verdict"]
    lines = [heads]
    for (summary, pair), p in zip(rows, corrected, strict=True):
        judged = summary.better in ("higher", "lower")
        share = f"{pair.wins} ({100 * pair.share:.0f} %)" if pair.n and judged else ""
        cells = [escaped(summary.variant), _head(summary.score, summary.better)]
        cells += [interval_text(pair.difference, sign=True), share, str(pair.ties), str(pair.n)]
        lines.append([*cells, p_value(pair.p_value), p_value(p), _verdict(pair, p, summary.better)])
    made = sum(not math.isnan(p) for p in corrected)
    text = (
        f"Each variant minus `{compare_to}`, over the seeds that count in both: mean difference with its 95 "
        "% bootstrap interval, the seeds in which the variant is better, and the two-sided p-value of a "
        "sign-flip permutation test (exact for up to 20 differing pairs, else of 100,000 random patterns). "
        f"Holm's correction is over all {made} comparisons of this table; a verdict is given only at a "
        f"corrected p of at most {_LEVEL:g}. No verdict does not mean that two variants are equal."
    )
    pairs = max((pair.n for _, pair in rows), default=0)
    if made and made * 2.0 ** (1 - pairs) > _LEVEL:
        least = p_value(2.0 ** (1 - pairs))
        text += (
            f" **With {plural(pairs, 'pair')} the least possible p is {least}, so the first of "
            f"{made} comparisons cannot pass: more seeds are needed for any verdict.**"
        )
    return (
        [f"## Compared with {compare_to}", table(lines), text]
        if made
        else [f"## Compared with {compare_to}", "No other variant has a seed in common with it yet."]
    )


def _verdict(pair: Paired, p: float, better: str) -> str:
    if math.isnan(p) or p > _LEVEL:
        return ""
    higher = pair.difference.mean > 0
    words = {"higher": ("better", "worse"), "lower": ("worse", "better")}.get(better, ("higher", "lower"))
    return words[0] if higher else words[1]


def _figures(folder: Path, tables: Mapping[str, Any]) -> list[str]:
    """The figures that are there."""
    named = [
        (name(score), f"{word} of {score}")
        for score in tables
        for name, word in ((ranking_name, "ranking"), (curves_name, "curves"))
    ]
    named.append((SAMPLES, "samples of the first seed of each variant"))
    shown = [f"![{label}]({name})" for name, label in named if (folder / name).is_file()]
    return ["## Figures", *shown] if shown else []


def _meanings(results: list[Result], tables: Mapping[str, Any]) -> list[str]:
    """The protocol of each score; where there are several, whose each is."""
    lines = []
    for score in tables:
        protocols: dict[str, dict[str, None]] = {}
        for run in results:
            if score in run.protocol:
                protocols.setdefault(run.protocol[score], {})[run.variant] = None
        words = {"higher": "higher is better", "lower": "lower is better"}
        better = words.get(direction(results, score), "no direction is better")
        if len(protocols) < 2:
            lines.append(f"- `{score}` ({better}): {next(iter(protocols), 'no run has it')}")
            continue
        lines.append(
            f"- `{score}` ({better}): **measured in {len(protocols)} ways; compare only within one:**"
        )
        lines += [f"  - {', '.join(names)}: {protocol}" for protocol, names in protocols.items()]
    return ["## What the scores mean", "\n".join(lines)]


def _changes(variants: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [["variant", "changes"]]
    for name, fields in variants.items():
        text = ", ".join(f"`{escaped(field)}={escaped(json_text(value))}`" for field, value in fields.items())
        lines.append([escaped(name), text or "nothing: the base config"])
    return ["## What the variants change", table(lines)]


def _made_on(results: list[Result]) -> list[str]:
    """Hardware, versions and revisions, each set with its number of runs; the time they took."""
    made: dict[str, int] = {}
    for run in results:
        devices, packages = run.environment.get("devices") or {}, run.environment.get("packages") or {}
        versions = [f"{name} {version}" for name, version in packages.items() if version is not None]
        made_on = "; ".join(
            [
                f"{devices.get('count', '?')} x {devices.get('kind', '?')} ({devices.get('platform', '?')})",
                f"{run.environment.get('cpus', '?')} CPUs",
                f"Python {run.environment.get('python', '?')}",
                ", ".join(versions) or "versions not known",
                f"revision {run.environment.get('git_revision') or 'not known'}",
            ]
        )
        made[made_on] = made.get(made_on, 0) + 1
    if not made:
        return []
    lines = [f"- {plural(count, 'run')}: {text}" for text, count in made.items()]
    seconds = math.fsum(run.seconds for run in results)
    total = f"{seconds / 3600:.2g} hours" if seconds >= 3600 else f"{number(seconds)} seconds"
    return ["## Made on", "\n".join(lines), f"All runs together took {total}."]


def _by_name(tables: Mapping[str, list[Summary]]) -> dict[str, dict[str, Summary]]:
    return {score: {summary.variant: summary for summary in found} for score, found in tables.items()}


def _head(score: str, better: str) -> str:
    return escaped(score) + {"lower": " ↓", "higher": " ↑"}.get(better, "")


def _counted(cell: Summary, first: Summary) -> str:
    """The number of values, where it is not that of the row."""
    return f" (n = {cell.last.n})" if cell.last.n != first.last.n else ""


def _worst(cell: Summary) -> str:
    return "not finite" if math.isinf(cell.median) else number(cell.median)
