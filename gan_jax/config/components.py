"""From the parts of a config to the objects they name, and what each part may say.

A component is `dict(name=..., **fields)`; the name is looked up in a table and the fields are the
constructor's. Whatever is unknown is an error that lists the choices.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import ml_collections

from gan_jax import data
from gan_jax.algorithms import ALGORITHMS
from gan_jax.config.init_from import InitFrom
from gan_jax.config.tables import PENALTY_TABLES, TABLES, use_plugins, used_plugins
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.execution import Execution
from gan_jax.data.views import VIEW
from gan_jax.evaluation.plan import EvaluationPlan
from gan_jax.optim.schedules import SCHEDULES
from gan_jax.utils.checks import whole
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import did_you_mean

# What a config has where it does not say it; a method that takes none of it ignores it.
DEFAULTS: dict[str, dict[str, Any]] = {
    "loss": {"name": "non_saturating"},
    "penalties": {},
    "generator_penalties": {},
    "augment": {"name": "none"},
    "source": {"name": "field"},
    "process": {"name": "ddpm"},
    "sampler": {"name": "ddim"},
    "contents": {},
    "likelihood": {"name": "gaussian"},
}
# The fields that `data` has whatever its name; the others are the options of the data set with that name.
DATA: dict[str, Any] = {
    "name": "shapes",
    "dir": "",  # "": $TFDS_DATA_DIR, else ~/tensorflow_datasets
    "split": "train",
    "remainder": "drop",  # the last partial mini-batch of an epoch: "drop" or "carry" over
    "placement": "auto",  # "device", "stream", or by size
    "flip": False,  # mirror half of the examples
    "random_crop": 0,  # enlarge every side by so many pixels and cut the old size out at random
    # codec="lab": colours as L*a*b*; direction="b_to_a": source and image exchanged; the others make a cut
    **VIEW,
}
# Fields that the records of older runs lack.
RECENT: dict[str, Any] = {
    "phases": [],
    "generator_penalties": ml_collections.ConfigDict(),
    "augment": ml_collections.ConfigDict({"name": "none"}),  # of CycleGAN
}
# The groups of fields without a name.
PLANS: dict[str, Callable[..., Any]] = {
    "evaluation": EvaluationPlan,
    "execution": Execution,
    "init_from": InitFrom,
}
# Parameters of the constructors that no config sets.
INJECTED = frozenset(
    {
        "axis_name",
        "split",
        "parent",
        "name",
        "image_shape",
        "source_shape",
        "source_codec",
        "image_codec",
        "num_classes",
        "code_size",
        "batch_size",
        "lazy_regularization_scale",
    }
    | {"generator_tx", "discriminator_tx", "ema_decay", "execution", "first_step", "direction", "truncation"}
    | set(TABLES)
    | set(PENALTY_TABLES)
)


def components_of(algorithm: type[Algorithm]) -> set[str]:
    """The components that a config of this method has."""
    taken = {"algorithm", "game", "ema", *(set(DEFAULTS) & set(algorithm.__dataclass_fields__))}
    return taken.union(*({role, f"{role}_optimizer"} for role in algorithm.roles))


def data_options(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The fields of `data` that are options of its data set, as the config has them."""
    return {name: value for name, value in config.data.to_dict().items() if name not in DATA}


def with_dataset(
    config: ml_collections.ConfigDict, name: str, options: Mapping[str, Any]
) -> ml_collections.ConfigDict:
    """A copy with another data set in the place of its own."""
    config = copy.deepcopy(config)
    with config.unlocked():
        for option in data_options(config):
            del config.data[option]
        config.data.update(name=name, **{**VIEW, **options})
    return config


def check_data(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError, with the choices, if `data` lacks a field or has one that its data set has not."""
    name = config.data.get("name")
    absent = [field for field in DATA if field not in config.data]
    if absent:
        raise UserError(f"the config lacks data.{', data.'.join(absent)}; start from build.base_config()")
    allowed = set(data.options_of(name))
    if unknown := sorted(set(data_options(config)) - allowed):
        own = f"those of {name} are {_listed(allowed)}" if allowed else f"{name} has none of its own"
        raise UserError(
            f"data ({name}) has no field {', '.join(unknown)}; the fields of every data set are "
            f"{_listed(set(DATA))}; {own}"
        )


def refused(config: ml_collections.ConfigDict) -> set[str]:
    """The components that the config's method does not take."""
    chosen = config.get("algorithm")
    name = chosen.get("name", "") if isinstance(chosen, ml_collections.ConfigDict) else ""
    return {*TABLES, *PENALTY_TABLES} - components_of(ALGORITHMS[name]) if name in ALGORITHMS else set()


def is_default(config: ml_collections.ConfigDict, where: str) -> bool:
    """Whether a component is as `base_config` has it, so that nobody has asked for it."""
    component = config[where]
    if not isinstance(component, ml_collections.ConfigDict) or where not in DEFAULTS:
        return False
    table, default = TABLES.get(where), DEFAULTS[where]
    if table is None or component.get("name") != default["name"]:
        return component.to_dict() == default
    full = ml_collections.ConfigDict(default)
    _fill(full, table[default["name"]])
    return all(full.get(name) == value for name, value in component.items())


def build_penalties(config: ml_collections.ConfigDict, where: str) -> tuple[Any, ...]:
    """The penalties config[where], in the order of their table; none where there is no such field."""
    table, chosen = PENALTY_TABLES[where], config.get(where, {})
    return tuple(
        construct(table, {"name": name, **chosen[name].to_dict()}, where) for name in table if name in chosen
    )


def component(config: ml_collections.ConfigDict, where: str, **given: Any) -> Any:
    """What the component config[where] names."""
    return construct(TABLES[where], config[where].to_dict(), where, **given)


def construct(
    table: Mapping[str, Callable[..., Any]], fields: dict[str, Any], where: str, **given: Any
) -> Any:
    """table[name](**fields, **given); `given` is what the config does not say.

    A field that is itself dict(name=...) is a schedule.

    Raises:
        UserError: unknown name or field, or a value that the constructor refuses; with the choices.
    """
    fields = dict(fields)
    name = fields.pop("name", None)
    if name not in table:
        meant = did_you_mean(str(name), table)
        raise UserError(f"{where}.name={name!r} is not one of {', '.join(sorted(table))}{meant}")
    return fill_in(table[name], fields, where, f"{where} ({name})", **given)


def fill_in(make: Callable[..., Any], fields: dict[str, Any], where: str, called: str, **given: Any) -> Any:
    """make(**fields, **given), as `construct`; errors call it `called`."""
    allowed = choices(make)
    unknown = sorted(set(fields) - allowed)
    if unknown:
        raise UserError(f"{called} has no field {', '.join(unknown)}; its fields are {_listed(allowed)}")
    taken = inspect.signature(make).parameters
    lacking = sorted(required(make) - set(fields))
    if lacking:
        raise UserError(f"{called} lacks {', '.join(lacking)}; its fields are {_listed(allowed)}")
    given = {key: value for key, value in given.items() if key in taken}
    values = {key: _meant(_value(value, f"{where}.{key}"), taken[key]) for key, value in fields.items()}
    try:
        return make(**values, **given)
    except (ValueError, TypeError) as error:
        raise UserError(f"{called}: {error}") from error


def choices(make: Callable[..., Any]) -> set[str]:
    """The fields that a config may give this constructor."""
    is_network = isinstance(make, type) and issubclass(make, nn.Module)
    # Networks are told by `Execution`, whose field of this name is the config's.
    return set(inspect.signature(make).parameters) - INJECTED - ({"remat"} if is_network else set())


def required(make: Callable[..., Any]) -> set[str]:
    """Those of them that have no default."""
    parameters = inspect.signature(make).parameters
    return {key for key in choices(make) if parameters[key].default is inspect.Parameter.empty}


def complete(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A copy with the defaults of all fields that the config leaves out, so that it says it all.

    Components that the method does not take, and that nobody has asked for, are left out. Its plugins are
    imported, and the installed ones whose components it names are among them then.

    A field that refers to another still follows it; what is wrong is left to `build`.
    """
    config = copy.deepcopy(config)
    named = use_plugins(config.get("plugins", ()))
    with config.unlocked():
        config.plugins = tuple(dict.fromkeys((*named, *used_plugins(config))))
        for where in refused(config) & set(config):
            if is_default(config, where):
                del config[where]
        for where in RECENT:  # in a record that is older than this field
            if where not in config and where not in refused(config):
                config[where] = copy.deepcopy(RECENT[where])
        for where, table in TABLES.items():
            _complete(config.get(where), table)
        if isinstance(config.get("data"), ml_collections.ConfigDict):
            for field, default in {**DATA, **data.options_of(config.data.get("name", ""))}.items():
                if field not in config.data:
                    config.data[field] = default
        for name, make in PLANS.items():
            if name not in config:  # in a record that is older than this field
                config[name] = ml_collections.ConfigDict()
            if isinstance(config[name], ml_collections.ConfigDict):
                _fill(config[name], make)
        for where, table in PENALTY_TABLES.items():
            penalties = config.get(where)
            for name in table if isinstance(penalties, ml_collections.ConfigDict) else ():
                if isinstance(penalties.get(name), ml_collections.ConfigDict):
                    _fill(penalties[name], table[name])
    return config


def _complete(component: Any, table: Mapping[str, Callable[..., Any]]) -> None:
    if isinstance(component, ml_collections.ConfigDict) and component.get("name") in table:
        _fill(component, table[component.name])


def _fill(fields: ml_collections.ConfigDict, make: Callable[..., Any]) -> None:
    parameters = inspect.signature(make).parameters
    for key in sorted(choices(make) - required(make) - set(fields)):
        fields[key] = parameters[key].default
    for key, value in list(fields.items()):
        meant = _meant(value, parameters.get(key))
        if meant is not value:
            del fields[key]  # whose type would make a float of it again
            fields[key] = meant
        _complete(value, SCHEDULES)


def _meant(value: Any, parameter: inspect.Parameter | None) -> Any:
    """The value, with whole numbers where the parameter has them: 64 for 64.0."""
    is_whole = parameter is not None and re.search(r"\bint\b", str(parameter.annotation))
    return whole(value) if is_whole and isinstance(value, float | tuple | list) else value


def _value(value: Any, where: str) -> Any:
    """What a constructor is given for a field: tuples for lists, schedules for dicts."""
    if isinstance(value, dict):
        return construct(SCHEDULES, value, where)
    return tuple(value) if isinstance(value, list) else value


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
