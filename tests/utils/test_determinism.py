"""--deterministic: what it sets, and when it is refused."""

import os
import subprocess
import sys

import jax
import pytest

from gan_jax.main import main
from gan_jax.utils import determinism
from gan_jax.utils.errors import UserError
from gan_jax.utils.provenance import describe_environment
from tests.runs import ROOT, recorded, start

FLAG = "--xla_gpu_deterministic_ops"
WITH_JAX_STARTED = """
import sys, jax
from gan_jax.utils import determinism
from gan_jax.utils.errors import UserError
print(determinism.devices_are_in_use())
print(len(jax.devices()))
print(determinism.devices_are_in_use())
try:
    determinism.demand()
except UserError as error:
    print(error)
"""


@pytest.fixture
def not_started(monkeypatch):
    """As in a process that has no devices yet."""
    monkeypatch.setattr(determinism, "devices_are_in_use", lambda: False)


def test_it_adds_the_flag_to_those_that_are_there_once(not_started, monkeypatch, capsys):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
    for _ in range(2):
        determinism.demand()
        assert os.environ["XLA_FLAGS"] == f"--xla_force_host_platform_device_count=8 {FLAG}=true"
        assert determinism.is_demanded()
        out, err = capsys.readouterr()
        assert not out
        assert err.count("\n") == 1
        assert "not been measured" in err


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        *((None, False), ("", False), (f"{FLAG}=false", False), (f"{FLAG}=0", False), (f"{FLAG}s=1", False)),
        *((f"--xla_dump_to=x {FLAG}=true", True), (FLAG, True)),
    ],
)
def test_whether_xla_was_asked_for_it(flags, expected, monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if flags is not None:
        monkeypatch.setenv("XLA_FLAGS", flags)
    assert determinism.is_demanded() is expected
    told = describe_environment()
    assert told["deterministic"] is expected
    assert told["xla_flags"] == (flags or "")


def test_the_opposite_in_the_environment_is_refused(not_started, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"{FLAG}=false")
    with pytest.raises(UserError, match=f"XLA_FLAGS has {FLAG}=false: take out one of the two"):
        determinism.demand()
    assert os.environ["XLA_FLAGS"] == f"{FLAG}=false"


def test_it_comes_too_late_once_jax_has_devices():
    done = subprocess.run(
        [sys.executable, "-c", WITH_JAX_STARTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[:3] == ["False", "8", "True"]
    assert "JAX has started in this process already" in done.stdout


@pytest.mark.parametrize(
    "command", [["train", f"--config={ROOT}/tests/runs.py", "--workdir=x"], ["study", "x"]]
)
def test_the_command_refuses_it_in_a_process_that_computes(command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    jax.devices()
    before = os.environ.get("XLA_FLAGS")
    assert main([*command, "--deterministic"]) == 1
    assert "run gan-jax as a program of its own" in capsys.readouterr().err
    assert os.environ.get("XLA_FLAGS") == before


@pytest.mark.slow
def test_a_run_with_it_says_so_and_records_it(tmp_path):
    """XLA ends a process whose XLA_FLAGS it does not know, so this also shows that it knows the flag."""
    fields = (
        f"--config.data.dir={tmp_path / 'data'}",
        "--config.num_steps=5",
        f"--workdir={tmp_path / 'run'}",
    )
    process = start(
        "train", "--config=tests/runs.py", *fields, "--deterministic", GAN_JAX_CACHE=str(tmp_path)
    )
    _, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert err.count(f"gan-jax: deterministic: XLA_FLAGS={FLAG}=true") == 1
    assert len(list(tmp_path.glob("compiled/*/jit_call-*"))) == 1  # its programs are kept
    begun = recorded(tmp_path / "run")["starts"][0]
    assert begun["deterministic"] is True
    assert begun["xla_flags"] == f"{FLAG}=true"
