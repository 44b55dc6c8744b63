"""Generated images that are to be scored: a run's, or files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.randomness import Latent
from gan_jax.core.state import TrainState
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import DataSpec
from gan_jax.evaluation.sources.sources import ImageSource, generator_source
from gan_jax.feature_networks.network import digest_of
from gan_jax.inference.conditions import Conditions
from gan_jax.inference.sample import drawable, make_chunks

Generate = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class GeneratedSet:
    """A set of generated images to be scored.

    Attributes:
        source: the images.
        identity: as `protocol.Record.fake_id`; "" for the source's fingerprint.
        step, which, averaged, labels, seed: as in `protocol.Record`.
        generate, latent: as in `metric.Comparison`; None where no generator makes pixels of latents alone.
    """

    source: ImageSource
    identity: str = ""
    step: int | None = None
    which: str = ""
    averaged: bool | None = None
    labels: str = "none"
    seed: int = 0
    generate: Generate | None = None
    latent: tuple[Latent, int] | None = None


class GeneratedSetMaker:
    """Makes fakes of a run's states; compiles its sampler once.

    Args:
        name: of the run.
        algorithm, spec: the run's.
        devices: that draw; None is all of this process.
        conditions: what a method that reads source batches makes its images of.
    """

    def __init__(
        self,
        name: str,
        algorithm: Algorithm,
        spec: DataSpec,
        devices: Sequence[jax.Device] | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        self._name = name
        self._algorithm = algorithm
        self._spec = spec
        self._devices = devices
        self._conditions = conditions
        self._chunks = make_chunks(algorithm, spec, conditions)
        self._draw = jax.jit(algorithm.draw)

    def __call__(self, state: TrainState, *, seed: int, which: str, averaged: bool) -> GeneratedSet:
        """The images of a state. Where other processes hold parts of it, all must call this together.

        Args:
            seed: of the latents.
            which: "last", "best by fid", ...
            averaged: whether `state.ema` holds an average; it is only written down.
        """
        algorithm, state = self._algorithm, drawable(state)
        source = generator_source(
            self._name,
            algorithm,
            self._spec,
            state,
            seed=seed,
            devices=self._devices,
            chunks=self._chunks,
        )
        # InfoGAN's generator takes codes beside the noise: there is no one path between two of its inputs.
        plain = source.codec == Pixels() and algorithm.has_latent_path
        return GeneratedSet(
            source=source,
            identity=digest_of(state.ema, "generator"),
            step=int(state.step),
            which=which,
            averaged=averaged,
            labels=self._labels(),
            seed=seed,
            generate=self._generate(state) if plain else None,
            latent=(algorithm.latent, algorithm.latent_size) if plain else None,
        )

    def _labels(self) -> str:
        """How labels, or what else images are made of, were chosen."""
        if self._conditions is not None:
            return f"of {self._conditions.name}"
        return "none" if self._algorithm.num_classes is None else "balanced"

    def _generate(self, state: TrainState) -> Generate:
        return lambda latents, labels: self._draw(state, latents, labels)


def not_averaged(state: TrainState) -> TrainState:
    """The state with the trained weights in the place of their average."""
    generator = state.generator
    return state.replace(ema={"params": generator.params, "stats": generator.stats})
