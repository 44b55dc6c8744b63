"""The definition of a study: variants of one config, each trained from several seeds."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_collections
from flax import traverse_util

from gan_jax import data
from gan_jax.config.build import evaluation_plan
from gan_jax.config.config_file import run_config_file
from gan_jax.config.overrides import overridden
from gan_jax.config.record import FREE_FIELDS, to_json
from gan_jax.utils.checks import is_count
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

FILE = "study.py"
# Free for a run that is continued, but part of what a study measures.
MEASURED = frozenset(
    {"data.folder", "data.file", "num_steps", "evaluation.metrics", "evaluation.num", "evaluation.network"}
)
# Fields that results from before them do not know; at these values they change nothing.
NEWER = {
    "execution.precision": "float32",
    "phases": [],
    "data.random_crop": 0,
    "data.codec": "",
    "data.direction": "a_to_b",
    "data.per_class": 0,
    "data.imbalance": 1,
    "data.oversample": False,
    "init_from.run": "",
    "init_from.players": "",
    "init_from.checkpoint": "newest",
    "algorithm.adversarial_weight": 1.0,
    "algorithm.separate_batches": False,
    "generator.norm_epsilon": 0.0,
    "generator.categorical": False,
    "discriminator.norm_epsilon": 0.0,
    "discriminator.maxout_pieces": 1,
    "discriminator.auxiliary_hidden": 0,
    "generator_optimizer.eps_in_root": False,
    "discriminator_optimizer.eps_in_root": False,
    "generator_optimizer.finite_gradients": False,
    "discriminator_optimizer.finite_gradients": False,
    "penalties.lecam.start_step": 0,
    "contents.features.roll": 1,
    "contents.gram.roll": 1,
    "contents.lpips.roll": 1,
}
# Likewise of one generator, where others have had the field for long.
NEWER_OF = {"mlp_generator": {"generator.norm_first": False}}


@dataclass(frozen=True, kw_only=True)
class Study:
    """Variants x seeds.

    Attributes:
        question: what the study asks, in a sentence; the head of its report.
        base: the config that the variants change; None where each names one of its own. Its `evaluation` says
            what is measured and how often.
        variants: name -> overrides, fields such as "loss.name" or "penalties.r1.weight" and their values, as
            `--config.FIELD=VALUE` sets them; a schedule is a dict with its name. {} is the base itself. With
            "config" another config takes the base's place: what `--config` takes, as "vae_fashion_mnist".
        seeds: how many; the runs have the seeds 0, 1, 2, ...
        ranked_by: scores by which the report ranks the variants, the first one first.
        compare_to: the variant that every other one is compared with, seed by seed.
        keep: whether each run stays as a run folder, OUT/runs/VARIANT-SEED, with its last state, for
            `gan-jax sample`, `evaluate` and all others. It takes the disk that checkpoints of all runs take.
    """

    question: str
    base: ml_collections.ConfigDict | None = None
    variants: Mapping[str, Mapping[str, Any]]
    seeds: int
    ranked_by: Sequence[str]
    compare_to: str | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        if not self.variants:
            raise UserError("the study has no variants; give at least one, such as {'base': {}}")
        baseless = [name for name, changes in self.variants.items() if "config" not in changes]
        if self.base is None and baseless:
            raise UserError(
                f"the study has no base config, and the variant {baseless[0]!r} names none: give one, "
                'such as {"config": "dcgan_shapes"}'
            )
        odd = [name for name in self.variants if "," in name or not name]
        if odd:
            raise UserError(f"the variant {odd[0]!r}: a name must not be empty or hold a comma, for --only")
        files: dict[str, str] = {}
        for name in self.variants:
            if (other := files.setdefault(file_name(name), name)) != name:
                raise UserError(
                    f"the variants {other!r} and {name!r} have the same files: rename one of them"
                )
        if not is_count(self.seeds):
            raise UserError(f"seeds={self.seeds!r}: it must be at least 1")
        if self.compare_to is not None and self.compare_to not in self.variants:
            raise UserError(
                f"compare_to={self.compare_to!r} is no variant; there are {', '.join(self.variants)}"
            )
        if not self.ranked_by:
            raise UserError("ranked_by is empty: name the scores that the report shall rank by")


@dataclass(frozen=True)
class Run:
    """One training of a study.

    Attributes:
        variant: its name.
        overrides: what it changes of the base.
        config: the whole config, with the seed.
        digest: 16 hex digits, equal only for configs that train and measure the same but for the seed.
    """

    variant: str
    overrides: Mapping[str, Any]
    config: ml_collections.ConfigDict
    digest: str

    @property
    def seed(self) -> int:
        """Of the training."""
        return self.config.seed

    @property
    def name(self) -> str:
        """As messages name it."""
        return f"{self.variant}, seed {self.seed}"


def grid(choices: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """Variants for every combination of values.

    Args:
        choices: field -> its values. The variants are named after the fields' last parts:
            {"loss.name": ["hinge"], "penalties.r1.weight": [0.1, 1]} gives "loss=hinge r1.weight=0.1" and
            "loss=hinge r1.weight=1".
    """
    variants = {}
    for values in itertools.product(*choices.values()):
        overrides = dict(zip(choices, values, strict=True))
        name = " ".join(f"{_short(field)}={value}" for field, value in overrides.items())
        variants[name.replace(",", "")] = overrides
    return variants


def file_name(variant: str) -> str:
    """A variant's name, as files have it."""
    return re.sub(r"[^A-Za-z0-9.=-]+", "_", variant)


def _short(field: str) -> str:
    parts = field.split(".")
    return parts[-2] if parts[-1] == "name" else ".".join(parts[-2:])


def open_study(folder: str | Path) -> Study:
    """What get_study() of a folder's study.py returns.

    Raises:
        UserError: there is none, or an error in it.
    """
    path = expanded(folder) / FILE
    if not path.is_file():
        raise UserError(f"{folder} holds no study: there is no {FILE} in it, with a function get_study()")
    study = run_config_file(str(path), function="get_study", expected=Study)
    assert isinstance(study, Study)
    return study


def runs_of(study: Study) -> list[Run]:
    """All trainings: each variant with every seed.

    Raises:
        UserError: an override that does not fit, or nothing to measure.
    """
    runs = []
    for variant, overrides in study.variants.items():
        config = _config(study, variant, overrides)
        if config.init_from.run:
            raise UserError(f"init_from.run={config.init_from.run}: a study's runs begin with random weights")
        scores = evaluation_plan(config).scores
        unknown = [name for name in study.ranked_by if name not in scores]
        if unknown:
            raise UserError(
                f"ranked_by: the variant {variant!r} does not measure {', '.join(unknown)}; "
                f"evaluation.metrics={config.evaluation.metrics!r} gives {', '.join(scores) or 'nothing'}"
            )
        for seed in range(study.seeds):
            seeded = copy.deepcopy(config)
            seeded.seed = seed
            runs.append(Run(variant, overrides, seeded, digest(seeded)))
    return runs


def _config(study: Study, variant: str, overrides: Mapping[str, Any]) -> ml_collections.ConfigDict:
    """Of a variant."""
    changes = dict(overrides)
    named = changes.pop("config", None)
    base = study.base if named is None else run_config_file(str(named))
    assert base is not None  # was checked when the study was made
    return overridden(base, changes, f"the variant {variant!r}")


def digest(config: ml_collections.ConfigDict) -> str:
    """`Run.digest` of a config."""
    fields = traverse_util.flatten_dict(to_json(config), sep=".")
    kept = {name: value for name, value in fields.items() if name not in FREE_FIELDS or name in MEASURED}
    kept.pop("seed")
    options = {f"data.{name}": default for name, default in data.options_of(config.data.name).items()}
    of_generator = NEWER_OF.get(kept.get("generator.name", ""), {})
    for name, default in (NEWER | of_generator | json.loads(json.dumps(options))).items():
        if kept.get(name) == default:
            kept.pop(name)
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]
