"""The flags of `gan-jax sample`, and those that it shares with the commands about latents.

As in `command_flags`, what a command needs is imported when it runs.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from gan_jax.cli.command_flags import (
    check_checkpoint,
    define_checkpoint,
    define_direction,
    define_integer,
    define_path,
    define_workdir,
    path_of,
    required,
    take_run,
)


def define_scale(values: flags.FlagValues) -> None:
    """Adds the flag that enlarges pictures."""
    define_integer(
        "scale",
        None,
        "How many times larger the pictures are in one of all, or in a film; 1 is their own size. Default: "
        "what is comfortable to look at.",
        lower_bound=1,
        upper_bound=64,
        flag_values=values,
    )


def define_truncation(values: flags.FlagValues) -> None:
    """Adds the flags that truncate the styles of a style generator."""
    flags.DEFINE_float(
        "truncation",
        None,
        "psi of w' = mean + psi (w - mean), of a style generator: 0.7 gives less variety and fewer bad "
        "pictures, 0 one picture. Default: 1, as they are.",
        flag_values=values,
    )
    define_integer(
        "cutoff",
        None,
        "The first so many layers of styles are truncated. Default: all.",
        lower_bound=1,
        flag_values=values,
    )


def truncation_of(values: flags.FlagValues) -> tuple[float, int | None]:
    """psi and the cutoff.

    Raises:
        flags.Error: a cutoff without a truncation.
    """
    if values.cutoff is not None and values.truncation is None:
        raise flags.Error(f"--cutoff={values.cutoff} says which layers are truncated: give --truncation too")
    return (1.0 if values.truncation is None else values.truncation), values.cutoff


def define_sampler(values: flags.FlagValues) -> None:
    """Adds the flags that choose how a diffusion model samples."""
    flags.DEFINE_string(
        "solver",
        None,
        "How a diffusion model makes examples of noise: ancestral, ddim or heun. Default: its config's.",
        flag_values=values,
    )
    define_integer(
        "steps",
        None,
        "Of a diffusion model, from noise to examples. Default: its config's; of another solver its own.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_float(
        "guidance",
        None,
        "Of a diffusion model with labels: above 1 more typical examples of their class, and less variety. "
        "Default: its config's, 1 is none.",
        flag_values=values,
    )


def define_sample(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax sample`."""
    define_workdir(values)
    define_integer(
        "num",
        None,
        "How many images. Default: 64; of several labels as many of each as there is room for in 64, or "
        "--columns of each.",
        lower_bound=1,
        flag_values=values,
    )
    define_integer("seed", 0, "Of the latents.", lower_bound=0, flag_values=values)
    define_path(
        values,
        "out",
        "What to write, by its ending: .png, .jpg, .jpeg or .webp for one picture of all, .npz for the "
        "arrays, .gif or .mp4 for one after the other, FOLDER/ for a PNG of each, of sounds a WAV.",
    )
    define_integer("columns", None, "Pictures in a row.", lower_bound=1, flag_values=values)
    define_scale(values)
    define_checkpoint(values)
    define_truncation(values)
    define_sampler(values)
    define_path(
        values,
        "latents",
        "An .npz of latents whose pictures are drawn, as gan-jax project writes it, in the place of random "
        "ones.",
    )
    define_direction(values)
    flags.DEFINE_string(
        "label",
        None,
        "The class, where the run is conditional, by its name or number; several with commas between, or "
        "all: a row of each. gan-jax info lists them.",
        flag_values=values,
    )
    return argv


def sample(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax sample`."""
    take_run(values, rest)
    workdir, out = Path(required(values, "workdir")), required(values, "out")
    check_checkpoint(values)
    latents = path_of(values, "latents")
    if latents is not None:
        _sample_of_file(values, workdir, latents, out)
        return
    from gan_jax.cli import commands

    commands.sample(
        workdir,
        num=values.num,
        seed=values.seed,
        out=out,
        label=values.label,
        direction=values.direction,
        columns=values.columns,
        scale=values.scale,
        step=values.step,
        best=values.best,
        truncation=truncation_of(values),
        sampler=(values.solver, values.steps, values.guidance),
    )


def _sample_of_file(values: flags.FlagValues, workdir: Path, latents: Path, out: str) -> None:
    for name in ("solver", "steps", "guidance"):
        if values[name].present:
            raise flags.Error(f"--{name} is of diffusion models, which do not take --latents: leave it out")
    for name in ("num", "seed", "direction"):
        if values[name].present:
            raise flags.Error(
                f"--{name} is about random latents, and --latents gives some: leave one of them out"
            )
    from gan_jax.cli import latent_commands

    source = latent_commands.Source(workdir, values.step, values.best, values.label, truncation_of(values))
    latent_commands.draw(source, latents, out, columns=values.columns, scale=values.scale)
