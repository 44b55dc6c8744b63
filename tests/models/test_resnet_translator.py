"""CycleGAN's translator: its parameters, sizes, the official layers, what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.modules import is_conditional
from gan_jax.models.layers.layers import Conv, reflect
from gan_jax.models.resnet_translator import ResNetTranslator
from tests.models.test_models import shapes

KEY = jax.random.key(0)
SMALL = ResNetTranslator((8, 8, 3), width=4, blocks=2)
X = np.random.default_rng(0).uniform(-1, 1, (2, 12, 8, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("blocks", "affine", "expected"),
    [
        (9, True, 11_383_427),
        (6, True, 7_841_411),
        # The PyTorch code's count with a bias before each of its norms, which have none and remove those.
        (9, False, 11_378_179 - 5_248),
        (6, False, 7_837_699 - 3_712),
    ],
)
def test_published_networks_have_as_many_parameters(blocks, affine, expected):
    network = ResNetTranslator((256, 256, 3), blocks=blocks, affine=affine)
    found = shapes(network, jnp.zeros((1, 64, 64, 3)))
    assert sum(x.size for x in jax.tree.leaves(found["params"])) == expected


def test_any_size_of_fours_and_any_channels():
    for shape in ((1, 8, 8, 1), (2, 12, 20, 5)):
        x = jax.ShapeDtypeStruct(shape, jnp.float32)
        made = jax.eval_shape(lambda x: SMALL.init_with_output(KEY, x, None, train=False)[0], x)
        assert made.shape == (*shape[:3], 3)
        assert made.dtype == jnp.float32


def test_upsampling_by_resizing_has_the_same_kernels():
    def kernels(upsampling):
        found = shapes(SMALL.clone(upsampling=upsampling), jnp.zeros((1, 8, 8, 3)))["params"]
        return sorted(x.size for x in jax.tree.leaves(found))

    assert kernels("nearest") == kernels("bilinear") == kernels("transpose")


def test_what_translate_asks_of_it():
    assert (SMALL.multiple, SMALL.scale) == (4, 1)
    assert not is_conditional(SMALL)


@pytest.mark.parametrize(
    ("fields", "size", "message"),
    [
        ({}, (10, 12), "images of 10x12: .* multiples of 4; the next are 8x12 and 12x12"),
        ({}, (4, 8), "padding by reflection needs maps of more than 1 pixels a side, not 1x2"),
        (dict(blocks=0), (8, 8), "blocks=0"),
        (dict(width=-1), (8, 8), "width=-1"),
        (dict(upsampling="cubic"), (8, 8), "upsampling='cubic' is not one of transpose, nearest, bilinear"),
        (dict(norm="bath"), (8, 8), "norm='bath' is not one of"),
    ],
)
def test_what_makes_no_translator_is_refused(fields, size, message):
    with pytest.raises(ValueError, match=message):
        shapes(SMALL.clone(**fields), jnp.zeros((1, *size, 3)))


# Padding by reflection


@pytest.mark.parametrize("kernel", [1, 3, 4, 7])
def test_reflection_is_numpys(kernel):
    pad = ((kernel - 1) // 2, kernel // 2)
    expected = np.pad(X, ((0, 0), pad, pad, (0, 0)), mode="reflect")
    np.testing.assert_array_equal(reflect(jnp.asarray(X), pad), expected)
    layer = Conv(3, kernel, padding="REFLECT")
    variables = layer.init(KEY, X)
    found = np.asarray(layer.apply(variables, X))
    valid = np.asarray(layer.clone(padding="VALID").apply(variables, expected))
    np.testing.assert_allclose(found, valid, rtol=1e-5, atol=1e-6)
    assert found.shape == (2, 12, 8, 3)


def test_too_small_a_map_is_refused():
    with pytest.raises(ValueError, match="more than 3 pixels a side, not 3x8: use larger images"):
        Conv(3, 7, padding="REFLECT").init(KEY, jnp.zeros((1, 3, 8, 1)))
