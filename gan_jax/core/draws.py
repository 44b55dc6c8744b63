"""What of a step depends on its key and its number alone, computed for many steps at once.

A small network on an accelerator is bound by the launches of its kernels, and a quarter of those of a DCGAN's
step make random numbers: keys of steps, of updates, of examples, and what is drawn with them. They depend on
(key, step) and on nothing that is trained. So the program of a step is cut in two: the draws of all steps of
a call are made before its loop, in as many kernels as those of one step, and the loop reads them. The numbers
are the same.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from gan_jax.utils.tree import PyTree

Array = jax.Array
LARGEST = 2**20  # bytes of an array of one step: what is larger is drawn where it is used
ALL = 2**28  # bytes of all that is drawn for a call


@dataclass(frozen=True)
class Cut:
    """A jaxpr, and what of it is computed ahead.

    Attributes:
        jaxpr: the whole.
        known: its inputs that are known ahead.
        ahead: its equations that are computed ahead; the rest computes those of `repeated` again.
        repeated: what is made of no input at all, such as an iota, and counts like step + 1.
        kept: what the rest reads of it, in order.
        loops: by the index of an equation, the cut of a loop's body of which draws are made ahead too.
    """

    jaxpr: Any
    known: tuple[Any, ...]
    ahead: tuple[Any, ...]
    repeated: frozenset[Any]
    kept: tuple[Any, ...]
    loops: dict[int, Cut]


def cut_jaxpr(jaxpr: Any, known: Sequence[bool], largest: int = LARGEST) -> Cut:
    """Finds what can be computed ahead.

    Args:
        jaxpr: without constants of its own.
        known: which of its inputs are known ahead.
        largest: bytes of an array that may be made ahead.
    """
    inputs = tuple(var for var, is_known in zip(jaxpr.invars, known, strict=True) if is_known)
    found, fixed, made, cheap = set(inputs), set[Any](), set[Any](), set(inputs)
    ahead, loops = [], dict[int, Cut]()
    rest: list[Any] = list(jaxpr.outvars)
    for index, one in enumerate(jaxpr.eqns):
        variables = [var for var in one.invars if not isinstance(var, core.Literal)]
        if not one.effects and all(var in fixed for var in variables):
            fixed |= set(one.outvars)
            ahead.append(one)
        elif (
            not one.effects and all(var in found or var in fixed for var in variables) and _fits(one, largest)
        ):
            found |= set(one.outvars)
            ahead.append(one)
            if all(var in cheap or var in fixed for var in variables) and all(map(_is_count, one.outvars)):
                cheap |= set(one.outvars)
            else:
                made |= set(one.outvars)
        else:
            rest += variables
            if one.primitive.name == "scan":
                inner = cut_jaxpr(one.params["jaxpr"].jaxpr, _known_in_loop(one, found | fixed), largest)
                if inner.kept or inner.loops:
                    loops[index] = inner
    wanted = {var for var in rest if not isinstance(var, core.Literal)}
    kept = tuple(var for one in ahead for var in one.outvars if var in made and var in wanted)
    return Cut(jaxpr, inputs, tuple(ahead), frozenset(fixed | (cheap - set(inputs))), kept, loops)


def draw(cut: Cut, *known: Array) -> PyTree:
    """What is computed ahead: (what is kept, in order; what is of each loop, [length, ...])."""
    of_loops = [
        var for index in cut.loops for var in _known_variables(cut.jaxpr.eqns[index], cut.loops[index])
    ]
    wanted = [var for var in of_loops if not isinstance(var, core.Literal) and var not in cut.known]
    values = _evaluated(cut.jaxpr, cut.ahead, cut.known, (*cut.kept, *wanted), known)
    held = dict(zip((*cut.known, *cut.kept, *wanted), (*known, *values), strict=True))
    loops = {}
    for index, inner in cut.loops.items():
        one = cut.jaxpr.eqns[index]
        given = [
            var.val if isinstance(var, core.Literal) else held[var] for var in _known_variables(one, inner)
        ]
        constants = one.params["num_consts"]
        axes = [None if one.params["jaxpr"].jaxpr.invars.index(var) < constants else 0 for var in inner.known]
        many = jax.vmap(functools.partial(draw, inner), in_axes=axes, axis_size=one.params["length"])
        loops[index] = many(*given)
    return tuple(values[: len(cut.kept)]), loops


def rest(cut: Cut, inputs: Sequence[Any], drawn: PyTree) -> list[Any]:
    """The jaxpr's results, from all of its inputs and from what `draw` made."""
    kept, of_loops = drawn
    held = dict(zip((*cut.jaxpr.invars, *cut.kept), (*inputs, *kept), strict=True))
    gone = {id(one) for one in cut.ahead if not cut.repeated.issuperset(one.outvars)}
    piece: list[Any] = []
    equations = [(index, one) for index, one in enumerate(cut.jaxpr.eqns) if id(one) not in gone]
    for index, one in equations:
        if index not in cut.loops:
            piece.append(one)
            continue
        _run(cut.jaxpr, piece, held)
        piece = []
        values = [var.val if isinstance(var, core.Literal) else held[var] for var in one.invars]
        held |= dict(zip(one.outvars, _loop(one, cut.loops[index], values, of_loops[index]), strict=True))
    _run(cut.jaxpr, piece, held)
    return [var.val if isinstance(var, core.Literal) else held[var] for var in cut.jaxpr.outvars]


def bytes_of(cut: Cut) -> int:
    """Of what is drawn for one step."""
    own = sum(_bytes(var) for var in cut.kept)
    loops = (cut.jaxpr.eqns[index].params["length"] * bytes_of(inner) for index, inner in cut.loops.items())
    return own + sum(loops)


def ahead(
    step: Callable[..., PyTree],
    known: Callable[..., Sequence[Array]],
    *shapes: PyTree,
    steps: int,
    largest: int = LARGEST,
) -> tuple[Callable[..., PyTree], Callable[..., PyTree]]:
    """A step in two parts: (what it draws, from what is known; the rest of it, from that and its inputs).

    Args:
        step: of inputs with these shapes.
        known: of the inputs, those leaves on which the draws depend.
        steps: for how many the draws will be made together.
        largest: bytes of an array of one step that may be drawn ahead.

    Returns:
        draws(*known leaves) and rest(drawn, *inputs), of one step.
    """
    leaves, _ = jax.tree.flatten(shapes)
    given = [id(leaf) for leaf in known(*shapes)]
    order = [given.index(id(leaf)) for leaf in leaves if id(leaf) in given]  # as the inputs stand
    closed, made = jax.make_jaxpr(step, return_shape=True)(*shapes)
    jaxpr = closed.jaxpr
    structure = jax.tree.structure(made)
    mask = [True] * len(jaxpr.constvars) + [id(leaf) in given for leaf in leaves]
    whole = _part(jaxpr, [*jaxpr.constvars, *jaxpr.invars], jaxpr.outvars, jaxpr.eqns)
    cut = cut_jaxpr(whole, mask, largest)
    while steps * bytes_of(cut) > ALL:
        largest //= 4
        cut = cut_jaxpr(whole, mask, largest)

    def others(drawn: PyTree, *inputs: PyTree) -> PyTree:
        return jax.tree.unflatten(structure, rest(cut, [*closed.consts, *jax.tree.leaves(inputs)], drawn))

    def draws(*values: Array) -> PyTree:
        return draw(cut, *closed.consts, *(values[number] for number in order))

    return draws, others


def _run(jaxpr: Any, equations: Sequence[Any], held: dict[Any, Any]) -> None:
    """Evaluates equations, and adds what they make to what is held."""
    made = {var for one in equations for var in one.outvars}
    read = dict.fromkeys(
        var
        for one in equations
        for var in one.invars
        if not isinstance(var, core.Literal) and var not in made
    )
    outputs = tuple(var for one in equations for var in one.outvars if not isinstance(var, core.DropVar))
    values = _evaluated(jaxpr, equations, tuple(read), outputs, [held[var] for var in read])
    held |= dict(zip(outputs, values, strict=True))


def _evaluated(
    jaxpr: Any,
    equations: Sequence[Any],
    inputs: tuple[Any, ...],
    outputs: tuple[Any, ...],
    values: Sequence[Any],
) -> list[Any]:
    if not outputs:
        return []
    needed, chosen = set(outputs), []
    for one in reversed(equations):
        if not needed.isdisjoint(one.outvars):
            chosen.append(one)
            needed |= {var for var in one.invars if not isinstance(var, core.Literal)}
    part = _part(jaxpr, inputs, outputs, chosen[::-1])
    return core.jaxpr_as_fun(core.ClosedJaxpr(part, ()))(*values)


def _part(jaxpr: Any, inputs: Sequence[Any], outputs: Sequence[Any], equations: Sequence[Any]) -> Any:
    """A jaxpr of some equations of another one."""
    return jaxpr.replace(
        constvars=[],
        invars=list(inputs),
        outvars=list(outputs),
        eqns=list(equations),
        debug_info=jaxpr.debug_info.with_unknown_names(),
    )


def _loop(one: Any, inner: Cut, values: list[Any], drawn: PyTree) -> list[Any]:
    """The loop, whose body is given its draws."""
    constants, carries = one.params["num_consts"], one.params["num_carry"]
    fixed, start, xs = (
        values[:constants],
        values[constants : constants + carries],
        values[constants + carries :],
    )
    consts = one.params["jaxpr"].consts

    def body(carry: list[Any], item: tuple[list[Any], PyTree]) -> tuple[list[Any], list[Any]]:
        out = rest(inner, [*fixed, *carry, *item[0]], item[1])
        return out[:carries], out[carries:]

    if consts:
        raise ValueError("a loop whose body has constants of its own is not cut")
    end, stacked = jax.lax.scan(
        body, start, (xs, drawn), length=one.params["length"], reverse=one.params["reverse"]
    )
    return [*end, *stacked]


def _known_in_loop(one: Any, known: set[Any]) -> list[bool]:
    """Which inputs of a loop's body are known: not what it carries, nor where it has constants of its own."""
    constants, carries = one.params["num_consts"], one.params["num_carry"]
    if one.params["jaxpr"].consts:
        return [False] * len(one.invars)
    is_known = [isinstance(var, core.Literal) or var in known for var in one.invars]
    return [*is_known[:constants], *[False] * carries, *is_known[constants + carries :]]


def _known_variables(one: Any, inner: Cut) -> list[Any]:
    """The loop's inputs that its body's known ones are."""
    body = one.params["jaxpr"].jaxpr
    return [outer for outer, var in zip(one.invars, body.invars, strict=True) if var in inner.known]


def _is_count(var: Any) -> bool:
    # A whole number costs an instruction in a kernel that is there anyway; a schedule's value costs a kernel.
    return var.aval.shape == () and jnp.issubdtype(var.aval.dtype, jnp.integer)


def _fits(one: Any, largest: int) -> bool:
    return all(_bytes(var) <= largest for var in one.outvars)


def _bytes(var: Any) -> int:
    # A key has two words.
    size = 8 if jax.dtypes.issubdtype(var.aval.dtype, jax.dtypes.prng_key) else var.aval.dtype.itemsize
    return math.prod(var.aval.shape) * size
