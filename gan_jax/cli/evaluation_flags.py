"""The flags of `gan-jax evaluate`, `scores` and `train-classifier`, and their checks.

As in `command_flags`, what a command needs is imported when it runs; the names below stand in its tables too.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from absl import flags

from gan_jax.cli.command_flags import DATA_DIR, define_integer, define_path, path_of, required, take_run
from gan_jax.cli.sample_flags import define_sampler, define_truncation, truncation_of
from gan_jax.config.config_flag import define_config
from gan_jax.evaluation.names import (
    BORDERED,
    DEFAULT,
    METRICS,
    OF_PAIRS,
    OF_POINTS,
    OF_SOUNDS,
    OF_TILES,
    RESIZERS,
)
from gan_jax.utils.paths import expanded


def define_evaluate(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax evaluate`."""
    side = "a run's folder, a folder of pictures, an .npz of images, or NAME[:SPLIT] of a data set"
    paths = {
        "fake": f"The generated images, also without the flag: {side}. Of a run the last and the best "
        "checkpoint are scored.",
        "real": f"The real ones: {side}. Default for a run: the split that it was trained on.",
        "real_dir": "Where the folder of pictures is now that the run was trained on. Default: where it was.",
        "held_out": "Real images that were not trained on, for memorisation and classification_accuracy: "
        "as --real. Default: the test split beside the reals.",
        "inception_weights": "A file with Inception's weights. Default: the cache, else download.",
        "data_dir": DATA_DIR,
        "neighbours": "A picture to write: the first 10 fakes, each beside its 7 nearest reals.",
        "out": "A file of rows, .jsonl, to add the scores to. Default for a run: its metrics.jsonl.",
    }
    for name, text in paths.items():
        define_path(values, name, text)
    flags.DEFINE_string(
        "metrics",
        "",
        f"Of {', '.join(METRICS)}, with commas between. Default, as far as the network and the numbers of "
        f"images allow: {DEFAULT}, before them {OF_PAIRS} for a run whose images have a truth; for points: "
        f"{OF_POINTS}; for tiles: {OF_TILES}; for sounds: {OF_SOUNDS}.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "network",
        "auto",
        "auto, classifier (of the real data set), classifier:NAME or classifier:FILE, inception, "
        "inception:torchvision, random, pixels, pca, points, spectral. auto is the classifier for small "
        "grey labelled data sets, points for points of a density, random for tiles, spectral for sounds, "
        "else inception.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "resizer", "legacy", list(RESIZERS), f"Of inception: {', '.join(RESIZERS)}.", flag_values=values
    )
    counts = {
        "num": "How many fakes. Default: 50,000 of a generator, one of each held-out row of a method that "
        "makes its images of rows, all of files.",
        "num_real": "How many reals, always the same random ones. Default: all.",
    }
    for name, text in counts.items():
        define_integer(name, None, text, lower_bound=1, flag_values=values)
    define_integer(
        "kid_subset_size",
        None,
        "Images in each of KID's 100 subsets. Default: 1000, as papers have it.",
        lower_bound=2,
        flag_values=values,
    )
    define_integer(
        "border",
        None,
        f"Rows and columns that {', '.join(BORDERED)} leave out on each side. Default: 0; of the luma, where "
        "a run enlarges pictures, its factor.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "direction",
        "a_to_b",
        ["a_to_b", "b_to_a"],
        "Of a run that translates both ways: b_to_a scores the pictures that it makes of images against the "
        "sources.",
        flag_values=values,
    )
    define_integer("seed", 0, "Of latents and subsets.", lower_bound=0, flag_values=values)
    define_integer(
        "repeats", 1, "Evaluations with further seeds: their spread.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_list(
        "value_range",
        [],
        "LOW,HIGH: the values in folders of pictures that are black and white. Default: 0,255; of files of "
        "more than 8 bits what their values show.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "max_megapixels", 179.0, "Of a picture in a folder; a larger one is refused.", flag_values=values
    )
    flags.DEFINE_bool(
        "changed_reals",
        False,
        "Score a run against its data as they are now, though they have changed since the training.",
        flag_values=values,
    )
    define_truncation(values)
    define_sampler(values)
    flags.DEFINE_bool("raw", False, "The trained weights instead of their average.", flag_values=values)
    return argv


def evaluate(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax evaluate`."""
    take_run(values, rest, "fake")
    required(values, "fake")
    from gan_jax.cli import evaluation_commands
    from gan_jax.cli.evaluation_request import Request

    names = [field.name for field in fields(Request)]
    given: dict[str, Any] = {name: values[name].value for name in names}
    given["truncation"], given["cutoff"] = truncation_of(values)
    for name in ("out", "neighbours"):
        given[name] = path_of(values, name)
    given["value_range"] = _numbers("value_range", given["value_range"])
    evaluation_commands.evaluate(Request(**given))


def _numbers(name: str, texts: list[str]) -> tuple[float, ...]:
    try:
        return tuple(float(text) for text in texts)
    except ValueError as error:
        raise flags.Error(f"--{name}={','.join(texts)}: expected numbers with commas between") from error


def define_scores(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax scores`."""
    flags.DEFINE_string("only", None, "The scores to show, with commas between.", flag_values=values)
    flags.DEFINE_bool("all", False, "Also what was measured while training.", flag_values=values)
    return argv


def scores(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax scores RUN_OR_FILE ...`."""
    if not rest:
        raise flags.Error("usage: gan-jax scores RUN_OR_FILE [RUN_OR_FILE ...]")
    from gan_jax.cli import evaluation_commands

    evaluation_commands.scores(list(map(expanded, rest)), only=values.only, everything=values.all)


def define_train_classifier(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax train-classifier`."""
    define_path(values, "data_dir", DATA_DIR)
    define_integer("seed", 0, "Of the training.", lower_bound=0, flag_values=values)
    define_path(
        values,
        "out",
        "The file to write. Default: one in the cache. Where it measures, see --extra, a .json of that.",
    )
    define_path(
        values,
        "extra",
        "A folder of generated pictures, a sub-folder for each class, to train on beside the real ones. With "
        "this flag, --balance, --augment or --train_steps a small classifier is trained and measured on the "
        "test split, and not kept.",
    )
    flags.DEFINE_float(
        "ratio",
        None,
        "Generated pictures for each real one in a mini-batch, of all classes alike. Default: 1.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "balance",
        None,
        ["none", "weights", "oversample"],
        "What is done for rare classes: nothing, class weights in the loss, or they come as often as others.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "augment",
        None,
        "Classic augmentation: shift (by up to a 14th of the side), flip (left to right), both with a comma.",
        flag_values=values,
    )
    define_integer(
        "train_steps", None, "Mini-batches of 64. Default: 600.", lower_bound=1, flag_values=values
    )
    return define_config(values, argv)


def train_classifier(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax train-classifier NAME`, or with --config of a config's data set."""
    if len(rest) != (0 if values.config else 1):
        raise flags.Error(
            "usage: gan-jax train-classifier NAME [--data_dir FOLDER] [--seed 0] [--out FILE]; or, for a "
            "data set with options, --config=FILE [--config.data.folder=...] in the place of NAME"
        )
    if training := _measured(values):
        from gan_jax.cli import balance_command

        balance_command.train_measured(
            values.config or rest[0],
            data_dir=values.data_dir,
            seed=values.seed,
            out=path_of(values, "out"),
            extra=path_of(values, "extra"),
            training=training,
        )
        return
    from gan_jax.cli import evaluation_commands

    evaluation_commands.train_classifier(
        values.config or rest[0], data_dir=values.data_dir, seed=values.seed, out=path_of(values, "out")
    )


def _measured(values: flags.FlagValues) -> dict[str, Any]:
    """How a classifier is trained that is measured and not kept; {} where none of its flags is given."""
    names = ("extra", "ratio", "balance", "augment", "train_steps")
    if all(values[name].value is None for name in names):
        return {}
    ratio = values.ratio
    if ratio is not None and (ratio < 0 or values.extra is None):
        reason = (
            "it must be 0 or more" if ratio < 0 else "it says how much there is of --extra, which is missing"
        )
        raise flags.Error(f"--ratio={ratio:g}: {reason}")
    if ratio == 0:
        raise flags.Error("--ratio=0 leaves --extra unused: leave both out")
    augment = tuple(part for part in (values.augment or "").split(",") if part)
    if unknown := sorted(set(augment) - {"shift", "flip"}):
        raise flags.Error(f"--augment={values.augment}: {unknown[0]!r} is not one of shift, flip")
    return {
        "ratio": (1.0 if ratio is None else ratio) if values.extra else 0.0,
        "balance": values.balance or "none",
        "augment": augment,
        **({"steps": values.train_steps} if values.train_steps else {}),
    }
