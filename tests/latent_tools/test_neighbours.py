"""Generated pictures beside their nearest training pictures."""

import numpy as np
import pytest

from gan_jax.data.codecs import Points
from gan_jax.evaluation.sources.image_source import array_source
from gan_jax.feature_networks.simple_networks import pixel_network
from gan_jax.latent_tools.neighbours import neighbours_picture
from gan_jax.utils.errors import UserError


def test_the_nearest_stand_in_order_beside_each():
    rng = np.random.default_rng(0)
    reals = rng.integers(0, 255, (30, 6, 5, 3), dtype=np.uint8)
    fakes = reals[[4, 17]].copy()
    fakes[:, 0, 0] ^= 8
    network = ("pixels", pixel_network((6, 5, 3)))
    picture, distances = neighbours_picture(
        array_source("fakes", fakes), array_source("reals", reals), [network, ("again", network[1])], 2, 3
    )
    flat, all_flat = fakes.reshape(2, -1) / 255, reals.reshape(30, -1) / 255
    wanted = np.sort(np.linalg.norm(flat[:, None] - all_flat, axis=-1), axis=1)[:, :3]
    for found in distances.values():
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    scale = round(448 / (7 * 7))
    shown = picture[24 if picture.shape[0] > 16 * scale - 2 * scale else 0 :: scale, ::scale]
    np.testing.assert_array_equal(shown[:6, :5], fakes[0])
    for column in (1, 4):
        np.testing.assert_array_equal(shown[:6, 7 * column : 7 * column + 5], reals[4])


def test_points_are_refused():
    points = array_source("ring", np.zeros((4, 1, 1, 2), np.float32), codec=Points())
    with pytest.raises(UserError, match="ring holds points, which are no pictures"):
        neighbours_picture(points, points, [], 2, 1)
