"""A study's results on the disk: one row for each run that is done, and the shards of several machines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gan_jax.study.result import Result
from gan_jax.study.study import Run
from gan_jax.summaries.logs import line_of, read_rows, warn_of_damage
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors, taking_turns, write_atomically
from gan_jax.utils.paths import expanded

RESULTS = "results.jsonl"


@dataclass(frozen=True)
class Shard:
    """A part of a study, for one of several machines.

    Attributes:
        index: 1 to count.
        count: how many parts there are.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From "3/16".

        Raises:
            UserError: it is not that.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise UserError(f"--shard={text}: write INDEX/COUNT, the index from 1 to the count: 3/16")
        return cls(int(match[1]), int(match[2]))

    @property
    def suffix(self) -> str:
        """The suffix of its files' names; "" for the whole study."""
        return "" if self.count == 1 else f".{self.index}-of-{self.count}"

    def part(self, runs: list[Run]) -> list[Run]:
        """Its share of runs: every `count`-th."""
        return runs[self.index - 1 :: self.count]


def results_file(folder: str | Path, shard: Shard) -> Path:
    """Where a shard writes its results."""
    return expanded(folder) / f"results{shard.suffix}.jsonl"


def add_results(path: Path, results: list[Result]) -> None:
    """Adds runs that are done: all of them, or none where the process is killed."""
    rows = "".join(line_of(result.to_row()) for result in results).encode()
    with taking_turns(path.parent), disk_errors(f"read {path}"):  # another process may be making a report
        before = path.read_bytes() if path.exists() else b""
        write_atomically(path, before + (b"\n" if before and not before.endswith(b"\n") else b"") + rows)


def read_results(folder: str | Path, runs: list[Run]) -> tuple[list[Result], list[Result]]:
    """The results of these runs in all files of the folder, in the order of the runs, each once.

    Returns:
        the results; those that belong to none of the runs: to configs that the study no longer has.

    Raises:
        UserError: a row that cannot be read.
    """
    found: dict[tuple[str, int], Result] = {}
    others: dict[tuple[str, int], Result] = {}
    wanted = {(run.digest, run.seed): run for run in runs}
    for path in sorted(expanded(folder).glob("results*.jsonl")):
        warn_of_damage(path, "seed")
        for number, row in enumerate(read_rows(path, "seed"), start=1):
            try:
                result = Result.from_row(row)
            except ValueError as error:
                raise UserError(f"{path}, row {number}: {error}; move the file away or mend it") from error
            key = (result.digest, result.seed)
            if key in wanted:
                found.setdefault(key, result)
            else:
                others.setdefault(key, result)
    ordered = [(run, found[run.digest, run.seed]) for run in runs if (run.digest, run.seed) in found]
    return [_named(result, run) for run, result in ordered], list(others.values())


def _named(result: Result, run: Run) -> Result:
    """The result under the name that the study gives its config now."""
    fields = {**result.to_row(), "variant": run.variant, "overrides": dict(run.overrides)}
    return Result.from_row(fields)


def write_results(path: Path, results: list[Result]) -> None:
    """All results as one file, whole or not at all."""
    write_atomically(path, "".join(line_of(result.to_row()) for result in results).encode())
