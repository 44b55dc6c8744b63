"""What this machine can do: the speed of a large matrix product and of a triad, by torch or by jax.

    python -m experiments.speed.peaks torch

prints a line of JSON: {"gemm_float32", "gemm_bfloat16": FLOP/s, "triad": bytes/s}, each the best of several.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

REPEATS = 12
TRIAD = 2**26  # numbers in each of three arrays: more than a cache holds
ON_CPU, ON_GPU = 2048, 8192  # rows and columns of the matrices


def best(run: Callable[[], Any]) -> float:
    """Seconds of the fastest of several runs, after two that warm up."""
    seconds = []
    for _ in range(REPEATS + 2):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return min(seconds[2:])


def with_torch() -> dict[str, float]:
    """The three numbers by PyTorch."""
    import torch

    gpu = torch.cuda.is_available()
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as the networks have it
    device, size = ("cuda", ON_GPU) if gpu else ("cpu", ON_CPU)

    def timed(run: Callable[[], Any]) -> float:
        def done() -> None:
            run()
            if gpu:
                torch.cuda.synchronize()

        with torch.no_grad():
            return best(done)

    found = {}
    for name in ("float32", "bfloat16"):
        a, b = (torch.randn(size, size, device=device, dtype=getattr(torch, name)) for _ in range(2))
        found[f"gemm_{name}"] = 2 * size**3 / timed(partial(torch.matmul, a, b))
    x, y, out = (torch.ones(TRIAD, device=device) for _ in range(3))
    found["triad"] = 3 * 4 * TRIAD / timed(lambda: torch.add(x, y, alpha=3.0, out=out))
    return found


def with_jax() -> dict[str, float]:
    """The three numbers by JAX."""
    import jax
    import jax.numpy as jnp

    size = ON_CPU if jax.default_backend() == "cpu" else ON_GPU
    product = jax.jit(jnp.matmul)

    def finished(a: Any, b: Any) -> None:
        product(a, b).block_until_ready()

    found = {}
    for name in ("float32", "bfloat16"):
        a, b = (jax.random.normal(jax.random.key(i), (size, size), name) for i in range(2))
        found[f"gemm_{name}"] = 2 * size**3 / best(partial(finished, a, b))
    # The array that the triad writes is given back, so that no fresh memory is touched.
    triad = jax.jit(lambda x, y, out: x + 3.0 * y, donate_argnums=2)
    x, y, out = jnp.ones(TRIAD), jnp.ones(TRIAD), jnp.zeros(TRIAD)

    def run() -> None:
        nonlocal out
        out = triad(x, y, out).block_until_ready()

    found["triad"] = 3 * 4 * TRIAD / best(run)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"torch": with_torch, "jax": with_jax}[sys.argv[1]]()) + "\n")
