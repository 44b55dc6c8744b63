"""Bitwise reproducible results on GPUs: `--deterministic`.

On a CPU XLA repeats itself anyway. On a GPU two things differ between runs of one program: some kernels add
with atomic operations, in an order that is left to chance; and XLA chooses among kernels by timing them when
it compiles, which rounds differently where another one wins.
"""

from __future__ import annotations

import os
import sys

from gan_jax.utils.errors import UserError

# Only kernels that repeat themselves, and none chosen by timing. It contains
# --xla_gpu_exclude_nondeterministic_ops, which still lets kernels be timed (openxla/xla pull request 12520).
# XLA keeps the flags of all its back ends in one table: a build for CPUs alone takes it too, and ignores it.
FLAG = "--xla_gpu_deterministic_ops"
TOLD = (
    f"gan-jax: deterministic: XLA_FLAGS={FLAG}=true: a GPU uses only kernels that repeat themselves, without "
    "timing them; slower by what has not been measured here; on a CPU nothing changes\n"
)


def demand() -> None:
    """Asks XLA for the same bits from every run on the same kind of device; says so in a line.

    It must come before the first use of a device in this process, when XLA reads its flags.

    Raises:
        UserError: a device is in use already, or XLA_FLAGS says the opposite.
    """
    given = dict(_split(flag) for flag in os.environ.get("XLA_FLAGS", "").split())
    if given.get(FLAG, "true").lower() not in ("true", "1", ""):
        raise UserError(f"--deterministic, but XLA_FLAGS has {FLAG}={given[FLAG]}: take out one of the two")
    if devices_are_in_use():
        raise UserError(
            "--deterministic: JAX has started in this process already, and XLA reads its flags only then; "
            f"run gan-jax as a program of its own, or set XLA_FLAGS={FLAG}=true before JAX starts"
        )
    if FLAG not in given:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAG}=true".strip()
    sys.stderr.write(TOLD)


def is_demanded() -> bool:
    """Whether XLA was asked for it, by `demand` or by the environment."""
    given = dict(_split(flag) for flag in os.environ.get("XLA_FLAGS", "").split())
    return given.get(FLAG, "false").lower() in ("true", "1", "")


def devices_are_in_use() -> bool:
    """Whether this process has started JAX's devices; JAX is not imported for it."""
    jax = sys.modules.get("jax")
    if jax is None:
        return False
    count = jax.config.values["jax_num_cpu_devices"]
    try:
        jax.config.update("jax_num_cpu_devices", count + 1)  # refused once there are devices
    except RuntimeError:
        return True
    jax.config.update("jax_num_cpu_devices", count)
    return False


def _split(flag: str) -> tuple[str, str]:
    name, _, value = flag.partition("=")
    return name, value
