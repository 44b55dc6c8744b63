"""Penalties on a generator that a config can name: terms of its loss that no discriminator is needed for.

As with `gan_jax.losses.penalties`, one that is lazy (`every` above 1) has a descent of its own at every so
many steps, with `every` times the weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.core.collectives import gather_batch
from gan_jax.losses.term import Term
from gan_jax.optim.schedules import Schedule
from gan_jax.utils.checks import check_count, check_decay, check_number
from gan_jax.utils.tables import Table
from gan_jax.utils.tree import PyTree

Array = jax.Array


class GeneratorPenaltyInputs(NamedTuple):
    """What a penalty on the generator may look at.

    Attributes:
        apply: (name of one of the network's methods, its inputs but `train`) -> its output, in training, with
            the parameters that the loss is differentiated by.
        latent: the generator's first input, [B, ...] on this device.
        conditioning: what it is told beside that; leaves [B, ...] or scalars.
        keys: [B], one per example.
        axis_name: the mapped axis that splits the batch; None under `jit`.
    """

    apply: Callable[..., Any]
    latent: Array
    conditioning: PyTree
    keys: Array
    axis_name: str | None = None


class GeneratorPenalty(Term):
    """A term of the generator's loss; its inputs are `GeneratorPenaltyInputs`."""


@dataclass(frozen=True, kw_only=True)
class PathLength(GeneratorPenalty):
    """Path length regularisation of a style generator.

    Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", arXiv:1912.04958, equation 4:
    E (|J_w^T y|_2 - a)^2 with y normal noise in image space, a the moving average of the lengths. As in the
    official code (NVlabs/stylegan2-ada-pytorch) noise is divided by sqrt(H W), the squares are averaged over
    the layers, and a part of the batch is enough. The network needs the methods
    `mapping(latent, conditioning)` -> w [B, layers, D] and `synthesis(w, conditioning)` -> images.

    Attributes:
        decay: the share of the new mean length in the average.
        batch_shrink: of how many examples one is used; it must divide the batch of each device.
    """

    weight: float | Schedule = 2.0
    every: int = 4
    decay: float = 0.01
    batch_shrink: int = 2

    name: ClassVar[str] = "path_length"
    of_batch: ClassVar[str] = "the mean path length"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay(check_number(self.decay, "decay"), "decay")
        check_count(self.batch_shrink, "batch_shrink")

    def init(self) -> PyTree:
        """{"mean": float32 []}."""
        return {"mean": jnp.zeros(())}

    def __call__(self, inputs: GeneratorPenaltyInputs, memory: PyTree, step: Array) -> tuple[Array, PyTree]:
        count = inputs.latent.shape[0]
        if count % self.batch_shrink:
            raise ValueError(
                f"path_length.batch_shrink={self.batch_shrink} does not divide a device's {count} examples"
            )
        rows = lambda x: x[:: self.batch_shrink] if jnp.ndim(x) else x
        latent, told, keys = jax.tree.map(rows, (inputs.latent, inputs.conditioning, inputs.keys))
        styles = inputs.apply("mapping", latent, told)

        def projection(styles: Array) -> Array:
            image = inputs.apply("synthesis", styles, told)
            noise = jax.vmap(lambda key: jax.random.normal(key, image.shape[1:]))(keys)
            return jnp.sum(image * noise) / jnp.sqrt(image.shape[1] * image.shape[2])

        squares = jnp.mean(jnp.sum(jax.grad(projection)(styles) ** 2, axis=2), axis=1)
        # The root has no derivative at 0, where a network does not depend on w yet.
        length = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1.0)), 0.0)
        mean = jnp.mean(gather_batch(length, inputs.axis_name))
        mean = memory["mean"] + self.decay * (mean - memory["mean"])
        return jnp.mean((length - mean) ** 2), {"mean": jax.lax.stop_gradient(mean)}


GENERATOR_PENALTIES: Table[type[GeneratorPenalty]] = Table(
    "generator penalty", {"path_length": PathLength}, named=True
)
