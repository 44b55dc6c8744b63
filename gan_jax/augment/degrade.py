"""ADA's image-space filtering and corruptions (Karras et al. 2020, arXiv:2006.06676, appendix B)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.augment import wavelets
from gan_jax.augment.blit import per_image, without_rectangle
from gan_jax.augment.draws import Draws

Array = jax.Array
EXACT = jax.lax.Precision.HIGHEST
EXPECTED_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of the four bands in natural images, which go as 1/f


def band_gains(draws: Draws) -> Array:
    """Gains [B, 4] of the frequency bands, lowest first.

    Each band in turn is amplified by 2^N(0, 1), and all four are rescaled to keep the expected power.
    """
    power = jnp.array(EXPECTED_POWER)
    gains = jnp.ones((draws.gates.shape[0], len(EXPECTED_POWER)))
    for band in range(len(EXPECTED_POWER)):
        slot = f"bands/{band}"
        own = jnp.ones_like(gains).at[:, band].set(jnp.exp2(draws.normal(slot)))
        own = own / jnp.sqrt(jnp.sum(power * jnp.square(own), 1, keepdims=True))
        gains = jnp.where(draws.happens(slot)[:, None], gains * own, gains)
    return gains


def filtered(image: Array, draws: Draws) -> Array:
    """Images [B, H, W, C] with their bands amplified, rows and columns alike; mirrored at the borders.

    Exactly the image where no band is amplified.
    """
    gains = band_gains(draws)
    rows, columns = (
        jnp.einsum("bk,kij->bij", gains, wavelets.band_matrices(size), precision=EXACT)
        for size in image.shape[1:3]
    )
    changed = jnp.einsum("byh,bhwc,bxw->byxc", rows, image, columns, precision=EXACT)
    return jnp.where(per_image(draws.any_happens("bands")), changed, image)


def noisy(image: Array, draws: Draws) -> Array:
    """Adds to every value N(0, s^2), with one s = |N(0, 0.1^2)| per image."""
    deviation = 0.1 * jnp.abs(draws.normal("noise"))
    deviation = jnp.where(draws.happens("noise"), deviation, 0.0)
    noise = jax.vmap(lambda key: jax.random.normal(key, image.shape[1:]))(draws.noise_keys)
    return image + per_image(deviation) * noise


def cut_out(image: Array, draws: Draws) -> Array:
    """Zeros a rectangle of half the sides whose centre is uniform over the image."""

    def ends(part: int, size: int) -> tuple[Array, Array]:
        centre = draws.uniform("cutout", part)
        return jnp.round((centre - 0.25) * size), jnp.round((centre + 0.25) * size)

    left, right = ends(0, image.shape[2])
    top, bottom = ends(1, image.shape[1])
    bottom = jnp.where(draws.happens("cutout"), bottom, top)
    return without_rectangle(image, top, bottom, left, right)
