"""Directions against NumPy's decompositions, and the weights that they are read from."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.latent_tools.affine_weights import first_weights
from gan_jax.latent_tools.directions import factorised, find_directions, principal_components, walked
from gan_jax.latent_tools.generator import LatentGenerator
from gan_jax.utils.errors import UserError
from tests.latent_tools.toys import LATENT, LAYERS, SHAPE, SIZE, opened, plain, styled

RNG = np.random.default_rng(0)


def test_principal_components_are_those_of_the_singular_values():
    rows = RNG.normal(size=(50, 6)) @ RNG.normal(size=(6, 6))
    vectors, share = principal_components(rows, 3)
    _, values, right = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(np.sum(vectors * right[:3], axis=1)), 1.0, rtol=1e-10)
    np.testing.assert_allclose(share, (values**2 / np.sum(values**2))[:3], rtol=1e-10)


def test_sefa_is_the_eigenvectors_of_normalised_weights():
    weights = [RNG.normal(size=(5, 7)), RNG.normal(size=(5, 3))]
    vectors, _ = factorised(weights, 2)
    columns = np.concatenate(weights, axis=1)
    left, _, _ = np.linalg.svd(columns / np.linalg.norm(columns, axis=0))
    np.testing.assert_allclose(np.abs(np.sum(vectors * left[:, :2].T, axis=1)), 1.0, rtol=1e-10)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(2), atol=1e-12)


def test_weights_are_found_in_any_network():
    generator = styled()
    params = generator.state.ema["params"]
    found = first_weights(generator, "w")
    assert len(found) == LAYERS
    for index, weights in enumerate(found):
        np.testing.assert_array_equal(weights, params[f"affine_{index}"]["kernel"])
    np.testing.assert_array_equal(first_weights(generator, "z"), [params["first"]["kernel"]])


@pytest.mark.parametrize("condition", ["none", "one_hot", "embedding"])
def test_of_a_layer_that_is_told_the_class_the_rows_of_the_latents_count(condition):
    generator = plain(condition=condition, embedding_size=9)
    (found,) = first_weights(generator, "z")
    np.testing.assert_array_equal(found, generator.state.ema["params"]["dense_0"]["kernel"][:LATENT])


@jax.custom_vjp
def doubled(x):
    """As layers of flows are, whose backward pass is written by hand."""
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))


class AfterOwnGradient(nn.Module):
    """A dense layer that reads z through such a function, after one that reads something else."""

    conditional = False

    @nn.compact
    def __call__(self, latent, told, train):
        other = nn.Dense(7, name="other")(jnp.ones((1, LATENT)))
        made = nn.Dense(int(np.prod(SHAPE)), name="reads_z")(doubled(latent))
        return jnp.tanh(made + other.sum()).reshape(-1, *SHAPE)


def test_a_function_with_its_own_gradient_may_stand_before_the_layer():
    generator = LatentGenerator(*opened(AfterOwnGradient()))
    (found,) = first_weights(generator, "z")
    np.testing.assert_array_equal(found, generator.state.ema["params"]["reads_z"]["kernel"])


def test_ganspace_is_of_the_mapping_and_its_spread_that_of_w():
    generator = styled()
    found = find_directions(generator, "ganspace", "w", SIZE)
    kernel = np.asarray(generator.state.ema["params"]["first"]["kernel"], np.float64)
    left, values, _ = np.linalg.svd(kernel.T)  # of normal z the covariance of w is kernel.T @ kernel
    np.testing.assert_allclose(np.abs(found.vectors @ left), np.eye(SIZE), atol=0.1)
    np.testing.assert_allclose(found.spread, values, rtol=0.05)
    np.testing.assert_allclose(found.share.sum(), 1.0)


def test_a_walk_moves_the_layers_from_the_picture_in_the_middle():
    generator = styled()
    found = find_directions(generator, "sefa", "w", 2)
    start = generator.in_space(generator.drawn([5]), "w")
    path = walked(start, found, 2.0, 5, [1, 3]).values.reshape(2, 5, LAYERS, SIZE)
    np.testing.assert_allclose(path[:, 2], start.values.repeat(2, 0), rtol=1e-6)
    np.testing.assert_array_equal(
        path[:, :, [0, 2]], np.broadcast_to(start.values[0, [0, 2]], (2, 5, 2, SIZE))
    )
    moved = path[1, 4, 3] - start.values[0, 3]
    np.testing.assert_allclose(moved, 2.0 * found.spread[1] * found.vectors[1], rtol=1e-4, atol=1e-6)


def test_of_z_every_direction_has_the_spread_of_its_distribution():
    np.testing.assert_allclose(find_directions(plain(), "sefa", "z", 3).spread, 1.0, rtol=0.05)


def test_directions_that_are_none():
    with pytest.raises(UserError, match="random z have no principal directions"):
        find_directions(plain(), "ganspace", "z", 2)
    with pytest.raises(UserError, match="9 directions are asked for, and z has 4 dimensions"):
        find_directions(plain(), "sefa", "z", 9)
