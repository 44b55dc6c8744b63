"""When a process trains alone, and which of a node's devices are its own."""

import importlib.util

import jax
import pytest

from gan_jax.distributed.hosts import ALONE, connected
from gan_jax.distributed.hosts.start import may_be_several, visible_devices
from gan_jax.utils.errors import UserError

# As their documentation shows them.
SLURM = {"SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "4", "SLURM_PROCID": "3"}
OPEN_MPI = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}


@pytest.fixture(autouse=True)
def no_libtpu(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PATH": "/bin"}, False),
        (SLURM, True),
        ({**SLURM, "SLURM_STEP_NUM_TASKS": "1"}, False),  # an interactive shell of an allocation for 8
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, False),  # a batch script
        (OPEN_MPI, True),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, False),
    ],
    ids=str,
)
def test_only_processes_that_were_started_together_look_for_others(environment, expected, monkeypatch):
    assert may_be_several(environment) == expected


def test_a_tpu_vm_looks_for_others(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "libtpu" else None)
    assert may_be_several({})
    assert may_be_several({"JAX_PLATFORMS": "tpu,cpu"})
    assert not may_be_several({"JAX_PLATFORMS": "cpu"})


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({**SLURM, "SLURM_STEP_NUM_NODES": "8"}, []),  # alone on its node: all
        (SLURM, None),  # JAX's choice, one each
        ({**SLURM, "CUDA_VISIBLE_DEVICES": "0,1"}, None),
        ({**SLURM, "CUDA_VISIBLE_DEVICES": "0"}, []),  # bound by the launcher
        (OPEN_MPI, []),
        ({**OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}, None),
    ],
    ids=str,
)
def test_the_devices_of_a_process(environment, expected):
    assert visible_devices(environment) == expected


@pytest.mark.parametrize("variables", [{}, SLURM, OPEN_MPI], ids=["nothing", "SLURM", "Open MPI"])
def test_one_process_trains_alone_where_it_is_told_so(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with connected(num_processes=1) as hosts:
        assert hosts is ALONE


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (("a:1", 2, 2), "the 2 processes are 0 to 1"),
        (("a:1", 1, 1), "the 1 processes are 0 to 0"),
        (("a", 2, 0), "--coordinator=a: it must be HOST:PORT"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit(told, message):
    with pytest.raises(UserError, match=message), connected(*told):
        pass


@pytest.mark.parametrize(("told", "variables"), [(("a:1", None, None), {}), ((None, None, None), OPEN_MPI)])
def test_what_jax_cannot_find_must_be_told(told, variables, monkeypatch):
    """Open MPI 5 does not say where process 0 is."""

    def initialize(*arguments, **options):
        raise ValueError("Number of processes must be defined.")

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    expected = (
        r"\(Number of processes must be defined.\): give all --coordinator=HOST:PORT, .* to train alone"
    )
    with pytest.raises(UserError, match=expected), connected(*told):
        pass
