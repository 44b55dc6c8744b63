"""Where a process stands among the others, from flags and from what started it."""

import pytest
from jax._src import cloud_tpu_init
from jax._src.clusters import SlurmCluster, cloud_tpu_cluster

from gan_jax.distributed.hosts import Place, find_place
from gan_jax.distributed.hosts.cluster import first_host, split_address
from gan_jax.utils.errors import UserError

# An example of each, as their documentation shows them.
SLURM = {
    "SLURM_JOB_ID": "812345",
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "8",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NODELIST": "gpu[007-010],big1",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3),1(x2)",
    "SLURM_NODEID": "1",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}
OPEN_MPI = {
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "1",
}


def test_nothing_said_is_one_process():
    assert find_place({"PATH": "/bin"}) is None


def test_the_tasks_of_a_slurm_step_find_themselves():
    place = find_place(SLURM)
    assert place is not None
    assert (place.num_processes, place.process_id, place.found_by) == (8, 3, "SLURM")
    host, port = split_address(place.coordinator)
    assert host == "gpu007"
    assert 61440 <= port < 65536
    assert place.local_devices == (1,)
    another_step = find_place({**SLURM, "SLURM_STEP_ID": "1"})
    assert another_step is not None
    assert another_step.coordinator != place.coordinator


@pytest.mark.parametrize(
    "outside",
    [
        {"SLURM_STEP_NUM_TASKS": "1"},  # an interactive shell of an allocation for 8
        {"SLURM_STEP_NUM_TASKS": ""},  # a batch script
    ],
    ids=str,
)
def test_one_process_in_a_slurm_allocation_trains_alone(outside):
    assert find_place({**SLURM, **outside, "SLURM_PROCID": "0"}) is None


@pytest.mark.parametrize("nodes", ["n1", "n1,n2", "n[1-4]", "n[3,7-9],m1", "gpu[001-012]", "a-b1,c"])
def test_the_first_host_is_the_one_that_jax_finds(nodes, monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NODELIST", nodes)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert SlurmCluster.get_coordinator_address(1, "61500") == f"{first_host(nodes)}:61500"


def test_a_host_whose_name_goes_on_after_the_numbers():
    assert first_host("rack[2-3]-node,x") == "rack2-node"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"SLURM_STEP_TASKS_PER_NODE": "1(x8)"}, None),  # alone on its node: all devices
        ({"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, (2, 3)),  # two tasks, four GPUs
        ({"SLURM_GPUS_ON_NODE": "2"}, (1,)),
        ({"CUDA_VISIBLE_DEVICES": "0"}, None),  # bound by the launcher
        ({}, (1,)),
    ],
    ids=str,
)
def test_the_devices_of_a_task(said, expected):
    place = find_place({**SLURM, **said})
    assert place is not None
    assert place.local_devices == expected


def test_the_processes_of_open_mpi_4_find_themselves():
    place = find_place(OPEN_MPI)
    assert place is not None
    assert (place.num_processes, place.process_id, place.found_by) == (4, 2, "Open MPI")
    assert place.local_devices is None
    assert split_address(place.coordinator)[0] == "10.96.0.1"
    version_6 = {**OPEN_MPI, "OMPI_MCA_orte_hnp_uri": "1314521088.0;tcp6://[fe80::b9b,fec0::2]:43370"}
    place = find_place(version_6)
    assert place is not None
    assert split_address(place.coordinator)[0] == "fe80::b9b"
    assert find_place({**OPEN_MPI, "OMPI_COMM_WORLD_SIZE": "1"}) is None


def test_open_mpi_5_does_not_say_where_process_0_is():
    environment = {name: value for name, value in OPEN_MPI.items() if "uri" not in name}
    with pytest.raises(UserError, match="--coordinator=HOST:PORT too: Open MPI does not say the rest"):
        find_place(environment)
    place = find_place(environment, coordinator="node1:61500")
    assert place == Place("node1:61500", 4, 2, "Open MPI")


def test_flags_go_before_the_environment():
    assert find_place(SLURM, num_processes=1) is None
    place = find_place(SLURM, coordinator="other:61500", num_processes=2, process_id=0)
    assert place is not None
    assert (place.coordinator, place.num_processes, place.process_id) == ("other:61500", 2, 0)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"coordinator": "a:1"}, "--num_processes=N and --process_id=I too: nothing else says it"),
        ({"num_processes": 2, "process_id": 0}, "--coordinator=HOST:PORT too"),
        ({"coordinator": "a:1", "num_processes": 2, "process_id": 2}, "the 2 processes are 0 to 1"),
        ({"coordinator": "a:1", "num_processes": -2, "process_id": 0}, "at least 1"),
        ({"num_processes": 1, "process_id": 1}, "the only process is 0"),
        ({"coordinator": "a", "num_processes": 2, "process_id": 0}, "--coordinator=a: it must be HOST:PORT"),
        ({"coordinator": "a:0", "num_processes": 2, "process_id": 0}, "it must be HOST:PORT"),
        ({"coordinator": "a:65536", "num_processes": 2, "process_id": 0}, "it must be HOST:PORT"),
        ({"coordinator": "http://a:80", "num_processes": 2, "process_id": 0}, "it must be HOST:PORT"),
    ],
    ids=str,
)
def test_flags_that_do_not_fit(flags, message):
    with pytest.raises(UserError, match=message):
        find_place({}, **flags)


METADATA = {
    "agent-worker-number": "2",
    "worker-network-endpoints": "a:b:10.0.0.5,a:c:10.0.0.6,a:d:10.0.0.7,a:e:10.0.0.8",
    "tpu-env": "ACCELERATOR_TYPE: 'v5litepod-16'",
}


@pytest.fixture
def metadata(monkeypatch):
    """A TPU VM of Compute Engine: what its metadata server answers."""
    answers = dict(METADATA)
    monkeypatch.setattr(cloud_tpu_init, "running_in_cloud_tpu_vm", True)
    monkeypatch.setattr(cloud_tpu_cluster, "running_in_cloud_tpu_vm", True)
    monkeypatch.setattr(
        cloud_tpu_cluster, "get_metadata", lambda key: (answers.get(key, ""), 200 if key in answers else 404)
    )
    for name in ("TPU_SKIP_MDS_QUERY", "TPU_WORKER_HOSTNAMES", "TPU_PROCESS_ADDRESSES"):
        monkeypatch.delenv(name, raising=False)
    return answers


def test_the_workers_of_a_tpu_slice_find_themselves(metadata):
    assert find_place({}) == Place("10.0.0.5:8482", 4, 2, "the TPU VM")


def test_the_workers_of_two_slices_find_themselves(metadata):
    metadata["tpu-env"] = (
        "MEGASCALE_NUM_SLICES: '2'\nMEGASCALE_SLICE_ID: '1'\nMEGASCALE_COORDINATOR_ADDRESS: '10.0.0.1'"
    )
    assert find_place({}) == Place("10.0.0.1:8482", 8, 6, "the TPU VM")


def test_the_workers_of_a_slice_under_kubernetes_find_themselves(metadata, monkeypatch):
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "127.0.0.1,127.0.0.2")
    monkeypatch.setenv("TPU_WORKER_ID", "1")
    assert find_place({}) == Place("127.0.0.1:8482", 2, 1, "the TPU VM")


def test_a_tpu_vm_of_its_own_trains_alone(metadata):
    metadata.update({"agent-worker-number": "0", "worker-network-endpoints": "10.0.0.5"})
    assert find_place({}) is None


def test_a_tpu_vm_that_does_not_answer(metadata, monkeypatch):
    def no_answer(key):
        raise OSError("no route to host")

    monkeypatch.setattr(cloud_tpu_cluster, "get_metadata", no_answer)
    with pytest.raises(UserError, match=r"this is a TPU VM, but .*no route to host.* or --num_processes=1"):
        find_place({})
    assert find_place({}, num_processes=1) is None
