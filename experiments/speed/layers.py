"""Layers of high-resolution networks against XLA's plain forms of them: `python experiments/speed/layers.py`.

Each row is one layer, forward and with all gradients, in the form of `gan_jax.models.layers` and in the form
a definition suggests, which are checked to agree. The two run in turn, and the table shows medians and the
ratio within a round. `--rounds` is how often; the plain forms can take seconds each on a CPU.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax.models.layers.fir import fir_down, fir_up
from gan_jax.models.layers.geometry import LAYOUT
from gan_jax.models.layers.layers import Conv
from gan_jax.models.layers.modulated import Modulated

Array = jax.Array
TAPS = (1.0, 3.0, 3.0, 1.0)


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        given: what both forms take, and have gradients in.
    """

    name: str
    ours: Callable[..., Array]
    plain: Callable[..., Array]
    given: tuple[Any, ...]


def depthwise(x: Array, stride: int, gain: float, **more: Any) -> Array:
    """A filter as a grouped convolution with one channel in a group."""
    kernel = gain * np.outer(TAPS, TAPS).astype(np.float32) / sum(TAPS) ** 2
    channels = x.shape[3]
    w = jnp.tile(kernel[:, :, None, None], (1, 1, 1, channels))
    return lax.conv_general_dilated(
        x, w, (stride, stride), dimension_numbers=LAYOUT, feature_group_count=channels, **more
    )


def plain_up(x: Array) -> Array:
    """`fir_up` as a convolution of zeros between pixels."""
    return depthwise(x, 1, 4.0, padding=((2, 2), (2, 2)), lhs_dilation=(2, 2))


def plain_down(x: Array) -> Array:
    """`fir_down` as a strided convolution."""
    return depthwise(x, 2, 1.0, padding=((1, 1), (1, 1)))


def per_sample(variables: Any, x: Array, style: Array) -> Array:
    """A modulated convolution with a kernel for each example: a convolution with a group for each."""
    kernel = variables["params"]["kernel"]
    count, height, width, channels = x.shape
    w = kernel[None] * style[:, None, None, :, None] / np.prod(kernel.shape[:3]) ** 0.5
    w = w * lax.rsqrt(jnp.sum(jnp.square(w), (1, 2, 3), keepdims=True) + 1e-8)
    x = x.transpose(1, 2, 0, 3).reshape(1, height, width, count * channels)
    w = w.transpose(1, 2, 3, 0, 4).reshape(*kernel.shape[:3], -1)
    y = lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=LAYOUT, feature_group_count=count)
    return y.reshape(height, width, count, -1).transpose(2, 0, 1, 3)


def grouped(groups: int) -> Callable[..., Array]:
    """XLA's grouped convolution."""

    def plain(variables: Any, x: Array) -> Array:
        w = variables["params"]["kernel"]
        return lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=LAYOUT, feature_group_count=groups
        )

    return plain


def rows() -> list[Row]:
    """What is measured."""
    key = jax.random.key(0)
    normal = lambda *shape: jax.random.normal(key, shape)
    x, small, style = normal(16, 28, 28, 64), normal(16, 14, 14, 64), normal(16, 64)
    found = [
        Row("filter up, 64 channels to 28x28", lambda x: fir_up(x, TAPS), plain_up, (small,)),
        Row("filter down, 64 channels from 28x28", lambda x: fir_down(x, TAPS), plain_down, (x,)),
    ]
    modulated: Any = Modulated(64)
    variables = modulated.init(key, small, style)
    given = (variables, small, style)
    found.append(Row("modulated 3x3, 64 to 64 channels at 14x14", modulated.apply, per_sample, given))
    for channels, groups, side in ((128, 8, 14), (192, 12, 7)):
        layer: Any = Conv(channels, 3, groups=groups, use_bias=False)
        x = normal(16, side, side, channels)
        name = f"grouped 3x3, {channels} channels in {groups} groups at {side}x{side}"
        found.append(Row(name, layer.apply, grouped(groups), (layer.init(key, x), x)))
    return found


def run_of(form: Callable[..., Array], given: tuple[Any, ...]) -> Callable[[], Any]:
    """The form with all its gradients, compiled."""

    def both(*given: Any) -> tuple[Array, Any]:
        y, back = jax.vjp(form, *given)
        return y, back(y)

    call = jax.jit(both)
    return lambda: jax.block_until_ready(call(*given))


def seconds(run: Callable[[], Any]) -> float:
    """Of one call."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each form runs; default: 5")
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error(f"--rounds={rounds}: at least 1")
    sys.stdout.write(f"batch 16, float32, {jax.device_count()} x {jax.devices()[0].device_kind}\n\n")
    sys.stdout.write(
        "| forward and all gradients | ours, ms | plain, ms | times as fast |\n|---|---|---|---|\n"
    )
    for row in rows():
        ours, plain = run_of(row.ours, row.given), run_of(row.plain, row.given)
        for a, b in zip(jax.tree.leaves(ours()), jax.tree.leaves(plain()), strict=True):  # compiles as well
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * float(jnp.abs(b).max()), err_msg=row.name)
        times = [(seconds(ours), seconds(plain)) for _ in range(rounds)]
        ratios = sorted(slow / fast for fast, slow in times)
        mine, theirs = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
        sys.stdout.write(
            f"| {row.name} | {mine:.2f} | {theirs:.1f} | {statistics.median(ratios):.0f} "
            f"({ratios[0]:.0f} to {ratios[-1]:.0f}) |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
