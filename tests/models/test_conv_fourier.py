"""Convolutions by Fourier transforms: the identity behind them, their numbers, and where they are chosen."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.distributed import parallel
from gan_jax.models.layers import conv, conv_cpu, conv_fourier, conv_pixel
from gan_jax.models.layers.conv_fourier import dimension, dimensions, frequencies, transforms
from tests.models.test_conv import (
    CASES,
    EVERY_OTHER,
    LARGE_CHANNELS,
    SMALL_CHANNELS,
    array,
    arrays_of,
    assert_all_close,
    case_name,
    everything,
    our_maps,
    plain_maps,
    slide,
)

THESIS = conv.geometry((14, 14), (5, 5), (2, 2), "SAME")  # of its DCGAN, 64 channels to 128


@pytest.fixture
def always(monkeypatch):
    """Every convolution of float32 takes this form."""
    monkeypatch.setattr(conv_fourier, "is_faster", lambda *_: True)
    monkeypatch.setattr(conv_pixel, "is_one", lambda _: False)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_taps_lie_in_blocks_as_the_definition_says(case):
    """x[stride * o + t - low] is number (o + a) of phase r, for the a and the r at which tap t is found."""
    g = conv.geometry(*case)
    for d, large, small, kernel, stride, (low, _) in zip(dimensions(g), *g, strict=True):
        assert d.outputs == small
        assert d.blocks == -(-large // stride)
        for t in range(kernel):
            a, r = divmod(t + d.before, stride)
            a += d.first
            assert 0 <= a - d.first < d.taps
            assert stride * a + r == t - low


SHAPES = [(7, 7, 3, -1), (4, 4, 3, -1), (6, 4, 3, 0), (3, 5, 1, 0)]  # blocks, outputs, taps, first


@pytest.mark.parametrize("pair", list(itertools.product(SHAPES, repeat=2)))
def test_the_matrices_pick_the_sums_of_the_definition(pair):
    rows, columns = (
        conv_fourier.Dimension(blocks, outputs, first, taps, 0) for blocks, outputs, taps, first in pair
    )
    found = np.einsum("pq,pa,po->qao", *transforms(rows, columns))
    each = []
    for d in (rows, columns):
        q, a, o = np.ogrid[: d.blocks, d.first : d.first + d.taps, : d.outputs]
        each.append(q == o + a)
    expected = np.einsum("qao,rbp->qrabop", *(x.astype(float) for x in each)).reshape(found.shape)
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize(
    ("size", "products"),
    [(3, 13), (4, 22), (8, 94), (9, 121)],  # by hand: (9 - 1) / 2 * 3 + 1, (16 - 4) / 2 * 3 + 4, ...
)
def test_a_pair_of_conjugate_frequencies_takes_three_products(size, products):
    d = dimension(size - 1, size - 1, 3, 1, 1)
    assert frequencies(d) == size
    assert len(transforms(d, d).signal) == products


@pytest.mark.parametrize("case", EVERY_OTHER)
def test_values_and_two_derivatives_are_those_of_plain_autodiff(case, always):
    g = conv.geometry(*case)
    x, y, w = arrays_of(g)
    arguments = [(x, w), (y, w), (x, y)]
    both = jax.jit(lambda a: (everything(our_maps(g), a), everything(plain_maps(g), a)))
    text = both.lower(arguments).as_text()
    assert "optimization_barrier" in text  # this form, not another
    assert_all_close(*both(arguments))


def test_the_error_is_that_of_the_definition_in_float32():
    """Root mean squares over outputs, against float64; 64 channels to 128 in the course's DCGAN."""
    x, w = array(0, 8, 14, 14, 64), array(1, 5, 5, 64, 128)
    expected = slide(x, w, 2, THESIS.padding)
    errors = [
        float(np.sqrt(np.mean((np.asarray(f(x, w, THESIS), np.float64) - expected) ** 2)))
        for f in (conv_fourier.convolve, conv._conv)
    ]
    assert errors[0] < 3 * errors[1]
    assert errors[0] < 1e-6 * np.sqrt(np.mean(expected**2))


def test_many_seeds_at_once_are_each_alone(always):
    g = conv.geometry((6, 5), (3, 3), (1, 1), "SAME")
    x, y, w = array(1, 3, 2, 6, 5, 2), array(2, 3, 2, 6, 5, 3), array(3, 3, 3, 3, 2, 3)
    for f, arguments in zip(our_maps(g), [(x, w), (y, w), (x, y)], strict=True):
        found = jax.jit(jax.vmap(f))(*arguments)
        for i in range(3):
            np.testing.assert_allclose(found[i], f(*(a[i] for a in arguments)), rtol=1e-5, atol=1e-5)


def test_a_batch_that_devices_split_stays_where_it_is(always):
    mesh = parallel.make_mesh()
    g = conv.geometry((6, 5), (3, 3), (2, 2), "SAME")
    x, y = (
        array(1, 4 * mesh.size, *g.large, LARGE_CHANNELS),
        array(2, 4 * mesh.size, *g.small, SMALL_CHANNELS),
    )
    w = array(3, *g.kernel, LARGE_CHANNELS, SMALL_CHANNELS)
    split, whole = parallel.split_on(mesh, 0), parallel.replicated(mesh)
    for f, (a, b), lie, lies in zip(
        our_maps(g),
        [(x, w), (y, w), (x, y)],
        [(split, whole), (split, whole), (split, split)],
        [split, split, whole],
        strict=True,
    ):
        compiled = jax.jit(f, in_shardings=lie, out_shardings=lies).lower(a, b).compile()
        text = compiled.as_text() or ""
        assert not [name for name in ("all-gather", "all-to-all", "collective-permute") if name in text]
        assert ("all-reduce" in text) == (lies is whole and mesh.size > 1)
        assert_all_close(compiled(a, b), f(a, b))


def test_it_is_bitwise_repeatable(always):
    x, _, w = arrays_of(g := conv.geometry((9, 7), (5, 5), (2, 2), "SAME"))
    convolve = jax.jit(conv.convolve, static_argnums=2)
    np.testing.assert_array_equal(convolve(x, w, g), convolve(x, w, g))


# Where it is chosen


def test_it_pays_for_small_maps_of_many_channels_and_examples():
    assert conv_fourier.is_faster(THESIS, 128, 64, 128)
    assert not conv_fourier.is_faster(THESIS, 1, 64, 128)  # its kernels' transforms are for one example
    assert not conv_fourier.is_faster(THESIS, 128, 8, 8)
    assert not conv_fourier.is_faster(
        conv.geometry((28, 28), (5, 5), (2, 2), "SAME"), 128, 64, 64
    )  # large maps
    assert not conv_fourier.is_faster(conv.geometry((8, 8), (1, 1), (1, 1), "SAME"), 128, 64, 64)


@pytest.mark.parametrize(("dtype", "chosen"), [(jnp.float32, True), (jnp.bfloat16, False)])
def test_bfloat16_keeps_the_definition(dtype, chosen):
    a = jnp.zeros((128, 14, 14, 64), dtype)
    assert conv_cpu._by_fourier(a, THESIS, 64, 128) == chosen


def test_what_counts_is_a_devices_share_of_the_batch():
    a = jnp.zeros((128, 14, 14, 64))
    assert conv_cpu._by_fourier(a, THESIS, 64, 128)
    with conv_cpu.batch_split_over(32):
        assert not conv_cpu._by_fourier(a, THESIS, 64, 128)
