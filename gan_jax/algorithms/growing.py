"""Progressive growing of GANs for improved quality, stability, and variation.

Karras, Aila, Laine, Lehtinen 2018, arXiv:1710.10196, sections 2 and 3 and appendix A; official code:
tkarras/progressive_growing_of_gans; also how StyleGAN (Karras et al. 2019, arXiv:1812.04948) is trained. Each
phase of a run (`config.phases`, see `config.growing_phases`) has a resolution, and may fade it in: the images
of the generator, what the discriminator sees, and the reals go from those of the resolution before to their
own in `fade_steps` steps.

As in the official code all images are as large as the data's, of whatever resolution their content is, so a
gradient penalty is one of full-size pixels. The fade is a function of the step, here new at every step (there
at every fourth). The code's term for data with classes is AC-GAN's; here labels enter the networks by their
`condition`.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from gan_jax.algorithms.gan import GAN
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Batch
from gan_jax.models.layers.growing import box_down, enlarge, faded, level_at
from gan_jax.models.layers.levels import level_sizes
from gan_jax.utils.checks import check_count
from gan_jax.utils.tree import PyTree


@dataclass(frozen=True, kw_only=True)
class Growing(GAN):
    """A GAN at the resolution that its two networks have grown to.

    Networks are told {"label": ..., "fade": ...}; see `models.layers.growing`.

    Attributes:
        fade_steps: in which this phase's resolution is faded in, from the phase's first step on; 0 where it
            is there at once.
    """

    fade_steps: int = 0

    def __post_init__(self) -> None:
        for role, network in self.networks.items():
            if not hasattr(network, "resolution"):
                raise ValueError(
                    f"growing needs networks that grow, and the {role} {type(network).__name__} has no "
                    "resolution: use progan_generator or stylegan_generator with progan_discriminator"
                )
        super().__post_init__()
        if self.discriminator_level != self.level:
            raise ValueError(
                f"generator.resolution={self.generator.resolution} and discriminator.resolution="
                f"{self.discriminator.resolution}: both networks must have grown to the same"
            )
        if self.fade_steps != 0:
            check_count(self.fade_steps, "fade_steps")
            if self.level == 0:
                raise ValueError(
                    f"fade_steps={self.fade_steps}: {self.size_at(0)} is the lowest resolution, and there is "
                    "nothing that it could be faded in from; set fade_steps=0"
                )

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(height, width) of all levels, the lowest first."""
        height, width, _ = self.generator.image_shape
        return level_sizes((height, width))

    @property
    def level(self) -> int:
        """The number of the level that this phase trains."""
        return level_at(self.generator.resolution, self.sizes)

    @property
    def discriminator_level(self) -> int:
        """That of the discriminator."""
        return level_at(self.discriminator.resolution, self.sizes)

    def size_at(self, level: int) -> str:
        """A level's resolution in words: 14x14."""
        return "{}x{}".format(*self.sizes[level])

    def fade(self, state: TrainState | None) -> Array | None:
        """The share of this phase's resolution in (0, 1], 1 in the fade's last step; None without a fade."""
        if not self.fade_steps:
            return None
        if state is None:
            return jnp.ones(())
        return jnp.minimum((state.step - self.first_step + 1) / self.fade_steps, 1.0)

    def conditioning(self, batch: Batch, state: TrainState | None) -> PyTree:
        return {"label": super().conditioning(batch, state), "fade": self.fade(state)}

    def prepare(self, batches: Batch, state: TrainState) -> Batch:
        """Reals of this phase's resolution, faded in like the fakes, and as large as the data's."""
        image = batches["image"]
        factor = 2 ** (len(self.sizes) - 1 - self.level)
        fine = box_down(image.reshape(-1, *image.shape[2:]), factor)
        fade = self.fade(state)
        if fade is not None:
            fine = faded(enlarge(box_down(fine, 2), 2), fine, fade)
        return {**batches, "image": enlarge(fine, factor).reshape(image.shape)}

    def enter(self, state: TrainState) -> TrainState:
        """Both optimizers forget, at the start and at the end of a fade (appendix A.1).

        What the layers of lower resolutions had for moments does not hold beside new layers.
        """
        fresh = {
            role: player.replace(opt=self.optimizer(role).init(player.params))
            for role, player in state.players.items()
        }
        return state.replace(**fresh)

    def check_place(self, before: Algorithm | None, is_last: bool) -> None:
        """Raises a ValueError where a resolution is skipped, given up, not faded in whole or not reached."""
        if isinstance(before, Growing):
            at, now = before.size_at(before.level), self.size_at(self.level)
            if self.level < before.level:
                raise ValueError(f"it goes back from {at} to {now}: growing networks only grow")
            if self.level > before.level + 1:
                skipped = self.size_at(before.level + 1)
                raise ValueError(f"it goes from {at} to {now}: add a phase at {skipped}, which it skips")
            if self.fade_steps and self.level == before.level:
                raise ValueError(
                    f"fade_steps={self.fade_steps} would fade in {now}, which the phase before has trained: "
                    "set fade_steps=0"
                )
            steps = self.first_step - before.first_step
            if before.fade_steps > steps:
                raise ValueError(
                    f"it begins {steps} steps after a fade of fade_steps={before.fade_steps}, which is not "
                    "over: give the phase before so many steps"
                )
        if is_last and self.level + 1 < len(self.sizes):
            raise ValueError(
                f"it is the last one and ends at {self.size_at(self.level)}, and the images are "
                f"{self.size_at(-1)}: add phases up to there, or use smaller images"
            )
