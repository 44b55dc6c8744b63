"""Train steps by XLA's own compilers for TPUs and GPUs; skipped where these are not installed.

`experiments/accelerators` compiles all configs at full size for more targets; here is each method, small, and
the DCGAN, for what must not break. Programs are compiled in processes of their own, which must be told before
they import JAX that they touch no device.
"""

import json
import subprocess
import sys

import jax
import pytest

from gan_jax.accelerators import targets
from gan_jax.accelerators.lowering import expected_data, method
from gan_jax.config.build import example_batch
from gan_jax.config.components import complete
from gan_jax.config.phases import phase_configs
from gan_jax.distributed import parallel
from tests.runs import ROOT
from tests.shipped import config_with

SHARDED = 'execution.sharding="sharded"'
# Of each method one config, and of the plain GAN some that differ.
METHODS = (
    "acgan_mnist",
    "cyclegan_emoji",
    "ddpm_ring",
    "flow_fashion_mnist",
    "infogan_mnist",
    "pix2pix_openmoji",
    "pixelcnn_fashion_mnist",
    "progan_fashion_mnist",
    "r3gan_mnist",
    "unrolled_mnist",
    "vae_gan_fashion_mnist",
    "wgan_gp_mnist",
)
# Those that differ most in what chips exchange, with the all-reduces of a step: of BatchNorm's sums, forward
# and back, and of the gradients of each update, with which losses travel.
ON_A_TPU = {
    "acgan_mnist": 6,
    "flow_fashion_mnist": 5,
    "r3gan_mnist": 2,
    "vae_gan_fashion_mnist": 2,
    "wgan_gp_mnist": 8,
}
pytestmark = pytest.mark.slow


def output(target, *command):
    """What a process prints that compiles for this target."""
    if missing := targets.missing(targets.parsed(target).platform):
        pytest.skip(f"the extra accelerators is not installed: no {', '.join(missing)}")
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=1_200, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def rows(target, *command):
    """Those that the process prints."""
    found = [json.loads(line) for line in output(target, *command).splitlines()]
    assert not [row for row in found if "error" in row]
    return found


def program(name, target, *changes):
    """The row of a program at full size."""
    return rows(target, "experiments/accelerators/program.py", name, target, *changes)[0]


def check(row):
    """What holds of every step."""
    assert row["aliased"] >= row["state"], "the state is written in place"
    assert row["results"] < 2**16, "beside it there are the metrics, and padding"
    assert not row["float64"]
    assert not row["callback"]


def small(target, names):
    """The rows of small networks."""
    found = rows(target, "-m", "tests.accelerators.shrunk_programs", target, *names)
    assert [row["config"] for row in found] == list(names)
    for row in found:
        check(row)
    return found


def test_every_method_compiles_for_an_h100():
    for row in small("h100", METHODS):
        assert row["collectives"] == {}


def test_methods_on_four_chips_of_a_tpu():
    for row in small("v5e:2x2", ON_A_TPU):  # pictures are drawn where they are used: nothing is gathered
        assert set(row["collectives"]) == {"all-reduce"}
        assert row["collectives"]["all-reduce"][0] <= ON_A_TPU[row["config"]]


def test_a_dcgan_on_an_h100():
    row = program("dcgan_fashion_mnist", "h100")
    check(row)
    assert row["kernels"] <= 71  # 115 without what `launches.are_costly` asks for
    buffers, captured, _ = row["buffers"]
    assert buffers > 0
    assert captured > row["kernels"] / 3  # XLA:GPU takes no convolution into one
    assert row["collectives"] == {}


def test_a_critic_s_steps_share_what_stands_still():
    assert (
        program("wgan_gp_mnist", "h100")["kernels"] <= 255
    )  # 311 with a generator's pass in each of the five


def test_a_dcgan_on_four_chips_of_a_tpu():
    row = program("dcgan_fashion_mnist", "v5e:2x2")
    check(row)
    # Chips add up gradients and statistics and nothing else.
    assert set(row["collectives"]) == {"all-reduce"}
    count, size = row["collectives"]["all-reduce"]
    assert count <= 6
    # The gradients of both players; beside them the sums of the generator's norms, and losses.
    assert 4 * 1_054_146 <= size <= 1.1 * 4 * 1_054_146
    # Each chip has its share of the batch; what we count from shapes is what the compiler counts.
    assert row["compiled_gflop"] <= 1.15 * row["gflop"]
    assert row["products"]["gflop"] == pytest.approx(row["gflop"], rel=0.05)


def test_a_split_state_is_gathered_and_scattered():
    row = program("dcgan_fashion_mnist", "v5e:2x2", SHARDED)
    check(row)
    assert row["state"] < 0.3 * 16_002_608  # of the whole
    assert "all-gather" in row["collectives"]
    assert {"reduce-scatter", "all-reduce"} & set(row["collectives"])
    # Parameters are gathered, images are not: nothing with four dimensions and the batch in front.
    assert row["largest"]["all-gather"][0] != row["batch"]


def test_bfloat16_is_what_products_read():
    row = program("dcgan_fashion_mnist", "v5e:2x2", 'execution.precision="bfloat16"')
    check(row)
    assert row["products"]["bfloat16"][0] == row["products"]["count"]
    assert row["products"]["upcasts"]  # statistics and losses are float32


def test_many_hosts_and_deterministic_kernels_by_the_command():
    """Four hosts exchange what one does; a GPU target takes the flag, and what a GPU would time is named."""
    command = ("-m", "gan_jax", "train", "--config", "dcgan_fashion_mnist", "--dry_run")
    small = ["--config.generator.widths=(8, 4)", "--config.discriminator.widths=(4, 8)"]
    told = output("v5e:4x4", *command, *small, "--target=v5e:4x4")
    assert "on 4 hosts" in told
    assert "collectives: 6 all-reduce" in told
    told = output("h100", *command, *small, "--target=h100", "--deterministic")
    assert "kernels of cuDNN and cuBLAS, which a GPU chooses by timing them" in told
    assert "cudnn convForward" in told


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
