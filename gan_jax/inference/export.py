"""A run's averaged generator, or translator, as a function of arrays that can be exported.

What goes in and what comes out are `Value`s; the weights are inside. `stablehlo` makes the bytes of
`jax.export` of it, for any number of examples and, of a translator, pictures of any size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.modules import is_conditional
from gan_jax.core.state import TrainState
from gan_jax.data.codecs import Codec
from gan_jax.data.spec import DataSpec
from gan_jax.inference.sample import drawable
from gan_jax.inference.translate import what_it_translates
from gan_jax.utils.errors import UserError

Array = jax.Array
PLATFORMS = ("cpu", "cuda", "tpu")
_LEAST = 16  # pixels: sides of any size are at least this; networks halve them, and mirror their edges


@dataclass(frozen=True)
class Value:
    """An array that goes into a program, or comes out of it.

    Attributes:
        name: as it is called.
        shape: numbers, and text for what may be any size: ("b", 100), ("b", "8*h", "8*w", 3).
        dtype: as NumPy calls it.
        about: what is in it, JSON values by name.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str = "float32"
    about: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype, **self.about}


@dataclass(frozen=True)
class ExportedFunction:
    """What is exported.

    Attributes:
        function: the inputs, in their order -> the output. It holds the weights.
        inputs: what goes in.
        output: what comes out: pictures as the codec of the data has them.
    """

    function: Callable[..., Array]
    inputs: tuple[Value, ...]
    output: Value

    def shapes(self) -> list[jax.ShapeDtypeStruct]:
        """Those of the inputs, with symbols for what may be any size."""
        sides = [n for value in self.inputs for n in value.shape[1:] if isinstance(n, str)]
        scope = export.SymbolicScope([f"{side} >= {_LEAST}" for side in sides])
        return [
            jax.ShapeDtypeStruct(
                export.symbolic_shape(",".join(map(str, value.shape)), scope=scope), value.dtype
            )
            for value in self.inputs
        ]


def stablehlo(exported: ExportedFunction) -> bytes:
    """The function as `jax.export` serialises it, for all PLATFORMS; `jax.export.deserialize` reads it.

    Raises:
        UserError: it cannot be traced with symbols where the sizes are.
    """
    try:
        program = export.export(jax.jit(exported.function), platforms=PLATFORMS)(*exported.shapes())
    except Exception as error:  # JAX raises several kinds where a size would have to be known
        raise UserError(f"it cannot be exported for any size: {str(error).splitlines()[0]}") from error
    return bytes(program.serialize())


def exported_generator(algorithm: Algorithm, spec: DataSpec, state: TrainState) -> ExportedFunction:
    """The averaged generator of latents, and of labels where it is told them.

    Raises:
        UserError: the method makes no pictures of latents.
    """
    state = drawable(state)

    def draw(latent: Array, label: Array | None = None) -> Array:
        count = latent.shape[0]
        label = jnp.zeros(count, jnp.int32) if label is None else label  # as `sample` has it
        batch = {"image": jnp.zeros((count, *spec.image_shape)), "label": label}
        return algorithm.draw(state, latent, algorithm.conditioning(batch, state))

    size, own = algorithm.input_size, algorithm.latent_size
    about: dict[str, Any] = {"distribution": algorithm.latent}
    if size != own:
        about["codes"] = f"the last {size - own} numbers are codes of {type(algorithm).__name__}"
    inputs = [Value("latent", ("b", size), about=about)]
    classes = algorithm.num_classes
    if classes is not None and is_conditional(algorithm.generator):  # a code of InfoGAN is another input
        named: dict[str, Any] = {"class_names": [*spec.class_names]} if spec.class_names else {}
        inputs.append(Value("label", ("b",), "int32", {"range": [0, classes - 1], **named}))
    two = [jax.ShapeDtypeStruct((2, *value.shape[1:]), value.dtype) for value in inputs]
    try:
        made = None if algorithm.conditions else jax.eval_shape(draw, *two).shape
    except Exception:  # another kind of network, which fails in its own way
        made = None
    if made != (2, *spec.image_shape):
        raise UserError(
            f"{type(algorithm).__name__} makes pictures neither of latents nor of pictures: it has no "
            "generator to export"
        )
    return ExportedFunction(
        draw, tuple(inputs), pictures("image", ("b", *spec.image_shape), spec.fields["image"].codec)
    )


def exported_translator(
    algorithm: Algorithm, spec: DataSpec, state: TrainState, direction: str, any_size: bool = True
) -> ExportedFunction:
    """The averaged translator in a direction; with an input "seed" where the network draws noise.

    Args:
        any_size: of pictures of any size that the network takes, else of those of the data.

    Raises:
        UserError: the method does not translate in this direction.
    """
    if direction not in algorithm.directions:
        raise UserError(f"direction={direction}: {what_it_translates(algorithm)}")
    state = drawable(state)
    given = spec.fields[algorithm.input_field(direction)]
    made = spec.fields["source" if direction == "b_to_a" else "image"]
    multiple, scale = algorithm.geometry(direction)

    def translate(picture: Array, seed: Array | None = None) -> Array:
        key = jax.random.key(0 if seed is None else seed)
        return algorithm.translate(state, picture, key, direction)

    def sides(times: int) -> tuple[int | str, ...]:
        if any_size:
            return tuple(f"{times}*{side}" if times > 1 else side for side in "hw")
        return tuple(times * side // (multiple * scale) for side in given.shape[:2])

    picture = pictures(
        "picture", ("b", *sides(multiple), given.shape[-1] + algorithm.reads_alpha), given.codec
    )
    if algorithm.reads_alpha:
        picture.about["last_channel"] = "1 where the picture is known, 0 where it is not"
    image = pictures("image", ("b", *sides(multiple * scale), made.shape[-1]), made.codec)
    side = least_side(f"{multiple}*h")
    small = jax.ShapeDtypeStruct((1, side, side, picture.shape[-1]), "float32")
    traced = jax.make_jaxpr(translate)(small, jax.ShapeDtypeStruct((), "uint32"))
    if not _is_used(traced.jaxpr, traced.jaxpr.invars[1]):
        return ExportedFunction(translate, (picture,), image)
    seed = Value("seed", (), "uint32", {"use": "of what the network draws; the same gives the same pictures"})
    return ExportedFunction(translate, (picture, seed), image)


def least_side(side: str) -> int:
    """The smallest number that may stand for a side of any size, "h" or "8*h"."""
    multiple = int(side.partition("*")[0]) if "*" in side else 1
    return multiple * -(-_LEAST // multiple)


def _is_used(jaxpr: Any, variable: Any) -> bool:
    """Whether a variable of a traced function has a part in what it gives."""
    alive = set(map(id, jaxpr.outvars))
    for equation in reversed(jaxpr.eqns):
        if any(id(made) in alive for made in equation.outvars):
            alive.update(map(id, equation.invars))
    return id(variable) in alive


def pictures(name: str, shape: tuple[int | str, ...], codec: Codec) -> Value:
    """Pictures as a codec has them."""
    about: dict[str, Any] = {"codec": codec.describe(), "values": codec.values}
    return Value(name, shape, about={"range": [-1, 1], **about} if codec.bounded else about)
