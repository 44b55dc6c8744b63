"""Grouped convolutions against NumPy loops, plain autodiff of XLA's grouped form, and PyTorch."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.distributed import parallel
from gan_jax.models.layers import conv_groups
from gan_jax.models.layers.geometry import Geometry, geometry
from gan_jax.models.layers.layers import Conv
from tests.models.test_conv import assert_all_close, everything, same_pads, slide

KEY = jax.random.key(0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def by_group(x, w, groups, stride, pads):
    """One group after the other, each by `slide`."""
    pairs = zip(np.split(x, groups, -1), np.split(w, groups, -1), strict=True)
    return np.concatenate([slide(a, b, stride, pads) for a, b in pairs], -1)


# (groups, inputs, outputs, stride): one block, several, a group that is larger than a block, depthwise
CASES = [(2, 4, 6, 1), (4, 8, 4, 2), (8, 80, 96, 1), (2, 132, 4, 1), (6, 6, 6, 1)]


@pytest.mark.parametrize(("groups", "inputs", "outputs", "stride"), CASES)
def test_the_layer_is_each_group_by_itself(groups, inputs, outputs, stride):
    x = array(0, 2, 5, 6, inputs)
    layer: Any = Conv(outputs, 3, stride, groups=groups, use_bias=False)
    y, variables = jax.jit(layer.init_with_output)(KEY, x)
    kernel = np.asarray(variables["params"]["kernel"])
    assert kernel.shape == (3, 3, inputs // groups, outputs)
    pads = tuple(same_pads(n, 3, stride) for n in (5, 6))
    np.testing.assert_allclose(y, by_group(x, kernel, groups, stride, pads), rtol=1e-4, atol=1e-5)


def native_maps(g: Geometry, groups: int):
    """The three maps by XLA's grouped convolution and autodiff alone."""
    forward = lambda x, w: conv_groups._conv(x, w, g, groups)

    def transpose(y, w):
        x = jnp.zeros((y.shape[0], *g.large, w.shape[2] * groups))
        return jax.linear_transpose(lambda x: forward(x, w), x)(y)[0]

    def weights(x, y):
        w = jnp.zeros((*g.kernel, x.shape[3] // groups, y.shape[3]))
        return jax.linear_transpose(lambda w: forward(x, w), w)(y)[0]

    return forward, transpose, weights


def test_values_and_two_derivatives_are_those_of_the_native_form():
    groups, g = 3, geometry((5, 4), (3, 3), (2, 2), "SAME")
    x, w, y = array(0, 2, 5, 4, 6), array(1, 3, 3, 2, 9) / 9, array(2, 2, *g.small, 9)
    names = (conv_groups.convolve, conv_groups.convolve_transpose, conv_groups.convolve_weights)
    ours = [lambda a, b, f=f: f(a, b, g, groups) for f in names]
    given = [(x, w), (y, w), (x, y)]
    run = jax.jit(lambda given: (everything(ours, given), everything(native_maps(g, groups), given)))
    assert_all_close(*run(given))


def test_the_native_form_is_chosen_off_the_cpu():
    g = geometry((4, 4), (3, 3), (1, 1), "SAME")
    x, w = array(0, 2, 4, 4, 4), array(1, 3, 3, 2, 4)
    lowered = jax.jit(lambda x, w: conv_groups.convolve(x, w, g, 2)).trace(x, w)
    grouped = "feature_group_count = 2"
    assert grouped in lowered.lower(lowering_platforms=("cuda",)).as_text()
    assert grouped not in lowered.lower(lowering_platforms=("cpu",)).as_text()


def test_gradients_to_second_order():
    layer: Any = Conv(4, 3, groups=2)
    x = array(1, 1, 3, 3, 4)
    variables = layer.init(KEY, x)
    check_grads(jax.jit(lambda v, x: jnp.sin(layer.apply(v, x))), (variables, x), 2, ["rev"], rtol=0.03)


def test_bfloat16_stays_and_is_close():
    layer: Any = Conv(12, 3, groups=3)
    x = array(1, 2, 4, 4, 12)
    high, variables = layer.init_with_output(KEY, x)
    low = layer.apply(variables, jnp.asarray(x, jnp.bfloat16))
    assert low.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(low), high, rtol=0.05, atol=0.05)


def test_a_sharded_batch_changes_nothing():
    x = array(2, 8, 4, 4, 6)
    layer: Any = Conv(6, 3, groups=3)
    variables = layer.init(KEY, x)
    run = jax.jit(jax.grad(lambda v, x: jnp.sum(jnp.sin(layer.apply(v, x))), (0, 1)))
    split = parallel.place(x, parallel.split_on(parallel.make_mesh(), 0))
    assert_all_close(run(variables, split), run(variables, x), 2e-5)


def test_it_is_pytorchs_grouped_convolution():
    torch = pytest.importorskip("torch")
    x, w = array(0, 2, 5, 6, 8), array(1, 3, 3, 2, 12)
    layer: Any = Conv(12, 3, groups=4, use_bias=False)
    y = layer.apply({"params": {"kernel": w}}, x)
    theirs = torch.nn.functional.conv2d(
        torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(w).permute(3, 2, 0, 1), padding=1, groups=4
    )
    np.testing.assert_allclose(y, theirs.permute(0, 2, 3, 1).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(groups=3), "3: the convolution has 4 channels in and 6 out"),
        (dict(groups=0), "groups=0"),
        (dict(groups=2, halve=True), "doubles or halves"),
    ],
)
def test_impossible_groups_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Conv(6, 3, **fields).init(KEY, array(0, 1, 4, 4, 4))
