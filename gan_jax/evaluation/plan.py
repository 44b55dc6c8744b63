"""Evaluation during training: the fields of `config.evaluation`."""

from __future__ import annotations

from dataclasses import dataclass

from gan_jax.evaluation.names import BACK
from gan_jax.evaluation.scores import METRICS
from gan_jax.utils.checks import check_count


@dataclass(frozen=True)
class EvaluationPlan:
    """The fields of `config.evaluation`.

    Attributes:
        metrics: names with commas between: "fid,prdc". "" measures nothing. Of a method that translates both
            ways "fid_b_to_a" is that of the way back.
        every_steps: steps between two evaluations; the last step is always measured.
        num: generated images, against all reals of the training split; of a method that makes each image of
            a row of the data at most one of each held-out row.
        network: the feature network, as `gan-jax evaluate --network` takes it.
        best: the score whose best checkpoint is kept in the run's folder best/; "": the first metric's first.
    """

    metrics: str = ""
    every_steps: int = 1_000
    num: int = 10_000
    network: str = "auto"
    best: str = ""

    def __post_init__(self) -> None:
        check_count(self.every_steps, "every_steps")
        check_count(self.num, "num")
        for name in self.names:
            metric = METRICS.get(name.removesuffix(BACK))
            if metric is None:
                raise ValueError(f"metrics={self.metrics!r}: {name!r} is not one of {', '.join(METRICS)}")
            if self.num < metric.least:
                raise ValueError(f"num={self.num}: {name} needs at least {metric.least} images")
        judged = [name for name, better in self.scores.items() if better != "neither"]
        if self.names and self.best and self.best not in judged:
            raise ValueError(
                f"best={self.best!r} is not a score of {self.metrics} by which checkpoints can be ranked: "
                f"{', '.join(judged) or 'none is'}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics."""
        return tuple(name.strip() for name in self.metrics.split(",") if name.strip())

    @property
    def scores(self) -> dict[str, str]:
        """What the metrics always yield, and which way is better: "lower", "higher" or "neither"."""
        return {
            f"{score}{BACK if name.endswith(BACK) else ''}": better
            for name in self.names
            for score, better in METRICS[name.removesuffix(BACK)].scores.items()
        }

    @property
    def ranked_by(self) -> str | None:
        """The score by which the best checkpoint is chosen; None where no score can rank."""
        judged = [name for name, better in self.scores.items() if better != "neither"]
        return self.best or (judged[0] if judged else None)

    def is_better(self, new: float, old: float) -> bool:
        """Whether a value of `ranked_by` is better than another; NaN never is."""
        assert self.ranked_by is not None
        return new > old if self.scores[self.ranked_by] == "higher" else new < old
