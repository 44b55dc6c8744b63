"""Train steps by XLA's own compilers for TPUs and GPUs; skipped where these are not installed.

`experiments/accelerators` compiles all configs for more targets; here are a few, for what must not break.
Each program has a process of its own, which must be told before it imports JAX that it touches no device.
"""

import functools
import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from gan_jax.accelerators import targets
from gan_jax.accelerators.lowering import expected_data, method
from gan_jax.config.build import example_batch
from gan_jax.config.components import complete
from gan_jax.config.phases import phase_configs
from gan_jax.distributed import parallel
from tests.shipped import config_with

PROGRAM = Path(__file__).parents[2] / "experiments" / "accelerators" / "program.py"
SHARDED = 'execution.sharding="sharded"'
pytestmark = pytest.mark.slow


@functools.cache
def compiled(name, target, *changes):
    """The row of a program; see `experiments/accelerators/program.py`."""
    if missing := targets.missing(targets.parsed(target).platform):
        pytest.skip(f"the extra accelerators is not installed: no {', '.join(missing)}")
    command = [sys.executable, str(PROGRAM), name, target, *changes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    row = json.loads(done.stdout.strip().splitlines()[-1])
    assert "error" not in row, row
    return row


PLAIN = [("dcgan_fashion_mnist", "h100"), ("dcgan_fashion_mnist", "v5e:2x2")]


@pytest.mark.parametrize(("name", "target"), PLAIN)
def test_the_state_is_written_in_place(name, target):
    row = compiled(name, target)
    assert row["aliased"] >= row["state"]
    assert row["results"] < 2**16  # the metrics, and padding


@pytest.mark.parametrize(("name", "target"), PLAIN)
def test_neither_doubles_nor_callbacks(name, target):
    row = compiled(name, target)
    assert not row["float64"]
    assert not row["callback"]


def test_kernels_of_a_dcgan_on_an_h100():
    row = compiled("dcgan_fashion_mnist", "h100")
    assert row["kernels"] <= 78  # 115 without what `launches.are_costly` asks for
    buffers, captured, _ = row["buffers"]
    assert buffers > 0
    assert captured > row["kernels"] / 3  # XLA:GPU takes no convolution into one
    assert row["collectives"] == {}


def test_chips_add_up_gradients_and_statistics_and_nothing_else():
    row = compiled("dcgan_fashion_mnist", "v5e:2x2")
    assert set(row["collectives"]) == {"all-reduce"}
    count, size = row["collectives"]["all-reduce"]
    assert count <= 6
    # The gradients of both players; beside them the sums of the generator's norms, and losses.
    assert 4 * 1_054_146 <= size <= 1.1 * 4 * 1_054_146


def test_each_chip_has_its_share_of_the_batch():
    row = compiled("dcgan_fashion_mnist", "v5e:2x2")
    assert row["compiled_gflop"] <= 1.15 * row["gflop"]


def test_a_split_state_is_gathered_and_scattered():
    row, whole = (
        compiled("dcgan_fashion_mnist", "v5e:2x2", SHARDED),
        compiled("dcgan_fashion_mnist", "v5e:2x2"),
    )
    assert row["state"] < 0.3 * whole["state"]
    assert "all-gather" in row["collectives"]
    assert {"reduce-scatter", "all-reduce"} & set(row["collectives"])
    # Parameters are gathered, images are not: nothing with four dimensions and the batch in front.
    assert row["largest"]["all-gather"][0] != row["batch"]


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_the_step_under_pmap_lowers(platform):
    config = complete(
        config_with("dcgan_fashion_mnist", generator__widths=(4, 4), discriminator__widths=(4, 4))
    )
    spec = expected_data(config)
    algorithm = method(phase_configs(config)[0], spec)
    count, shape = jax.device_count(), jax.ShapeDtypeStruct
    batch = example_batch(spec, 2)
    state = jax.eval_shape(algorithm.init, jax.random.key(0), batch)
    states = jax.tree.map(lambda x: shape((count, *x.shape), x.dtype), state)
    batches = jax.tree.map(lambda x: shape((count, 1, *x.shape), x.dtype), batch)
    step = jax.jit(parallel.pmap_step(algorithm))
    text = step.trace(states, batches).lower(lowering_platforms=(platform,)).as_text()
    assert "all_reduce" in text
    assert "f64" not in text
