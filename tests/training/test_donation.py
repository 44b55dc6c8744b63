"""One copy of the state: every call writes the new one over the old one, and nothing else keeps one."""

import gc
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.distributed import parallel
from gan_jax.training.callbacks import PeriodicEvaluator, SamplePictures
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.train import TrainSteps
from tests import runs
from tests.variants import CALL, KEY, MINI, VARIANTS, fetch, slow_but, steps_of


def as_numbers(x):
    return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def bytes_of(state):
    """Of one copy."""
    return sum(as_numbers(x).nbytes for x in jax.tree.leaves(state))


def live_bytes():
    """Of all arrays on all devices; those that share memory count once."""
    found = {}
    for array in jax.live_arrays():
        for shard in as_numbers(array).addressable_shards:
            found[shard.device.id, shard.data.unsafe_buffer_pointer()] = shard.data.nbytes
    return sum(found.values())


def program_of(name, devices=1):
    """`compile_step`'s program, not compiled yet, and its mesh."""
    algorithm, mesh = VARIANTS[name](), parallel.make_mesh(jax.devices()[:devices])
    call: Any = parallel.compile_step(algorithm, fetch, mesh, CALL)
    count = jax.ShapeDtypeStruct((), jnp.int32)
    return call.lower(parallel.abstract_state(algorithm, MINI, mesh), {}, steps_of(algorithm), count), mesh


@pytest.mark.parametrize("name", slow_but("ada", "extragradient", "feature_matching"))
def test_every_buffer_of_the_state_is_given_to_the_program(name):
    """Each is the place of an output; a buffer that fits none would be a warning, which is an error here."""
    program, mesh = program_of(name)
    given = re.findall(r"tf\.aliasing_output = (\d+)", program.as_text())
    leaves = jax.tree.leaves(parallel.abstract_state(VARIANTS[name](), MINI, mesh))
    assert len(set(given)) == len(given) == len(leaves)


@pytest.mark.parametrize(("name", "devices"), [("feature_matching", 1), ("infogan", 8)])
def test_the_compiled_call_writes_over_the_state(name, devices):
    """A method with a pool of images; and several devices, each with its copy."""
    program, mesh = program_of(name, devices)
    compiled, algorithm = program.compile(), VARIANTS[name]()
    state = parallel.initial_state(algorithm, KEY, MINI, mesh)
    assert compiled.memory_analysis().alias_size_in_bytes == bytes_of(state)
    items = parallel.place(steps_of(algorithm), parallel.split_on(mesh, 2))
    after, _ = compiled(state, {}, items, parallel.place(np.int32(2), parallel.replicated(mesh)))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(after))


@pytest.mark.parametrize("devices", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_run_holds_one_copy_of_the_state(tmp_path, monkeypatch, devices):
    """Before every call, while pictures, checkpoints and scores are made, and after them.

    A save in the background needs what it writes until it is written; here each is waited for.
    """
    seen: dict[str, list[float]] = {}

    def copies(state):
        return (live_bytes() - before) / (bytes_of(state) * devices)

    def watched(owner, name):
        function = getattr(owner, name)

        def watching(self, *arguments):
            state = next(x for x in arguments if hasattr(x, "generator"))
            found = [copies(state)]
            done = function(self, *arguments)
            if owner is Checkpoints:
                self.wait()
            if owner is not TrainSteps:  # which writes over it
                found.append(copies(state))
            seen.setdefault(owner.__name__, []).extend(found)
            return done

        monkeypatch.setattr(owner, name, watching)

    for owner, name in (
        (TrainSteps, "__call__"),
        (SamplePictures, "draw"),
        (Checkpoints, "save"),
        (PeriodicEvaluator, "__call__"),
    ):
        watched(owner, name)
    config = runs.tiny(
        tmp_path,
        **{
            "generator.widths": (256, 256),
            "discriminator.widths": (256, 256),
            "num_steps": 20,
            "checkpoint_every_steps": 8,
        },
    )
    with config.unlocked():
        config.evaluation.update(metrics="fid", num=64, every_steps=10, network="random")
    gc.collect()
    gc.disable()  # a copy in a cycle of references must not be hidden
    try:
        before = live_bytes()
        state = runs.run(config, tmp_path / "run", devices=devices)
    finally:
        gc.enable()
    assert int(state.step) == 20
    assert {name: len(found) >= 4 for name, found in seen.items()} == dict.fromkeys(
        ("TrainSteps", "SamplePictures", "Checkpoints", "PeriodicEvaluator"), True
    )
    for name, found in seen.items():
        assert min(found) > 0.99, name
        assert max(found) < 1.2, name
