"""The flags of the commands about latents (`interpolate`, `mix`, `project`, `walk`), and their checks.

As in `command_flags`, what a command needs is imported when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from gan_jax.cli.command_flags import (
    check_checkpoint,
    define_checkpoint,
    define_integer,
    define_path,
    define_workdir,
    path_of,
    required,
    take_run,
)
from gan_jax.cli.sample_flags import define_scale, define_truncation, truncation_of

_MOST_SEEDS = 1000
SEED = "one picture of each, the first of gan-jax sample --seed"


def _define_common(values: flags.FlagValues, out: str, truncation: bool = True) -> None:
    define_workdir(values)
    define_path(values, "out", out)
    define_checkpoint(values)
    flags.DEFINE_string(
        "label",
        None,
        "The class, where the run is conditional, by its name or number. gan-jax info lists them.",
        flag_values=values,
    )
    if truncation:
        define_truncation(values)
        define_scale(values)


def _define_space(values: flags.FlagValues) -> None:
    flags.DEFINE_enum(
        "space",
        None,
        ["z", "w"],
        "Of the latents: z, the generator's input, or w, the styles of a style generator. Default: w where "
        "there are some.",
        flag_values=values,
    )


def _define_seeds(values: flags.FlagValues, name: str, default: str, about: str) -> None:
    flags.DEFINE_string(name, default, f"{about} Default: {default}.", flag_values=values)


def seeds_of(values: flags.FlagValues, name: str) -> list[int]:
    """The seeds that a flag lists: "3", "0-3", or some with commas between."""
    text: str = values[name].value or ""
    found: list[int] = []
    for part in map(str.strip, text.split(",")):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < 2**32):
            raise flags.Error(f"--{name}={text}: expected seeds such as 0-3 or 5,7,9")
        if int(last) - int(first) >= _MOST_SEEDS:
            raise flags.Error(f"--{name}={text}: at most {_MOST_SEEDS} seeds")
        found += range(int(first), int(last) + 1)
    return found


def _source(values: flags.FlagValues) -> dict[str, Any]:
    """What says which generator is meant, as `latent_commands.Source` takes it."""
    workdir = Path(required(values, "workdir"))
    check_checkpoint(values)
    given = {"workdir": workdir, "step": values.step, "best": values.best, "label": values.label}
    if "truncation" in values:
        given["truncation"] = truncation_of(values)
    return given


def define_interpolate(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax interpolate`."""
    _define_common(
        values,
        "What to write, by its ending: .png, .jpg, .jpeg or .webp for a picture with a row from each seed to "
        "the next, .gif or .mp4 for a film that ends where it begins. MP4 needs imageio-ffmpeg.",
    )
    _define_space(values)
    _define_seeds(values, "seeds", "0-3", f"The pictures between which it leads, {SEED}.")
    define_path(
        values, "latents", "An .npz of latents, as gan-jax project writes it, in the place of the seeds."
    )
    define_integer(
        "frames",
        None,
        "Steps from one to the next. Default: 8 in a picture, 24 in a film.",
        lower_bound=1,
        upper_bound=10_000,
        flag_values=values,
    )
    define_integer(
        "fps", 24, "Frames per second of a film.", lower_bound=1, upper_bound=100, flag_values=values
    )
    return argv


def interpolate(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax interpolate`."""
    take_run(values, rest)
    source, out = _source(values), Path(required(values, "out"))
    seeds = seeds_of(values, "seeds")
    from gan_jax.cli import latent_commands

    latent_commands.interpolate(
        latent_commands.Source(**source),
        out,
        seeds=seeds,
        latents=path_of(values, "latents"),
        space=values.space,
        frames=values.frames,
        fps=values.fps,
        scale=values.scale,
    )


def define_mix(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax mix`."""
    _define_common(values, "The picture to write: .png, .jpg, .jpeg or .webp.")
    _define_seeds(values, "rows", "0-3", f"The pictures on the left, {SEED}.")
    _define_seeds(values, "columns", "10-15", "The pictures at the top, likewise.")
    flags.DEFINE_string(
        "layers",
        None,
        "Whose styles the rows' pictures get from the columns': coarse, middle, fine (thirds), all, 3, 0-3, "
        "or some with commas between. Default: a grid for each of coarse, middle and fine.",
        flag_values=values,
    )
    return argv


def mix(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax mix`."""
    take_run(values, rest)
    source, out = _source(values), Path(required(values, "out"))
    rows, columns = seeds_of(values, "rows"), seeds_of(values, "columns")
    from gan_jax.cli import latent_commands

    latent_commands.mix(
        latent_commands.Source(**source),
        out,
        rows=rows,
        columns=columns,
        layers=values.layers,
        scale=values.scale,
    )


def define_project(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax project`."""
    _define_common(
        values,
        "The folder to write: projected.png (each picture beside what was found), latents.npz for gan-jax "
        "interpolate and sample --latents, and loss.png where there are descents.",
        truncation=False,
    )
    define_path(
        values, "input", "A picture, or a folder with pictures in it and below it, projected as one batch."
    )
    _define_space(values)
    define_integer(
        "iterations",
        1000,
        "Descents; none where the method encodes (vae, flow).",
        lower_bound=1,
        upper_bound=1_000_000,
        flag_values=values,
    )
    flags.DEFINE_string(
        "network",
        "",
        "In whose layers pictures are compared, beside their pixels: random, classifier:NAME (of a data "
        "set), classifier:FILE, vgg19 (with weights), none. Default: random; none where pictures are neither "
        "grey nor RGB.",
        flag_values=values,
    )
    define_path(values, "weights", "A file of torchvision's weights, of vgg19.")
    flags.DEFINE_float(
        "pixel_weight",
        1.0,
        "Of the mean square of the pixels' difference beside the distance in the network.",
        lower_bound=0.0,
        flag_values=values,
    )
    define_integer("seed", 0, "Of starts and noise.", lower_bound=0, flag_values=values)
    return argv


def project(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax project`."""
    take_run(values, rest)
    source, given, out = _source(values), required(values, "input"), Path(required(values, "out"))
    from gan_jax.cli import latent_commands

    latent_commands.project_pictures(
        latent_commands.Source(**source),
        given,
        out,
        space=values.space,
        iterations=values.iterations,
        network=values.network,
        weights=values.weights or "",
        pixel_weight=values.pixel_weight,
        seed=values.seed,
    )


def define_walk(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax walk`."""
    _define_common(
        values, "The picture to write, a row of steps along each direction: .png, .jpg, .jpeg or .webp."
    )
    _define_space(values)
    flags.DEFINE_enum(
        "method",
        None,
        ["ganspace", "sefa"],
        "ganspace: principal components of w. sefa: from the weights of the layers that read the latents. "
        "Default: ganspace of w, sefa of z.",
        flag_values=values,
    )
    define_integer(
        "directions", 5, "How many, the first ones.", lower_bound=1, upper_bound=100, flag_values=values
    )
    define_integer("columns", 7, "Pictures in a row.", lower_bound=2, upper_bound=100, flag_values=values)
    flags.DEFINE_float(
        "extent",
        3.0,
        "How far to either side, in standard deviations along the direction.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "layers",
        "all",
        "Of w, which are moved: coarse, middle, fine (thirds), all, 3, 0-3, or some with commas between. "
        "Default: all.",
        flag_values=values,
    )
    define_integer("seed", 0, "Of the picture in the middle of each row.", lower_bound=0, flag_values=values)
    return argv


def walk(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax walk`."""
    take_run(values, rest)
    source, out = _source(values), Path(required(values, "out"))
    from gan_jax.cli import latent_commands

    latent_commands.walk(
        latent_commands.Source(**source),
        out,
        method=values.method,
        space=values.space,
        directions=values.directions,
        columns=values.columns,
        extent=values.extent,
        layers=values.layers,
        seed=values.seed,
        scale=values.scale,
    )
