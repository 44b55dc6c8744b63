"""How far a program of a study is."""

from __future__ import annotations

import time

from gan_jax.study.groups import Group
from gan_jax.utils.progress import Progress


class Bar:
    """The progress of a group: its train steps, those of all runs together."""

    def __init__(self, group: Group) -> None:
        self._progress = Progress(num_steps=group.config.num_steps * len(group.runs), first_step=0)
        self._done = self._skipped = 0
        self._begun = time.monotonic()

    def skip(self, steps: int) -> None:
        """So many were made before this start."""
        self._done += steps
        self._skipped += steps

    def advance(self, steps: int) -> None:
        """So many more have been made."""
        self._done += steps
        rate = (self._done - self._skipped) / max(time.monotonic() - self._begun, 1e-9)
        self._progress.update(self._done, {}, rate)

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._progress.say(text)

    def close(self) -> None:
        """Leaves the last state on the screen."""
        self._progress.close()
