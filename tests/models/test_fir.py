"""The filters against NumPy loops over the definition, alone and around convolutions."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.distributed import parallel
from gan_jax.models.layers import fir as filters
from gan_jax.models.layers.layers import Conv
from tests.models.test_conv import slide, stamp

KEY = jax.random.key(0)
fir = jax.jit(filters.fir, static_argnums=(1, 2, 3))
fir_up, fir_down = (jax.jit(f, static_argnums=1) for f in (filters.fir_up, filters.fir_down))
convolve_fir_up = jax.jit(filters.convolve_fir_up, static_argnums=2)
convolve_fir_down = jax.jit(filters.convolve_fir_down, static_argnums=2)
TAPS: list[tuple[float, ...]] = [(1, 3, 3, 1), (1, 2, 1), (1, 1), (1, 2, 0, -1, 3)]


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def upfirdn(x, taps, up, down, pad, gain):
    """Zeros between pixels, padding or cropping, filter, every `down`-th pixel: NumPy loops, float64."""
    x, taps = np.float64(x), np.float64(taps)
    kernel = np.outer(taps, taps) / taps.sum() ** 2 * gain
    count, height, width, channels = x.shape
    spread = np.zeros((count, height * up, width * up, channels))
    spread[:, ::up, ::up] = x
    around = max(*pad, 0)
    spread = np.pad(spread, ((0, 0), (around, around), (around, around), (0, 0)))
    low, high = around - pad[0], around - pad[1]
    spread = spread[:, low : spread.shape[1] - high, low : spread.shape[2] - high]
    rows, columns = ((side - len(taps)) // down + 1 for side in spread.shape[1:3])
    y = np.zeros((count, rows, columns, channels))
    for i, j in itertools.product(range(rows), range(columns)):
        window = spread[:, i * down : i * down + len(taps), j * down : j * down + len(taps)]
        y[:, i, j] = np.einsum("nabc,ab->nc", window, kernel)
    return y


def up_pad(count):
    return (count + 1) // 2, (count - 2) // 2


def down_pad(count):
    return (count - 1) // 2, (count - 2) // 2


X = array(0, 2, 6, 4, 3)


@pytest.mark.parametrize("taps", TAPS, ids=str)
def test_filters_are_the_loops(taps):
    count = len(taps)
    np.testing.assert_allclose(fir_up(X, taps), upfirdn(X, taps, 2, 1, up_pad(count), 4), atol=1e-5)
    np.testing.assert_allclose(fir_down(X, taps), upfirdn(X, taps, 1, 2, down_pad(count), 1), atol=1e-5)
    np.testing.assert_allclose(fir(X, taps, (3, 1), 1.5), upfirdn(X, taps, 1, 1, (3, 1), 1.5**2), atol=1e-5)
    same = count // 2, (count - 1) // 2
    np.testing.assert_allclose(fir(X, taps), upfirdn(X, taps, 1, 1, same, 1), atol=1e-5)


def test_the_filters_keep_a_constants_value_inside():
    flat = np.ones((1, 8, 8, 1), np.float32)
    for made in (fir_up(flat, (1, 3, 3, 1)), fir_down(flat, (1, 3, 3, 1)), fir(flat, (1, 2, 1))):
        np.testing.assert_allclose(made[:, 1:-1, 1:-1], 1, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.parametrize("taps", TAPS[:2], ids=str)
def test_filtered_convolutions_are_the_loops(taps, size):
    w, count = array(1, size, size, 3, 5), len(taps)
    if size == 1:
        up = upfirdn(slide(X, w, 1, ((0, 0), (0, 0))), taps, 2, 1, up_pad(count), 4)
        down = slide(upfirdn(X, taps, 1, 2, down_pad(count), 1), w, 1, ((0, 0), (0, 0)))
    else:
        stamped = stamp(X, w.swapaxes(2, 3), 2, (10 + size, 6 + size), ((0, 0), (0, 0)))
        low, high = up_pad(count)
        up = upfirdn(stamped, taps, 1, 1, (size // 2 + low - size + 1, size // 2 + high - size + 2), 4)
        low, high = down_pad(count)
        filtered = upfirdn(X, taps, 1, 1, (size // 2 + low, size // 2 + high), 1)
        down = slide(filtered, w, 2, ((0, 0), (0, 0)))
    found = convolve_fir_up(X, w, taps)
    assert found.shape[1:3] == (12, 8) or size == 4
    np.testing.assert_allclose(found, up, atol=2e-5)
    np.testing.assert_allclose(convolve_fir_down(X, w, taps), down, atol=2e-5)


def test_the_up_convolution_is_that_of_the_enlarged_image_inside():
    w = array(1, 3, 3, 3, 2)
    plain = slide(fir_up(X, (1, 3, 3, 1)), w[::-1, ::-1], 1, ((1, 1), (1, 1)))
    found = convolve_fir_up(X, w, (1, 3, 3, 1))
    np.testing.assert_allclose(found[:, 2:-2, 2:-2], plain[:, 2:-2, 2:-2], atol=2e-5)


LAYERS: dict[str, Any] = {
    "up": Conv(5, 3, double=(12, 8), taps=(1, 3, 3, 1)),
    "down": Conv(5, 3, halve=True, taps=(1, 3, 3, 1)),
}


def test_the_layer_filters_where_it_has_taps():
    for name, maps in (("up", convolve_fir_up), ("down", convolve_fir_down)):
        y, variables = LAYERS[name].init_with_output(KEY, X)
        expected = maps(X, variables["params"]["kernel"], (1, 3, 3, 1))
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "make", [fir_up, fir_down, fir, *LAYERS.values()], ids=["up", "down", "same", *LAYERS]
)
def test_bfloat16_stays_and_is_close(make):
    low_x = jnp.asarray(X, jnp.bfloat16)
    if isinstance(make, Conv):
        layer, variables = make, make.init(KEY, X)
        make = lambda x, taps: layer.apply(variables, x)
    low, high = (make(x, (1, 3, 3, 1)) for x in (low_x, jnp.float32(low_x)))
    assert low.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(low), high, rtol=0.03, atol=0.03)


def test_gradients_to_second_order():
    x, w = array(0, 1, 4, 4, 1), array(1, 3, 3, 1, 2)
    for maps in (convolve_fir_up, convolve_fir_down):
        check_grads(jax.jit(lambda x, w, f=maps: jnp.sin(f(x, w, (1, 2, 1)))), (x, w), 2, ["rev"], rtol=0.03)


def test_a_sharded_batch_changes_nothing():
    x = array(2, 8, 4, 4, 3)
    layer = LAYERS["down"]
    variables = layer.init(KEY, x)

    def of(x):
        return jax.grad(lambda x: jnp.sum(jnp.sin(layer.apply(variables, fir_up(x, (1, 3, 3, 1))))))(x)

    split = parallel.place(x, parallel.split_on(parallel.make_mesh(), 0))
    np.testing.assert_allclose(jax.jit(of)(split), jax.jit(of)(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: fir_down(X[:, :5], (1, 2, 1)), "even sides, not 5x4"),
        (lambda: convolve_fir_down(X[:, :5], array(0, 3, 3, 3, 2), (1, 2, 1)), "even sides, not 5x4"),
        (lambda: fir_up(X, ()), r"taps=\(\)"),
        (lambda: fir(X, (1, -1)), "taps="),
        (lambda: Conv(2, 3, double=(11, 8), taps=(1, 2, 1)).init(KEY, X), "exactly, not to"),
    ],
)
def test_mistakes_are_refused(run, message):
    with pytest.raises(ValueError, match=message):
        run()
