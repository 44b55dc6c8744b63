"""The best checkpoint of a run, in its folder `best`, and best.json, which says why it is there.

A new one is on the disk before best.json names it, and the one before stays until then: whenever the process
ends, best.json names a checkpoint that is there. A step that best.json does not name does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gan_jax.core.state import TrainState
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors, write_json
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import parse_json

BEST = "best"  # in the run's folder
NOTE = f"{BEST}/best.json"
Note = dict[str, Any]


def best_note(folder: str | Path) -> Note:
    """Why the checkpoint in a run's folder `best` is there: score, value, step, column (of the protocol).

    Raises:
        UserError: it is not said, or damaged.
    """
    folder = expanded(folder)
    try:
        note = parse_json((folder / NOTE).read_text())
        found = {name: note[name] for name in ("score", "value", "step", "column")}
        kinds = {"score": str, "value": int | float, "step": int, "column": str}
        if wrong := [name for name, kind in kinds.items() if not isinstance(found[name], kind)]:
            raise ValueError(f"{wrong[0]} is {found[wrong[0]]!r}")
        return found
    except FileNotFoundError:
        raise UserError(
            f"{folder} has no best checkpoint, which config.evaluation keeps: {folder / NOTE} is not there"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{folder / NOTE} cannot be read ({error!r})") from None


class BestCheckpoint:
    """See the module.

    Args:
        folder: the run's.
        hosts: the processes of the run; all call `save` and `close` together.
    """

    def __init__(self, folder: Path, hosts: Hosts = ALONE) -> None:
        self._folder = folder
        self._hosts = hosts
        self._checkpoints = Checkpoints(folder / BEST, keep=None, hosts=hosts)

    def save(self, state: TrainState, note: Note) -> None:
        """Puts a state and its note in the place of those before; returns once they are on the disk.

        Raises:
            UserError: the disk is full or the folder cannot be written to.
        """
        self._checkpoints.save(state)
        self._checkpoints.wait()
        if self._hosts.is_first:
            self._name(note)

    def begin(
        self, measured: Mapping[int, Note], choose: Callable[[Note, Note], bool], say: Callable[[str], None]
    ) -> Note | None:
        """What best.json says, once it has been compared with what is there; on the process that writes.

        Where the two do not agree it is said, and the best intact checkpoint with a known score takes the
        place.

        Args:
            measured: the note of every step of which the run's records hold the score.
            choose: whether the first of two notes is better than the second.
            say: shows a line.

        Returns:
            The note; None if there is no best checkpoint.
        """
        named, problem = None, ""
        try:
            named = best_note(self._folder)
            problem = self._checkpoints.verify(named["step"]) or ""
            known = measured.get(named["step"], named)
            if {**known, "value": named["value"]} == named != known:
                problem = problem or f"{self._folder / NOTE} says {named['value']:.4g}, the records otherwise"
        except UserError as error:
            problem = str(error)
        if named is not None and not problem:
            self._checkpoints.keep_only(named["step"])
            return named
        there = [step for step in self._checkpoints.steps() if self._checkpoints.verify(step) is None]
        found: Note | None = None
        for note in (measured[step] for step in there if step in measured):
            found = note if found is None or choose(note, found) else found
        if found is not None:
            self._name(found)
            taken = f"step {found['step']} takes its place ({found['score']} {found['value']:.4g})"
        else:
            with disk_errors(f"delete {self._folder / NOTE}"):
                (self._folder / NOTE).unlink(missing_ok=True)
            taken = "the next that is measured takes its place"
        if named or measured or there:
            step = f" of step {named['step']}" if named else ""
            say(f"the best checkpoint{step} cannot be used ({problem}): {taken}")
        return found

    def close(self) -> None:
        """Gives the threads back."""
        self._checkpoints.close()

    def _name(self, note: Note) -> None:
        write_json(self._folder / NOTE, note)
        self._checkpoints.keep_only(note["step"])
