"""Checkpoints: Orbax writes the arrays, a sha256 manifest of our own says what was written.

Orbax keeps no checksum of array data (a flipped bit restores wrong weights without an error),
lists truncated and empty folders as steps, and casts a wrong dtype silently. So each step
folder gets a manifest once Orbax has committed it, and only a step that agrees with its
manifest is a checkpoint:

    <folder>/37500/...                 what Orbax wrote
    <folder>/37500/manifest.json       the step, and the sha256 of each file
    <folder>/damaged-37400-1/...       a step that no longer agreed, moved aside

A step folder without a manifest is a save that did not finish. It never counts. Neither does a copy under
another number: the manifest says which step it is of, and so do the arrays.

On many processes all write and read the arrays; process 0 alone decides what is written and read, writes
the manifest and deletes. All need the folder on one file system.
"""

from __future__ import annotations

import contextlib
import functools
import logging as stdlib_logging
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from absl import logging
from flax import traverse_util

from gan_jax.core.state import TrainState
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.training import manifest
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded
from gan_jax.utils.tree import PyTree
from gan_jax.utils.uncaught import is_late

_TMP = ".orbax-checkpoint-tmp"  # in the name of every folder that Orbax has not committed yet
_SHOWN = 5  # differences named in one message


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: where the step folders lie; created at the first save.
        keep: how many of the newest checkpoints stay, at least 1; None for all, until `keep_only`.
        hosts: the processes of the run; all must call `save`, `restore` and `close` together.
        check: what else is wrong with a step, in words; None if nothing is. A step without the records that
            belong to it does not verify.
        reading: whether the run is another's, which may be training: nothing is moved, and of saves that have
            not finished nothing is said.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        keep: int | None = 2,
        hosts: Hosts = ALONE,
        check: Callable[[int], str | None] = lambda step: None,
        reading: bool = False,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        if keep is not None and keep < 1:
            raise ValueError(f"keep is {keep}; at least 1 checkpoint has to stay")
        self._folder = expanded(folder).absolute()
        self._keep = keep
        self._hosts = hosts
        self._check = check
        self._reading = reading
        self._committed = committed
        # Folders made in the background would turn an unwritable disk into a 20 minute time-out.
        options = ocp.options.AsyncOptions(create_directories_asynchronously=False)
        self._orbax = ocp.StandardCheckpointer(async_options=options)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        logging.get_absl_logger().addFilter(_not_raised_anyway)
        _drop_late_errors()

    def save(self, state: TrainState) -> None:
        """Saves everything but `state.frozen` as step `int(state.step)`, in the background.

        Returns once the arrays are copied: `state` may be donated then. Waits for the save
        before this one. A step that is there already and verifies is left as it is.

        Raises:
            UserError: this save or the one before it met a full disk or an unwritable folder.
        """
        self.wait()
        step = int(state.step)
        folder = self._folder / str(step)
        with self._mendable():
            if not self._hosts.broadcast_from_first(lambda: self._make_room(step)):
                return
            self._orbax.save(folder, _nested(state))
        self._thread = threading.Thread(target=self._finish, args=(folder,), name="checkpoint")
        self._thread.start()

    def restore(self, like: TrainState, step: int | None = None) -> TrainState | None:
        """The newest checkpoint that verifies, or None if there is none.

        Newer steps that are damaged are renamed to `damaged-<step>-<n>` with a warning, but not by a reader.

        Args:
            like: the shapes, dtypes, shardings and typed keys wanted, as arrays or as
                ShapeDtypeStructs; `like.frozen` is put back as it is.
            step: this step and no other.

        Raises:
            UserError: steps are there but all are damaged; `step` is not there or is damaged;
                or the checkpoint does not fit `like` (the message names the leaves).
        """
        self.wait()
        chosen = self._hosts.broadcast_from_first(lambda: self._choose(step))
        return None if chosen is None else self._load(chosen, like)

    def _choose(self, step: int | None) -> int | None:
        """The step that `restore` restores."""
        if step is not None:
            problem = self.verify(step)
            if problem is not None:
                there = ", ".join(map(str, self.steps())) or "none"
                raise UserError(
                    f"checkpoint {step} in {self._folder} cannot be used ({problem}). Steps there: {there}."
                )
            return step
        bad: dict[int, str] = {}
        for candidate in reversed(self.steps()):
            problem = self.verify(candidate)
            if problem is None:
                self._pass_over(bad, candidate)
                return candidate
            bad[candidate] = problem
        # Nothing is moved here: the next start must not take the folder for a fresh one.
        if all(problem == manifest.UNFINISHED for problem in bad.values()):
            return None
        told = "; ".join(f"step {candidate}: {problem}" for candidate, problem in bad.items())
        raise UserError(
            f"no checkpoint in {self._folder} is intact ({told}). Put back a copy of one of these steps, or "
            "move the folder away to start from the beginning."
        )

    def steps(self) -> list[int]:
        """The step folders that are there, ascending, intact or not."""
        with files.disk_errors(f"read {self._folder}"):
            if not self._folder.is_dir():
                return []
            names = [path.name for path in self._folder.iterdir() if path.is_dir()]
        return sorted(int(name) for name in names if re.fullmatch(r"0|[1-9][0-9]*", name))

    def verified(self) -> dict[int, str | None]:
        """What is wrong with each of the steps, None where nothing is.

        One that another process deletes meanwhile is left out.
        """
        while there := self.steps():
            found = {step: self.verify(step) for step in there}
            still = self.steps()
            if kept := {step: problem for step, problem in found.items() if step in still}:
                return kept
        return {}

    def verify(self, step: int) -> str | None:
        """None if the step and its files are those its manifest lists; otherwise what is wrong, in words."""
        return manifest.verify(self._folder / str(step), step) or self._check(step)

    def wait(self) -> None:
        """Returns once the save in the background is committed and has its manifest.

        Raises:
            UserError: that save met a full disk or an unwritable folder.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            with self._mendable():
                raise error

    def close(self) -> None:
        """Waits as `wait` does, with its errors, and gives Orbax's threads back."""
        try:
            self.wait()
        finally:
            self._orbax.close()
            logging.get_absl_logger().removeFilter(_not_raised_anyway)

    def keep_only(self, step: int) -> None:
        """Deletes all other checkpoints; not while one is being saved."""
        with files.disk_errors(f"delete old checkpoints in {self._folder}"):
            self._delete(set(self.steps()) - {step})

    def _finish(self, folder: Path) -> None:
        """In the background: waits for Orbax's commit, writes the manifest, drops old steps."""
        try:
            self._orbax.wait_until_finished()
            if self._hosts.is_first:
                manifest.write(folder, int(folder.name))
                self._committed()
                self._prune()
        except BaseException as error:
            self._error = error
            if self._hosts.is_first:
                self._sweep()  # what was half-written may be what filled the disk

    def _make_room(self, step: int) -> bool:
        """Makes way for a step; False if it is there already and verifies."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        folder = self._folder / str(step)
        if folder.exists():
            problem = self.verify(step)
            if problem is None:
                return False
            if problem == manifest.UNFINISHED:
                shutil.rmtree(folder)
            else:
                self._move_aside(step, problem)
        return True

    def _prune(self) -> None:
        """Deletes all but the newest `keep` checkpoints, unfinished steps too: nothing is being saved now."""
        for step in self.steps():
            if problem := manifest.misnamed(self._folder / str(step), step):
                self._move_aside(step, problem)  # it would count as a newer one
        finished = [s for s in self.steps() if (self._folder / str(s) / manifest.NAME).exists()]
        kept = finished if self._keep is None else finished[-self._keep :]
        self._delete(set(self.steps()) - set(kept))

    def _delete(self, steps: set[int]) -> None:
        for step in steps:
            # Renamed first: a kill in the middle of a deletion must not leave what looks like a damaged step.
            (self._folder / str(step)).rename(self._folder / f"deleting-{step}")
        self._sweep()

    def _sweep(self) -> None:
        """Deletes what a killed process left half-written or half-deleted."""
        for pattern in ("deleting-*", f"*{_TMP}*"):
            for leftover in self._folder.glob(pattern):
                shutil.rmtree(leftover, ignore_errors=True)

    def _pass_over(self, bad: dict[int, str], good: int) -> None:
        """Says what is wrong with the steps newer than `good`, and moves the damaged ones aside."""
        for step, problem in bad.items():
            if self._reading and (problem == manifest.UNFINISHED or step not in self.steps()):
                continue
            logging.warning("checkpoint %d: %s; going back to step %d", step, problem, good)
            # An unfinished step stays: another process may be about to write its manifest.
            if problem != manifest.UNFINISHED and not self._reading:
                with contextlib.suppress(OSError):
                    self._move_aside(step, problem)

    def _move_aside(self, step: int, problem: str) -> None:
        n = 1
        while (aside := self._folder / f"damaged-{step}-{n}").exists():
            n += 1
        (self._folder / str(step)).rename(aside)
        logging.warning("checkpoint %d moved to %s (%s)", step, aside, problem)

    def _load(self, step: int, like: TrainState) -> TrainState:
        """Restores one verified step into the form of `like`."""
        folder = self._folder / str(step)
        wanted = {name: _plain(leaf) for name, leaf in _leaves(like).items()}
        metadata = self._orbax.metadata(folder).item_metadata.tree
        problems = _differences(traverse_util.flatten_dict(metadata, sep="/"), wanted)
        if problems:
            more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            raise UserError(
                f"checkpoint {step} in {self._folder} does not fit this config: "
                f"{'; '.join(problems[:_SHOWN])}{more}. Use the config of the run, or another workdir."
            )
        nested = self._orbax.restore(folder, traverse_util.unflatten_dict(wanted, sep="/"))
        arrays = traverse_util.flatten_dict(nested, sep="/")
        leaves = [_typed(arrays[name], leaf) for name, leaf in _leaves(like).items()]
        treedef = jax.tree.structure(like.replace(frozen=()))
        state: TrainState = jax.tree.unflatten(treedef, leaves).replace(frozen=like.frozen)
        if int(state.step) != step:  # its manifest does not say it: one of an earlier version
            raise UserError(
                f"checkpoint {step} in {self._folder} holds step {int(state.step)}: a copy under another "
                "name. Move it away and give the command again."
            )
        return state

    @contextlib.contextmanager
    def _mendable(self) -> Iterator[None]:
        """Turns what a disk can do to us into a UserError."""
        try:
            yield
        except (OSError, ValueError) as error:
            code = _errno(error)
            if code is None:
                raise
            raise files.disk_error(f"write a checkpoint to {self._folder}", code) from error


def _errno(error: OSError | ValueError) -> int | None:
    """The system's error number; TensorStore's ValueErrors carry it in their text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"os_error_code='(\d+)'", str(error))
    return int(found.group(1)) if found else None


def _not_raised_anyway(record: stdlib_logging.LogRecord) -> bool:
    """Drops what Orbax logs of errors that are raised too: by `wait`, or where a step vanishes."""
    vanished = str(record.msg).startswith(("Failed to get item metadata", "Metadata file does not exist"))
    return not ((record.exc_info or vanished) and "orbax" in Path(record.pathname).parts)


def _no_late_task(record: stdlib_logging.LogRecord) -> bool:
    """Drops what asyncio logs of tasks that failed late."""
    return not (record.exc_info and is_late(record.exc_info[1]))


@functools.cache
def _drop_late_errors() -> None:
    """Keeps Python from showing a traceback for every array that fails after the first one."""
    stdlib_logging.getLogger("asyncio").addFilter(_no_late_task)
    show = sys.unraisablehook
    sys.unraisablehook = lambda found: None if is_late(found.exc_value) else show(found)


def _leaves(state: TrainState) -> dict[str, Any]:
    """All leaves but `frozen`, in tree order, by path; a typed key's path ends in its implementation."""
    named = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(state.replace(frozen=())):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        named[f"{name}/{_key_impl(leaf)}" if _is_key(leaf) else name] = leaf
    return named


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _key_impl(leaf: Any) -> str:
    return str(jax.random.key_impl(jnp.empty((), leaf.dtype)))  # `leaf` itself may be abstract


def _plain(leaf: Any) -> jax.ShapeDtypeStruct:
    """What is stored for `leaf`; a key's data is laid out as the key is, with one more axis."""
    stored = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
    return jax.ShapeDtypeStruct(stored.shape, stored.dtype, sharding=leaf.sharding)


def _typed(array: jax.Array, like: Any) -> jax.Array:
    return jax.random.wrap_key_data(array, impl=_key_impl(like)) if _is_key(like) else array


def _nested(state: TrainState) -> PyTree:
    """Plain nested dicts of arrays: readable without this package, and free of empty nodes."""
    arrays = {n: jax.random.key_data(x) if _is_key(x) else x for n, x in _leaves(state).items()}
    return traverse_util.unflatten_dict(arrays, sep="/")


def _differences(stored: dict[str, Any], wanted: dict[str, jax.ShapeDtypeStruct]) -> list[str]:
    """Where two trees of shapes and dtypes differ, in words. (Orbax would cast a dtype silently.)"""

    def form(leaf: Any) -> str:
        return f"{jnp.dtype(leaf.dtype).name}[{','.join(map(str, leaf.shape))}]"

    problems = []
    for name in {**wanted, **stored}:
        if name not in wanted:
            problems.append(f"{name} is in the checkpoint and not expected")
        elif name not in stored:
            problems.append(f"{name} is expected and not in the checkpoint")
        elif form(stored[name]) != form(wanted[name]):
            problems.append(
                f"{name} is {form(stored[name])} in the checkpoint, {form(wanted[name])} expected"
            )
    return problems
