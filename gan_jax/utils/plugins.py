"""Plugins: modules of others that add components to the library's tables when they are imported.

A package names its own in its pyproject.toml, and what it adds can then be used wherever it is installed:

    [project.entry-points."gan_jax.plugins"]
    my_gan = "my_gan"

`config.plugins = ("my_gan",)` names one, installed so or any module that Python finds.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any

from absl import logging

from gan_jax.utils.errors import UserError
from gan_jax.utils.tables import Owner, added_by

GROUP = "gan_jax.plugins"
_imported: set[str] = set()  # names of plugins
_MACHINERY = {Path(__file__).parent, Path(importlib.__file__).parent}


def names_of(plugins: Any) -> tuple[str, ...]:
    """The plugins that a config names: one, or several in a tuple, or in a text with commas between.

    Raises:
        UserError: something else.
    """
    listed = [plugins] if isinstance(plugins, str) else plugins
    if not isinstance(listed, list | tuple) or not all(isinstance(name, str) for name in listed):
        raise UserError(f'plugins={plugins!r}: it must be names of modules, such as ("my_gan",)')
    names = [name.strip(" ()'\"") for text in listed for name in text.split(",")]
    names = [name for name in names if name]
    if odd := [name for name in names if not all(part.isidentifier() for part in name.split("."))]:
        raise UserError(f"plugins: {odd[0]!r} is not the name of a module, such as my_gan or my_gan.losses")
    return tuple(dict.fromkeys(names))


@cache
def installed() -> Mapping[str, EntryPoint]:
    """The plugins of the installed packages, by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


@cache
def load_installed() -> None:
    """Imports the plugins of the installed packages, once; what cannot be imported is left out, and said."""
    for name in installed():
        try:
            load((name,))
        except UserError as error:
            logging.warning("%s; it is left out", error)


def load(names: Iterable[str], recorded: Mapping[str, Any] | None = None, reason: str = "") -> None:
    """Imports plugins that have not been imported yet.

    Args:
        recorded: of each the package and its version, as `describe` gives them, where a run says it.
        reason: who needs them, for messages.

    Raises:
        UserError: one is missing, or there is an error in it.
    """
    for name in names:
        if name in _imported:
            continue
        package = (recorded or {}).get(name, {})
        try:
            with added_by(Owner(plugin=name)):
                installed()[name].load() if name in installed() else importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{_module(name)}.".startswith(f"{error.name}."):
                raise _broken(name, error) from error
            raise UserError(_missing(name, package, reason)) from error
        except (Exception, SystemExit) as error:
            raise _broken(name, error) from error
        _imported.add(name)


def note_imported(name: str) -> None:
    """A plugin lies beside a config file, which has imported it."""
    _imported.add(name)


def describe(names: Iterable[str]) -> dict[str, dict[str, str | None]]:
    """What a run records: of each plugin {"package": "my-gan", "version": "0.1.0"}, None if unknown."""
    return {name: dict(zip(("package", "version"), _package(name), strict=True)) for name in names}


def said(described: Mapping[str, Mapping[str, str | None]]) -> str:
    """What `describe` gave, in words."""
    return ", ".join(" ".join(filter(None, (name, one.get("version")))) for name, one in described.items())


def _module(name: str) -> str:
    return installed()[name].module if name in installed() else name


def _package(name: str) -> tuple[str | None, str | None]:
    """The package that has a plugin, and its version."""
    if name in installed() and (found := installed()[name].dist) is not None:
        return found.name, found.version
    top = _module(name).partition(".")[0]
    try:  # a package that is called as its module is; others only their entry point tells
        found = distribution(top)
        return found.name, found.version
    except PackageNotFoundError:
        version = getattr(sys.modules.get(top), "__version__", None)
        return None, version if isinstance(version, str) else None


def _missing(name: str, package: Mapping[str, Any], reason: str) -> str:
    needs = f"{reason} needs the plugin {name}" if reason else f"config.plugins names {name}"
    if package.get("package"):
        version = f"=={package['version']}" if package.get("version") else ""
        return (
            f"{needs}, which is not installed: pip install {package['package']}{version}, or its repository"
        )
    return (
        f"{needs}, and there is no such module: pip install the package that has it, or put the folder that "
        "holds it on PYTHONPATH"
    )


def _broken(name: str, error: BaseException) -> UserError:
    """An error in a plugin, with the last line that is not of the machinery which imports and registers."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if f.filename[:1] != "<" and not _MACHINERY & set(Path(f.filename).parents)]
    where = f" ({theirs[-1].filename}, line {theirs[-1].lineno})" if theirs else ""
    what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return UserError(f"the plugin {name} cannot be imported{where}: {what}")
