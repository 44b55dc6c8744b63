"""Gradient, consistency and LeCam penalties on a critic, as plain functions.

A critic maps images [B, H, W, C] to logits [B]. Where the batch is split over devices, every function
here returns the mean over the images on this device, whose gradient the training step averages.
`gan_jax.losses.penalties` makes of these what a config can name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

Array = jax.Array
Critic = Callable[[Array], Array]


def gradient_norms(critic: Critic, x: Array) -> Array:
    """Squared L2 norms [B] of the gradients of critic(x)[i] with respect to x[i].

    It differentiates the sum of the logits: what one example does to another's logit, through
    BatchNorm's statistics, is counted in.
    """
    gradient = jax.grad(lambda x: jnp.sum(critic(x)))(x)
    return jnp.sum(gradient**2, axis=tuple(range(1, x.ndim)))


def r1(critic: Critic, real: Array) -> Array:
    """E[|grad D(x)|^2] / 2 on reals [B, H, W, C], so that its weight is the papers' gamma.

    Mescheder et al. 2018, arXiv:1801.04406, equation 9.
    """
    return jnp.mean(gradient_norms(critic, real)) / 2


def r2(critic: Critic, fake: Array) -> Array:
    """E[|grad D(G(z))|^2] / 2 on fakes [B, H, W, C]; equation 10 of Mescheder et al. 2018."""
    return jnp.mean(gradient_norms(critic, fake)) / 2


def norm_penalty(critic: Critic, x: Array, target: float = 1.0) -> Array:
    """E[(|grad critic(x)| - target)^2] at x [B, H, W, C].

    Where the gradient is zero the norm has no derivative; it counts as constant there.
    """
    squared = gradient_norms(critic, x)
    some = squared > 0.0
    # The inner `where` keeps the root's infinite derivative from becoming NaN in the outer one's.
    norms = jnp.where(some, jnp.sqrt(jnp.where(some, squared, 1.0)), 0.0)
    return jnp.mean((norms - target) ** 2)


def wgan_gp(critic: Critic, real: Array, fake: Array, keys: Array, target: float = 1.0) -> Array:
    """The norm penalty on random points between pairs of a real and a fake.

    Gulrajani et al. 2017, arXiv:1704.00028, equation 3 and algorithm 1.

    Args:
        real, fake: [B, H, W, C], as many of each.
        keys: [B], one per pair.
        target: the norm aimed at.

    Raises:
        ValueError: the shapes differ.
    """
    if real.shape != fake.shape:
        raise ValueError(f"reals {real.shape} and fakes {fake.shape} make no pairs: as many of each")
    share = jax.vmap(lambda key: jax.random.uniform(key, (1, 1, 1)))(keys)
    return norm_penalty(critic, share * real + (1.0 - share) * fake, target)


def dragan(
    critic: Critic,
    real: Array,
    keys: Array,
    scale: float = 0.5,
    target: float = 1.0,
    axis_name: str | None = None,
) -> Array:
    """The norm penalty around the reals.

    Kodali et al. 2017, arXiv:1705.07215. The paper adds Gaussian noise of fixed variance; here it is
    the noise of the authors' code (kodalinaveen3/DRAGAN): `scale` times the standard deviation of all values
    of the batch times uniform noise on [0, 1), drawn for every value, and all of that times alpha, uniform on
    [0, 1) and drawn for every image: a point between the image and its perturbed copy.

    Args:
        real: [B, H, W, C].
        keys: [B], one per image.
        scale: in standard deviations.
        target: the norm aimed at.
        axis_name: the mapped axis that splits the batch, whose deviation is the global batch's.
    """
    moments = jnp.mean(real), jnp.mean(real**2)
    if axis_name:
        moments = jax.lax.pmean(moments, axis_name)
    mean, square = moments
    deviation = jnp.sqrt(jnp.maximum(square - mean**2, 0.0))
    alpha_keys = jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys)
    alpha = jax.vmap(lambda key: jax.random.uniform(key, (1, 1, 1)))(alpha_keys)
    noise = jax.vmap(lambda key: jax.random.uniform(key, real.shape[1:]))(keys)
    return norm_penalty(critic, real + alpha * scale * deviation * noise, target)


def transform(image: Array, keys: Array, translation: float, flip: bool) -> Array:
    """Every image [B, H, W, C] mirrored with probability 1/2 and moved by whole pixels, each by its key.

    Args:
        keys: [B].
        translation: the largest move as a share of height and of width, rounded to pixels. Zeros, which
            are grey, move in.
        flip: whether to mirror, left to right.
    """
    _, height, width, channels = image.shape
    down, right = round(translation * height), round(translation * width)

    def transform_example(image: Array, key: Array) -> Array:
        flip_key, shift_key = jax.random.split(key)
        if flip:
            image = jnp.where(jax.random.bernoulli(flip_key), image[:, ::-1], image)
        padded = jnp.pad(image, ((down, down), (right, right), (0, 0)))
        corner = jax.random.randint(shift_key, (2,), 0, jnp.array([2 * down + 1, 2 * right + 1]))
        return jax.lax.dynamic_slice(padded, (corner[0], corner[1], 0), (height, width, channels))

    return jax.vmap(transform_example)(image, keys)


def consistency(
    critics: tuple[Critic, Critic],
    real: Array,
    fake: Array,
    keys: Array,
    translation: float,
    flip: bool,
) -> Array:
    """E[(D(x) - D(T(x)))^2] + E[(D(G(z)) - D(T(G(z))))^2] with a random transformation T.

    Balanced consistency regularisation: Zhao et al. 2020, arXiv:2002.04724, algorithm 1, with one
    weight for both parts. T is `transform`.

    Args:
        critics: of reals, and of fakes: they may augment each as they like, x and T(x) alike.
        real, fake: [B, H, W, C].
        keys: [B], one per place in the batch; a real and a fake that share it have their own T.
        translation: as a share of the side.
        flip: whether T mirrors half of the images.
    """
    both = jax.vmap(jax.random.split, out_axes=1)(keys)
    total = jnp.zeros((), jnp.float32)
    for critic, image, own in zip(critics, (real, fake), (both[0], both[1]), strict=True):
        moved = transform(image, own, translation, flip)
        total += jnp.mean((critic(image) - critic(moved)) ** 2)
    return total


def lecam(real_logits: Array, fake_logits: Array, averages: Mapping[str, Array]) -> Array:
    """E[(D(x) - a_fake)^2] + E[(D(G(z)) - a_real)^2] with moving averages a of the mean logits.

    Tseng et al. 2021, arXiv:2104.03310, the definition of R_LC. The authors' code (google/lecam-gan) cuts off
    reals that are below a_fake and fakes above a_real; the paper's formula, and this, do not.

    Args:
        real_logits, fake_logits: [B], of all devices.
        averages: {"real": [], "fake": []}, constants to the gradient.
    """
    to_fake = real_logits - jax.lax.stop_gradient(averages["fake"])
    to_real = fake_logits - jax.lax.stop_gradient(averages["real"])
    return jnp.mean(to_fake**2) + jnp.mean(to_real**2)
