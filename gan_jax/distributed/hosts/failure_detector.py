"""When a job of several processes is given up, and whose fault it is."""

from __future__ import annotations

from dataclasses import dataclass, field

CONTINUE = "Start all processes again with the same command to continue from the last checkpoint"
SUSPECT_SECONDS = 5.0  # silence that counts once a connection has broken


@dataclass(frozen=True)
class Patience:
    """When a job that does not go on is given up, in seconds.

    Attributes:
        lost: a process is lost after so long without a sign of life: killed, frozen, or cut off.
        stalled: a process is hung that is behind the others and has not moved for so long, though it lives.
        beat: between two signs of life.
    """

    lost: float = 30.0
    stalled: float = 600.0
    beat: float = 0.5


@dataclass
class _Seen:
    """What process 0 knows of a process."""

    beat: str = ""
    progress: int = 0
    silent: float = 0.0  # seconds without a new beat
    still: float = 0.0  # seconds without progress


@dataclass
class Judge:
    """Process 0's view of all processes; time counts only while the judge itself runs."""

    count: int
    patience: Patience
    seen: list[_Seen] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = [_Seen() for _ in range(self.count)]

    def verdict(self, pulses: dict[int, str], seconds: float, suspicious: bool) -> str:
        """Why the job is over, in words; "" if it is not.

        Args:
            pulses: the newest "BEAT PROGRESS" of each process.
            seconds: since the last call.
            suspicious: a connection has broken.
        """
        for index, seen in enumerate(self.seen):
            beat, _, progress = pulses.get(index, "").partition(" ")
            seen.silent = 0.0 if beat != seen.beat else seen.silent + seconds
            seen.still = 0.0 if progress and int(progress) != seen.progress else seen.still + seconds
            seen.beat, seen.progress = beat, int(progress or 0)
        limit = min(SUSPECT_SECONDS, self.patience.lost) if suspicious else self.patience.lost
        lost = [i for i, seen in enumerate(self.seen) if seen.silent > limit]
        if lost:
            return f"{_named(lost, self.count)} stopped answering (for {limit:.0f} s). {CONTINUE}"
        first = max(seen.progress for seen in self.seen)
        hung = [i for i, s in enumerate(self.seen) if s.progress < first and s.still > self.patience.stalled]
        if hung:
            return (
                f"{_named(hung, self.count)} hangs: alive, but behind the others and without progress for "
                f"{self.patience.stalled:.0f} s. {CONTINUE}"
            )
        return ""


def _named(processes: list[int], count: int) -> str:
    return f"process {', '.join(map(str, processes))} of {count}"
