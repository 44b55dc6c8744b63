"""Runs a study: group after group, skipping what is done, and its report at the end.

FOLDER/study.py              the study
OUT/results.jsonl            a row for each run that is done (results.3-of-16.jsonl: of a shard)
OUT/data.json                the fingerprints of the data that the runs are trained on
OUT/report.md, *.png         tables and figures
OUT/report.html              the same as one page
OUT/pictures/                samples of each variant's first seed
OUT/runs/                    run folders, where the study keeps its runs
OUT/work/                    checkpoints of the groups that are not done; may be deleted then
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jax
import ml_collections

from gan_jax.config.build import Plan, build, open_data
from gan_jax.config.record import to_json
from gan_jax.core.state import TrainState
from gan_jax.data import Dataset
from gan_jax.data.prepared import is_same_data
from gan_jax.distributed import parallel
from gan_jax.evaluation.both_ways import BothWays
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import scale_of
from gan_jax.reports.study_page import write_study_page
from gan_jax.study.bar import Bar
from gan_jax.study.figures import write_figures
from gan_jax.study.groups import Group, grouped
from gan_jax.study.kept import check_free, keep_run, run_folder
from gan_jax.study.montage import SAMPLES, montage
from gan_jax.study.report import write_report
from gan_jax.study.results import RESULTS, Shard, add_results, read_results, results_file, write_results
from gan_jax.study.study import Study, file_name, runs_of
from gan_jax.study.trainer import GroupTrainer, sampled_state
from gan_jax.summaries.logs import check_appendable
from gan_jax.training.evaluators import open_evaluator
from gan_jax.training.workdir import keeps_its_place
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import locked, taking_turns, write_json
from gan_jax.utils.interrupt import Interrupted, StopRequest
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import parse_json

DATA = "data.json"
PICTURES = "pictures"
WORK = "work"


@dataclass
class Opened:
    """Data sets and evaluators, opened once for all groups that need the same."""

    datasets: dict[str, Dataset] = field(default_factory=dict)
    evaluators: dict[str, Evaluator | BothWays] = field(default_factory=dict)

    def plan(self, config: ml_collections.ConfigDict) -> Plan:
        """The config, read."""
        key = json.dumps(to_json(config.data), sort_keys=True)
        if key not in self.datasets:
            self.datasets[key] = open_data(config)
        return build(config, self.datasets[key])

    def evaluator(self, config: ml_collections.ConfigDict, plan: Plan) -> Evaluator | BothWays:
        """What the config measures."""
        scale = scale_of(plan.phases[-1].algorithm)  # super-resolution's border
        key = json.dumps([to_json(config.data), to_json(config.evaluation), scale], sort_keys=True)
        if key not in self.evaluators:
            self.evaluators[key] = open_evaluator(plan, parallel.make_mesh())
        return self.evaluators[key]


def check_same_data(out: Path, dataset: Dataset) -> None:
    """Notes what a study's runs are trained on.

    Raises:
        UserError: those before were trained on other data, or that is damaged.
    """
    path, key = out / DATA, f"{dataset.name}:{dataset.split} {json.dumps(dataset.options, sort_keys=True)}"
    try:
        known = parse_json(path.read_text()) if path.exists() else {}
        before = known.get(key, dataset.fingerprint)
    except (ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({error}): put back a copy of it, or choose another --out"
        ) from error
    if not is_same_data(before, dataset.fingerprint):
        raise UserError(
            f"the study in {out} was trained on other data: {before} -> {dataset.fingerprint}. Put them "
            "back, or choose another --out"
        )
    if known.get(key) != dataset.fingerprint:
        write_json(path, {**known, key: dataset.fingerprint})


class Runner:
    """One start of a study, or of a shard of it.

    Args:
        study: what is asked.
        out: the folder of the results.
        shard: the part to do here.
        seeds: only the first so many; None for all.
        only: only these variants; empty for all.

    Raises:
        UserError: something in the study does not fit, or an unknown variant; nothing was changed.
    """

    def __init__(
        self,
        study: Study,
        out: str | Path,
        shard: Shard,
        *,
        seeds: int | None = None,
        only: tuple[str, ...] = (),
    ) -> None:
        unknown = [name for name in only if name not in study.variants]
        if unknown:
            raise UserError(f"--only={unknown[0]}: the variants are {', '.join(study.variants)}")
        self.study = study
        self.out = out = expanded(out)
        self.shard = shard
        self.all_runs = runs_of(study)
        count = study.seeds if seeds is None else min(seeds, study.seeds)
        asked = [run for run in self.all_runs if run.seed < count and (not only or run.variant in only)]
        self.runs = shard.part(asked)
        done, self.others = read_results(out, self.all_runs)
        finished = {(result.variant, result.seed) for result in done}
        self.left = [run for run in self.runs if (run.variant, run.seed) not in finished]
        self.groups = grouped(self.left)

    def plan(self) -> str:
        """What a start would do, in words."""
        lines = [
            f"{len(self.runs)} runs, of which {len(self.runs) - len(self.left)} are done, "
            f"the others in {len(self.groups)} programs:"
        ]
        for group in self.groups:
            numbers = ", ".join(group.numbers) or "none but the seed"
            lines.append(f"  {group.name}; {group.config.num_steps} steps; different numbers: {numbers}")
        return "\n".join(lines)

    def run(self) -> None:
        """Trains what is left.

        Raises:
            Interrupted: it was asked to stop; the same command continues.
        """
        results = results_file(self.out, self.shard)
        check_appendable(results)
        with locked(self.out / f"{WORK}{self.shard.suffix}") as work, StopRequest() as stop:
            for leftover in work.glob("deleting-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            opened, check_folder = Opened(), keeps_its_place(self.out)
            if self.others:
                count = len(self.others)
                sys.stderr.write(
                    f"{count} results in {self.out} are of configs that the study no longer has\n"
                )
            for number, group in enumerate(self.groups, start=1):
                bar = Bar(group)
                try:
                    bar.say(f"program {number} of {len(self.groups)}: {group.name}")
                    self.train(group, opened, work, results, bar, stop, check_folder)
                finally:
                    bar.close()

    def train(
        self,
        group: Group,
        opened: Opened,
        work: Path,
        results: Path,
        bar: Bar,
        stop: StopRequest,
        check_folder: Callable[[], None] = lambda: None,
    ) -> None:
        """One group, to its results."""
        try:
            plan = opened.plan(group.config)
            check_same_data(self.out, plan.dataset)
            for run in group.runs if self.study.keep else ():
                check_free(run_folder(self.out, run), run, plan)
            evaluator = opened.evaluator(group.config, plan)
        except UserError as error:
            raise UserError(f"{group.name}: {error}") from error
        trainer = GroupTrainer(group, plan, evaluator, work / group.id, bar)
        found, states = trainer.run(stop)
        check_folder()
        self.draw(group, trainer, states)
        if self.study.keep:
            for index in trainer.healthy:
                keep_run(run_folder(self.out, group.runs[index]), group.runs[index], plan, states, index)
        add_results(results, found)  # after the pictures: nobody comes back to what has a result
        trainer.forget()
        if stop.signum is not None:
            raise Interrupted(stop.signum, "stopped; the same command continues the study")

    def draw(self, group: Group, trainer: GroupTrainer, states: TrainState) -> None:
        """Samples of the first seed of each variant, from the same latents."""
        ema = jax.device_get(states.ema)
        for index, run in enumerate(group.runs):
            if run.seed == 0:
                state = sampled_state(int(states.step), index, ema)
                trainer.picture(state, picture_file(self.out, run.variant))

    def report(self, title: str, command: str) -> str:
        """Writes results.jsonl, report.md and the figures from all that is there; returns what is missing."""
        with taking_turns(self.out):  # another process may be adding results
            results, others = read_results(self.out, self.all_runs)
            if not results:
                raise UserError(f"{self.out} has no results of this study yet")
            write_results(self.out / RESULTS, [*results, *others])
        variants = dict(self.study.variants)
        pictures = [(name, picture_file(self.out, name)) for name in variants]
        there = [(name, path) for name, path in pictures if path.exists()]
        if there:
            montage(there, self.out / SAMPLES)
        ranked_by, compare_to = list(self.study.ranked_by), self.study.compare_to
        write_figures(
            self.out, variants=list(variants), results=results, ranked_by=ranked_by, compare_to=compare_to
        )
        done = {(result.variant, result.seed) for result in results}
        missing = [run for run in self.all_runs if (run.variant, run.seed) not in done]
        write_report(
            self.out,
            title=title,
            question=self.study.question,
            variants=variants,
            results=results,
            ranked_by=ranked_by,
            compare_to=compare_to,
            missing=[run.name for run in missing],
            command=command,
        )
        write_study_page(self.out)
        return f"{len(results)} of {len(self.all_runs)} runs"


def picture_file(out: Path, variant: str) -> Path:
    """Where a variant's samples are."""
    return out / PICTURES / f"{file_name(variant)}.png"
