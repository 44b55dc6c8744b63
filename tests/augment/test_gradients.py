"""ADA is affine in the image, and so are its gradients of first and second order what algebra says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.augment.cases import EVERYTHING, ada_at, keys_of, pictures


@pytest.mark.parametrize("size", [(12, 12, 1), (10, 14, 3)])
def test_it_is_affine_in_the_image_and_has_the_transposed_gradient(size):
    """f(x + v) - f(x) = J v and <u, J v> = <J^T u, v>."""
    x, v, u = (pictures(8, *size, seed=seed) for seed in range(3))

    def f(x):
        return ada_at(0.7, x, keys_of(8), EVERYTHING)

    jv = f(x + v) - f(x)
    np.testing.assert_allclose(f(x + 2 * v) - f(x), 2 * jv, atol=1e-4)
    back = jax.jit(lambda u: jax.vjp(f, jnp.asarray(x))[1](u)[0])(u)
    np.testing.assert_allclose(np.vdot(u, jv), np.vdot(back, v), rtol=1e-4)
    np.testing.assert_allclose(np.sum(u * jv, (1, 2, 3)), np.sum(back * v, (1, 2, 3)), rtol=1e-3, atol=1e-3)


def test_a_gradient_penalty_through_it():
    """Of the critic |f(x)|^2 / 2 with f(x) = J x + c: the gradient is J^T f(x), and that of half its squared
    norm is J^T J J^T f(x). J is built column by column."""
    shape = (6, 5, 1)
    x, keys = pictures(1, *shape), keys_of(3)[2:]

    def f(x):
        return ada_at(1.0, x, keys)

    columns = np.eye(30, dtype=np.float32).reshape(30, *shape)
    offset = np.float64(f(np.zeros((1, *shape), np.float32))).ravel()
    jacobian = np.stack([np.float64(f(column[None])).ravel() - offset for column in columns], 1)

    def penalty(x):
        gradient = jax.grad(lambda x: jnp.sum(jnp.square(f(x))) / 2)(x)
        return jnp.sum(jnp.square(gradient)) / 2

    found = np.ravel(jax.jit(jax.grad(penalty))(jnp.asarray(x)))
    value = jacobian @ np.float64(x).ravel() + offset
    expected = jacobian.T @ jacobian @ jacobian.T @ value
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())
