"""A run from Python: its config, its weights, and images from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gan_jax.config.components import complete
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.modules import is_conditional
from gan_jax.core.state import TrainState
from gan_jax.data.arrays import checked_images
from gan_jax.data.classes import labels_named
from gan_jax.data.codecs import Pixels
from gan_jax.data.given import in_8_bits
from gan_jax.data.spec import DataSpec
from gan_jax.inference.conditions import Conditions
from gan_jax.inference.sample import ImageSampler, class_rows, compared_kind, make_sampler
from gan_jax.inference.samplers import SamplerChoice, with_sampler
from gan_jax.inference.translate import UNTILED, PictureTranslator, what_it_translates
from gan_jax.inference.truncation import truncated
from gan_jax.summaries.logs import read_losses
from gan_jax.training.restore import BEST, NEWEST, restored_run, run_conditions
from gan_jax.training.workdir import recorded_run
from gan_jax.utils.checks import is_count
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted
from gan_jax.utils.paths import expanded
from gan_jax.utils.tree import PyTree

Label = str | int | Sequence[str | int]


def load(workdir: str | Path, *, step: int | None = None, best: bool = False) -> Run:
    """A run from its folder, which may be training meanwhile.

    Args:
        workdir: the run's folder.
        step: of the checkpoint; None is the newest that is intact.
        best: the one with the best score that was measured while training (`config.evaluation`).

    Raises:
        UserError: no run there, or no such checkpoint.

    Examples:
        >>> import gan_jax
        >>> run = gan_jax.load("runs/small")  # that of the example of gan_jax.train
        >>> run
        Run('runs/small', step 2 of 2)
        >>> run.config.loss.name, run.losses["generator_loss"].shape
        ('non_saturating', (2,))
    """
    if best and step is not None:
        raise UserError(f"step={step} and best=True are two checkpoints: give one of them")
    algorithm, spec, state = restored_run(workdir, BEST if best else NEWEST, step)
    return Run(Path(workdir), complete(recorded_run(workdir)[0]), algorithm, spec, state)


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A run at one of its checkpoints; `load` and `train` give it.

    Attributes:
        workdir: its folder.
        config: the whole config with which it was trained.
        algorithm: the method with its networks, such as `algorithm.generator`, a Flax module.
        spec: what the networks know of the data: fields, shapes, classes.
        state: all of it: weights of both players, optimizers, statistics, the averaged generator.
    """

    workdir: Path
    config: ml_collections.ConfigDict
    algorithm: Algorithm
    spec: DataSpec
    state: TrainState

    def __repr__(self) -> str:
        return f"Run({str(self.workdir)!r}, step {self.step} of {self.config.num_steps})"

    @property
    def name(self) -> str:
        """Of its folder."""
        return expanded(self.workdir).resolve().name

    @property
    def step(self) -> int:
        """Completed train steps."""
        return int(self.state.step)

    @property
    def params(self) -> PyTree:
        """The generator's weights that images are drawn with: averaged, where `config.ema` says so.

        They go with the statistics (of BatchNorm, ...) in `state.ema["stats"]`. The trained ones are in
        `state.generator.params`.
        """
        return self.state.ema["params"]

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the labels 0, 1, ... mean; empty where the data have no classes."""
        return self.spec.class_names

    @property
    def losses(self) -> dict[str, np.ndarray]:
        """Every step's losses and other metrics by name, float32 [steps]; NaN where a step has none."""
        found = read_losses(expanded(self.workdir))
        return {} if found is None else {name: found[name][: self.step] for name in found.dtype.names or ()}

    def sample(
        self,
        num: int = 64,
        label: Label | None = None,
        *,
        seed: int = 0,
        truncation: float = 1.0,
        solver: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> np.ndarray:
        """Images from the generator: those of `gan-jax sample` with this number, label and seed.

        Image i is the same whatever the number, for the same label and seed. A method that makes pictures of
        pictures makes them of the first held-out rows of its data.

        Args:
            num: how many.
            label: a class by name ("Sneaker", in any spelling) or number, or several, each of which is drawn
                equally often, one after the other. None: of all classes likewise, where there are some.
            seed: of the latents.
            truncation: psi of style generators: below 1 less variety and fewer bad images.
            solver, steps, guidance: how a diffusion model samples; None is as its config says.

        Returns:
            float32 [num, H, W, C]; images are in [-1, 1], points in the units of their density. `to_uint8`
            makes pictures of them.

        Raises:
            UserError: no such class, a label for an unconditional run, no truncation, or no steps.

        Examples:
            >>> import gan_jax
            >>> run = gan_jax.load("runs/small")
            >>> images = run.sample(6, label="1", seed=3)
            >>> images.shape, images.dtype, bool((abs(images) <= 1).all())
            ((6, 8, 8, 1), dtype('float32'), True)
            >>> run.to_uint8(images).dtype
            dtype('uint8')
        """
        if not is_count(num):
            raise UserError(f"num={num!r}: it must be a positive integer")
        labels: np.ndarray | None = None
        if label is not None:
            chosen = self._labels(label)
            if num < len(chosen):
                raise UserError(f"label={label!r} are {len(chosen)} classes, and num={num}: raise num")
            labels = class_rows(self.algorithm, num, chosen)[0]
        elif self._conditions is None:
            labels = class_rows(self.algorithm, num)[0]
        choice = SamplerChoice(solver, steps, guidance)
        drawn = self._sampler(float(truncation), choice)(self.state, num, jax.random.key(seed), labels)
        return np.asarray(compared_kind(drawn))

    def translate(self, images: Any, *, seed: int = 0, direction: str | None = None) -> np.ndarray:
        """What a method that makes pictures of pictures makes of given ones: as `gan-jax translate` does it.

        Args:
            images: float [N, H, W, C] in [-1, 1], rounded to 8 bits as a file is, or uint8; grey ones also
                [N, H, W]. C is 1, 3 or 4, as the run's data have it, and 4 with transparency where the method
                fills what is transparent. Of any size; each size is compiled once, and more than 256 pixels a
                side are made in tiles where the memory asks for it.
            seed: of what the network draws, the same for every image.
            direction: "a_to_b" or "b_to_a"; None is the method's first.

        Returns:
            float32 [N, H * scale, W * scale, C'] in [-1, 1], of 8 bits; `scale` is 1 but for
            super-resolution.

        Raises:
            UserError: the method does not translate, or not in this direction; images of another type, range
                or number of channels; too large for the memory.

        Example:
            >>> import numpy as np
            >>> import gan_jax
            >>> run = gan_jax.load("runs/colouring")  # doctest: +SKIP
            >>> run.translate(np.zeros((2, 28, 28, 1))).shape  # doctest: +SKIP
            (2, 28, 28, 3)
            >>> try:
            ...     gan_jax.load("runs/small").translate(np.zeros((2, 8, 8, 1)))
            ... except gan_jax.UserError as error:
            ...     print(error)
            the run in runs/small cannot translate: GAN makes no pictures of pictures
        """
        if not self.algorithm.directions:
            raise UserError(
                f"the run in {self.workdir} cannot translate: {what_it_translates(self.algorithm)}"
            )
        chosen = (direction or self.algorithm.directions[0], seed)
        if chosen not in self._translators:
            self._translators[chosen] = PictureTranslator(
                self.algorithm, self.spec, self.state, direction=chosen[0], seed=seed
            )
        translator, called = self._translators[chosen], "the images"
        pixels = checked_images(in_8_bits(np.asarray(images), called), called)
        if pixels.shape[3] != translator.channels:
            raise UserError(
                f"the images have {counted(pixels.shape[3], 'channel')}, and the run in {self.workdir} "
                f"translates {chosen[0]} pictures of {counted(translator.channels, 'channel')}"
            )
        if max(translator.padded_sides(*pixels.shape[1:3])) > UNTILED:
            translator.tile = translator.tile or translator.largest_tile()
        made = np.stack([translator(np.ascontiguousarray(picture)) for picture in pixels])
        return np.asarray(Pixels().decode(jnp.asarray(made)))

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """Images as `sample` gives them, as pictures.

        Args:
            images: float32 [N, H, W, C]; values beyond [-1, 1] are clipped.

        Returns:
            uint8 [N, H, W, C]: round((x + 1) * 127.5), or what else the run's data are stored as: RGB of
            L*a*b*, sprites of tiles, a spectrogram of a sound.

        Raises:
            UserError: points have no pictures.
        """
        codec = self.spec.fields["image"].codec
        if not codec.pictured:
            raise UserError(f"the run in {self.workdir} makes {codec.noun}, which have no pictures")
        return codec.encode(images) if codec.is_image else codec.picture(images)

    def _labels(self, label: Label) -> list[int]:
        """The numbers of the classes that are asked for."""
        count = self.algorithm.num_classes
        if count is None:
            raise UserError(f"label={label!r}: the run in {self.workdir} is unconditional: leave label out")
        names = self.class_names if is_conditional(self.algorithm.generator) else ()
        found: list[int] = []
        for one in [label] if isinstance(label, str | int | np.integer) else label:
            if not isinstance(one, str):
                if not 0 <= one < count:
                    raise UserError(f"label={one!r}: the classes are 0 to {count - 1}")
                found.append(int(one))
                continue
            try:
                found += labels_named(one, names, count)
            except UserError as error:
                raise UserError(str(error).removeprefix("--")) from None
        return found

    @cached_property
    def _conditions(self) -> Conditions | None:
        return run_conditions(self.workdir, self.algorithm)

    @cached_property
    def _samplers(self) -> dict[tuple[float, SamplerChoice], ImageSampler]:
        return {}

    @cached_property
    def _translators(self) -> dict[tuple[str, int], PictureTranslator]:
        return {}

    def _sampler(self, truncation: float, choice: SamplerChoice) -> Any:
        """Compiled once for each truncation and way to sample."""
        if (truncation, choice) not in self._samplers:
            algorithm = truncated(self.algorithm, self.spec, self.state, truncation, None)
            algorithm = with_sampler(algorithm, choice)
            self._samplers[truncation, choice] = make_sampler(algorithm, self.spec, self._conditions)
        return self._samplers[truncation, choice]
