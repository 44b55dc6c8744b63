"""What the devices can still hold, compared with what a run needs before it is allocated."""

from __future__ import annotations

import jax
from jax.sharding import Mesh

from gan_jax.utils.memory import WAYS_OUT, check_fits, host_bytes


def device_free_bytes(mesh: Mesh) -> int:
    """Bytes that each of this process's devices in the mesh can still hold.

    An accelerator says it; the devices of a CPU share what the process can get.
    """
    devices = mesh.local_devices
    stats = [device.memory_stats() or {} for device in devices]
    if all("bytes_limit" in found for found in stats):
        return min(found["bytes_limit"] - found.get("bytes_in_use", 0) for found in stats)
    return host_bytes() // len(devices)


def check_devices(needed: dict[str, int], mesh: Mesh, remedy: str) -> None:
    """Raises a UserError unless each device can hold what it needs, bytes by name; see `check_fits`."""
    count, kind = len(mesh.local_devices), mesh.devices.flat[0].platform
    where = f"on each of {count} {kind} devices" if count > 1 else f"on the {kind}"
    check_fits(needed, device_free_bytes(mesh), where, remedy)


def check_program(program: jax.stages.Compiled, mesh: Mesh) -> None:
    """Raises a UserError unless the devices can hold what a program needs beside its arguments."""
    found = program.memory_analysis()
    if found is None:
        return  # a back end that does not say it
    made = found.output_size_in_bytes - found.alias_size_in_bytes
    check_devices({"activations and gradients": found.temp_size_in_bytes, "results": made}, mesh, WAYS_OUT)
