"""Config files: how they are found and run, and the copy of one that a run keeps.

A config file is a program: it may import files beside it, and may add networks, losses and other components
of its own to their tables. Whatever reads the run later has to run it again. So a run's folder holds a copy:

    source/my_config.py    the file
    source/my_layers.py    what it imports from its folder

Plugins that the config names are imported while its folder is on Python's path, so one that lies there is
kept too; of others a run records the name and the version.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import ml_collections

from gan_jax.config import shipped
from gan_jax.utils import plugins
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import write_atomically
from gan_jax.utils.names import did_you_mean
from gan_jax.utils.paths import expanded
from gan_jax.utils.streams import Unfailing
from gan_jax.utils.tables import Owner, added_by

SOURCE = "source"  # in a run's folder
_beside: list[str] = []  # the modules that the latest config file has imported from its folder
_told: set[Path] = set()  # the files of runs of which it has been said that they are run


@dataclass(frozen=True)
class Source:
    """A config file and what it imports from its folder.

    Attributes:
        file: its name.
        argument: what its function is called with; None for nothing.
        files: the content of each file, by its path from the folder.
    """

    file: str
    argument: str | None
    files: Mapping[str, bytes]

    def describe(self) -> dict[str, Any]:
        """What config.json says of it, with the components that are not the library's own."""
        from gan_jax.config.tables import own_components  # only now: it imports JAX

        digests = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        own = own_components()
        return {"file": self.file, "argument": self.argument, "components": own, "sha256": digests}

    def write(self, folder: Path) -> None:
        """Keeps it in a run's folder."""
        for name, content in self.files.items():
            write_atomically(folder / SOURCE / name, content)


def run_config_file(
    path: str, function: str = "get_config", expected: type = ml_collections.ConfigDict
) -> Any:
    """What get_config() of a config file returns; `path` may end in ":" and its argument.

    Args:
        path: a file, a run's config.json or the name of a shipped config, such as "dcgan_shapes".
        function: another function of the file.
        expected: what it must return.

    Raises:
        UserError: no such file, an error in it, or something else from it.
    """
    return run_and_read(path, function, expected)[0]


def run_and_read(
    path: str, function: str = "get_config", expected: type = ml_collections.ConfigDict
) -> tuple[Any, Source | None]:
    """As `run_config_file`, and the source that a run is to keep; None for a config.json without one."""
    file, argument = resolved(path)
    if file.suffix == ".json":
        return _recorded(file)
    found, files = _run(file, function, argument)
    if not isinstance(found, expected):
        raise UserError(
            f"the config file {file} must have a function {function}() that returns a {expected.__name__}; "
            "start from build.base_config() as the files in configs/ do"
        )
    return found, Source(file.name, argument[0] if argument else None, files)


def resolved(path: str) -> tuple[Path, list[str]]:
    """The file that is meant by what `--config` was given, and the argument behind its colon, if any.

    A file comes before a shipped config of the same name.

    Raises:
        UserError: neither is there; says the shipped configs with similar names.
    """
    name, *argument = path.split(":", 1)
    file = expanded(name)
    if file.is_file():
        return file, argument
    names = shipped.names()
    if name in names:
        return shipped.folder() / f"{name}.py", argument
    raise UserError(
        f"--config={path}: there is no such file and no shipped config of this name"
        f"{did_you_mean(file.stem, names)}; gan-jax configs lists the names"
    )


def use_source(folder: Path, record: Mapping[str, Any]) -> Source | None:
    """Runs the config file that a run keeps, where its components are not all the library's own.

    Args:
        folder: the run's.
        record: what its config.json says.

    Returns:
        The source; None if the run has none.

    Raises:
        UserError: a file is missing or no longer what it was.
    """
    described = record.get("source")
    if not described:
        return None
    files = {}
    try:
        for name, digest in described["sha256"].items():
            path = (folder / SOURCE / name).resolve()
            if not path.is_relative_to((folder / SOURCE).resolve()):
                raise ValueError(f"{name} lies outside")
            files[name] = path.read_bytes()
            if hashlib.sha256(files[name]).hexdigest() != digest:
                raise ValueError(f"{name} is no longer what it was")
        source = Source(described["file"], described["argument"], files)
        components = ", ".join(described["components"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(described, dict) and not described.get("components"):
            return None  # nobody needs it
        raise UserError(
            f"the run in {folder} has components of its own, and their source in {folder / SOURCE} cannot be "
            f"used ({error}): put back a copy of it"
        ) from None
    if components:
        file = folder / SOURCE / source.file
        if file not in _told:
            _told.add(file)
            Unfailing(sys.stderr).write(f"{components}: from {file}, which is run\n")
        _run(file, "get_config", [] if source.argument is None else [source.argument])
    return source


def use_own(folder: Path, record: Mapping[str, Any]) -> Source | None:
    """Makes all components of a run known: those of its plugins, and of its config file as `use_source`.

    Raises:
        UserError: a plugin is missing, or a file is missing or no longer what it was.
    """
    source = use_source(folder, record)
    plugins.load_installed()
    named = plugins.names_of(record["config"].get("plugins", ()))
    plugins.load(named, record.get("plugins"), f"the run in {folder}")
    return source


def _recorded(file: Path) -> tuple[ml_collections.ConfigDict, Source | None]:
    """The config in a run's config.json, with lists as the tuples that they were."""
    from gan_jax.config.record import from_json  # only here: `record` imports the data sets

    try:
        record = json.loads(file.read_text())
        config = from_json(record["config"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"--config={file} is no config.json of a run ({type(error).__name__}: {error})"
        ) from None
    return config, use_own(file.parent, record)


def _run(file: Path, function: str, argument: list[str]) -> tuple[Any, dict[str, bytes]]:
    """What a function of a file returns (None without it), and the files: its own and those it imports."""
    for name in _beside:  # another file may import others of the same names
        sys.modules.pop(name, None)
    _beside.clear()
    plugins.load_installed()  # before it: what it imports of them is theirs
    before, keeps_bytecode = set(sys.modules), sys.dont_write_bytecode
    folder = str(file.parent.resolve())
    sys.path.insert(0, folder)  # as Python does for a program
    sys.dont_write_bytecode = True  # the folder may be a run's
    module = ModuleType("gan_jax_config")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    try:
        content = file.read_bytes()
        with added_by(Owner(file=str(file))):
            exec(compile(content, str(file), "exec"), module.__dict__)
            made = getattr(module, function, None)
            found = None if made is None else made(*argument)
            _import_plugins(found, file.parent)
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        where = f"{file}, line {lines[-1]}" if lines else str(file)
        what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        raise UserError(f"the config file {where}: {what}") from error
    finally:
        sys.dont_write_bytecode = keeps_bytecode
        sys.path.remove(folder)
    files = {file.name: content}
    for name in set(sys.modules) - before:
        path = _source_beside(name, file.parent)
        if path is not None:
            _beside.append(name)
            files[path.relative_to(file.parent.resolve()).as_posix()] = path.read_bytes()
    return found, dict(sorted(files.items()))


def _import_plugins(found: Any, folder: Path) -> None:
    """Imports the plugins of a config, or of a study's base; those in the folder are the file's own."""
    config = getattr(found, "base", found)
    if not isinstance(config, ml_collections.ConfigDict):
        return
    for name in plugins.names_of(config.get("plugins", ())):
        top = folder / name.partition(".")[0]
        if name not in plugins.installed() and (top.is_dir() or top.with_suffix(".py").is_file()):
            importlib.import_module(name)
            plugins.note_imported(name)
        else:
            plugins.load((name,))


def _source_beside(name: str, folder: Path) -> Path | None:
    """The file of a module, if it lies below the folder and belongs to no installed package."""
    file = getattr(sys.modules[name], "__file__", None)
    if file is None or name.partition(".")[0] == "gan_jax":
        return None
    path = Path(file).resolve()
    installed = path.is_relative_to(sys.prefix) or "site-packages" in path.parts
    return path if path.suffix == ".py" and path.is_relative_to(folder.resolve()) and not installed else None
