"""Convolutions and matrix products of a program for TPUs: their operations, channels and precision.

A TPU multiplies in matrix units of 128 by 128 (256 by 256 in a v6e) and lays the channels of an array along
128 lanes; what has fewer is padded. XLA:TPU writes every product as a convolution.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gan_jax.accelerators.hlo import Array, Computation, Instruction, Module

LANES = 128
# One operation for each number of the result; `reduce` has one for each number that it reads.
ARITHMETIC = {
    *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "negate", "abs", "remainder"),
    *("exponential", "exponential-minus-one", "log", "log-plus-one", "tanh", "logistic", "erf"),
    *("sqrt", "rsqrt", "cbrt", "sine", "cosine", "tan", "atan2"),
}
_LABELS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_WINDOW = re.compile(r"window=\{([^}]*)\}")
_GROUPS = re.compile(r"feature_group_count=(\d+)|batch_group_count=(\d+)")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_SOURCE = re.compile(r'op_name="([^"]*)"')
# Flax's classes are the words of the path that begin with a capital.
_NETWORK = re.compile(r"\b([A-Z]\w*)\)*(?:/(\w+))?")


@dataclass(frozen=True)
class Product:
    """A convolution or a matrix product.

    Attributes:
        network: the Flax module that it belongs to, or "".
        flops: of one step, all its runs; those of padding and of holes left out.
        contracted: channels that it adds up, of one group and one tap of the kernel.
        features: channels that come out, of one group.
        operands: types of its two operands.
    """

    network: str
    flops: float
    contracted: int
    features: int
    operands: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Arithmetic:
    """What a step computes on one chip.

    Attributes:
        elsewhere: operations of a step outside of products.
        cycles: that XLA:TPU estimates for what holds the products; 0 where it estimates none.
        upcasts: fusions that turn bfloat16 into float32, by "network/layer" of what they end in.
    """

    products: tuple[Product, ...]
    elsewhere: float
    cycles: int
    upcasts: Counter[str]

    @property
    def flops(self) -> float:
        """Of the products."""
        return sum(one.flops for one in self.products)

    @property
    def share(self) -> float:
        """Of all operations, those of products."""
        return self.flops / ((self.flops + self.elsewhere) or 1)

    @property
    def networks(self) -> list[str]:
        """Those that have products, the one with most operations first."""
        found: Counter[str] = Counter()
        for one in self.products:
            found[one.network] += round(one.flops)
        return [name for name, _ in found.most_common()]

    @property
    def read_bfloat16(self) -> int:
        """Products both of whose operands are bfloat16; XLA:TPU also makes them of some float32 ones."""
        return sum(set(one.operands) == {"bf16"} for one in self.products)

    @property
    def write_bfloat16(self) -> int:
        """Products that hand on bfloat16."""
        return sum(one.result == "bf16" for one in self.products)


def filled(products: Sequence[Product], side: str) -> float:
    """The share of lanes that "contracted" or "features" fill: the mean, weighted by operations."""
    weight = sum(one.flops for one in products)
    total = sum(one.flops * _fill(getattr(one, side)) for one in products)
    return total / weight if weight else 0.0


def _fill(channels: int) -> float:
    return channels / (math.ceil(channels / LANES) * LANES)


def arithmetic(module: Module) -> Arithmetic:
    """Of a step."""
    products: list[Product] = []
    elsewhere, cycles, upcasts = 0.0, 0, Counter[str]()
    for where, one, times in module.step():
        before = len(products)
        casts = False
        for computation, inner in _inside(module, where, one):
            if inner.kind == "convolution":
                network = _named(inner)[0] or _named(one)[0]
                products.append(_product(computation, inner, network, times))
            elif inner.kind == "reduce":
                elsewhere += times * math.prod(_operand(computation, inner, 0).shape)
            elif inner.kind in ARITHMETIC:
                elsewhere += times * math.prod(inner.results[0].shape)
            casts |= inner.kind == "convert" and (
                inner.results[0].dtype == "f32" and _operand(computation, inner, 0).dtype == "bf16"
            )
        if len(products) > before and (told := _CYCLES.search(one.line)):
            cycles += times * int(told[1])
        if casts:
            upcasts["/".join(part for part in _named(one) if part) or "elsewhere"] += times
    return Arithmetic(tuple(products), elsewhere, cycles, upcasts)


def _inside(module: Module, where: str, one: Instruction) -> Iterator[tuple[Computation, Instruction]]:
    """The instruction, or those of the computation that a fusion runs."""
    if one.kind != "fusion":
        yield module.computations[where], one
        return
    for name in one.called:
        for inner in module.computations[name].instructions.values():
            yield from _inside(module, name, inner)


def _operand(computation: Computation, one: Instruction, index: int) -> Array:
    return computation.instructions[one.operands[index]].results[0]


def _named(one: Instruction) -> tuple[str, str]:
    source = _SOURCE.search(one.line)
    found = _NETWORK.search(source[1]) if source else None
    return (found[1], found[2] or "") if found else ("", "")


def _product(computation: Computation, one: Instruction, network: str, times: int) -> Product:
    left, right = (_operand(computation, one, index) for index in (0, 1))
    out = one.results[0]
    labels = _LABELS.search(one.line)
    if labels is None:
        raise ValueError(f"a convolution that does not name its dimensions: {one.line[:200]}")
    groups = math.prod(int(a or b) for a, b in _GROUPS.findall(one.line))
    contracted = right.shape[labels[2].index("i")]
    features = right.shape[labels[2].index("o")]
    taps = 1
    for axis in (label for label in labels[3] if label.isdigit()):
        taps *= _taps(
            left.shape[labels[1].index(axis)],
            out.shape[labels[3].index(axis)],
            _window(one, int(axis)),
        )
    flops = 2.0 * times * out.shape[labels[3].index("b")] * features * contracted * taps
    types = (left.dtype, right.dtype)
    return Product(network, flops, contracted, features // groups, types, out.dtype)


def _window(one: Instruction, axis: int) -> dict[str, tuple[int, ...]]:
    """Of one axis: size, stride, pad (low, high), lhs_dilate, rhs_dilate."""
    found = _WINDOW.search(one.line)
    fields = dict(part.split("=") for part in found[1].split()) if found else {}
    return {
        name: tuple(int(n) for n in fields[name].split("x")[axis].split("_"))
        for name in ("size", "stride", "pad", "lhs_dilate", "rhs_dilate")
        if name in fields
    }


def _taps(inputs: int, outputs: int, window: dict[str, tuple[int, ...]]) -> int:
    """Along one axis, the pairs of an output and a tap that meet a number, neither padding nor hole."""
    get = lambda name: window.get(name, (1,))[0]
    taps = np.arange(get("size")) * get("rhs_dilate") - window.get("pad", (0,))[0]
    places = np.arange(outputs)[:, None] * get("stride") + taps
    spread = get("lhs_dilate")
    meets = (places >= 0) & (places < (inputs - 1) * spread + 1) & (places % spread == 0)
    return int(meets.sum())
