"""Flax modules that hold modules: their fields, set and looked through at every depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flax.linen as nn


def submodules(module: nn.Module) -> dict[str, nn.Module]:
    """The modules among a module's fields, also in tuples, lists and dicts, by their path in it."""
    found: dict[str, nn.Module] = {}

    def collect(value: Any, path: str) -> None:
        if isinstance(value, nn.Module):
            found[path] = value
        elif isinstance(value, dict):
            for name, part in value.items():
                collect(part, f"{path}.{name}")
        elif isinstance(value, tuple | list):
            for index, part in enumerate(value):
                collect(part, f"{path}.{index}")

    for name in module.__dataclass_fields__:
        if name not in ("parent", "name"):
            collect(getattr(module, name), name)
    return found


def walk(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """A module and all that its fields hold, each with its path, beginning with `path`."""
    yield path, module
    for name, part in submodules(module).items():
        yield from walk(part, f"{path}.{name}" if path else name)


def has_field(module: nn.Module, field: str) -> bool:
    """Whether a module, or one that it holds, has this field."""
    return any(field in part.__dataclass_fields__ for _, part in walk(module))


# What a network may say of itself by an attribute, and what holds where it has none: it needs none of them.
TRAITS: dict[str, Any] = {
    "conditional": False,  # whether it looks at the labels
    "num_classes": None,  # how many labels it knows
    "auxiliary": None,  # further outputs of a discriminator beside its logits; None: their shapes say it
    "output": "tanh",  # how a generator ends; "linear" where it reaches any number
    "norm": "none",  # "batch" mixes the examples of a mini-batch
    "minibatch": "none",  # what else compares them
    "of_batch": "",  # what else looks at all of them, in words
    "spectral_norm": False,  # whether its weights' norms are bounded
    "multiple": 1,  # of a translator: what the sides of a picture must be multiples of
    "scale": 1,  # of a translator: how many times larger its images are than their sources
}


def trait(network: Any, name: str) -> Any:
    """What a network says of itself, one of TRAITS."""
    return getattr(network, name, TRAITS[name])


def is_conditional(network: Any) -> bool:
    """Whether a network is told the labels."""
    return bool(trait(network, "conditional"))


def with_field(module: nn.Module, **changes: Any) -> nn.Module:
    """A copy in which these fields have these values, in the module and in all it holds; absent ones stay
    so."""

    def change(value: Any) -> Any:
        if isinstance(value, nn.Module):
            return with_field(value, **changes)
        if isinstance(value, dict):
            return {name: change(part) for name, part in value.items()}
        if isinstance(value, tuple | list):
            return type(value)(change(part) for part in value)
        return value

    fields = module.__dataclass_fields__
    own = {name: value for name, value in changes.items() if name in fields}
    held = {path.split(".")[0] for path in submodules(module)}
    return module.clone(**{name: change(getattr(module, name)) for name in held} | own)
