"""Progress of a run: a bar on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import datetime
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from gan_jax.utils.streams import Unfailing

# Beside a bar there is room for so much where a terminal has 80 columns.
_PLAYERS = {"discriminator_loss": "loss of D", "generator_loss": "of G"}
_LINE_SECONDS = 10.0  # at least so long between two plain lines


class Progress:
    """Shows the step, the losses, the rate and the time left, on standard error; nothing, if it is gone.

    Args:
        num_steps: steps of the whole run.
        first_step: steps already done.
    """

    def __init__(self, *, num_steps: int, first_step: int) -> None:
        self._num_steps = num_steps
        self._bar: tqdm | None = None
        self._line = ""  # the newest line, as long as it has not been shown
        self._shown_at = -float("inf")
        self._stream: Any = Unfailing(sys.stderr)
        if self._stream.isatty():
            known = os.get_terminal_size(self._stream.fileno()).columns > 0  # a container's is often 0 wide
            self._bar = tqdm(
                total=num_steps,
                initial=first_step,
                unit="step",
                ncols=None if known else 80,
                dynamic_ncols=known,
                file=self._stream,
            )

    def update(self, step: int, losses: Mapping[str, float], rate: float) -> None:
        """Shows that `step` steps are done, at `rate` steps per second; 0 where none has been made yet."""
        if self._bar is not None:
            short = (f"{_PLAYERS.get(name, name)} {value:.3g}" for name, value in losses.items())
            self._bar.set_postfix_str(" ".join(short), refresh=False)
            self._bar.update(step - self._bar.n)
            return
        shown = "  ".join(f"{name} {value:.3g}" for name, value in losses.items())
        parts = [f"step {step}/{self._num_steps}", shown]
        if rate > 0.0:
            left = datetime.timedelta(seconds=round((self._num_steps - step) / rate))
            parts += [f"{rate:.3g} steps/s", f"{left} left"]
        self._line = "  ".join(part for part in parts if part)
        if step >= self._num_steps or time.monotonic() - self._shown_at >= _LINE_SECONDS:
            self._flush()

    def resume(self) -> None:
        """Begins to measure the rate again, after something that was no training."""
        if self._bar is not None:
            self._bar.unpause()

    def say(self, text: str) -> None:
        """Writes a line of its own, above the bar if there is one."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
            return
        self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Shows the last state and leaves it there."""
        if self._bar is not None:
            self._bar.close()
        else:
            self._flush()

    def _flush(self) -> None:
        if self._line:
            self.say(self._line)
            self._line, self._shown_at = "", time.monotonic()
