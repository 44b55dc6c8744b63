"""Train steps per second with our convolutions against what autodiff makes of `lax`'s, side by side.

    python benchmarks/convolutions.py [--batch_size 32] [--rounds 7] [--config configs/dcgan_fashion_mnist.py]

Both train the same networks on the same noise images, in turn, in one process; the ratio is taken round
by round, so that it holds when the machine's speed drifts. "plain" is the same program with
`gan_jax.models.conv`'s custom gradients taken out (on a CPU; elsewhere ours are the plain ones too).
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gan_jax import parallel
from gan_jax.build import DataSpec, build_algorithm, example_batch
from gan_jax.config_flag import run_config_file
from gan_jax.models import conv

STEPS = 10  # in one compiled call


def make_round(config: ml_collections.ConfigDict, batch_size: int) -> Callable[[], float]:
    """A function that trains STEPS steps and returns steps per second."""
    spec = DataSpec((28, 28, 1), None)
    algorithm = build_algorithm(config, spec)
    mesh = parallel.make_mesh()
    call = parallel.compile_step(algorithm, lambda _, item, key: item, mesh, STEPS)
    batch = example_batch(spec, batch_size)
    images = np.random.default_rng(0).uniform(-1, 1, (STEPS, algorithm.minibatches, *batch["image"].shape))
    items = parallel.place({"image": images.astype(np.float32)}, parallel.split_on(mesh, 2))
    state = parallel.initial_state(algorithm, jax.random.key(0), batch, mesh)
    count = jnp.int32(STEPS)

    def run() -> float:
        nonlocal state
        begin = time.perf_counter()
        state, metrics = call(state, {}, items, count)
        jax.block_until_ready(metrics)
        return STEPS / (time.perf_counter() - begin)

    run()  # compiles
    return run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default=str(Path(__file__).parents[1] / "configs/dcgan_fashion_mnist.py"))
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    config = run_config_file(args.config)
    ours = make_round(config, args.batch_size)
    with (
        mock.patch.object(conv, "convolve", conv._conv),
        mock.patch.object(conv, "convolve_transpose", conv._transpose_default),
    ):
        plain = make_round(config, args.batch_size)
    rounds = [(ours(), plain()) for _ in range(args.rounds)]
    rates = [statistics.median(column) for column in zip(*rounds, strict=True)]
    ratio = statistics.median(a / b for a, b in rounds)
    spread = sorted(a / b for a, b in rounds)
    sys.stdout.write(
        f"{Path(args.config).stem}, batch {args.batch_size}, {jax.device_count()} x "
        f"{jax.devices()[0].device_kind}: ours {rates[0]:.2f} steps/s, plain {rates[1]:.2f} steps/s, "
        f"ratio {ratio:.2f} ({spread[0]:.2f} to {spread[-1]:.2f}, {args.rounds} rounds)\n"
    )


if __name__ == "__main__":
    main()
