"""Path length against the closed form of a linear generator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.losses.generator_penalties import GeneratorPenaltyInputs, PathLength

H, W, C, D, LAYERS, BATCH = 2, 3, 1, 5, 2, 60_000
MATRIX = jax.random.normal(jax.random.key(0), (LAYERS, D, H * W * C))
ZERO = jnp.int32(0)


def inputs(scale=1.0, batch=BATCH):
    """w is the latent itself, and images are linear in it."""

    def apply(method, x, told):
        if method == "mapping":
            return x
        assert method == "synthesis"
        return scale * jnp.einsum("bld,ldi->bi", x, MATRIX).reshape(-1, H, W, C)

    latent = jax.random.normal(jax.random.key(1), (batch, LAYERS, D))
    return GeneratorPenaltyInputs(apply, latent, None, jax.random.split(jax.random.key(2), batch))


def lengths(scale):
    """With all images' lengths kept by decay 1, the new mean is the mean length."""
    penalty = PathLength(decay=0.999999, batch_shrink=1)
    return penalty(inputs(scale), penalty.init(), ZERO)


def test_the_mean_square_is_the_jacobians_norm():
    """E |J^T y|^2 / (H W), mean over layers, is |J|_F^2 / (H W layers)."""
    variance, memory = lengths(1.0)
    square = float(variance) + float(memory["mean"]) ** 2
    expected = float(jnp.sum(MATRIX**2)) / (H * W * LAYERS)
    assert square == pytest.approx(expected, rel=0.03)


def test_it_scales_and_remembers():
    found = [lengths(scale) for scale in (1.0, 3.0)]
    np.testing.assert_allclose(found[1][1]["mean"], 3 * found[0][1]["mean"], rtol=1e-5)
    np.testing.assert_allclose(found[1][0], 9 * found[0][0], rtol=1e-4)
    penalty = PathLength(decay=0.25, batch_shrink=1)
    _, memory = penalty(inputs(), {"mean": jnp.float32(8.0)}, ZERO)
    np.testing.assert_allclose(memory["mean"], 8 + 0.25 * (found[0][1]["mean"] - 8), rtol=1e-5)


def test_a_part_of_the_batch_gives_every_other_example():
    penalty = PathLength(batch_shrink=2)
    half = inputs(batch=8)
    picked = half._replace(latent=half.latent[::2], keys=half.keys[::2])
    whole = PathLength(batch_shrink=1)(picked, penalty.init(), ZERO)
    np.testing.assert_array_equal(penalty(half, penalty.init(), ZERO)[0], whole[0])
    with pytest.raises(ValueError, match="batch_shrink=2 does not divide a device's 7"):
        penalty(inputs(batch=7), penalty.init(), ZERO)


def test_a_generator_that_ignores_w_has_a_finite_gradient():
    penalty = PathLength(batch_shrink=1)
    gradient = jax.grad(lambda scale: penalty(inputs(scale, 8), {"mean": jnp.ones(())}, ZERO)[0])(0.0)
    assert np.isfinite(gradient)
