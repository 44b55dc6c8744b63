"""A run so small that a test can afford many, and how it is started, stopped and compared.

This file is also the config file of that run: `gan-jax train --config tests/runs.py`.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import ml_collections
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental.compilation_cache import compilation_cache

from gan_jax.config.build import base_config
from gan_jax.core.loop import Callback
from gan_jax.core.state import TrainState
from gan_jax.distributed import parallel
from gan_jax.summaries.logs import read_losses, read_metrics
from gan_jax.training import callbacks as periodic
from gan_jax.training import train as training
from gan_jax.utils import files

ROOT = Path(__file__).parent.parent
STEPS = 30


def get_config() -> ml_collections.ConfigDict:
    """5 steps an epoch; calls, rows, checkpoints and pictures at intervals that don't divide each other."""
    config = base_config()
    config.batch_size = 8
    config.num_steps = STEPS
    config.steps_per_call = 4
    config.log_every_steps = 5
    config.checkpoint_every_steps = 8
    config.sample_every_steps = 15
    config.data.update(name="shapes", resolution=16, channels=1, num_examples=44, seed=0, flip=True)
    config.algorithm = dict(
        name="gan",
        discriminator_steps=1,
        latent_size=4,
        latent="normal",
    )
    config.loss = dict(name="non_saturating")
    config.ema = dict(name="decay", decay=0.9)
    config.generator = dict(
        name="mlp_generator",
        widths=(8,),
        activation="leaky_relu",
        norm="batch",
        momentum=0.8,
        initializer="normal",
    )
    config.discriminator = dict(
        name="mlp_discriminator", widths=(8,), activation="leaky_relu", dropout=0.3, initializer="normal"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.999, eps=1e-8)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.999, eps=1e-8)
    return config


def tiny(data_dir: Path, **fields: object) -> ml_collections.ConfigDict:
    """The config with its data in `data_dir`, and some fields changed: tiny(d, **{"data.seed": 1})."""
    config = get_config()
    config.data.dir = str(data_dir)
    config.update_from_flattened_dict(fields)
    return config


@contextlib.contextmanager
def compiled_once(folder: Path) -> Iterator[None]:
    """Programs are compiled once for all runs of a test session, and then read from `folder`."""
    options = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.05,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in options}
    for name, value in options.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def run(
    config: ml_collections.ConfigDict,
    workdir: Path,
    *,
    devices: int = 1,
    stop_at: int | None = None,
    by: signal.Signals | type[Exception] = signal.SIGTERM,
    callbacks: Sequence[Callback] = (),
    drawn: bool = False,
) -> TrainState:
    """train(config, workdir) on some of the devices; after step `stop_at` a signal, or a crash.

    Its overview.png is what it would show, and a picture only if `drawn`.
    """
    make_mesh = parallel.make_mesh
    with (
        mock.patch.object(periodic, "overview", periodic.overview if drawn else note_overview),
        mock.patch.object(parallel, "make_mesh", lambda d=None: make_mesh(d or jax.devices()[:devices])),
        stopped_at(training, stop_at, by),
    ):
        return training.train(config, workdir, callbacks=callbacks)


def note_overview(
    samples: np.ndarray, reals: np.ndarray, losses: np.ndarray, path: Path, *words: str | Sequence[str]
) -> None:
    """Writes what `overview` would draw: Matplotlib would take a third of a short run."""
    shown = b"".join(array.tobytes() for array in (samples, reals, losses))
    files.write_atomically(path, shown + repr(words).encode())


@contextlib.contextmanager
def stopped_at(
    module: Any,
    at: int | None,
    by: signal.Signals | type[Exception] = signal.SIGTERM,
    steps_per_call: int | None = None,
) -> Iterator[list[int]]:
    """While it is entered, the first loop of `module` that has made `at` steps gets a signal, or crashes.

    That is after everything that is due at the step. Yields [at] once it is done, before that [].
    """
    run_steps = module.run_steps
    done: list[int] = []

    def stop_after(step: int) -> None:
        if step == at and not done:
            done.append(step)
            if isinstance(by, signal.Signals):
                signal.raise_signal(by)
            else:
                raise by

    def run_and_stop(call, state, first_step, last_step, per_call, work, stop):
        reached = -1

        def counted(state, step, count):
            nonlocal reached
            reached = step + count
            return call(state, step, count)

        def asked():
            stop_after(reached)
            return stop()

        found = run_steps(counted, state, first_step, last_step, steps_per_call or per_call, work, asked)
        stop_after(reached)  # at the end nothing is asked
        return found

    with mock.patch.object(module, "run_steps", run_and_stop):
        yield done


def leaves(state: TrainState) -> dict[str, np.ndarray]:
    """Every array of a state by its path; keys as their data."""
    named = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        named[jax.tree_util.keystr(path)] = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
    return named


def assert_same_bits(one: TrainState, other: TrainState) -> None:
    a, b = leaves(one), leaves(other)
    assert a.keys() == b.keys()
    different = [
        name for name in a if a[name].dtype != b[name].dtype or a[name].tobytes() != b[name].tobytes()
    ]
    assert not different


def assert_same_records(one: Path, other: Path) -> None:
    """Rows without their times, the losses of every step, and the pictures."""
    assert rows(one) == rows(other)
    names = sorted(path.relative_to(one).as_posix() for path in one.glob("samples/*"))
    assert names == sorted(path.relative_to(other).as_posix() for path in other.glob("samples/*"))
    for name in ("losses.npy", "reals.png", "overview.png", *names):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def rows(workdir: Path) -> list[dict[str, object]]:
    times = ("time", "steps_per_second")
    return [{k: v for k, v in row.items() if k not in times} for row in read_metrics(workdir)]


def losses_of(workdir: Path) -> dict[str, np.ndarray]:
    """Every step's value of each metric."""
    losses = read_losses(workdir)
    assert losses is not None
    return {name: losses[name] for name in losses.dtype.names or ()}


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder, and what is in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def steps_done(workdir: Path) -> int:
    """The step of the last whole row; 0 if there is none."""
    done = read_metrics(workdir)
    return int(done[-1]["step"]) if done else 0


def flip_byte(checkpoint: Path) -> None:
    """Damages a checkpoint in the middle of its largest file."""
    largest = max((path for path in checkpoint.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


def arrays(checkpoint: Path) -> dict[str, bytes]:
    """Every array of a checkpoint by its path, as Orbax reads it by itself."""
    checkpointer = ocp.StandardCheckpointer()
    restored = jax.tree_util.tree_leaves_with_path(checkpointer.restore(checkpoint.absolute()))
    checkpointer.close()
    return {jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in restored}


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """`python -m gan_jax ARGUMENTS`, on one device."""
    return subprocess.Popen(
        [sys.executable, "-m", "gan_jax", *arguments],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def recorded(workdir: Path) -> dict[str, Any]:
    """config.json."""
    return json.loads((workdir / "config.json").read_text())
