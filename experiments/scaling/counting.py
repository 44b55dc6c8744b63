"""What a traced program multiplies and moves: its convolutions and matrix products, one by one.

The count is of the program that an accelerator runs: of every `lax.platform_dependent` the default branch,
what nothing reads left out (XLA removes it too), a scan's body as often as it runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
from jax.interpreters import partial_eval


@dataclass(frozen=True)
class Operation:
    """One convolution or matrix product, for a batch of any size.

    Flops and elements are straight lines in the batch: [constant, per image].

    Attributes:
        flops: floating-point operations, two for a multiplication and its addition. Only products with an
            element of the input: neither the padding nor the zeros between dilated elements.
        elements: read and written, each operand and the result once.
        times: how often a step runs it; a fraction for what is not done in every step.
        convolution: or a matrix product.
    """

    flops: tuple[float, float]
    elements: tuple[float, float]
    times: float = 1.0
    convolution: bool = True

    def at(self, batch: float) -> tuple[float, float]:
        """Flops and elements for a batch of this size, once."""
        return self.flops[0] + self.flops[1] * batch, self.elements[0] + self.elements[1] * batch


@dataclass(frozen=True)
class _Found:
    flops: int
    elements: int
    times: int
    convolution: bool


def operations(function: Callable[..., Any], inputs: Callable[[int], Sequence[Any]]) -> list[Operation]:
    """The convolutions and matrix products of `function`, as lines through two batch sizes.

    Args:
        function: traced, never run.
        inputs: batch size -> its arguments, arrays or shapes.

    Raises:
        ValueError: the program is another one at another batch size, or no straight line.
    """
    sizes = (8, 16, 24)
    first, second, third = (list(_walk(jax.make_jaxpr(function)(*inputs(size)).jaxpr, 1)) for size in sizes)
    if not len(first) == len(second) == len(third):
        raise ValueError("the program depends on the batch size: its operations cannot be counted as lines")
    found = []
    for a, b, c in zip(first, second, third, strict=True):
        flops, elements = (_line(x(a), x(b), x(c), sizes) for x in (_flops, _elements))
        found.append(Operation(flops, elements, a.times, a.convolution))
    return found


def _flops(found: _Found) -> int:
    return found.flops


def _elements(found: _Found) -> int:
    return found.elements


def _line(a: int, b: int, c: int, sizes: tuple[int, int, int]) -> tuple[float, float]:
    slope = (b - a) / (sizes[1] - sizes[0])
    if c != b + slope * (sizes[2] - sizes[1]):
        raise ValueError(f"{a}, {b}, {c} at batch sizes {sizes} are not on a straight line")
    return a - slope * sizes[0], slope


def total(found: Sequence[Operation], batch: float) -> tuple[float, float]:
    """Flops and elements of a step on a batch of this size."""
    flops = sum(operation.times * operation.at(batch)[0] for operation in found)
    return flops, sum(operation.times * operation.at(batch)[1] for operation in found)


def _walk(jaxpr: Any, times: int) -> Iterator[_Found]:
    """Every convolution and product in a jaxpr and in those inside it."""
    alive, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    for equation in alive.eqns:
        name = equation.primitive.name
        if name == "conv_general_dilated":
            yield _Found(convolution_flops(equation), _moved(equation), times, True)
        elif name == "dot_general":
            yield _Found(_product_flops(equation), _moved(equation), times, False)
        elif name == "cond":
            yield from _walk(_branch(equation), times)
        elif name == "while":
            # The bits of random numbers; a loop of unknown length with products in it has no count.
            if any(True for inner in _inner(equation) for _ in _walk(inner, 1)):
                raise ValueError("a while loop holds convolutions or products: how often it runs is unknown")
        else:
            length = equation.params["length"] if name == "scan" else 1
            for inner in _inner(equation):
                yield from _walk(inner, times * length)


def _branch(equation: Any) -> Any:
    """The branch that counts: an accelerator's, or of a step that may skip something the larger one."""
    branches = [branch.jaxpr for branch in equation.params["branches"]]
    if equation.params.get("branches_platforms") is not None:
        return branches[equation.params["branches_platforms"].index(None)]
    return max(branches, key=lambda branch: sum(found.flops * found.times for found in _walk(branch, 1)))


def _inner(equation: Any) -> Iterator[Any]:
    """The jaxprs among an equation's parameters; of a custom gradient the function itself."""
    for value in equation.params.values():
        for part in value if isinstance(value, (tuple, list)) else (value,):
            if hasattr(part, "jaxpr"):  # closed: it has equations too
                yield part.jaxpr
            elif hasattr(part, "eqns"):
                yield part


def _moved(equation: Any) -> int:
    return sum(math.prod(v.aval.shape) for v in (*equation.invars, *equation.outvars))


def _product_flops(equation: Any) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)


def convolution_flops(equation: Any) -> int:
    """Flops of a `conv_general_dilated` equation, without padding and dilation's zeros."""
    params = equation.params
    numbers = params["dimension_numbers"]
    left, right = (v.aval.shape for v in equation.invars)
    out = equation.outvars[0].aval.shape
    pairs = 1
    for i, (low, _) in enumerate(params["padding"]):
        pairs *= taps(
            size=left[numbers.lhs_spec[2 + i]],
            kernel=right[numbers.rhs_spec[2 + i]],
            out=out[numbers.out_spec[2 + i]],
            stride=params["window_strides"][i],
            low=low,
            dilation=params["lhs_dilation"][i],
            kernel_dilation=params["rhs_dilation"][i],
        )
    # The kernel's input channels are those of one feature group. A batch group's filters see their share
    # of the batch only.
    batch, channels = left[numbers.lhs_spec[0]], right[numbers.rhs_spec[1]]
    filters = right[numbers.rhs_spec[0]]
    return 2 * pairs * batch * channels * filters // params["batch_group_count"]


@cache
def taps(
    *,
    size: int,
    kernel: int,
    out: int,
    stride: int = 1,
    low: int = 0,
    dilation: int = 1,
    kernel_dilation: int = 1,
) -> int:
    """Along one axis, the pairs of an output and a kernel element that meet an element of the input.

    Args:
        size: of the input, before dilation.
        out: of the output.
        low: padding before the first element; may be negative.
    """
    found = 0
    for position in range(out):
        for element in range(kernel):
            at = position * stride + element * kernel_dilation - low
            found += 0 <= at <= (size - 1) * dilation and at % dilation == 0
    return found
