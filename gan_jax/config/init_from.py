"""The networks of another run as the first weights of a run: the fields of `config.init_from`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InitFrom:
    """The fields of `config.init_from`.

    Attributes:
        run: the other run's folder; "": random weights.
        players: "generator", "discriminator", or both with a comma between; "": all of this run. With the
            generator comes the average of its weights.
        checkpoint: "newest", "best", or the step of a checkpoint.
    """

    run: str = ""
    players: str = ""
    checkpoint: str = "newest"

    def __post_init__(self) -> None:
        if not (self.checkpoint in ("newest", "best") or self.checkpoint.isdigit()):
            raise ValueError(f"checkpoint={self.checkpoint!r}: it must be newest, best, or a step")

    @property
    def names(self) -> tuple[str, ...]:
        """The players, as they are named."""
        return tuple(name.strip() for name in self.players.split(",") if name.strip())
