"""Generated images that are to be scored: a run's, or files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.randomness import Latent
from gan_jax.core.state import TrainState
from gan_jax.data.codecs import Pixels
from gan_jax.data.dataset import Dataset
from gan_jax.data.spec import DataSpec
from gan_jax.evaluation.cycles import make_cycle
from gan_jax.evaluation.held_out import Judge, Judged, OfRows, bits_of, errors_of
from gan_jax.evaluation.protocol import WHILE_TRAINING
from gan_jax.evaluation.sampling_cost import SamplingCost, sampling_cost
from gan_jax.evaluation.sources.sources import ImageSource, dataset_source, generator_source
from gan_jax.feature_networks.network import digest_of
from gan_jax.inference.conditions import Conditions, turned_round
from gan_jax.inference.sample import drawable, make_chunks

CycleErrors = Callable[[int, np.ndarray], Mapping[str, np.ndarray]]
Generate = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class GeneratedSet:
    """A set of generated images to be scored.

    Attributes:
        source: the images.
        identity: as `protocol.Record.fake_id`; "" for the source's fingerprint.
        rows: the data set that the fakes are made of, image i of row i; None where they are of no data.
        truth: image i is what fake i should have been; None where nothing says it.
        no_truth: why that is so, in words.
        cycle: (seed, rows int64 [N]) -> for each kind of `pair_scores.CYCLES` the errors float64 [N] of these
            of the examples that the fakes are made of; None where nothing goes there and back.
        bits, errors: as in `metric.Comparison`.
        bits_kind: `Algorithm.bits_kind`.
        back: the images of the other direction; None where the method translates one way, or nothing.
        scale: how many times as large the fakes are as what they were made of.
        step, which, averaged, labels, seed: as in `protocol.Record`.
        sampling_cost: measures what drawing such images costs; None where no run made them.
        generate, latent: as in `metric.Comparison`; None where no generator makes pixels of latents alone.
    """

    source: ImageSource
    identity: str = ""
    rows: Dataset | None = None
    truth: ImageSource | None = None
    no_truth: str = "nothing says which truth belongs to which image"
    cycle: CycleErrors | None = None
    bits: OfRows | None = None
    errors: OfRows | None = None
    bits_kind: str = ""
    back: GeneratedSet | None = None
    scale: int = 1
    step: int | None = None
    which: str = ""
    averaged: bool | None = None
    labels: str = "none"
    seed: int = 0
    generate: Generate | None = None
    sampling_cost: Callable[[], SamplingCost] | None = None
    latent: tuple[Latent, int] | None = None


class GeneratedSetMaker:
    """Makes fakes of a run's states; compiles its sampler once.

    Args:
        name: of the run.
        algorithm, spec: the run's.
        devices: that draw; None is all of this process.
        conditions: what a method that reads source batches makes its images of.
        direction: in which it translates, where it does. With "a_to_b" a method that translates both ways
            makes the fakes of the way back too; "b_to_a" is for this, with all other arguments turned.
    """

    def __init__(
        self,
        name: str,
        algorithm: Algorithm,
        spec: DataSpec,
        devices: Sequence[jax.Device] | None = None,
        conditions: Conditions | None = None,
        direction: str = "a_to_b",
    ) -> None:
        self._name = name
        self._algorithm = algorithm
        self._spec = spec
        self._devices = devices
        self._conditions = conditions
        self._rows = None if conditions is None else conditions.dataset
        paired = self._rows is not None and all(field.aligned for field in self._rows.fields.values())
        self._truth = dataset_source(self._rows) if self._rows is not None and paired else None
        self._chunks = make_chunks(algorithm, spec, conditions)
        self._draw = jax.jit(algorithm.draw)
        self._scale = scale_of(algorithm, direction)
        self._cycle = None if self._rows is None else make_cycle(algorithm, self._rows, direction)
        self._bits, self._errors = bits_of(algorithm, spec), errors_of(algorithm, spec)
        self._back = self._turned() if direction == "a_to_b" else None
        self._drawing = f", {algorithm.drawing}" if algorithm.drawing else ""

    def __call__(self, state: TrainState, *, seed: int, which: str, averaged: bool) -> GeneratedSet:
        """The images of a state. Where other processes hold parts of it, all must call this together.

        Args:
            seed: of the latents.
            which: "last", "best by fid", ...
            averaged: whether `state.ema` holds an average; it is only written down.
        """
        algorithm, state = self._algorithm, drawable(state)
        back = None
        if self._back is not None:
            back = self._back(state, seed=seed, which=which, averaged=averaged)
        source = generator_source(
            self._name,
            algorithm,
            self._spec,
            state,
            seed=seed,
            devices=self._devices,
            chunks=self._chunks,
            size=None if self._rows is None else len(self._rows),
        )
        # InfoGAN's generator takes codes beside the noise: there is no one path between two of its inputs.
        plain = source.codec == Pixels() and algorithm.has_latent_path
        return GeneratedSet(
            source=source,
            identity=digest_of(state.ema, f"generator{self._drawing}"),
            step=int(state.step),
            which=which if which == WHILE_TRAINING else f"{which}{self._drawing}",
            rows=self._rows,
            truth=self._truth,
            no_truth=self._no_truth(),
            cycle=None if self._cycle is None else partial(self._cycle, state),
            bits=self._judged(self._bits, state),
            errors=self._judged(self._errors, state),
            bits_kind=algorithm.bits_kind or "",
            back=back,
            scale=self._scale,
            averaged=averaged,
            labels=self._labels(),
            seed=seed,
            sampling_cost=partial(sampling_cost, algorithm, self._spec, state, self._conditions),
            generate=self._generate(state) if plain else None,
            latent=(algorithm.latent, algorithm.latent_size) if plain else None,
        )

    def _judged(self, judge: Judge | None, state: TrainState) -> OfRows | None:
        return None if judge is None else Judged(judge, state, self._spec, self._algorithm.num_classes)

    def _turned(self) -> GeneratedSetMaker | None:
        """What makes the fakes of the way back, where there is one."""
        way = "b_to_a"
        if way not in self._algorithm.directions or self._rows is None or "source" not in self._rows.fields:
            return None
        algorithm, spec, conditions = turned_round(self._algorithm, self._conditions, way)
        return GeneratedSetMaker(self._name, algorithm, spec, self._devices, conditions, way)

    def _labels(self) -> str:
        """How labels, or what else images are made of, were chosen."""
        if self._conditions is not None:
            return f"of {self._conditions.name}"
        return "none" if self._algorithm.num_classes is None else "balanced"

    def _no_truth(self) -> str:
        """Why there is no truth, where there is none."""
        if self._rows is None:
            return f"{type(self._algorithm).__name__} makes its images of nothing that has a truth"
        return f"the fields of {self._rows.name}:{self._rows.split} are of different examples"

    def _generate(self, state: TrainState) -> Generate:
        return lambda latents, labels: self._draw(state, latents, labels)


def scale_of(algorithm: Algorithm, direction: str = "a_to_b") -> int:
    """How many times as large an image is as what it is made of; 1 where it is made of no picture."""
    return algorithm.geometry(direction).scale if direction in algorithm.directions else 1


def not_averaged(state: TrainState) -> TrainState:
    """The state with the trained weights in the place of their average."""
    generator = state.generator
    return state.replace(ema={"params": generator.params, "stats": generator.stats})
