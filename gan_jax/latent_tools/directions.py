"""Directions of a latent space along which a generator changes most: GANSpace and SeFa.

GANSpace: Harkonen, Hertzmann, Lehtinen and Paris 2020, "GANSpace: Discovering Interpretable GAN Controls",
arXiv:2004.02546, section 3.1: the principal components of many w = mapping(z). For a generator without styles
it takes those of the first layer's activations, brought back to z. Of a dense layer and normal z, where
activations are linear in z, these are SeFa's without its norms, which is why there is only SeFa of z.

SeFa: Shen and Zhou 2021, "Closed-Form Factorization of Latent Semantics in GANs", arXiv:2007.06600, equation
5: the eigenvectors of A^T A with the largest eigenvalues, A the weights of the layers that read the latents.
As in the official code (genforce/sefa) the weights of each output have the norm 1. Deviation: there toRGB
layers are left out, but for the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gan_jax.latent_tools.affine_weights import first_weights
from gan_jax.latent_tools.generator import LatentGenerator, Latents, Space
from gan_jax.utils.errors import UserError

Method = Literal["ganspace", "sefa"]
METHODS: tuple[Method, ...] = get_args(Method)
SAMPLES = 10_000  # latents whose spread is measured; the paper takes 1e6 of StyleGAN's 512 numbers


@dataclass(frozen=True)
class Directions:
    """Directions of a latent space, the most important first.

    Attributes:
        space: "z" or "w".
        vectors: float64 [K, D], orthogonal and of length 1; the first entry that is not nearly 0 is positive.
        spread: float64 [K], the standard deviation of random latents along each.
        share: float64 [K], of the variance of w (GANSpace), or of the squared weights (SeFa).
    """

    space: Space
    vectors: np.ndarray
    spread: np.ndarray
    share: np.ndarray


def find_directions(
    generator: LatentGenerator,
    method: Method,
    space: Space,
    count: int,
    *,
    seed: int = 0,
    labels: Sequence[int] | None = None,
) -> Directions:
    """The first `count` directions.

    Args:
        seed: of the latents whose spread is measured.
        labels: of these, for a conditional generator; they go round.

    Raises:
        UserError: GANSpace of z; more directions than there are dimensions; no layer whose weights would say
            them.
    """
    if method == "ganspace" and space == "z":
        raise UserError(
            "method=ganspace: random z have no principal directions, all are alike; it needs the styles w of "
            "a style generator: choose sefa"
        )
    drawn = generator.many(
        SAMPLES, seed, None if labels is None else np.resize(labels, SAMPLES).astype(np.int32)
    )
    values = generator.in_space(drawn, space).values
    rows = (values[:, 0] if space == "w" else values).astype(np.float64)
    if count > rows.shape[1]:
        raise UserError(
            f"{count} directions are asked for, and {space} has {rows.shape[1]} dimensions: ask for fewer"
        )
    if method == "ganspace":
        vectors, share = principal_components(rows, count)
    else:
        vectors, share = factorised(first_weights(generator, space), count)
    spread = ((rows - rows.mean(axis=0)) @ vectors.T).std(axis=0)
    return Directions(space, vectors, spread, share)


def axes_of_z(generator: LatentGenerator, count: int, *, seed: int = 0) -> Directions:
    """The first axes of z, for a network whose weights say no directions.

    Args:
        seed: of the latents whose spread is measured.

    Raises:
        UserError: more than there are dimensions.
    """
    size = generator.algorithm.input_size
    if count > size:
        raise UserError(f"{count} axes are asked for, and z has {size}: ask for fewer")
    spread = generator.many(SAMPLES, seed).values[:, :count].astype(np.float64).std(axis=0)
    return Directions("z", np.eye(count, size), spread, np.full(count, 1 / size))


def principal_components(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of rows [N, D] the directions of the largest variance [count, D], and its shares of all [count]."""
    centred = rows - rows.mean(axis=0)
    return _largest(centred.T @ centred, count)


def factorised(weights: Sequence[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """SeFa's directions [count, D] from kernels [D, n], and their shares [count] of the squared weights."""
    joined = np.concatenate(weights, axis=1)
    norms = np.linalg.norm(joined, axis=0)
    joined = joined[:, norms > 0] / norms[norms > 0]
    return _largest(joined @ joined.T, count)


def _largest(symmetric: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvectors with the largest eigenvalues [count, D], and the shares of these in the trace."""
    values, vectors = np.linalg.eigh(symmetric)
    values, rows = values[::-1][:count], vectors.T[::-1][:count]
    first = np.argmax(np.abs(rows) > 1e-6, axis=1)
    signs = np.where(rows[np.arange(len(rows)), first] < 0, -1.0, 1.0)
    return rows * signs[:, None], values / np.trace(symmetric)


def walked(start: Latents, found: Directions, extent: float, columns: int, layers: Sequence[int]) -> Latents:
    """Steps from -extent to extent along each direction, row by row.

    Args:
        start: one latent, in the directions' space; the middle of every row where `columns` is odd.
        extent: in standard deviations of random latents along the direction.
        columns: pictures in a row.
        layers: of w, which are moved; of z it does not matter.

    Returns:
        [K * columns, ...].
    """
    steps = np.linspace(-extent, extent, columns)
    moves = steps[None, :, None] * (found.spread[:, None] * found.vectors)[:, None, :]
    moves = moves.reshape(len(found.vectors) * columns, -1)
    values = np.repeat(start.values[:1], len(moves), axis=0).astype(np.float64)
    if found.space == "w":
        values[:, list(layers)] += moves[:, None]
    else:
        values += moves
    return start.take(np.zeros(len(moves), int)).moved(values)
