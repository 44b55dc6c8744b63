"""What a run writes down of its config and its data, and how two such records differ."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import fields
from typing import Any

import ml_collections

from gan_jax import data
from gan_jax.config.build import COUNTS
from gan_jax.core.execution import Execution
from gan_jax.data.codecs import Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.evaluation.plan import EvaluationPlan
from gan_jax.utils.paths import expanded

# What may differ when a run is continued, because it does not touch the mathematics. Where the data are is
# free: their fingerprint says whether they are the same, as digests say it of pretrained weights and styles.
# So is who has a component: its name says what it is.
FREE_FIELDS = frozenset(
    {
        *COUNTS[1:],
        "plugins",
        "data.dir",
        "data.folder",
        "data.file",
        "data.placement",
        *(f"evaluation.{field.name}" for field in fields(EvaluationPlan)),
        *(f"execution.{field.name}" for field in fields(Execution) if field.name != "precision"),
    }
)

# What it meant that a record lacks a field, where the field's default is something else now: (where, field).
ABSENT: dict[tuple[tuple[str, ...], str], Any] = {(("penalties", "lecam"), "start_step"): 0}

_FILES_OF_CONTENTS = ("weights", "style")
_NETWORK = re.compile(r"contents\.\w+\.network")
_FREE_PATHS = re.compile(rf"data\.parts\.\w+\.(folder|file)|contents\.\w+\.({'|'.join(_FILES_OF_CONTENTS)})")


def to_json(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The resolved config as plain JSON values."""
    return json.loads(config.to_json_best_effort())


def from_json(record: dict[str, Any]) -> ml_collections.ConfigDict:
    """The inverse of `to_json`, for a run that is continued, sampled or looked at."""
    record = copy.deepcopy(record)
    for (path, field), value in ABSENT.items():
        node: Any = record
        for name in path:
            node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.setdefault(field, value)
    fields = _with_tuples(record)
    if isinstance(fields, dict) and fields.get("plugins") == []:
        fields["plugins"] = ()
    return ml_collections.ConfigDict(fields)


def _with_tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were; a list of dicts, such as `phases`, was a list."""
    if isinstance(value, dict):
        return {name: _with_tuples(part) for name, part in value.items()}
    if isinstance(value, list) and value and not any(isinstance(part, dict) for part in value):
        return tuple(map(_with_tuples, value))
    return value


def located(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A copy with whole paths, which mean the same wherever it is read."""
    config = copy.deepcopy(config)
    other = [(config.init_from, "run")] if config.init_from.run else []
    contents = config.get("contents", {}).values()
    files = [(node, field) for node in contents for field in _FILES_OF_CONTENTS if node.get(field)]
    for node in contents:
        kind, _, file = node.get("network", "").partition(":")
        if file.endswith(".npz"):
            node.network = f"{kind}:{expanded(file).absolute()}"
    for node, field in (*data_paths(config), *other, *files):
        node[field] = str(expanded(node[field]).absolute())
    return config


def data_paths(config: ml_collections.ConfigDict) -> list[tuple[ml_collections.ConfigDict, str]]:
    """The fields of `data`, and of the parts of a zip, that say where data are: (their dict, the name)."""
    parts = config.data.get("parts") or {}
    nodes = (config.data, *parts.values())
    fields = [(config.data, "dir"), *((node, name) for node in nodes for name in ("folder", "file"))]
    return [(node, field) for node, field in fields if node.get(field)]


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Lines "field: was -> is" for every field whose change alters the mathematics."""
    before, after = _of_no_folder(flatten(old)), _of_no_folder(flatten(new))
    return [
        f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in sorted(before.keys() | after.keys())
        if name not in FREE_FIELDS and not _FREE_PATHS.fullmatch(name) and before.get(name) != after.get(name)
    ]


def _of_no_folder(flat: dict[str, Any]) -> dict[str, Any]:
    """With the names alone of the files of networks, wherever they are; their digests are recorded."""
    return {
        name: re.sub(r"^(\w+):.*/", r"\1:", value) if _NETWORK.fullmatch(name) else value
        for name, value in flat.items()
    }


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config's fields by dotted names, such as "generator.width"; an empty group has none."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def describe_data(dataset: data.Dataset) -> dict[str, Any]:
    """What a run records of its data: enough to sample without them, and to notice other data."""
    return {
        "fingerprint": dataset.fingerprint,
        "examples": len(dataset),
        "image_shape": list(dataset.image_shape),
        "fields": {name: field.describe() for name, field in dataset.fields.items()},
        "num_classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "options": dataset.options,
        **({"left_out": dict(dataset.left_out)} if dataset.left_out else {}),
    }


def recorded_spec(record: dict[str, Any]) -> DataSpec:
    """The DataSpec in what `describe_data` recorded."""
    if "fields" in record:
        # Records of before fields had ranges know the option of all of them.
        old = {"file_range": record.get("options", {}).get("value_range", ())}
        fields = {name: Field.from_described({**old, **field}) for name, field in record["fields"].items()}
    else:
        fields = {"image": _image_of_old(record)}
    return DataSpec(fields, record["num_classes"], tuple(record.get("class_names", ())))


def _image_of_old(record: dict[str, Any]) -> Field:
    """The field "image" in a record of before there were fields."""
    shape = tuple(record["image_shape"])
    if not record.get("points", False):
        return Field(shape)
    name = record["fingerprint"].split()[0]
    options = {key: value for key, value in record["options"].items() if key not in ("num_examples", "seed")}
    return Field(shape, Points.named(name, **options))
