"""The phases of a run: the config of each, from the run's config and what the phases change in it.

`config.phases` is a list of partial configs, each with a name and its number of steps:

    config.phases = [
        dict(name="mse", num_steps=1000, algorithm=dict(adversarial_weight=0.0)),
        dict(name="gan", num_steps=500, algorithm=dict(adversarial_weight=1e-3)),
    ]

What a phase changes holds from it on. The state's tree is the same in all phases.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import ml_collections

from gan_jax.config.components import complete
from gan_jax.config.tables import PENALTY_TABLES, TABLES
from gan_jax.utils.checks import is_count
from gan_jax.utils.errors import UserError

# What a phase may change; all else is the run's.
CHANGEABLE = ("batch_size", "steps_per_call", *TABLES, *PENALTY_TABLES)


@dataclass(frozen=True)
class PhaseConfig:
    """One phase of a run.

    Attributes:
        name: "" where the run has no phases.
        config: complete, with what this phase and those before it change.
        start: completed steps at which it begins.
        stop: completed steps at which it ends.
    """

    name: str
    config: ml_collections.ConfigDict
    start: int
    stop: int


def phase_configs(config: ml_collections.ConfigDict) -> tuple[PhaseConfig, ...]:
    """The phases of a complete config, in order; one without a name where it lists none.

    Raises:
        UserError: a phase without a name or steps, or that changes what it must not; steps that do not add up
        to
            num_steps.
    """
    listed = config.get("phases") or []
    if not listed:
        return (PhaseConfig("", config, 0, config.num_steps),)
    if not isinstance(listed, list | tuple) or not all(isinstance(changes, dict) for changes in listed):
        raise UserError(
            f"phases={listed!r}: it must be a list of dict(name=..., num_steps=..., and what it changes)"
        )
    found: list[PhaseConfig] = []
    start = 0
    for number, changes in enumerate(listed):
        name, rest = changes.get("name"), config.num_steps - start
        if not isinstance(name, str) or not name or name in [phase.name for phase in found]:
            raise UserError(f"phases[{number}].name={name!r}: it must be a name that no other phase has")
        unknown = sorted(set(changes) - {"name", "num_steps", *CHANGEABLE})
        if unknown:
            raise UserError(
                f"phase {name} cannot change {', '.join(unknown)}: a phase has name, num_steps and any of "
                f"{', '.join(CHANGEABLE)}"
            )
        is_last = number == len(listed) - 1
        steps = changes.get("num_steps", rest if is_last else None)
        if not is_count(steps):
            raise UserError(
                f"phase {name} has num_steps={steps!r}: it must be at least 1; only the last phase may leave "
                f"it out, and then goes on to the run's num_steps={config.num_steps}, {rest} steps here"
            )
        before = found[-1].config if found else config
        found.append(PhaseConfig(name, changed(before, changes, name), start, start + steps))
        start += steps
    if start != config.num_steps:
        raise UserError(
            f"the phases have {start} steps together, and num_steps={config.num_steps}: set "
            f"num_steps={start}, or leave num_steps out of the last phase, which then goes on to it"
        )
    return tuple(found)


def changed(
    config: ml_collections.ConfigDict, changes: dict[str, Any], name: str
) -> ml_collections.ConfigDict:
    """The complete config with a phase's changes; a component with another name is put in its place.

    Of penalties and contents, those that are named change in the fields that are given.

    Raises:
        UserError: a change of a component is no dict.
    """
    config = copy.deepcopy(config)
    with config.unlocked():
        for where, value in changes.items():
            if where in ("name", "num_steps"):
                continue
            if where in ("batch_size", "steps_per_call"):
                config[where] = value
                continue
            if not isinstance(value, dict):
                raise UserError(f"phase {name}: {where}={value!r} must be a dict of the fields that change")
            before = config.get(where)
            kept = before.to_dict() if isinstance(before, ml_collections.ConfigDict) else {}
            if where in TABLES and value.get("name", kept.get("name")) != kept.get("name"):
                kept = {}
            if where in PENALTY_TABLES:  # each of several, by its own fields
                value = {
                    each: {**kept.get(each, {}), **fields} if isinstance(fields, dict) else fields
                    for each, fields in value.items()
                }
            if where in config:
                del config[where]
            config[where] = {**kept, **value}
    return complete(config)
