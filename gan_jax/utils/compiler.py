"""Compiler options for the train step."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

Options = dict[str, str | bool]

# Which sums of products YNNPACK computes: none. With Eigen's convolutions and matrix products, which use all
# cores for each, a DCGAN trains up to 1.6 times as fast.
_LIBRARIES: Options = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}
# The CPU's compiler drops barriers before it fuses. Then gradient checkpointing would compute everything once
# after all, and transposed copies would be fused with what made them, which is slower.
_BARRIERS: Options = {"xla_disable_hlo_passes": "cse_barrier_expander"}


def options(platform: str) -> Options | None:
    """`compiler_options` for jax.jit, for a program that runs on this platform ("cpu", "gpu", "tpu")."""
    if platform != "cpu":
        return None
    return _BARRIERS | (_LIBRARIES if is_understood(*_LIBRARIES.items()) else {})


@functools.cache
def is_understood(*options: tuple[str, str | bool]) -> bool:
    """Whether this version of XLA has these compiler options."""
    try:
        jax.jit(lambda: jnp.zeros(()), compiler_options=dict(options)).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
