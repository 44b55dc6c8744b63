"""Where this process stands among those of a job: from flags, or from what started it.

SLURM, Open MPI and TPU VMs tell every process how many there are and which one it is. Only where they say
that there are several is anything done: one process inside a SLURM allocation trains by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gan_jax.utils.errors import UserError

# Above the ports that Linux hands out by itself (32768 to 60999).
_FIRST_PORT, _PORTS = 61440, 4096


@dataclass(frozen=True)
class Place:
    """One process of a job.

    Attributes:
        coordinator: HOST:PORT at which process 0 listens; "" where nothing says it.
        num_processes: of the whole job; 0 where nothing says it.
        process_id: this one's, 0 to num_processes - 1; -1 where nothing says it.
        found_by: who said so, in words.
        local_devices: the devices that this process may use; None for all that it sees.
    """

    coordinator: str = ""
    num_processes: int = 0
    process_id: int = -1
    found_by: str = "the flags"
    local_devices: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """The process in words."""
        return f"process {self.process_id} of {self.num_processes}"


def find_place(
    environment: Mapping[str, str],
    *,
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    wait_seconds: float = 120.0,
) -> Place | None:
    """This process's place in its job, or None if it is alone.

    Args:
        environment: `os.environ`.
        coordinator, num_processes, process_id: the flags; they go before what the environment says.
        wait_seconds: how long a TPU VM may look for the others.

    Raises:
        UserError: the flags contradict each other, or something that nothing else says is missing.
    """
    if num_processes == 1:
        if process_id not in (None, 0):
            raise UserError(f"--process_id={process_id} with --num_processes=1: the only process is 0")
        return None
    found = (
        _on_slurm(environment)
        or _on_open_mpi(environment)
        or _on_tpu(wait_seconds, given=(coordinator, num_processes, process_id))
    )
    if found is None and (coordinator, num_processes, process_id) == (None, None, None):
        return None
    place = found or Place()
    given = {"coordinator": coordinator, "num_processes": num_processes, "process_id": process_id}
    place = replace(place, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    _check(place, found is not None)
    return place


def _check(place: Place, started: bool) -> None:
    missing = [
        f"--{name}"
        for name, absent in (
            ("coordinator=HOST:PORT", not place.coordinator),
            ("num_processes=N", place.num_processes == 0),
            ("process_id=I", place.process_id == -1),
        )
        if absent
    ]
    if missing:
        told = f"{place.found_by} does not say the rest" if started else "nothing else says it"
        raise UserError(
            f"to train with several processes, give each of them {' and '.join(missing)} too: {told}. "
            "HOST:PORT is where process 0 listens, the same for all"
        )
    if place.num_processes < 1:
        raise UserError(f"--num_processes={place.num_processes}: there must be at least 1")
    if not 0 <= place.process_id < place.num_processes:
        raise UserError(
            f"--process_id={place.process_id}: the {place.num_processes} processes are "
            f"0 to {place.num_processes - 1}"
        )
    split_address(place.coordinator)


def split_address(address: str) -> tuple[str, int]:
    """("HOST", port) of "HOST:PORT"; an IPv6 address is in brackets.

    Raises:
        UserError: it is something else.
    """
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})", address)
    if found is None or not 1 <= int(found.group(2)) <= 65535:
        raise UserError(f"--coordinator={address}: it must be HOST:PORT, for example node1:61500")
    return found.group(1).strip("[]"), int(found.group(2))


def _on_slurm(environment: Mapping[str, str]) -> Place | None:
    """What srun tells the tasks of a step (man srun, "output environment variables").

    The variables of the job (SLURM_NTASKS) are there in a batch script and in an interactive shell too,
    where there is only one process; those of the step are not, or say 1.
    """
    count = _number(environment, "SLURM_STEP_NUM_TASKS")
    index = _number(environment, "SLURM_PROCID")
    if count <= 1 or index < 0:
        return None
    host = first_host(environment.get("SLURM_STEP_NODELIST", ""))
    steps = 61 * _number(environment, "SLURM_JOB_ID") + max(_number(environment, "SLURM_STEP_ID"), 0)
    here = _tasks_on(environment.get("SLURM_STEP_TASKS_PER_NODE", ""), _number(environment, "SLURM_NODEID"))
    return Place(
        coordinator=f"{host}:{_FIRST_PORT + steps % _PORTS}" if host else "",
        num_processes=count,
        process_id=index,
        found_by="SLURM",
        local_devices=_own_devices(environment, _number(environment, "SLURM_LOCALID"), here),
    )


def first_host(nodes: str) -> str:
    """The first of a SLURM list of nodes: "gpu007" of "gpu[007-010,12],cpu1"."""
    found = re.match(r"([^\[,]*)(?:\[([^\],-]+)[^\]]*\]([^,\[]*))?", nodes)
    return "".join(part or "" for part in found.groups()) if found else ""


def _tasks_on(tasks_per_node: str, node: int) -> int:
    """How many tasks run on a node: 2 for node 1 of "2(x3),1"; 0 where it is not said."""
    counts: list[int] = []
    for part in tasks_per_node.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if found is None:
            return 0
        counts += [int(found.group(1))] * int(found.group(2) or 1)
    return counts[node] if 0 <= node < len(counts) else 0


def _on_open_mpi(environment: Mapping[str, str]) -> Place | None:
    """What mpirun tells its processes; Open MPI 4 also says where mpirun itself runs, Open MPI 5 does not."""
    count = _number(environment, "OMPI_COMM_WORLD_SIZE")
    index = _number(environment, "OMPI_COMM_WORLD_RANK")
    if count <= 1 or index < 0:
        return None
    # "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911", or tcp6://[fe80::1,fe80::2]:34911
    uri = re.match(
        r"(\d+).*?;(?:tcp://([^,:]+)|tcp6://\[([^,\]]+))", environment.get("OMPI_MCA_orte_hnp_uri", "")
    )
    address = ""
    if uri is not None:
        host = uri.group(2) or f"[{uri.group(3)}]"
        address = f"{host}:{_FIRST_PORT + int(uri.group(1)) // 4096 % _PORTS}"
    here = _number(environment, "OMPI_COMM_WORLD_LOCAL_SIZE")
    return Place(
        coordinator=address,
        num_processes=count,
        process_id=index,
        found_by="Open MPI",
        local_devices=_own_devices(environment, _number(environment, "OMPI_COMM_WORLD_LOCAL_RANK"), here),
    )


def _own_devices(environment: Mapping[str, str], index: int, here: int) -> tuple[int, ...] | None:
    """The GPUs of task `index` of the `here` tasks on this node: an equal share of those it sees.

    A task alone on its node has all. So has one that sees a single GPU: the launcher bound it already.
    """
    if here <= 1 or index < 0:
        return None
    seen = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    count = len(seen) or max(_number(environment, "SLURM_GPUS_ON_NODE"), 0)
    if count == 1:
        return None
    each = max(count // here, 1)
    return tuple(range(index * each, (index + 1) * each))


def _on_tpu(wait_seconds: float, given: tuple[str | None, int | None, int | None]) -> Place | None:
    """What a TPU VM knows of the other workers of its slice, or slices; by JAX's own detection."""
    from jax._src import cloud_tpu_init
    from jax._src.clusters import ClusterEnv

    if None not in given or not cloud_tpu_init.running_in_cloud_tpu_vm:
        return None
    try:
        for cluster in ClusterEnv._cluster_types:
            if cluster.name in ("gcetpu", "gketpu") and cluster.is_env_present():
                count = cluster.get_process_count()
                if count == 1:
                    return None
                return Place(
                    coordinator=cluster.get_coordinator_address(int(wait_seconds), None),
                    num_processes=count,
                    process_id=cluster.get_process_id(),
                    found_by="the TPU VM",
                )
    except Exception as error:
        raise UserError(
            f"this is a TPU VM, but what it knows of the other workers cannot be read ({error}): "
            "give --coordinator, --num_processes and --process_id, or --num_processes=1 to train on this "
            "host alone"
        ) from error
    return None


def _number(environment: Mapping[str, str], name: str) -> int:
    """A variable that is a whole number; -1 where it is not there."""
    text = environment.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else -1
