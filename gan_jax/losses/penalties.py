"""The penalties that a config can name: a function of `gan_jax.losses.gradient_penalties` with its settings.

The discriminator's loss adds weight(step) times each of them. A lazy one (`every` above 1) is left out
of that loss and has a descent of its own at every so many steps, whose weight makes up for the descents
without it: times `every` (Karras et al. 2020, arXiv:1912.04958, appendix B), and times the discriminator's
descents in a step.

Gradients are those with respect to the images as they are given, before any augmentation and through it, as
in the official code of StyleGAN2-ADA (NVlabs/stylegan2-ada-pytorch, training/loss.py) and of R3GAN
(brownvc/R3GAN, Trainer.py): where an augmentation enlarges, greys or cuts away, the gradient is another one
than at the augmented image. The transforms are those that the loss drew, for reals and for fakes; points
between reals and fakes and around reals have the reals'.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.losses.gradient_penalties import Critic, consistency, dragan, lecam, r1, r2, wgan_gp
from gan_jax.losses.term import Term
from gan_jax.utils.checks import check_count, check_decay, check_number, check_range
from gan_jax.utils.tables import Table
from gan_jax.utils.tree import PyTree

Array = jax.Array


class PenaltyInputs(NamedTuple):
    """Inputs of a penalty.

    Attributes:
        real_critic: images [B, H, W, C] -> logits [B] after the augmentation of the reals, with the
            parameters that the loss is differentiated by.
        fake_critic: likewise, after the augmentation of the fakes.
        real: [B, H, W, C] on this device, not augmented; with packing [B / packing, H, W, C * packing].
        fake: likewise.
        keys: [B], one per example, for nothing but penalties; each kind draws from a stream of its own.
        real_logits: [B] of all devices, or of patches [B, h, w]; None in a lazy descent, which has no other
            loss.
        fake_logits: likewise.
        axis_name: the mapped axis that splits the batch; None under `jit`.
    """

    real_critic: Critic
    fake_critic: Critic
    real: Array
    fake: Array
    keys: Array
    real_logits: Array | None = None
    fake_logits: Array | None = None
    axis_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Penalty(Term):
    """A term of the discriminator's loss.

    Attributes:
        of_gradient: whether it bounds the critic's gradient, which clipped weights do already.
    """

    of_gradient: ClassVar[bool] = True

    def __call__(self, inputs: PenaltyInputs, memory: PyTree, step: Array) -> tuple[Array, PyTree]:
        return self.value(inputs), memory

    def keys(self, inputs: PenaltyInputs) -> Array:
        """Keys [B] for this kind of penalty alone."""
        own = zlib.crc32(self.name.encode())  # whatever else is in the table
        stream = _STREAMS.get(self.name, own)
        return jax.vmap(lambda key: jax.random.fold_in(key, stream))(inputs.keys)

    def value(self, inputs: PenaltyInputs) -> Array:
        """The penalty without its weight, of those that carry no state."""
        raise NotImplementedError(f"{type(self).__name__} must define `value` or `__call__`")


@dataclass(frozen=True, kw_only=True)
class R1(Penalty):
    """Half the squared gradient on reals; the weight is gamma. See `r1`."""

    name: ClassVar[str] = "r1"

    def value(self, inputs: PenaltyInputs) -> Array:
        return r1(inputs.real_critic, inputs.real)


@dataclass(frozen=True, kw_only=True)
class R2(Penalty):
    """Half the squared gradient on fakes; the weight is gamma. See `r2`."""

    name: ClassVar[str] = "r2"

    def value(self, inputs: PenaltyInputs) -> Array:
        return r2(inputs.fake_critic, inputs.fake)


@dataclass(frozen=True, kw_only=True)
class WGANGP(Penalty):
    """The gradient's norm between reals and fakes; the paper's weight is 10. See `wgan_gp`.

    Attributes:
        target: the norm aimed at, at least 0.
    """

    target: float = 1.0

    name: ClassVar[str] = "wgan_gp"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self.target, "target")

    def value(self, inputs: PenaltyInputs) -> Array:
        return wgan_gp(inputs.real_critic, inputs.real, inputs.fake, self.keys(inputs), self.target)


@dataclass(frozen=True, kw_only=True)
class DRAGAN(Penalty):
    """The gradient's norm around the reals; the paper's weight is 10. See `dragan`.

    Attributes:
        scale: of the noise in standard deviations of the batch, at least 0.
        target: the norm aimed at, at least 0.
    """

    scale: float = 0.5
    target: float = 1.0

    name: ClassVar[str] = "dragan"
    of_batch: ClassVar[str] = "the standard deviation"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self.scale, "scale")
        check_range(self.target, "target")

    def value(self, inputs: PenaltyInputs) -> Array:
        return dragan(
            inputs.real_critic, inputs.real, self.keys(inputs), self.scale, self.target, inputs.axis_name
        )


@dataclass(frozen=True, kw_only=True)
class Consistency(Penalty):
    """The same logits for an image and its shifted mirror image; the paper's weight is 10. See `consistency`.

    Attributes:
        translation: the largest shift as a share of the side, in [0, 1); 1/8 is 4 pixels of CIFAR's 32.
        flip: whether to mirror half of the images.
    """

    translation: float = 0.125
    flip: bool = True

    name: ClassVar[str] = "consistency"
    of_gradient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= check_number(self.translation, "translation") < 1.0:
            raise ValueError(f"translation={self.translation!r}: it must be in [0, 1), a share of the side")
        if not isinstance(self.flip, bool):
            raise ValueError(f"flip={self.flip!r}: it must be True or False")
        if self.translation == 0.0 and not self.flip:
            raise ValueError("translation=0.0, flip=False: one must be on, or there is nothing to compare")

    def value(self, inputs: PenaltyInputs) -> Array:
        critics = inputs.real_critic, inputs.fake_critic
        return consistency(critics, inputs.real, inputs.fake, self.keys(inputs), self.translation, self.flip)


@dataclass(frozen=True, kw_only=True)
class LeCam(Penalty):
    """Logits near the other side's moving average. See `lecam`.

    It reads the logits of the discriminator's loss, so it acts at every step from the first one on. The
    authors' BigGAN (google/lecam-gan, biggan_cifar) starts it after 1,000 steps, with decay 0.9; until then
    its averages are the last batch's means, as here. Their StyleGAN2 starts at once, with decay 0.99.

    Attributes:
        decay: weight of the old averages, in [0, 1). A batch's means start them.
        start_step: completed steps before the first one in which it acts.
    """

    decay: float = 0.99
    start_step: int = 1_000
    every: int = field(default=1, init=False)

    name: ClassVar[str] = "lecam"
    of_batch: ClassVar[str] = "the mean logits"
    of_gradient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay(check_number(self.decay, "decay"), "decay")
        if self.start_step != 0:
            check_count(self.start_step, "start_step")
            check_range(self.start_step, "start_step", high=2**31 - 1)

    def init(self) -> PyTree:
        """{"real", "fake": float32 [], "begun": int32 [], 1 once it has acted}."""
        # Buffers of their own: the state is donated, and one buffer cannot be donated twice.
        return {"real": jnp.zeros(()), "fake": jnp.zeros(()), "begun": jnp.zeros((), jnp.int32)}

    def __call__(self, inputs: PenaltyInputs, memory: PyTree, step: Array) -> tuple[Array, PyTree]:
        """The averages take in this batch's means first, as in the authors' code; 0 before the start.

        Raises:
            ValueError: `inputs` has no logits.
        """
        if inputs.real_logits is None or inputs.fake_logits is None:
            raise ValueError("lecam needs the logits of the discriminator's loss: it cannot be lazy")
        averages = {}
        for side, logits in (("real", inputs.real_logits), ("fake", inputs.fake_logits)):
            mean = jnp.mean(logits)
            old = jnp.where(memory["begun"] > 0, memory[side], mean)
            averages[side] = self.decay * old + (1.0 - self.decay) * mean
        acts = step >= self.start_step
        value = jnp.where(acts, lecam(inputs.real_logits, inputs.fake_logits, averages), 0.0)
        return value, {**averages, "begun": acts.astype(jnp.int32)}


@dataclass(frozen=True, kw_only=True)
class Drift(Penalty):
    """The mean squared logit of the reals, E[D(x)^2], which keeps a critic's from drifting away from 0.

    Karras et al. 2018, arXiv:1710.10196, appendix A.1; the paper's weight is 0.001.
    """

    name: ClassVar[str] = "drift"
    of_gradient: ClassVar[bool] = False

    def value(self, inputs: PenaltyInputs) -> Array:
        logits = inputs.real_logits  # None where it is lazy
        return jnp.mean((inputs.real_critic(inputs.real) if logits is None else logits) ** 2)


PENALTIES: Table[type[Penalty]] = Table(
    "penalty",
    {kind.name: kind for kind in (R1, R2, WGANGP, DRAGAN, LeCam, Consistency, Drift)},
    named=True,
)
# Of the keys that each of the library's own draws with.
_STREAMS = {name: stream for stream, name in enumerate(PENALTIES)}
