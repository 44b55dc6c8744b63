"""Adaptive discriminator augmentation (Karras et al. 2020, "Training Generative Adversarial Networks with
Limited Data", arXiv:2006.06676, section 3 and appendix B).

Written from the paper. Deliberate deviations:
- Flips, quarter turns and whole-pixel shifts are exact copies of pixels, and an example for which no general
  geometric transform was drawn is not resampled, so p = 0 is exactly the identity. (A shift that meets a
  geometric transform is part of the one resampling, as in the paper.)
- The image is mirrored at its borders without end, instead of padded by what the transforms of the batch
  need: shapes stay static, and an example's result does not depend on the rest of its batch.
- The upsampling filter's delay is accounted for, so that transforms are about the true centre; treating its
  12 taps as centred moves an image that is turned upside down by 0.4 pixels.
- p is clipped to [0, 1]. The official code (NVlabs/stylegan2-ada-pytorch) clips it at 0 alone: beyond 1 all
  happens always, as at 1, and p has farther to come down.
- The sign of a logit is taken from the loss's `midpoint`, which is 0 for the paper's loss.
- An image that is no square has no quarter turns, only half turns (drawn with probability p/2).
- Channels are any number, see `colour`.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gan_jax.augment import geometry
from gan_jax.augment.base import Augment, PyTree, check_batch, check_names
from gan_jax.augment.blit import flipped, per_image, shifted, turned
from gan_jax.augment.colour import colour_map, recoloured
from gan_jax.augment.degrade import cut_out, filtered, noisy
from gan_jax.augment.draws import NAMES, TRANSFORMS, Draws, draw
from gan_jax.optim.schedules import Schedule, as_schedule
from gan_jax.utils.checks import check_count, check_range

Array = jax.Array
LONGEST_SHIFT = 0.125  # of the side, either way


@dataclass(frozen=True, kw_only=True)
class ADA(Augment):
    """Applies each transform to each example with probability p, which is adapted to the overfitting.

    Attributes:
        groups: of transforms: "blit" (flip, quarter_turn, shift), "geometric" (scale, rotate, stretch,
            translate), "color" (brightness, contrast, luma_flip, hue, saturation), "filter" (bands) and
            "corrupt" (noise, cutout). The default is the paper's "bgc", its best for training on few images.
        without: single transforms of these groups to leave out, such as "flip" where writing is shown.
        color_share: the share of p that is the probability of each transform of colours; R3GAN has 0.5.
        target: of r = E[sign D(real)], the overfitting: p rises above it and falls below.
        p: the number that p starts from; where `adjust_images` is 0, p itself, a number or a schedule.
        interval_steps: discriminator descents between adjustments of p, each by the images seen in between
            divided by `adjust_images`.
        adjust_images: reals in which p can go from 0 to 1; 0 leaves p as it is given.
    """

    groups: tuple[str, ...] = ("blit", "geometric", "color")
    without: tuple[str, ...] = ()
    color_share: float = 1.0
    target: float = 0.6
    p: float | Schedule = 0.0
    interval_steps: int = 4
    adjust_images: int = 500_000

    def __post_init__(self) -> None:
        check_names(self.groups, "groups", tuple(TRANSFORMS))
        check_names(self.without, "without", NAMES, empty=True)
        as_schedule(self.p, "p", 0.0, 1.0)
        check_range(self.color_share, "color_share", 0.0, 1.0)
        check_range(self.target, "target", -1.0, 1.0)
        check_count(self.interval_steps, "interval_steps")
        if self.adjust_images != 0:
            check_count(self.adjust_images, "adjust_images")
        if self.adaptive and callable(self.p):
            raise ValueError(
                "p: a schedule; where p adapts it must be the number to start from: set adjust_images=0"
            )
        if not self.names:
            raise ValueError(f"without={self.without!r}: nothing is left of groups={self.groups!r}")

    @property
    def adaptive(self) -> bool:
        """Whether p follows the overfitting."""
        return self.adjust_images != 0

    @property
    def names(self) -> frozenset[str]:
        """The transforms that may happen."""
        return frozenset(name for group in self.groups for name in TRANSFORMS[group]) - set(self.without)

    @property
    def of_batch(self) -> str:
        if not self.adaptive:
            return ""
        return "augment counts signs in the whole mini-batch to adapt p: set augment.adjust_images=0"

    def init(self) -> PyTree:
        """p, r of the last finished interval, and the counts of this one; {} where p does not adapt."""
        if not self.adaptive:
            return {}
        zero = jnp.zeros((), jnp.float32)
        return {
            "p": as_schedule(self.p, "p")(jnp.zeros((), jnp.int32)),
            "r": zero,
            "signs": zero,  # sum of sign(real logit)
            "images": zero,
            "descents": jnp.zeros((), jnp.int32),
        }

    def probability(self, memory: PyTree, step: Array) -> Array:
        """p now, float32 [], in [0, 1]."""
        if not self.adaptive:
            return jnp.clip(as_schedule(self.p, "p", 0.0, 1.0)(step), 0.0, 1.0)
        return memory["p"]

    def update(self, memory: PyTree, real_logits: Array, step: Array) -> PyTree:
        """Counts the signs of the logits [B]; every `interval_steps` updates p is adjusted (section 3.1)."""
        if not self.adaptive:
            return memory
        signs = memory["signs"] + jnp.sum(jnp.sign(real_logits))
        images = memory["images"] + real_logits.size
        descents = memory["descents"] + 1
        r = signs / images
        p = jnp.clip(memory["p"] + jnp.sign(r - self.target) * images / self.adjust_images, 0.0, 1.0)
        counting = {
            "p": memory["p"],
            "r": memory["r"],
            "signs": signs,
            "images": images,
            "descents": descents,
        }
        zeros = {name: jnp.zeros_like(counting[name]) for name in ("signs", "images", "descents")}
        due = descents >= self.interval_steps
        return jax.tree.map(lambda a, b: jnp.where(due, a, b), {"p": p, "r": r, **zeros}, counting)

    def __call__(self, image: Array, keys: Array, memory: PyTree, step: Array) -> Array:
        """As `Augment.__call__`; exactly the image at p = 0. Nothing is clipped to [-1, 1]."""
        check_batch(image, keys)
        draws = draw(keys, self.probability(memory, step), self.names, self.color_share)
        image = transform_geometry(image, draws)
        if not self.names.isdisjoint(TRANSFORMS["color"]):
            image = recoloured(image, colour_map(draws, image.shape[3]))
        if "bands" in self.names:
            image = filtered(image, draws)
        if "noise" in self.names:
            image = noisy(image, draws)
        if "cutout" in self.names:
            image = cut_out(image, draws)
        return image


def transform_geometry(image: Array, draws: Draws) -> Array:
    """Pixel blitting and geometric transforms of images [B, H, W, C]."""
    height, width = image.shape[1:3]
    turns = 4 if height == width else 2
    image = flipped(image, draws.happens("flip") & (draws.uniform("flip") < 0.5))
    turn = jnp.floor(draws.uniform("quarter_turn") * turns).astype(jnp.int32) * (4 // turns)
    image = turned(image, jnp.where(draws.happens("quarter_turn"), turn, 0))
    right, down = _shift(draws, 0, width), _shift(draws, 1, height)
    # LONGEST_SHIFT is a power of two, so this bound is met exactly; both round half to even.
    reach = round(LONGEST_SHIFT * height), round(LONGEST_SHIFT * width)
    moved = shifted(image, down, right, reach, "reflect") if "shift" in draws.names else image
    if draws.names.isdisjoint(TRANSFORMS["geometric"]):
        return moved
    back = geometry.translation(-right.astype(jnp.float32), -down.astype(jnp.float32))
    inverse = geometry.compose(back, geometry.inverse_transform(draws, height, width))
    resampled = draws.any_happens(*TRANSFORMS["geometric"])
    return jnp.where(per_image(resampled), geometry.warp(image, inverse), moved)


def _shift(draws: Draws, part: int, size: int) -> Array:
    """int32 [B]: U(-0.125, 0.125) of the side, rounded; 0 where the shift does not happen."""
    pixels = jnp.round((2.0 * draws.uniform("shift", part) - 1.0) * LONGEST_SHIFT * size)
    return jnp.where(draws.happens("shift"), pixels, 0.0).astype(jnp.int32)
