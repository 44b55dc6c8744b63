"""`gan-jax configs`: the shipped configs, by what their headers say; imports nothing that takes long."""

from __future__ import annotations

import sys
import textwrap

from absl import flags

from gan_jax.config import shipped
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import did_you_mean

EXAMPLE = """\
Each line is a name for --config, with an example of an argument where it takes one; then how long it takes,
what comes before it and which flags it needs. With a name the whole header is shown.

  gan-jax configs
  gan-jax configs srgan
  gan-jax train --config srgan:2 --workdir runs/srgan

"""
_WIDTH, _INDENT = 110, " " * 26


def define_configs(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax configs`: none."""
    return argv


def configs(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax configs [NAME]`."""
    if len(rest) > 1:
        raise flags.Error("usage: gan-jax configs [NAME]")
    names = shipped.names()
    if rest:
        if rest[0] not in names:
            similar = did_you_mean(rest[0], names)
            raise UserError(f"no shipped config is called {rest[0]!r}{similar}; gan-jax configs lists all")
        sys.stdout.write(f"{shipped.folder() / rest[0]}.py\n\n{shipped.read(rest[0]).header}\n")
        return
    sys.stdout.write("".join(_lines(shipped.read(name)) for name in names))


def _lines(config: shipped.Shipped) -> str:
    details = [config.time] * bool(config.time)
    details += [f"first: {need}" for need in config.needs if not need.startswith("--")]
    details += [f"with: {need}" for need in config.needs if need.startswith("--")]
    about = textwrap.fill(
        config.about, _WIDTH, initial_indent=f"{config.usage:25s} ", subsequent_indent=_INDENT
    )
    return "".join(f"{line}\n" for line in (about, *(f"{_INDENT}{detail}" for detail in details)))
