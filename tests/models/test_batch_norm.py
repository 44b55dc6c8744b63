"""The batch normalisation of accelerators against Flax's: values, gradients, gradients of gradients."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core import launches
from gan_jax.models.layers import sums
from gan_jax.models.layers.batch_norm import LeanBatchNorm
from gan_jax.models.layers.conv_cpu import batch_split_over

OPTIONS: dict[str, Any] = dict(
    momentum=0.9, epsilon=1e-3, use_bias=True, use_scale=True, scale_init=nn.initializers.ones
)
X = 2 * jax.random.normal(jax.random.key(0), (6, 5, 4, 3)) + 1
WANTED = jax.random.normal(jax.random.key(2), X.shape)
PARAMS = {"scale": jnp.array([0.5, 1.5, 2.0]), "bias": jnp.array([0.1, -1.5, 2.0])}
MOVING = {"mean": jnp.ones(3), "var": jnp.full(3, 2.0)}


def loss(module, params, x):
    y, moved = module.apply({"params": params, "batch_stats": MOVING}, x, mutable=["batch_stats"])
    return jnp.sum(jnp.tanh(y) * WANTED), moved


def penalty(module, params, x):
    grads, _ = jax.grad(loss, argnums=2, has_aux=True)(module, params, x)
    return jnp.sum(grads**2)


def close(a, b):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-5), a, b)


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("in_parts", [False, True])
def test_it_is_flax_s(devices, in_parts, monkeypatch):
    if in_parts:
        monkeypatch.setattr(sums, "ONE_KERNEL", 2)
    flax, ours = nn.BatchNorm(False, **OPTIONS), LeanBatchNorm(**OPTIONS)
    with launches.on("gpu"), batch_split_over(devices):
        close(
            *(
                jax.value_and_grad(loss, argnums=(1, 2), has_aux=True)(module, PARAMS, X)
                for module in (flax, ours)
            )
        )
        close(*(jax.value_and_grad(penalty, argnums=(1, 2))(module, PARAMS, X) for module in (flax, ours)))
