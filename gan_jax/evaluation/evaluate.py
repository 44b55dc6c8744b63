"""Scores of generated images against real ones, each with its protocol."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from gan_jax.data import Dataset, load
from gan_jax.data.cut import whole
from gan_jax.evaluation.extract import BATCH, MOST_VALUES, PRECISION, VALUES, ExtractedSet, Extractor
from gan_jax.evaluation.generated import Generate, GeneratedSet
from gan_jax.evaluation.metric import ALL, OF_ROWS, Comparison, Metric, Need, Pairs, uses_network
from gan_jax.evaluation.protocol import EIGHT_BITS, Record, Score, Setting
from gan_jax.evaluation.requirements import Given, check, check_sides, chosen
from gan_jax.evaluation.sources.image_source import class_numbers, like, relabelled, seen_by, subset
from gan_jax.evaluation.sources.sources import ImageSource, dataset_source
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.utils.errors import UserError
from gan_jax.utils.provenance import describe_environment


class Evaluator:
    """A real set, a network and metrics, opened once and used for any number of fakes.

    Args:
        metrics: names in METRICS, or metrics by name.
        real: the reals.
        network: what both sides are seen with.
        num_fakes: images of each set of fakes.
        num_reals: so many of the reals; None for all.
        held_out: reals that the generator has not seen, for the metrics that need them.
        mesh: the devices; default all.
        progress: show bars on a terminal.
        ending: stands behind the names of all scores.

    Raises:
        UserError: something is missing that a metric needs, before anything is computed.
    """

    def __init__(
        self,
        metrics: tuple[str, ...] | Mapping[str, Metric],
        real: ImageSource,
        network: FeatureNetwork,
        *,
        num_fakes: int,
        num_reals: int | None = None,
        held_out: ImageSource | None = None,
        mesh: jax.sharding.Mesh | None = None,
        progress: bool = True,
        ending: str = "",
    ) -> None:
        self._ending = ending
        real = seen_by(real, network.codec)
        held_out = held_out and like(seen_by(held_out, network.codec), real)
        self.metrics = dict(metrics) if isinstance(metrics, Mapping) else chosen(metrics)
        self.network = network
        self.num_fakes = num_fakes
        self.real_source = real
        self._held_out_source = held_out
        self._known: dict[str, Any] = {}
        self._images = _most(metric.images for metric in self.metrics.values())
        self._pairs = any("pairs" in metric.needs for metric in self.metrics.values())
        self._sets = any(metric.of_sets for metric in self.metrics.values())
        self._fakes = any(metric.of_fakes for metric in self.metrics.values())
        available = real.size if num_reals is None else num_reals
        if available is None:
            raise UserError(f"{real.name} has no end: say how many images are the real ones (num_real)")
        self._given = Given(real, num_fakes, available, network, held_out=held_out)
        check_sides(self._given)
        check(self.metrics, self._given)
        if "memorisation" in self.metrics and real.size is not None and available < real.size:
            logging.warning(
                "memorisation: with %d of %d training images, copies of the others are not found",
                available,
                real.size,
            )
        if "fid" in self.metrics and min(num_fakes, available) <= network.num_features:
            logging.warning(
                "fid: %d images for %d features: the covariance is singular and the value biased upwards",
                min(num_fakes, available),
                network.num_features,
            )
        values = math.prod(real.image_shape)
        batch_size = min(max(BATCH, VALUES // values), max(1, MOST_VALUES // values))
        self.extract = Extractor(network, mesh=mesh, batch_size=batch_size, progress=progress)
        self.setting = Setting(
            num_fakes=num_fakes,
            num_reals=available,
            real=real.name,
            real_fingerprint=real.fingerprint or "a generator",
            network=f"{network.name}, {network.note}" if network.note else network.name,
            network_digest=network.digest,
            resizer=network.resizer,
            precision=PRECISION,
        )
        if not uses_network(self.metrics):
            self.setting = without_network(self.setting)

    @cached_property
    def real(self) -> ExtractedSet:
        """The reals, seen with the network: from this machine's cache, or now."""
        count = self.setting.num_reals
        if not self._sets:
            return _nothing(self.real_source)
        return self.extract.cached(self.real_source, count, images=_count(self._images, count))

    @cached_property
    def held_out(self) -> ExtractedSet | None:
        """The same of the reals that the generator has not seen, where a metric needs them."""
        source = self._held_out_source
        if source is None or not any("held_out" in metric.needs for metric in self.metrics.values()):
            return None
        source = self._in_classes_of_reals(source, frozenset({"labels", "held_out"}))
        assert source.size is not None
        every = any(metric.needs & OF_ROWS for metric in self.metrics.values())
        images = ALL if every else self._images
        return self.extract.cached(source, source.size, images=_count(images, source.size))

    @cached_property
    def _environment(self) -> dict[str, Any]:
        """Asked for once: git takes longer to answer than a small generator to be measured."""
        return describe_environment()

    def prepare(self) -> None:
        """Does all that can be done without fakes."""
        _ = self.real, self.held_out

    def _scores(self, comparison: Comparison, fake: GeneratedSet) -> dict[str, Score]:
        """Of all metrics; NaN for one that these images do not allow, unless it is the only one."""
        scores = {}
        for name, metric in self.metrics.items():
            try:
                found = metric.compute(comparison)
            except UserError as error:
                if len(self.metrics) == 1:
                    raise
                logging.warning("%s cannot be measured: %s", name, error)
                found = dict.fromkeys(metric.scores, math.nan)
            own = self._setting_of(metric, fake)
            setting = None if own == self.setting else own
            protocol = metric.protocol
            if "bits" in metric.needs:
                protocol = f"{protocol}, {fake.bits_kind}"
            for score, value in found.items():
                better = metric.scores.get(score, "detail")
                measured = Score(float(value), name, metric.version, protocol, better, setting)
                scores[f"{score}{self._ending}"] = measured
        return scores

    def _setting_of(self, metric: Metric, fake: GeneratedSet) -> Setting:
        """What a metric's scores depend on, whatever else is measured."""
        setting = self.setting
        if not metric.uses_network:
            setting = without_network(setting)
        if "sampler" in metric.needs:  # which asks for no fakes of this set, and looks at no reals
            return dataclasses.replace(setting, num_fakes=0, num_reals=0, real_fingerprint="")
        if metric.of_sets:
            return setting
        if not metric.of_fakes:
            held_out = self._held_out_source
            assert held_out is not None
            return dataclasses.replace(
                setting,
                num_fakes=0,
                num_reals=held_out.size or 0,
                real=held_out.name,
                real_fingerprint=held_out.fingerprint or "",
                precision=PRECISION,
            )
        own = fake.truth if "pairs" in metric.needs else fake.rows and dataset_source(fake.rows)
        assert own is not None
        return dataclasses.replace(
            setting,
            num_reals=self.num_fakes,
            real=own.name,
            real_fingerprint=own.fingerprint or "",
            paired=True,
        )

    def _of_reals(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """`metric.Comparison.of_reals`, kept in memory and on the disk."""
        if name not in self._known:
            self._known[name] = self.extract.kept(self.real_source, self.setting.num_reals, name, make)
        known: np.ndarray = self._known[name]
        return known

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """`metric.Comparison.once`, kept in memory."""
        if name not in self._known:
            self._known[name] = make()
        return self._known[name]

    def _in_classes_of_reals(
        self, source: ImageSource, needs: frozenset[Need] = frozenset({"labels"})
    ) -> ImageSource:
        """The source with the labels of the reals, where a metric with these needs compares them."""
        if not any(needs <= metric.needs for metric in self.metrics.values()):
            return source
        numbers, note = class_numbers(source, self.real_source)
        if note and note not in self._known:
            self._known[note] = True
            logging.warning("%s", note)
        return relabelled(source, numbers, self.real_source.class_names)

    def seen(self, source: ImageSource) -> ImageSource:
        """A source of fakes as the network takes it, with the channels of the reals where that can be had.

        Raises:
            UserError: its images are not like the reals.
        """
        try:
            return like(seen_by(source, self.network.codec), self.real_source)
        except UserError:
            real = self.real_source
            raise UserError(
                f"{source.name} holds {source.codec.noun} and {real.name} {real.codec.noun}: they cannot be "
                "compared"
            ) from None

    def check_fake(self, fake: GeneratedSet) -> None:
        """Raises a UserError if a metric needs what these fakes do not have."""
        given = dataclasses.replace(
            self._given, fake=dataclasses.replace(fake, source=self.seen(fake.source))
        )
        check_sides(given)
        check(self.metrics, given)

    def __call__(self, fake: GeneratedSet) -> Record:
        """The scores of one set of fakes.

        Raises:
            UserError: too few images, of another shape, damaged, or without what a metric needs.
        """
        self.check_fake(fake)
        begun = time.monotonic()
        seen = self.seen(fake.source)
        source, generate = self._in_classes_of_reals(seen), fake.generate
        if generate is not None and source is not seen:
            generate = _relabelled(generate, np.argsort(class_numbers(seen, self.real_source)[0]))
        kept = self.num_fakes if self._pairs else _count(self._images, self.num_fakes)
        sample = self.extract(source, self.num_fakes, images=kept) if self._fakes else _nothing(source)
        comparison = Comparison(
            real=self.real,
            fake=sample,
            network=self.network,
            seed=fake.seed,
            held_out=self.held_out,
            generate=generate,
            latent=fake.latent,
            of_reals=self._of_reals,
            density=self.real_source.density,
            pairs=self._paired(sample, fake),
            cycle_errors=self._cycle_errors(fake),
            bits=fake.bits,
            errors=fake.errors,
            sampling_cost=fake.sampling_cost,
            once=self._once,
        )
        return Record(
            fake=fake.source.name,
            fake_id=fake.identity or fake.source.fingerprint or "",
            step=fake.step,
            which=fake.which,
            averaged=fake.averaged,
            labels=fake.labels,
            seed=fake.seed,
            setting=self.setting,
            scores=self._scores(comparison, fake),
            seconds=round(time.monotonic() - begun, 3),
            environment=environment_now(self._environment),
        )

    def _paired(self, sample: ExtractedSet, fake: GeneratedSet) -> Pairs | None:
        """The fakes beside their truths, where a metric needs them."""
        if not self._pairs:
            return None
        assert fake.truth is not None
        truth = self.extract.images(self.seen(fake.truth), self.num_fakes)
        return Pairs(fake=sample.images, truth=truth, network=self.network)

    def _cycle_errors(self, fake: GeneratedSet) -> Mapping[str, np.ndarray] | None:
        """The errors of the fakes' own sources, where a metric needs them."""
        if not any("cycle" in metric.needs for metric in self.metrics.values()):
            return None
        assert fake.cycle is not None
        size = fake.source.size or self.num_fakes
        return fake.cycle(fake.seed, subset(size, self.num_fakes))


def without_network(setting: Setting) -> Setting:
    """The setting of a metric that looks at images alone."""
    return dataclasses.replace(
        setting, network="none", network_digest="", resizer="none", precision=EIGHT_BITS
    )


def _nothing(source: ImageSource) -> ExtractedSet:
    """In the place of images that no metric reads."""
    shape = (0, *source.codec.stored_shape(source.image_shape))
    images = np.empty(shape, source.codec.dtype)
    return ExtractedSet(source.name, np.empty((0, 0), np.float32), None, None, images, None, None)


def _relabelled(generate: Generate, own: np.ndarray) -> Generate:
    """The generator asked by the reals' labels: own[i] is what it calls class i."""
    return lambda latents, labels: generate(latents, None if labels is None else own[labels])


def environment_now(known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a record says of time, hardware and versions, of which all but the time may be known already."""
    time = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")  # as describe_environment's
    return {**(known or describe_environment()), "time": time}


def _most(counts: Iterable[int]) -> int:
    """How many images are kept for metrics that ask for these."""
    listed = list(counts)
    return ALL if ALL in listed else max(listed)


def _count(images: int, available: int) -> int:
    return available if images == ALL else min(images, available)


def held_out_of(real: ImageSource, data_dir: str | Path | None) -> ImageSource | None:
    """The test split that belongs to a training split; None where there is none."""
    held_out = None if real.dataset is None else held_out_split(real.dataset, data_dir)
    return None if held_out is None else dataset_source(held_out)


def held_out_split(dataset: Dataset, data_dir: str | Path | None) -> Dataset | None:
    """The test split that belongs to a training split, or else its validation split; None without either."""
    if not dataset.split.startswith("train"):
        return None
    for split in ("test", "validation"):
        with contextlib.suppress(UserError):
            return load(dataset.name, data_dir=data_dir, split=split, **whole(dataset.options))
    return None


def held_out_rows(dataset: Dataset, data_dir: str | Path | None) -> Dataset:
    """What a method that reads source batches makes images of: held-out rows; the data's own without any."""
    return held_out_split(dataset, data_dir) or dataset
