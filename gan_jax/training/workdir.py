"""A run's folder: which run it is, and whether a config may continue it.

source/         the config file and what it imports from its folder
config.json     the resolved config, the data and, for each start, versions, devices and git revision
reals.png, samples/, overview.png, metrics.jsonl, losses.npy, tensorboard/, checkpoints/
report.html     at the end: what the run is and how it went, see `reports.run_page`
.lock           held by the process that trains here
"""

from __future__ import annotations

import contextlib
import json
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ml_collections
from absl import logging

from gan_jax.config.components import complete
from gan_jax.config.config_file import SOURCE, Source, use_own
from gan_jax.config.record import describe_data, differences, from_json, located, recorded_spec, to_json
from gan_jax.data import Dataset, DataSpec
from gan_jax.data.prepared import is_same_data
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.summaries.logs import read_metrics
from gan_jax.utils import plugins
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors, locked, write_atomically, write_json
from gan_jax.utils.paths import expanded
from gan_jax.utils.provenance import describe_environment
from gan_jax.utils.untrusted import parse_json

FILE = "config.json"
LOCK = ".lock"
_SAVED = "saved"  # in config.json: whether the run has had a checkpoint
NO_FROZEN: Mapping[str, str] = MappingProxyType({})
_SEEN_SECONDS = 30.0  # a network file system may show a new file so late


def check_workdir(
    folder: Path, config: ml_collections.ConfigDict, dataset: Dataset, frozen: Mapping[str, str] = NO_FROZEN
) -> dict[str, Any]:
    """The record with which `note_start` makes the folder this run's; writes nothing.

    Args:
        frozen: the digests of the run's pretrained constants, see `Plan.frozen_digests`.

    Raises:
        UserError: it holds something else, or a run that this config or these data cannot continue.
    """
    described = describe_data(dataset)
    if not (folder / FILE).exists():
        check_unused(folder)
        return {"config": to_json(located(config)), "data": described, "frozen": dict(frozen), "starts": []}
    record = read_record(folder)
    before = from_json(record["config"])
    with before.unlocked():
        before.plugins = config.plugins  # those of the record may be called otherwise now
    before = complete(before)  # a field that is newer than the record has its default
    changed = differences(to_json(before), to_json(located(config)))
    if not is_same_data(record["data"]["fingerprint"], described["fingerprint"]):
        changed.append(f"the data: {record['data']['fingerprint']} -> {described['fingerprint']}")
    constants = record.get("frozen", {})
    changed += [
        f"the pretrained constants {name}: {constants.get(name)} -> {frozen.get(name)}"
        for name in sorted(constants.keys() | frozen.keys())
        if constants.get(name) != frozen.get(name)
    ]
    if changed:
        raise UserError(
            f"{folder} holds a run with another config; continuing it would not be the same run. "
            f"Differing: {'; '.join(changed)}. Undo the change, or choose another workdir"
        )
    return {**record, "config": to_json(located(config)), "data": described}


def note_start(folder: Path, record: dict[str, Any], source: Source | None = None) -> None:
    """Writes config.json with one more start, and the config file's source beside it."""
    if source is not None:
        before, now = record.get("source"), source.describe()
        source.write(folder)
        if before and now["components"] and before["sha256"] != now["sha256"]:
            logging.warning(
                "the config file, or what it imports, has changed since the run began: %s may not be "
                "what was trained before",
                ", ".join(now["components"]),
            )
        record = {**record, "source": now}
    if used := plugins.describe(record["config"].get("plugins", ())):
        old = record.get("plugins", used)
        if old != used:
            logging.warning(
                "the run began with the plugins %s, and has %s now", plugins.said(old), plugins.said(used)
            )
        record = {**record, "plugins": used}
    if (folder / FILE).exists():  # `start_over` may have changed it
        record = {**record, _SAVED: read_record(folder).get(_SAVED, False)}
    write_json(folder / FILE, {**record, "starts": [*record["starts"], describe_environment()]})


def note_saved(folder: Path) -> None:
    """Writes into config.json that the run has had a checkpoint, so that nobody takes it for a new one."""
    if not (folder / FILE).exists():
        return  # `keeps_its_place` says more
    record = read_record(folder)
    if not record.get(_SAVED):
        write_json(folder / FILE, {**record, _SAVED: True})


def start_over(folder: Path, start_anew: bool = False) -> None:
    """Makes way for a start at step 0, where a run has no checkpoint.

    A run that was killed before its first one just begins again. Where there must have been one, what was
    recorded is moved to `earlier-N` in the folder if a new start is asked for.

    Raises:
        UserError: there must have been a checkpoint, and no new start is asked for.
    """
    if not (folder / FILE).exists():
        return
    record = read_record(folder)
    recorded = max((row["step"] or 0 for row in read_metrics(folder)), default=0)
    # The second save waits for the first: past it, also a run of before `note_saved` had a checkpoint.
    if not record.get(_SAVED) and recorded <= 2 * record["config"]["checkpoint_every_steps"]:
        return
    if not start_anew:
        kept = folder / "checkpoints"
        there = ", ".join(sorted(path.name for path in kept.iterdir())) if kept.is_dir() else ""
        state = f"holds none that is finished ({there})" if there else "is not there, or empty"
        raise UserError(
            f"{folder} holds a run that has had checkpoints (its records reach step {recorded}), and {kept} "
            f"{state}: mount that folder or put back a copy of it, manifest.json in each step included; or "
            "gan-jax train --start_anew begins at step 0 and keeps what was recorded in a folder beside it"
        )
    with disk_errors(f"move what is in {folder}"):
        number = 1
        while (aside := folder / f"earlier-{number}").exists():
            number += 1
        aside.mkdir()
        for path in list(folder.iterdir()):
            if path.name not in (FILE, LOCK, SOURCE) and not path.name.startswith("earlier-"):
                path.rename(aside / path.name)
    write_json(folder / FILE, {**record, _SAVED: False})
    logging.warning("%s has no checkpoint any more: it starts anew; its records are in %s", folder, aside)


def claim(held: contextlib.ExitStack, folder: Path, record: dict[str, Any], hosts: Hosts = ALONE) -> None:
    """Makes the folder this training's alone, until `held` is closed.

    Raises:
        UserError: another one has it, or had it since `check_workdir` made the record; or not all processes
            see it.
    """

    def unchanged() -> bool:
        starts = read_record(folder)["starts"] if (folder / FILE).exists() else []
        if starts != record["starts"]:
            raise UserError(f"another process began to train in {folder} meanwhile; give the command again")
        return True

    if hosts.is_first:
        held.enter_context(locked(folder, LOCK, "trains in"))
    hosts.broadcast_from_first(unchanged)
    check_shared(hosts, folder)


def keeps_its_place(folder: Path) -> Callable[[], None]:
    """A check that the folder is still the one that it is now.

    It raises a UserError where the folder has been removed or replaced: what is written then is lost, or lies
    in files that nobody can name any more.
    """

    def identity() -> tuple[int, int] | None:
        try:
            status = folder.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    first = identity()

    def check() -> None:
        if identity() != first:
            raise UserError(
                f"{folder} has been removed or replaced while it was trained in: what was written since is "
                "lost. Put the old folder back and give the same command again, or start anew"
            )

    return check


@contextlib.contextmanager
def vanishing_said_first(check: Callable[[], None]) -> Iterator[None]:
    """While it is entered, an error of a folder that has vanished is that of the check, and not of what was
    being written there."""
    try:
        yield
    except Exception:
        check()
        raise


def check_same_run(
    hosts: Hosts,
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    frozen: Mapping[str, str] = NO_FROZEN,
) -> None:
    """Raises a UserError if this process has another config, other data or other packages than process 0.

    Only `data.dir` may differ: each host may have its own copy of the data.
    """
    mine = {
        "config": to_json(config),
        "data": describe_data(dataset)["fingerprint"],
        "frozen": dict(frozen),
        "packages": describe_environment()["packages"],
    }
    mine["config"]["data"].pop("dir", None)
    mine = json.loads(json.dumps(mine))
    changed = differences(hosts.broadcast_from_first(lambda: mine), mine)
    if changed:
        raise UserError(
            f"process {hosts.index} of {hosts.count} (on {platform.node()}) was given another run than "
            f"process 0: {'; '.join(changed)} (process 0 -> process {hosts.index}). Give all the same "
            "command, data and packages"
        )


def check_shared(hosts: Hosts, folder: Path) -> None:
    """Raises a UserError, on every process, if some do not see what process 0 writes in the folder."""
    if hosts.count == 1:
        return

    def leave() -> str:
        name = f".{FILE}.{uuid.uuid4().hex}.tmp"
        write_atomically(folder / name, platform.node().encode())
        return name

    token = folder / hosts.broadcast_from_first(leave)
    deadline = time.monotonic() + _SEEN_SECONDS
    while not (seen := token.exists()) and time.monotonic() < deadline:
        time.sleep(0.1)
    places = hosts.collect([seen, platform.node()])
    if hosts.is_first:
        token.unlink(missing_ok=True)
    blind = [f"process {i} on {node}" for i, (saw, node) in enumerate(places) if not saw]
    if blind:
        raise UserError(
            f"{', '.join(blind)} cannot see what process 0 on {places[0][1]} writes in {folder.absolute()}: "
            "the workdir must be on a file system that all processes share"
        )


def check_unused(folder: Path) -> None:
    """Raises a UserError if the folder cannot become a run's."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"workdir={folder} is a file; give a folder")
    # A start that was killed may have left a half-written config.json.
    ours = (f".{FILE}.*.tmp", LOCK)
    if folder.is_dir() and any(not any(map(path.match, ours)) for path in folder.iterdir()):
        raise UserError(
            f"workdir={folder} is not empty and holds no run (no {FILE}); give a new or an empty folder"
        )


def read_record(folder: str | Path) -> dict[str, Any]:
    """What config.json says.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = expanded(folder) / FILE
    try:
        record = parse_json(path.read_text())
        if not {"config", "data", "starts"} <= record.keys() or not record["starts"]:
            raise ValueError("it lacks config, data or starts")
        if not _has_own(record):  # which may have a codec of its own
            recorded_spec(record["data"])
        return record
    except FileNotFoundError:
        raise UserError(
            f"{folder} holds no run: there is no {FILE} in it; give the folder of a run"
        ) from None
    except NotADirectoryError:
        raise UserError(f"workdir={folder} is a file; give the folder of a run") from None
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from None


def recorded_run(folder: str | Path) -> tuple[ml_collections.ConfigDict, DataSpec, dict[str, Any]]:
    """A run's config, what its networks know of the data, and the whole record.

    The run's own config file is run where it has components of its own, and its plugins are imported.
    """
    record = read_record(folder)
    use_own(expanded(folder), record)
    try:
        return from_json(record["config"]), recorded_spec(record["data"]), record
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise _damaged(expanded(folder) / FILE, error) from None


def _has_own(record: dict[str, Any]) -> bool:
    """Whether a run has components that are not the library's own."""
    source = record.get("source")
    return bool(record["config"].get("plugins") or (isinstance(source, dict) and source.get("components")))


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is damaged ({error}); put back a copy of it, or start anew in another workdir")
