"""Projection: the latents whose images are nearest to given pictures, found by gradient descent.

After the projector of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958, appendix D; official code:
NVlabs/stylegan2-ada-pytorch, projector.py): Adam on one w for all layers, from the mean w, with its schedule
of the rate and with noise on w that fades out over three quarters of the descents. Deviations: the perceptual
network is this library's (there VGG16 with LPIPS's weights) and pixels are compared too; noise inputs of the
generator stay what they are (there they are optimised as well, with a penalty); the mean w is the generator's
moving average (there of 10,000 samples).

For z, whose mean makes no picture like others, each target starts from the nearest of some random latents,
and z stays where latents are: within [-1, 1], or within the ball that holds 99.9 % of normal ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.special import chdtri
from tqdm import tqdm

from gan_jax.core.randomness import Latent
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array
from gan_jax.inference.sample import CHUNK
from gan_jax.latent_tools.distance import Distance
from gan_jax.latent_tools.generator import LatentGenerator, Latents, Space
from gan_jax.latent_tools.starts import find_starts
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

RATE = 0.1  # of Adam, at its highest
PIXELS = 2**22  # of targets that are projected together: what they take is a multiple of it
NOISE = 0.05  # the first noise, in standard deviations of the latents as vectors
RATE_UP, RATE_DOWN, NOISE_DOWN = 0.05, 0.25, 0.75  # shares of the descents
_SHOWN = 10  # descents
_OUTSIDE = 1e-3  # share of normal latents outside the ball


@dataclass(frozen=True)
class Projection:
    """What was found.

    Attributes:
        latents: of the N targets; a w has the same styles in all layers.
        images: of these latents, float32 [N, H, W, C].
        distances: float32 [N, T + 1]: before each descent with its noise, and the last of the images above.
    """

    latents: Latents
    images: np.ndarray
    distances: np.ndarray


def project(
    generator: LatentGenerator,
    targets: np.ndarray,
    distance: Distance,
    *,
    space: Space,
    iterations: int = 1000,
    labels: np.ndarray | None = None,
    seed: int = 0,
) -> Projection:
    """Latents whose images are near to the targets; what is found of a target does not depend on the others.

    Of a method that encodes they are what it says, without a descent.

    Args:
        targets: float32 [N, H, W, C], as the networks see them.
        distance: what is made smaller.
        iterations: descents, T.
        labels: int32 [N] of a conditional generator; None for those of the nearest random latents.
        seed: of the random latents and of the noise.

    Raises:
        UserError: a distance that is not finite; a generator without styles.
        ValueError: targets of another shape than the generator's images; no descents.
    """
    if targets.shape[1:] != tuple(generator.spec.image_shape) or iterations < 1 or not len(targets):
        raise ValueError(
            f"targets {targets.shape} for images {generator.spec.image_shape}, {iterations} descents"
        )
    space = generator.chosen_space(space)
    if generator.algorithm.has_encoder:
        return encoded(generator, targets, distance, labels)
    parts = []
    size = max(1, min(CHUNK, PIXELS // (targets.shape[1] * targets.shape[2])))
    for start in range(0, len(targets), size):
        part = slice(start, start + size)
        own = None if labels is None else labels[part]
        parts.append(_project(generator, targets[part], distance, space, iterations, own, seed))
    latents = [part.latents for part in parts]
    found = Projection(
        dataclasses.replace(
            latents[0],
            values=np.concatenate([one.values for one in latents]),
            labels=None if latents[0].labels is None else np.concatenate([one.labels for one in latents]),
        ),
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.distances for part in parts]),
    )
    if not np.isfinite(found.distances).all():
        raise UserError(
            "the distance to a target is not finite: the generator has diverged; use an earlier checkpoint"
        )
    return found


def encoded(
    generator: LatentGenerator, targets: np.ndarray, distance: Distance, labels: np.ndarray | None
) -> Projection:
    """The latents that the method itself finds of the targets, without any descent."""
    latents = generator.encoded(targets, labels)
    images = generator(latents)
    found = []
    for start in range(0, len(targets), CHUNK):
        part = slice(start, start + CHUNK)
        wanted = distance.seen(distance.weights, jnp.asarray(targets[part]))
        found.append(distance.between(distance.seen(distance.weights, jnp.asarray(images[part])), wanted))
    return Projection(latents, images, np.concatenate([np.asarray(one) for one in found])[:, None])


def _project(
    generator: LatentGenerator,
    targets: np.ndarray,
    distance: Distance,
    space: Space,
    iterations: int,
    labels: np.ndarray | None,
    seed: int,
) -> Projection:
    """`project` of so many targets as fit."""
    wanted = jax.jit(distance.seen)(distance.weights, jnp.asarray(targets))
    start = find_starts(generator, distance, wanted, space, labels, seed)
    keep = _kept_inside(generator.algorithm.latent, start.values.shape[1]) if space == "z" else lambda w: w
    optimizer = optax.adam(lambda step: RATE * _rate(step / iterations))
    key = jax.random.fold_in(jax.random.key(seed), 1)
    told = None if start.labels is None else jnp.asarray(start.labels)

    def widened(values: Array) -> Array:
        return jnp.repeat(values[:, None], start.layers, axis=1) if space == "w" else values

    def distances(
        values: Array, state: TrainState, weights: PyTree, wanted: list[Array]
    ) -> tuple[Array, Array]:
        image = generator.image(state, space, widened(values), told)
        found = distance.between(distance.seen(weights, image), wanted)
        return jnp.sum(found), found  # targets are independent, and so are their gradients

    @jax.jit
    def descend(values: Array, opt: PyTree, step: Array, *others: PyTree) -> tuple[Array, PyTree, Array]:
        noise = start.spread * NOISE * jnp.maximum(0.0, 1.0 - step / iterations / NOISE_DOWN) ** 2
        drawn = jax.random.normal(jax.random.fold_in(key, step), values.shape[1:])  # the same for all targets
        gradient, found = jax.grad(distances, has_aux=True)(values + noise * drawn, *others)
        change, opt = optimizer.update(gradient, opt)
        return keep(values + change), opt, found

    others = generator.state, distance.weights, wanted
    values: Array = jnp.asarray(start.values)
    opt, curve = optimizer.init(values), []
    with tqdm(total=iterations, desc="projecting", leave=False, disable=None) as bar:
        for step in range(iterations):
            values, opt, found = descend(values, opt, jnp.asarray(step), *others)
            curve.append(found)
            if (step + 1) % _SHOWN == 0:  # waits for the device, so that the bar tells the truth
                bar.set_postfix_str(f"distance {float(jnp.median(found)):.4g}", refresh=False)
                bar.update(_SHOWN)
    curve.append(jax.jit(distances)(values, *others)[1])
    latents = Latents(space, np.asarray(widened(values)), start.labels)
    return Projection(latents, generator(latents), np.stack([np.asarray(found) for found in curve], axis=1))


def _rate(done: Array) -> Array:
    """The share of the rate when this share of the descents is done, as in the official projector."""
    down = 0.5 - 0.5 * jnp.cos(jnp.minimum(1.0, (1.0 - done) / RATE_DOWN) * jnp.pi)
    return down * jnp.minimum(1.0, done / RATE_UP)


def _kept_inside(latent: Latent, size: int) -> Callable[[Array], Array]:
    """z brought back to where latents are."""
    if latent == "uniform":
        return lambda z: jnp.clip(z, -1.0, 1.0)
    radius = float(np.sqrt(chdtri(size, _OUTSIDE)))
    return lambda z: z * jnp.minimum(1.0, radius / jnp.linalg.norm(z, axis=1, keepdims=True))
