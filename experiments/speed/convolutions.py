"""Train steps per second with our convolutions against what autodiff makes of `lax`'s, side by side.

    python experiments/speed/convolutions.py [--batch_size 32] [--rounds 7] [--config FILE]

All train the same networks on the same noise images, in turn, in one process; ratios are taken round by
round, so that they hold when the machine's speed drifts. "plain" is the same algorithm with the custom
gradients of `gan_jax.models.layers.conv` taken out (on a CPU; elsewhere ours are the plain ones too), once in
the compiled loop that ours runs in, and once as a compiled call per step, where XLA can still bring some of
its convolutions into the form that has a fast kernel.
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

from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.config.config_file import run_config_file
from gan_jax.data import DataSpec, Field
from gan_jax.distributed import parallel
from gan_jax.models.layers.layers import conv

STEPS = 10  # in one compiled call


def make_round(config: ml_collections.ConfigDict, batch_size: int, *, loop: bool) -> Callable[[], float]:
    """A function that trains STEPS steps, in one call or one by one, and returns steps per second."""
    spec = DataSpec({"image": Field((28, 28, 1))}, None)
    algorithm = build_algorithm(config, spec)
    mesh = parallel.make_mesh()
    batch = example_batch(spec, batch_size)
    images = np.random.default_rng(0).uniform(-1, 1, (STEPS, algorithm.minibatches, *batch["image"].shape))
    items = parallel.place({"image": images.astype(np.float32)}, parallel.split_on(mesh, 2))
    state = parallel.initial_state(algorithm, jax.random.key(0), batch, mesh)
    call = parallel.compile_step(algorithm, lambda _, item, key: item, mesh, STEPS)
    step = jax.jit(algorithm.step, donate_argnums=0)
    batches = [{"image": items["image"][index]} for index in range(STEPS)]

    def run() -> float:
        nonlocal state
        begin = time.perf_counter()
        if loop:
            state, _ = call(state, {}, items, jnp.int32(STEPS))
        else:
            for one in batches:
                state, _ = step(state, one)
        jax.block_until_ready(state)
        return STEPS / (time.perf_counter() - begin)

    run()  # compiles
    return run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default=str(Path(__file__).parents[2] / "configs/dcgan_fashion_mnist.py"))
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    config = run_config_file(args.config)
    runs = {"ours": make_round(config, args.batch_size, loop=True)}
    with (
        mock.patch.object(conv, "convolve", conv._conv),
        mock.patch.object(conv, "convolve_transpose", conv._transpose_default),
    ):
        runs["plain, looped"] = make_round(config, args.batch_size, loop=True)
        runs["plain, a call per step"] = make_round(config, args.batch_size, loop=False)
    rounds = [{name: run() for name, run in runs.items()} for _ in range(args.rounds)]
    sys.stdout.write(
        f"{Path(args.config).stem}, batch {args.batch_size}, {jax.device_count()} x "
        f"{jax.devices()[0].device_kind}, {args.rounds} rounds\n"
    )
    for name in runs:
        ratios = sorted(row["ours"] / row[name] for row in rounds)
        sys.stdout.write(
            f"{name:24s} {statistics.median(row[name] for row in rounds):7.2f} steps/s; ours is "
            f"{statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})\n"
        )


if __name__ == "__main__":
    main()
