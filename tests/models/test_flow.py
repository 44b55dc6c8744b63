"""Flows: inverses, determinants, where actnorm starts, and what is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.modules import with_field
from gan_jax.models.flow import Glow, MLPFlow
from gan_jax.models.layers.flows import FIXED, START, ActNorm, Invertible1x1, squeeze, unsqueeze
from tests.variants import slow_but

KEY = jax.random.key(0)
NETWORKS: dict[str, Any] = {
    "images": Glow((4, 4, 1), levels=2, steps=2, width=4),
    "odd_channels": Glow((4, 8, 3), levels=1, steps=1, width=4),
    "points": MLPFlow((1, 1, 3), steps=3, widths=(5,)),
    "several_levels": MLPFlow((1, 5, 1), levels=2, steps=1, widths=(5, 4)),
}


def moved(network: Any, count: int = 2) -> Any:
    """The network with parameters that are far from where they start, and examples."""
    x = jax.random.normal(jax.random.key(1), (count, *network.image_shape))
    variables = jax.jit(lambda: network.init(KEY, x, None, False))()
    params = jax.tree.map(
        lambda a: a + 0.1 * jax.random.normal(jax.random.key(a.size), a.shape), variables["params"]
    )
    variables = {**variables, "params": params}
    start = lambda v: network.apply(v, x, None, True, method="start", mutable=[START, FIXED])
    _, started = jax.jit(start)(variables)
    return {**variables, **started}, x


@pytest.mark.parametrize("name", slow_but("images", "points", among=NETWORKS))
def test_the_inverse_and_the_determinant(name):
    """Against `jax.jacobian`; and the same with fewer values kept."""
    network = NETWORKS[name]
    variables, x = moved(network)
    forward = lambda net, x: net.apply(variables, x, None, True)

    @jax.jit
    def found(x):
        latent, log_det = forward(network, x)
        one = lambda x: forward(network, x[None])[0][0]
        back = network.apply(variables, latent, None, False, method="inverse")
        kept = forward(with_field(network, remat=True), x)[0]
        return latent, log_det, back, jax.vmap(jax.jacobian(one))(x), kept

    latent, log_det, back, jacobian, kept = found(x)
    assert latent.shape == (2, x[0].size)
    np.testing.assert_allclose(back, x, atol=1e-4)
    expected = np.linalg.slogdet(np.asarray(jacobian, np.float64).reshape(2, latent.shape[1], -1))[1]
    np.testing.assert_allclose(log_det, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(log_det).min() > 0.1
    np.testing.assert_allclose(kept, latent, rtol=1e-5, atol=1e-5)


def test_actnorm_starts_with_a_mean_of_0_and_a_deviation_of_1_and_only_once():
    norm = ActNorm(3)
    x = 2 + 3 * jax.random.normal(KEY, (500, 2, 2, 3))
    variables = norm.init(KEY, x)
    (y, log_det), started = norm.apply(variables, x, True, mutable=[START])
    np.testing.assert_allclose(jnp.mean(y, (0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(jnp.std(y, (0, 1, 2)), 1, atol=1e-3)
    np.testing.assert_allclose(log_det, -4 * jnp.sum(jnp.log(jnp.std(x, (0, 1, 2)))), rtol=1e-3)
    assert not np.allclose(norm.apply(variables, x)[0], y)  # without a start it is the identity
    again = norm.apply({**variables, **started}, 5 * x, True, mutable=[START])[1]
    jax.tree.map(np.testing.assert_array_equal, again, started)


def test_the_matrix_is_a_rotation_at_first_and_survives_a_moving_average():
    layer: Any = Invertible1x1(5)
    x = jax.random.normal(KEY, (2, 3, 3, 5))
    variables = layer.init(KEY, x)
    y, log_det = layer.apply(variables, x)
    np.testing.assert_allclose(jnp.linalg.norm(y, axis=-1), jnp.linalg.norm(x, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(log_det, 0, atol=1e-4)
    rounded = {**variables, FIXED: jax.tree.map(lambda a: a * (1 - 1e-4), variables[FIXED])}
    np.testing.assert_allclose(layer.apply(rounded, x)[0], y, atol=1e-6)
    np.testing.assert_allclose(layer.apply(rounded, y, method="inverse"), x, atol=1e-5)


def test_squeezing_keeps_blocks_of_2x2():
    x = jnp.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    np.testing.assert_array_equal(unsqueeze(squeeze(x)), x)
    block = np.asarray(x[1, 2:4, 0:2]).reshape(-1)
    np.testing.assert_array_equal(squeeze(x)[1, 1, 0], block)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Glow((6, 8, 1)), "levels=2 halves both sides 2 times, and images of 6x8 do not"),
        (MLPFlow((1, 1, 1)), "couples two halves, and of .* level 0 has a single value left"),
        (Glow((4, 4, 1), width=0), "width=0"),
        (Glow((4, 4, 1), steps=0), "steps=0"),
    ],
)
def test_what_makes_no_flow_is_refused(network, message):
    with pytest.raises(ValueError, match=message):
        network.init(KEY, jnp.zeros((1, *network.image_shape)), None, False)
