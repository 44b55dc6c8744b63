"""Counted flops against XLA's own count, and against formulas by hand."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from experiments.scaling import ours
from experiments.scaling.counting import Operation, operations, taps, total
from experiments.scaling.workloads import WORKLOADS
from experiments.speed import counts, works
from gan_jax.config.build import build_algorithm
from gan_jax.data.spec import DataSpec, Field
from gan_jax.models.layers.layers import conv
from tests.shipped import get_config

LAYOUT = ("NHWC", "HWIO", "NHWC")


def f32(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def flops_at(function, shapes, batch=4):
    """Counted, of function(x [batch, ...], w)."""
    found = operations(function, lambda size: [f32(size, *shapes[0]), f32(*shapes[1])])
    return total(found, batch)[0]


@pytest.mark.parametrize(
    "options",
    [
        dict(window_strides=(1, 1), padding="SAME"),
        dict(window_strides=(2, 2), padding="SAME"),
        dict(window_strides=(2, 1), padding=((0, 3), (2, 1))),
        dict(window_strides=(1, 1), padding=((2, 3), (3, 2)), lhs_dilation=(2, 2)),
        dict(window_strides=(1, 1), padding=((1, 1), (0, 2)), rhs_dilation=(2, 3)),
        dict(window_strides=(1, 1), padding=((-1, 2), (3, -1)), lhs_dilation=(3, 1)),
    ],
)
def test_a_convolution_counts_as_xla_counts_it(options):
    function = partial(lax.conv_general_dilated, dimension_numbers=LAYOUT, **options)
    x, w = (9, 8, 6), (5, 3, 6, 7)
    counted: Any = jax.jit(function).lower(f32(4, *x), f32(*w)).cost_analysis()
    assert flops_at(function, (x, w)) == counted["flops"]


def test_groups_divide_the_work():
    whole = partial(lax.conv_general_dilated, window_strides=(1, 1), padding="SAME", dimension_numbers=LAYOUT)
    grouped = partial(whole, feature_group_count=3)
    x = (9, 8, 6)
    assert flops_at(grouped, (x, (5, 5, 2, 9))) == flops_at(whole, (x, (5, 5, 6, 9))) / 3


def test_both_spellings_of_our_convolutions_have_the_same_taps():
    """The forward map, the gradient in its input and the one in its weights; an accelerator's and a CPU's."""
    g = conv.geometry((9, 8), (5, 5), (2, 2), "SAME")
    x, w, y = f32(4, 9, 8, 3), f32(5, 5, 3, 6), f32(4, *g.small, 6)
    pairs = taps(size=9, kernel=5, out=5, stride=2, low=2) * taps(size=8, kernel=5, out=4, stride=2, low=1)
    forward = 2 * pairs * 4 * 3 * 6

    def counted(function, *arguments):
        return total(operations(function, lambda size: arguments), 1.0)[0]

    assert counted(lambda x, w: conv.convolve(x, w, g), x, w) == forward
    assert counted(lambda y, w: conv.convolve_transpose(y, w, g), y, w) == forward
    assert counted(lambda x, y: conv.convolve_weights(x, y, g), x, y) == forward


def test_loops_branches_and_dead_code():
    w = jnp.ones((5, 5))

    def product(x):
        return x @ w

    def program(x):
        x @ w  # nobody reads it
        x = lax.scan(lambda x, _: (jax.jit(product)(x), None), x, length=3)[0]
        x = lax.platform_dependent(x, cpu=lambda x: x @ w @ w @ w, default=product)
        return lax.cond(x.sum() > 0, lambda x: x @ w @ w, lambda x: x, x)

    found = operations(program, lambda size: [f32(size, 5)])
    assert [operation.times for operation in found] == [3, 1, 1, 1]
    assert total(found, 7.0) == (6 * 2 * 7 * 5 * 5, 6 * (2 * 7 * 5 + 25))
    assert not any(operation.convolution for operation in found)


def test_a_line_in_the_batch():
    assert operations(lambda x: x.T @ x, lambda size: [f32(size, 3)]) == [
        Operation((0.0, 18.0), (9.0, 6.0), 1, convolution=False)
    ]
    with pytest.raises(ValueError, match="not on a straight line"):
        operations(lambda x: x @ x.T, lambda size: [f32(size, 3)])


def forward(algorithm, spec, role):
    """Flops per image of every layer, input first."""
    return [operation.at(1)[0] for operation in ours.forward_operations(algorithm, spec, role)]


def test_a_step_of_the_dcgan_by_hand():
    """4 G + 8 D, but for the gradients in the two inputs that nobody needs: the latents and the images."""
    algorithm, spec = ours.algorithm_of("dcgan28")
    # Pairs of positions and kernel elements inside the image, along an axis: 7 of 14 and 14 of 28.
    small, large = 7 * 5 - 1 - 2, 14 * 5 - 1 - 2
    generator = [2 * 100 * 6272, 2 * small**2 * 128 * 64, 2 * large**2 * 64]
    discriminator = [2 * large**2 * 64, 2 * small**2 * 64 * 128, 2 * 6272]
    assert forward(algorithm, spec, "generator") == generator
    assert forward(algorithm, spec, "discriminator") == discriminator
    expected = 4 * sum(generator) + 8 * sum(discriminator) - generator[0] - 2 * discriminator[0]
    work = WORKLOADS["dcgan28"]()
    assert work.flops(1.0) == expected
    assert work.backward == 1 - (2 * sum(generator) + 3 * sum(discriminator)) / expected


def test_a_step_of_the_sngan_by_hand():
    """The benchmark's count from shapes, but for the 3x3 kernels in one with a resampling: 16 taps.

    They are the first convolutions of the generator's blocks and the second ones of two of the
    discriminator's.
    """

    def less(size: int, width: int) -> int:
        """Flops that a pass saves on a map whose larger side is `size`."""
        fused = taps(size=size, kernel=4, out=size // 2, stride=2, low=1)
        return 2 * width**2 * ((3 * size - 2) ** 2 - fused**2)

    generator = sum(less(size, 256) for size in (8, 16, 32))
    discriminator = sum(less(size, 128) for size in (32, 16))
    expected = counts.step_flops(works.SNGAN32, 1) - (5 + 3) * generator - (5 * 6 + 2) * discriminator
    found = ours.step_operations(*ours.algorithm_of("sngan32"))
    # What does not grow with the batch are the power iterations.
    assert total(found, 2.0)[0] - total(found, 1.0)[0] == expected
    assert not any(operation.flops[0] for operation in found if operation.convolution)


def test_a_penalty_is_four_passes():
    """R1 and R2, D piecewise linear: forward, gradient in the image, and the gradients of that.

    But for the last layer: its output does not matter, and its own gradient is constant.
    """
    spec = DataSpec({"image": Field((28, 28, 1))}, None)
    algorithm = build_algorithm(get_config("r3gan_mnist"), spec)
    generator, discriminator = (forward(algorithm, spec, role) for role in ("generator", "discriminator"))
    loss = 4 * sum(generator) - generator[0] + (6 + 3) * sum(discriminator) - 2 * discriminator[0]
    penalties = 2 * (4 * sum(discriminator) - 2 * discriminator[-1])
    assert total(ours.step_operations(algorithm, spec), 1.0)[0] == loss + penalties
