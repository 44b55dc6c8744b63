"""The start and the end of a job of several processes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator, Mapping

import jax

from gan_jax.distributed.hosts.group import ALONE, Hosts
from gan_jax.distributed.hosts.monitor import Monitor, coordinator_store
from gan_jax.distributed.hosts.rendezvous import bind_address, meet
from gan_jax.utils.errors import UserError


@contextlib.contextmanager
def connected(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    connect_seconds: int = 120,
    lost_seconds: int = 30,
    stalled_seconds: int = 600,
) -> Iterator[Hosts]:
    """The processes of the job, as long as the context lasts; to be entered before anything uses a device.

    Args:
        coordinator: HOST:PORT at which process 0 listens.
        num_processes: of the whole job; 1 trains alone.
        process_id: this one's, 0 to num_processes - 1. What is None is found by JAX under SLURM, Open MPI 4
            and on TPU VMs; elsewhere a process that is told nothing trains alone.
        connect_seconds: how long to wait for the other processes.
        lost_seconds, stalled_seconds: see `Monitor`.

    Raises:
        UserError: the processes do not find each other, or do not fit together.
    """
    told = (coordinator, num_processes, process_id)
    alone = told == (None, None, None) and not may_be_several(os.environ)
    if alone or (num_processes == 1 and not process_id):
        yield ALONE
        return
    if coordinator is not None and num_processes is not None and process_id is not None:
        meet(coordinator, num_processes, process_id, connect_seconds)
    try:
        jax.distributed.initialize(
            *told,
            local_device_ids=visible_devices(os.environ),
            coordinator_bind_address=coordinator and bind_address(coordinator),
            initialization_timeout=connect_seconds,
            # JAX counts from the last heartbeat, half as long ago: the monitor, with better words, is first.
            heartbeat_timeout_seconds=2 * lost_seconds + 20,
            shutdown_timeout_seconds=2 * lost_seconds + 20,
        )
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f"the other processes cannot be found ({error}): give all --coordinator=HOST:PORT, where process "
            "0 listens, --num_processes=N and --process_id=I; or --num_processes=1 to train alone"
        ) from error
    index, count, own = jax.process_index(), jax.process_count(), jax.local_device_count()
    if jax.device_count() != count * own:
        raise UserError(
            f"process {index} has {own} of {jax.device_count()} devices: give all the same number"
        )
    monitor = Monitor(
        coordinator_store(), index, count, lost_seconds=lost_seconds, stalled_seconds=stalled_seconds
    )
    monitor.start()
    hosts = Hosts(monitor)
    try:
        with hosts.propagate_errors():
            hosts.barrier()  # at once: gloo's first connection waits for 30 s only
            yield hosts
    finally:  # only where all processes are here: what one alone raises has ended it
        hosts.barrier()
        monitor.close()
        jax.distributed.shutdown()


def may_be_several(environment: Mapping[str, str]) -> bool:
    """Whether something that JAX knows may have started this process as one of several.

    A SLURM batch script and an interactive shell have the variables of a job, but not of a step of several
    tasks. A TPU VM has libtpu, and JAX finds out whether there are others; where JAX_PLATFORMS names other
    platforms only, as for a compilation without a device, no TPU is used.
    """
    counts = (_number(environment, name) for name in ("OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"))
    tpu_is_used = "tpu" in (environment.get("JAX_PLATFORMS") or "tpu").split(",")
    return max(counts) > 1 or (tpu_is_used and importlib.util.find_spec("libtpu") is not None)


def visible_devices(environment: Mapping[str, str]) -> list[int] | None:
    """[] for all GPUs that this process sees; None for JAX's choice: one for each process of a node."""
    tasks, nodes = _number(environment, "SLURM_STEP_NUM_TASKS"), _number(environment, "SLURM_STEP_NUM_NODES")
    several_here = tasks > nodes or _number(environment, "OMPI_COMM_WORLD_LOCAL_SIZE") > 1
    seen = environment.get("CUDA_VISIBLE_DEVICES", "")
    bound_to_one = seen != "" and "," not in seen  # by the launcher
    return None if several_here and not bound_to_one else []


def _number(environment: Mapping[str, str], name: str) -> int:
    """A variable; 1 where it is not there."""
    return int(environment.get(name) or 1)
