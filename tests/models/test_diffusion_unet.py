"""The U-Net of diffusion models: published sizes, any size that halves, labels."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from gan_jax.core.algorithm import apply_network
from gan_jax.models.diffusion_unet import DiffusionUNet
from gan_jax.models.layers.denoiser import sinusoids

LABEL = jnp.zeros(1, jnp.int32)


def shapes(network, label=LABEL):
    image = jnp.zeros((1, *network.image_shape))
    return jax.eval_shape(partial(network.init, train=False), jax.random.key(0), image, jnp.zeros(1), label)


def count(network):
    return sum(x.size for x in jax.tree.leaves(shapes(network)))


AUGMENT = 9 * 128  # EDM's layer of augmentation labels, which is left out here
PLUS: dict[str, Any] = dict(depth=4, block="ddpm++")


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (DiffusionUNet((32, 32, 3)), 35_746_307),
        (DiffusionUNet((32, 32, 3), multipliers=(2, 2, 2), **PLUS), 55_733_891 - AUGMENT),
        (
            DiffusionUNet((32, 32, 3), "one_hot", 10, multipliers=(2, 2, 2), **PLUS),
            55_735_299 - AUGMENT,
        ),
        (DiffusionUNet((64, 64, 3), multipliers=(1, 2, 2, 2), **PLUS), 61_805_571 - AUGMENT),
    ],
    ids=["ddpm", "edm", "edm_with_labels", "edm_64"],
)
def test_published_sizes(network, expected):
    assert count(network) == expected


TINY: dict[str, Any] = dict(width=4, multipliers=(1, 2, 2), depth=1, attention_sizes=(7,))


def test_sides_halve_evenly_or_are_refused():
    attention = 912  # at 7
    assert count(DiffusionUNet((28, 28, 1), **TINY)) == count(DiffusionUNet((12, 20, 1), **TINY)) + attention
    with pytest.raises(ValueError, match="30x28 do not halve 2 times"):
        shapes(DiffusionUNet((30, 28, 1), **TINY))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (dict(block="adm"), "block='adm' is not one of ddpm, ddpm"),
        (dict(width=0), "width=0"),
        (dict(multipliers=()), r"multipliers=\(\): it must be a tuple"),
        (dict(multipliers=2), "multipliers=2: it must be a tuple"),
        (
            dict(attention_sizes=16),
            r"attention_sizes=16: it must be a tuple of heights of maps, such as \(16,",
        ),
        (dict(attention_sizes=(7, "x")), r"attention_sizes=\(7, 'x'\)"),
        (dict(condition="projection"), "condition='projection'"),
        (dict(condition="one_hot"), "needs labels"),
    ],
)
def test_bad_fields_are_refused(fields, says):
    with pytest.raises(ValueError, match=says):
        shapes(DiffusionUNet((8, 8, 1), **{**TINY, **fields}))


def test_auto_is_conditional_where_there_are_classes():
    assert not DiffusionUNet((8, 8, 1), "auto").conditional
    assert DiffusionUNet((8, 8, 1), "auto", 3).conditional


@pytest.mark.slow
@pytest.mark.parametrize("block", ["ddpm", "ddpm++"])
def test_gradients_are_those_with_checkpointing_and_near_those_in_bfloat16(block):
    network = DiffusionUNet(
        (8, 12, 1), width=8, multipliers=(1, 2), depth=1, attention_sizes=(4,), block=block
    )
    x = jax.random.normal(jax.random.key(0), (4, 8, 12, 1))
    time = jnp.arange(4.0)
    numbers = np.random.default_rng(0)
    draw = lambda s: jnp.asarray(0.2 * numbers.normal(size=s.shape), jnp.float32)
    params = jax.tree.map(draw, shapes(network, None)["params"])

    def gradient(**options):
        def loss(params):
            made, _ = apply_network(network, params, {}, x, time, None, key=None, train=True, **options)
            assert made.dtype == jnp.float32
            return jnp.mean((made - 1) ** 2)

        return ravel_pytree(jax.jit(jax.grad(loss))(params))[0]

    whole, again, low = gradient(), gradient(remat=True), gradient(precision="bfloat16")
    np.testing.assert_allclose(again, whole, rtol=1e-4, atol=1e-5 * np.abs(whole).max())
    assert whole @ low / (jnp.linalg.norm(whole) * jnp.linalg.norm(low)) > 0.99


def test_waves_of_the_time():
    found = sinusoids(jnp.array([0.0, 500.0]), 8)
    np.testing.assert_allclose(found[0], [1, 1, 1, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(found[1, [0, 3, 7]], [np.cos(500), np.cos(0.05), np.sin(0.05)], rtol=1e-3)
    assert sinusoids(jnp.zeros(2), 5).shape == (2, 5)
