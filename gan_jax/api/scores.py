"""Scores from Python: images, runs, folders and data sets against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax.api.runs import Run, load
from gan_jax.config.build import data_folder, is_averaged
from gan_jax.data.dataset import Dataset
from gan_jax.data.given import as_pixels
from gan_jax.evaluation.evaluate import Evaluator, held_out_of
from gan_jax.evaluation.generated import GeneratedSet, GeneratedSetMaker
from gan_jax.evaluation.metric import uses_network
from gan_jax.evaluation.names import FAKES
from gan_jax.evaluation.networks import open_network
from gan_jax.evaluation.protocol import Record, table
from gan_jax.evaluation.requirements import Given, check, check_sides, chosen
from gan_jax.evaluation.sources.image_source import like
from gan_jax.evaluation.sources.sources import (
    ImageSource,
    array_source,
    dataset_source,
    generator_as_reals,
    is_run,
    open_source,
)
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.feature_networks.simple_networks import no_network
from gan_jax.training.restore import run_conditions, run_data
from gan_jax.utils.errors import UserError

Images = Any  # arrays, a Run, a Dataset, or the name of a data set, a folder or a file


class Scores(Mapping[str, float]):
    """The scores of one comparison: a number by name, and in print a table with the protocol.

    Attributes:
        record: all that is known of them: protocol, seed, time, hardware, versions.
    """

    def __init__(self, record: Record) -> None:
        self.record = record

    def __getitem__(self, name: str) -> float:
        return self.record.scores[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.record.scores)

    def __len__(self) -> int:
        return len(self.record.scores)

    def __repr__(self) -> str:
        return table([self.record])


def fid(fake: Images, real: Images, *, network: str | FeatureNetwork = "auto", seed: int = 0) -> float:
    """The Fréchet distance of two sets of images in the features of a network.

    Heusel et al. 2017, arXiv:1706.08500. 0 for equal sets, unbounded above, biased upwards for few images.
    Only scores of the same network, reals and numbers of images can be compared: `evaluate` says them.

    Args:
        fake, real: as `evaluate` takes them; the order is of no importance.
        network: as `evaluate` takes it.
        seed: of the latents, where a side is a run.

    Raises:
        UserError: as `evaluate`.

    Examples:
        >>> import numpy as np
        >>> import gan_jax
        >>> images = np.random.default_rng(0).uniform(-1, 1, (50, 8, 8, 1))
        >>> gan_jax.fid(images, images, network="pixels") < 1e-3
        True
        >>> gan_jax.fid(images**3, images, network="pixels") > 1
        True
    """
    return evaluate(fake, real, metrics="fid", network=network, seed=seed)["fid"]


def evaluate(
    fake: Images,
    real: Images = None,
    *,
    metrics: str | Sequence[str] = ("fid",),
    network: str | FeatureNetwork = "auto",
    num: int | None = None,
    seed: int = 0,
) -> Scores:
    """Scores of generated images against real ones: those of `gan-jax evaluate`.

    Args:
        fake: what is scored: a Run or its folder; images [N, H, W, C] or grey [N, H, W], uint8 or floats in
            [-1, 1], as `Run.sample` gives them; a folder of pictures; an .npz of images; a Dataset, or the
            name of one ("mnist:test").
        real: what it is compared with, likewise; None for the data that a run was trained on.
        metrics: names, in a sequence or with commas between: "fid", "kid", "inception_score", "prdc"
            (precision, recall, density, coverage), "intra_class_fid", "classification_accuracy", "modes",
            "sliced_wasserstein", "ms_ssim", "path_length", "memorisation", "duplicates", ...
        network: what sees the images: "inception", "classifier" (of the reals' data set), "classifier:NAME"
            (of another one), "classifier:FILE", "random", "pixels", "pca", "points"; "auto" is the usual one
            of the reals. It may have to be trained or downloaded, once.
        num: fakes that are compared; None for 50,000 of a run, and for all of anything else. All reals are.
        seed: of the latents, and of what the metrics draw.

    Returns:
        A mapping from names to floats, `scores["fid"]`; `print(scores)` shows the table with the protocol.

    Raises:
        UserError: an unknown metric or network, or something that one needs is missing; images of different
            sizes; too few of them.

    Examples:
        >>> import numpy as np
        >>> import gan_jax
        >>> real = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8)
        >>> run = gan_jax.load("runs/small")
        >>> scores = gan_jax.evaluate(run, real, metrics=["fid", "prdc"], network="pixels", num=64)
        >>> sorted(scores)
        ['coverage', 'density', 'fid', 'precision', 'recall']
        >>> scores["fid"] > 0
        True
    """
    names = metrics.split(",") if isinstance(metrics, str) else metrics
    wanted = chosen(tuple(name.strip() for name in names))
    if isinstance(fake, str | Path) and is_run(fake):
        fake = load(fake)
    generated = _generated(fake, seed)
    reals = like(_reals(fake, real, seed), generated.source)
    where = data_folder(fake.config) if isinstance(fake, Run) else None
    reads_held_out = any("held_out" in metric.needs for metric in wanted.values())
    held_out = held_out_of(reals, where) if reads_held_out else None
    count = num or generated.source.size or FAKES
    given = Given(reals, count, reals.size or count, fake=generated, held_out=held_out)
    check_sides(given)
    check(wanted, given)  # before a network is trained or downloaded
    if not isinstance(network, FeatureNetwork):
        network = (
            open_network(network, reals, data_dir=where) if uses_network(wanted) else no_network(reals.codec)
        )
    evaluator = Evaluator(
        wanted, reals, network, num_fakes=count, num_reals=given.num_reals, held_out=held_out
    )
    return Scores(evaluator(generated))


def _generated(fake: Images, seed: int) -> GeneratedSet:
    """The side that is scored."""
    if not isinstance(fake, Run):
        return GeneratedSet(source=_source(fake, "fake"), seed=seed)
    conditions = run_conditions(fake.workdir, fake.algorithm)
    make = GeneratedSetMaker(fake.name, fake.algorithm, fake.spec, conditions=conditions)
    return make(fake.state, seed=seed, which="", averaged=is_averaged(fake.config))


def _reals(fake: Images, real: Images, seed: int) -> ImageSource:
    """The side that it is compared with."""
    if real is None:
        if not isinstance(fake, Run):
            raise UserError(
                "real is missing: the fakes are no run, so nothing says which images are real; give a data "
                "set ('mnist:train'), a folder of pictures, an .npz or an array"
            )
        return dataset_source(run_data(fake.workdir))
    if isinstance(real, str | Path) and is_run(real):
        real = load(real)
    if isinstance(real, Run):
        return generator_as_reals(real.name, real.algorithm, real.spec, real.state, seed=seed)
    return _source(real, "real")


def _source(images: Images, side: str) -> ImageSource:
    """Images that are no run's."""
    if isinstance(images, Dataset):
        return dataset_source(images)
    if isinstance(images, str | Path):
        return open_source(images)
    return array_source(f"{side} array", as_pixels(images, f"the images of {side}"))
