"""Doubling and halving the resolution in one with a convolution, against the one after the other."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from gan_jax.models.layers import conv_cpu
from gan_jax.models.layers.conv import geometry
from gan_jax.models.layers.layers import Conv
from gan_jax.models.layers.resample import average_pool, convolve_doubled, convolve_halved, nearest
from tests.models.test_conv import array, assert_all_close

KERNELS = [(1, 1), (2, 2), (3, 3), (4, 3), (5, 5)]


def same(x, w):
    return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@functools.partial(jax.jit, static_argnums=0)
def derivatives(f, x, w):
    """Value, gradients, and the gradients of a penalty on them."""

    def potential(x, w):
        return jnp.sum(jnp.sin(f(x, w)))

    def penalty(x, w):
        return sum(jnp.sum(jnp.square(d)) for d in jax.grad(potential, (0, 1))(x, w))

    return f(x, w), jax.grad(potential, (0, 1))(x, w), jax.grad(penalty, (0, 1))(x, w)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [(8, 6), (7, 6), (7, 5)])  # of the output
def test_doubled(kernel, size):
    x, w = array(1, 2, 4, 3, 3), array(2, *kernel, 3, 4)
    found = derivatives(lambda x, w: convolve_doubled(x, w, size), x, w)
    expected = derivatives(lambda x, w: same(nearest(x, size), w), x, w)
    assert_all_close(found, expected, 2e-5)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [(8, 6), (7, 6), (5, 7)])
def test_halved(kernel, size):
    x, w = array(1, 2, *size, 3), array(2, *kernel, 3, 4)
    found = derivatives(convolve_halved, x, w)
    assert_all_close(found, derivatives(lambda x, w: average_pool(same(x, w)), x, w), 2e-5)


@pytest.mark.parametrize("field", ["double", "halve"])
def test_a_3x3_kernel_takes_16_products_where_the_definition_has_36(field):
    """By the compiler's count of a plain device's program: 4/9 and a few for the kernel."""

    def flops(f, *arguments):
        cost = jax.jit(f).lower(*arguments).cost_analysis()
        assert cost is not None
        return cost["flops"]

    w = jnp.zeros((3, 3, 16, 16))
    if field == "double":
        x = jnp.zeros((4, 16, 16, 16))
        pair = [
            flops(f, x, w)
            for f in (
                lambda x, w: convolve_doubled(x, w, (32, 32)),
                lambda x, w: same(nearest(x, (32, 32)), w),
            )
        ]
    else:
        x = jnp.zeros((4, 32, 32, 16))
        pair = [flops(f, x, w) for f in (convolve_halved, lambda x, w: average_pool(same(x, w)))]
    assert pair[0] < 0.55 * pair[1]


def test_the_layers_fields():
    x = array(1, 2, 6, 4, 3)
    for fields, expected in (
        (dict(double=(12, 8)), lambda x, w: same(nearest(x, (12, 8)), w)),
        (dict(halve=True), lambda x, w: average_pool(same(x, w))),
    ):
        layer = Conv(5, 3, **fields)
        variables = layer.init(jax.random.key(0), x)
        assert variables["params"]["kernel"].shape == (3, 3, 3, 5)
        found = layer.apply(variables, x)
        assert_all_close(found, expected(x, variables["params"]["kernel"]))  # the bias starts at 0


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((2, 0), (1, 3))])
def test_the_cpu_form_of_a_convolution_to_few_channels(kernel, padding):
    x, w = array(1, 2, 7, 6, 5), array(2, *kernel, 5, conv_cpu.FEW_CHANNELS - 1)
    g = geometry((7, 6), kernel, (1, 1), padding)
    layout = ("NHWC", "HWIO", "NHWC")

    @jax.jit
    def both(x, w):
        plain = lax.conv_general_dilated(x, w, (1, 1), g.padding, dimension_numbers=layout)
        return conv_cpu.convolve(x, w, g), plain

    found, plain = both(x, w)
    assert_all_close(found, plain, 1e-4)
