"""The scores of a folder of pictures against a folder of truths, and those of each picture."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np

from gan_jax.evaluation.evaluate import environment_now
from gan_jax.evaluation.folder_pairs import FolderPairs
from gan_jax.evaluation.metric import Metric
from gan_jax.evaluation.pair_scores import means
from gan_jax.evaluation.protocol import EIGHT_BITS, Record, Score, Setting

PictureScores = Mapping[str, Mapping[str, float]]  # of each picture by name: its scores


def measures_pairs(metrics: Mapping[str, Metric]) -> bool:
    """Whether all of these are known for single pictures of any size: then nothing else need be alike."""
    return all(metric.each is not None and not metric.uses_network for metric in metrics.values())


def folder_scores(pairs: FolderPairs, metrics: Mapping[str, Metric]) -> tuple[Record, PictureScores]:
    """The means over the pairs as a record, and the scores of each.

    Args:
        metrics: of which `measures_pairs` is true.

    Raises:
        UserError: damaged files, or pictures that a metric cannot compare.
    """
    begun = time.monotonic()
    each = pairs.values(metrics)
    (fake, fake_id), (truth, truth_id) = pairs.named(0), pairs.named(1)
    setting = Setting(
        num_fakes=len(each),
        num_reals=len(each),
        real=truth,
        real_fingerprint=truth_id,
        network="none",
        network_digest="",
        resizer="none",
        precision=EIGHT_BITS,
        paired=True,
    )
    scores = {}
    for name, metric in metrics.items():
        values = {score: np.array([found[score] for found in each.values()]) for score in metric.scores}
        for score, value in means(values).items():
            better = metric.scores.get(score, "detail")
            scores[score] = Score(value, name, metric.version, metric.protocol, better)
    record = Record(
        fake=fake,
        fake_id=fake_id,
        step=None,
        which="",
        averaged=None,
        labels="none",
        seed=0,
        setting=setting,
        scores=scores,
        seconds=round(time.monotonic() - begun, 3),
        environment=environment_now(),
    )
    return record, each


def picture_table(each: PictureScores) -> str:
    """A Markdown table with a row for each picture."""
    heads = ["picture", *next(iter(each.values()))]
    rows = [heads, ["---"] * len(heads)]
    for name, found in each.items():
        values = (f"{value:.4g}" if math.isfinite(value) else f"{value}" for value in found.values())
        rows.append([name.replace("|", "\\|"), *values])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
