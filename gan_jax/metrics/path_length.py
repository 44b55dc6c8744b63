"""Perceptual path length: how much a generator's image changes along a short step between two latents.

Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks",
arXiv:1812.04948, section 4.1. Low means a smooth generator; a collapsed one is the smoothest of all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import jax
import numpy as np

from gan_jax.core.randomness import LATENTS, Latent
from gan_jax.feature_networks.lpips import perceptual_distance
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.utils.checks import check_count, check_range
from gan_jax.utils.errors import UserError

Sampling = Literal["full", "end"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)
# The paper's, and right in float32. Of eight trained generators of small images, in the random network and
# on a CPU, float32 gave the mean that float64 does within 0.02 %, and the limit of small steps within 0.25 %.
# With 1e-2 it was 1.5 to 6 % too short; with 1e-5 rounding moves single paths by 4 %, but means by 0.1 %.
EPSILON = 1e-4
_PERCENTILES = (1.0, 99.0)

# (latents float32 [B, Z], labels [B] or None) -> float32 images [B, H, W, C] in [-1, 1]
Generate = Callable[[np.ndarray, np.ndarray | None], jax.Array | np.ndarray]


@dataclass(frozen=True)
class PathLength:
    """Perceptual path length, in squared perceptual distance per squared unit of t in [0, 1].

    Attributes:
        mean: over the paths between the 1st and the 99th percentile: the paper's number.
        standard_error: of `mean`.
        raw_mean: over all paths.
        paths: how many there were.
        kept: how many `mean` is over.
    """

    mean: float
    standard_error: float
    raw_mean: float
    paths: int
    kept: int


def path_length(
    generate: Generate,
    network: FeatureNetwork,
    *,
    latent_size: int,
    num: int,
    seed: int,
    epsilon: float = EPSILON,
    latent: Latent = "normal",
    labels: np.ndarray | None = None,
    sampling: Sampling = "full",
    batch_size: int = 64,
) -> PathLength:
    """E[d(G(z(t)), G(z(t + epsilon))) / epsilon^2] over paths z between pairs of random latents.

    The equation of l_Z in arXiv:1812.04948, section 4.1, except that d is `perceptual_distance` in a network
    of choice and that images are not cropped. So numbers compare within one network only. Paths are `slerp`
    for normal latents and straight for uniform ones.

    Args:
        generate: the generator; pure, and each image depends on its own latent and label only.
        network: one with `maps`.
        latent_size: Z.
        num: paths; the paper takes 100,000.
        seed: of the latents and of t; not negative.
        epsilon: the step, in (0, 1).
        latent: the latents' distribution: standard normal, or uniform on [-1, 1).
        labels: [num], of both ends of each path, for a conditional generator.
        sampling: "full": t uniform on [0, 1); "end": t = 0.
        batch_size: pairs of images at a time.

    Raises:
        UserError: the network has no maps or does not take such images; distances are not finite; a single
            path, or normal latents with a single entry, which no arc connects.
        ValueError: an unknown distribution or sampling, another number of labels, images of another kind.
    """
    _check(latent_size, num, epsilon, latent, labels, sampling, batch_size)
    starts, ends = latent_pairs(latent_size, num, seed, epsilon, latent, sampling)
    distances = np.empty(num)
    size = min(batch_size, num)
    for first in range(0, num, size):
        # One shape for all batches, so that everything compiles once; the last repeats its last path.
        taken = np.minimum(np.arange(first, first + size), num - 1)
        images = _images(generate, np.concatenate([starts[taken], ends[taken]]), labels, np.tile(taken, 2))
        found = perceptual_distance(network, images[:size], images[size:])
        distances[first : first + size] = found[: num - first]
    return _summary(distances / epsilon**2)


def latent_pairs(
    size: int, num: int, seed: int, epsilon: float, latent: Latent, sampling: Sampling
) -> tuple[np.ndarray, np.ndarray]:
    """z(t) and z(t + epsilon) of random paths: float32 [num, size] each; arguments as of `path_length`.

    In float64 up to the last rounding, which is then the only error of the step between them.
    """
    generator = np.random.default_rng(seed)
    shape = (2, num, size)
    a, b = generator.standard_normal(shape) if latent == "normal" else generator.uniform(-1.0, 1.0, shape)
    t = generator.uniform(size=num) if sampling == "full" else np.zeros(num)
    path = slerp if latent == "normal" else lerp
    return path(a, b, t).astype(np.float32), path(a, b, t + epsilon).astype(np.float32)


def lerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The straight path from a [N, Z] at t = 0 to b at t = 1, at t [N]."""
    return a + t[:, None] * (b - a)


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The path from a [N, Z] at t = 0 to b at t = 1 that turns at constant speed, at t [N].

    Directions move along the great circle (Shoemake 1985; White 2016, arXiv:1609.04468), norms change
    linearly. The official code normalises all latents, which its generator does anyway; other generators
    expect latents of the norms that they were trained with. Z is at least 2, and a and b are not opposite.
    """
    norm_a, norm_b = (np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    from_, to = a / norm_a, b / norm_b
    across = to - np.sum(from_ * to, axis=1, keepdims=True) * from_
    sine = np.linalg.norm(across, axis=1, keepdims=True)
    cosine = np.sum(from_ * to, axis=1, keepdims=True)
    angle = np.arctan2(sine, cosine) * t[:, None]  # exact for small angles too, unlike the arc cosine
    across = across / np.where(sine > 0, sine, 1.0)
    direction = np.cos(angle) * from_ + np.sin(angle) * across
    return lerp(norm_a, norm_b, t) * direction


def _check(
    latent_size: int,
    num: int,
    epsilon: float,
    latent: str,
    labels: np.ndarray | None,
    sampling: str,
    batch_size: int,
) -> None:
    for value, field in ((latent_size, "latent_size"), (num, "num"), (batch_size, "batch_size")):
        check_count(value, field)
    if not 0.0 < check_range(epsilon, "epsilon") < 1.0:
        raise ValueError(f"epsilon={epsilon!r}: it must be in (0, 1)")
    for name, field, known in ((latent, "latent", LATENTS), (sampling, "sampling", SAMPLINGS)):
        if name not in known:
            raise ValueError(f"{field}={name!r} is not one of {', '.join(known)}")
    if labels is not None and np.shape(labels) != (num,):
        raise ValueError(f"expected {num} labels, one per path, got {np.shape(labels)}")
    if num < 2:
        raise UserError("a path length of 1 path has no standard error: ask for at least 2, better 10,000")
    if latent == "normal" and latent_size < 2:
        raise UserError("paths between normal latents turn on a sphere, and these have a single entry")


def _images(
    generate: Generate, latents: np.ndarray, labels: np.ndarray | None, taken: np.ndarray
) -> jax.Array:
    """float32 [B, H, W, C] in 0 to 255, not rounded to integers."""
    # An accelerator's default product keeps three digits, and would drown the step.
    with jax.default_matmul_precision("highest"):
        images = generate(latents, None if labels is None else np.asarray(labels)[taken])
    if images.ndim != 4 or images.dtype != np.float32 or len(images) != len(latents):
        raise ValueError(
            f"expected generate to return images float32 [{len(latents)}, H, W, C], got {images.dtype} "
            f"{images.shape}"
        )
    return jax.numpy.asarray((images + 1.0) * 127.5)


def _summary(lengths: np.ndarray) -> PathLength:
    """Of float64 [N]; the bounds are lengths that occur, and are kept."""
    low = np.percentile(lengths, _PERCENTILES[0], method="lower")
    high = np.percentile(lengths, _PERCENTILES[1], method="higher")
    kept = lengths[(low <= lengths) & (lengths <= high)]
    return PathLength(
        mean=float(kept.mean()),
        standard_error=float(kept.std(ddof=1) / np.sqrt(len(kept))),
        raw_mean=float(lengths.mean()),
        paths=len(lengths),
        kept=len(kept),
    )
