"""Many small GANs in one program against one after the other: train steps of all runs per second.

    python experiments/speed/runs_together.py [--runs 1,8,32,128] [--width 64] [--batch 60] [--rounds 5]

Each way trains S runs of the same MLP GAN on points for the same number of steps with `gan_jax.distributed`:
`alone` calls the program of `gan-jax train` once for each run, on one device; `map` and `vmap` are the two
forms of `compile_runs`, which `gan-jax study` uses, with the runs split over all devices. The ways take turns
within a round; shown are medians over the rounds, and the range.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.config.build import base_config, build_algorithm, example_batch
from gan_jax.data.codecs import Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.distributed import many_runs, parallel

SPEC = DataSpec({"image": Field((1, 1, 2), Points())}, None)
POINTS = 100_000


def make_algorithm(width: int, batch_size: int) -> Any:
    """The plain GAN of experiments/mode_collapse."""
    config = base_config()
    config.batch_size = batch_size
    config.algorithm = dict(name="gan", latent_size=16)
    config.generator = dict(
        name="mlp_generator", widths=(width, width), activation="relu", norm="none", output="linear"
    )
    config.discriminator = dict(name="mlp_discriminator", widths=(width, width), activation="relu")
    for player in ("generator_optimizer", "discriminator_optimizer"):
        config[player] = dict(name="adam", learning_rate=1e-3, b1=0.5)
    return build_algorithm(config, SPEC)


def fetch(constants: Any, item: Any, key: jax.Array) -> Any:
    """The points of a step."""
    return {"image": constants["image"][item["index"]]}


def ways(algorithm: Any, runs: int, steps: int, batch_size: int) -> dict[str, Callable[[], None]]:
    """Each trains all runs for `steps` steps, and returns when they are done."""
    numbers = np.random.default_rng(0)
    points = numbers.normal(size=(POINTS, 1, 1, 2)).astype(np.float32)
    index = numbers.integers(0, POINTS, (runs, steps, 1, batch_size), dtype=np.int32)
    batch = example_batch(SPEC, batch_size)
    keys = jnp.stack([jax.random.key(seed) for seed in range(runs)])
    count = jnp.int32(steps)

    one = parallel.mesh_of_at_most(1)
    alone_call = parallel.compile_step(algorithm, fetch, one, steps)
    first = parallel.initial_state(algorithm, keys[0], batch, one)  # its compilation is no matter of interest
    alone = [jax.tree.map(jnp.copy, first) for _ in keys]
    alone_data = parallel.place({"image": points}, parallel.replicated(one))
    alone_items = [parallel.place({"index": x}, parallel.split_on(one, 2)) for x in index]

    def train_alone() -> None:
        for number in range(runs):
            alone[number], _ = alone_call(alone[number], alone_data, alone_items[number], count)
        jax.block_until_ready(alone)

    found = {"alone": train_alone}
    mesh = parallel.mesh_of_at_most(runs)
    data = parallel.place({"image": points}, parallel.replicated(mesh))
    items = parallel.place({"index": index}, parallel.split_on(mesh, 0))

    def together(how: Any) -> Callable[[], None]:
        call = many_runs.compile_runs(lambda numbers: algorithm, fetch, mesh, steps, how)
        states = many_runs.initial_runs(algorithm, keys, batch, mesh)

        def train() -> None:
            nonlocal states
            states, _ = call(states, {}, data, items, count)
            jax.block_until_ready(states)

        return train

    for how in ("map", "vmap"):
        found[how] = together(how)
    return found


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", default="1,8,32,128")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=60)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    parallel.use_all_cores()
    algorithm = make_algorithm(given.width, given.batch)
    device = jax.devices()[0]
    say(
        f"jax {jax.__version__}, {len(jax.devices())} x {device.device_kind}; "
        f"batch {given.batch}, width {given.width}"
    )
    say("| runs | alone, run-steps/s | map | vmap | map / alone | vmap / alone |\n|---|---|---|---|---|---|")
    for runs in map(int, given.runs.split(",")):
        found = ways(algorithm, runs, given.steps, given.batch)
        for train in found.values():
            train()  # compiles
        rates: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(given.rounds):
            for name, train in found.items():
                begun = time.perf_counter()
                train()
                rates[name].append(runs * given.steps / (time.perf_counter() - begun))
        cells = [f"{statistics.median(x):,.0f} ({min(x):,.0f} to {max(x):,.0f})" for x in rates.values()]
        ratios = [
            statistics.median(a / b for a, b in zip(rates[how], rates["alone"], strict=True))
            for how in ("map", "vmap")
        ]
        say(f"| {runs} | {' | '.join(cells)} | {ratios[0]:.2f} | {ratios[1]:.2f} |")


def say(text: str) -> None:
    """A line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
