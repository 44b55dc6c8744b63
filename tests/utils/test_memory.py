"""What memory there is, with all limits, and the errors for what asks for more."""

import resource
import subprocess
import sys

import jax
import pytest

from gan_jax.main import main
from gan_jax.utils import memory
from gan_jax.utils.errors import UserError
from tests import runs

GIB = 2**30


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine with 8 GiB, of which 1 is swap, and a process that has 2; without limits."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text(
        f"MemTotal: 1 kB\nMemAvailable: {7 * 2**20} kB\nSwapFree:   {2**20} kB\n"
    )
    (tmp_path / "proc" / "self" / "status").write_text(f"VmSize:\t{2 * 2**20} kB\nVmData:\t{2**20} kB\n")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return tmp_path


def left(system):
    return memory.host_bytes(system / "proc", system / "groups") / GIB


def group(folder, **files):
    """A control group's files; "memory_max" is "memory.max"."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(str(text))


def test_it_is_what_the_system_can_give(system):
    assert left(system) == 8


@pytest.mark.parametrize(("kind", "expected"), [("RLIMIT_AS", 3), ("RLIMIT_DATA", 4)])
def test_limits_of_the_process_count_what_it_has(kind, expected, system, monkeypatch):
    limits = {getattr(resource, kind): 5 * GIB}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits.get(kind, resource.RLIM_INFINITY), 0))
    assert left(system) == expected


def test_a_control_group_and_those_above_it(system):
    (system / "proc" / "self" / "cgroup").write_text("0::/job/step\n")
    stat = f"anon 5\nactive_file {GIB}\ninactive_file {GIB}\n"
    group(system / "groups" / "job", memory_max=6 * GIB, memory_current=5 * GIB, memory_stat=stat)
    group(system / "groups" / "job" / "step", memory_max="max", memory_current=GIB)
    assert left(system) == 3  # files in the cache can be given up


def test_control_groups_of_version_1(system):
    (system / "proc" / "self" / "cgroup").write_text("5:devices:/\n4:cpu,memory:/box\n0::/\n")
    folder = system / "groups" / "memory" / "box"
    group(folder, memory_limit_in_bytes=4 * GIB, memory_usage_in_bytes=3 * GIB, memory_stat="total_rss 1\n")
    group(folder.parent, memory_limit_in_bytes=2**63 - 4096, memory_usage_in_bytes=3 * GIB)
    assert left(system) == 1


def test_what_is_over_the_limit_already_is_nothing(system):
    (system / "proc" / "self" / "cgroup").write_text("0::/\n")
    group(system / "groups", memory_max=GIB, memory_current=2 * GIB)
    assert left(system) == 0


def test_without_a_proc_file_system_it_is_all_there_is(tmp_path):
    assert memory.host_bytes(tmp_path, tmp_path) > 0


def test_too_little_for_jax_itself_is_said_before_it_is_imported(system, monkeypatch):
    groups = system / "groups"
    memory.check_start(system / "proc", groups)
    limits = {resource.RLIMIT_AS: 4 * GIB}  # of which the process has 2
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits.get(kind, resource.RLIM_INFINITY), 0))
    with pytest.raises(
        UserError, match=r"2,048\.0 MiB within the limits of this process: raise them \(ulimit -v"
    ):
        memory.check_start(system / "proc", groups)
    limits[resource.RLIMIT_AS] = 100 * GIB
    (system / "proc" / "self" / "cgroup").write_text("0::/\n")
    group(groups, memory_max=GIB, memory_current=GIB - 2**20)
    with pytest.raises(
        UserError, match=r"JAX and its compiler 400\.0 MiB\), and there are 1\.0 MiB on this machine"
    ):
        memory.check_start(system / "proc", groups)


def test_what_does_not_fit_is_said_part_by_part():
    memory.check_fits({"state": 5}, 5, "here", "no")
    message = (
        r"^not enough memory: 3,072\.0 MiB are needed \(state 2,048\.0 MiB, data 1,024\.0 MiB\), and there "
        r"are 2,048\.0 MiB here: take less$"
    )
    with pytest.raises(UserError, match=message):
        memory.check_fits({"state": 2 * GIB, "data": GIB, "other": 3}, 2 * GIB, "here", "take less")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("std::bad_alloc"), "not enough memory: std::bad_alloc; this machine has "),
        (MemoryError(), "not enough memory: nothing is left; this machine has "),
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 12 bytes.\nmore\nmore"),
            "not enough memory: Out of memory allocating 12 bytes.; this machine has ",
        ),
    ],
)
def test_errors_about_memory_are_one_line_with_ways_out(error, said):
    with pytest.raises(UserError) as caught, memory.told_if_exhausted():
        raise error
    assert str(caught.value).startswith(said)
    assert "batch_size, execution.accumulation=N" in str(caught.value)
    assert "execution.remat=True" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_errors_stay_what_they_are():
    error = jax.errors.JaxRuntimeError("INTERNAL: something")
    with pytest.raises(jax.errors.JaxRuntimeError), memory.told_if_exhausted():
        raise error


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("algorithm.latent_size=1e9", "MiB are needed (state 122,070.4 MiB), and there are "),
        (
            "generator.widths=2000000000,2000000000",
            "narrower networks take less, or execution.shard",
        ),
        ("steps_per_call=2e9", "the input of a call of steps_per_call steps 61,035.2 MiB"),
        ("num_steps=2e9", "every step's losses 91,552.7 MiB), and there are "),
        ("data.num_examples=2e9", "the factors of all examples 167,846.7 MiB"),
        ("data.resolution=4096", "pictures that are drawn together 17,600.0 MiB"),
        ("algorithm.discriminator_steps=2e9", "set a smaller steps_per_call"),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_what_cannot_fit_is_refused_before_anything_is_allocated(
    field, words, dry, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(memory, "host_bytes", lambda *_: 16 * GIB)
    for module in ("gan_jax.distributed.memory", "gan_jax.training.train", "gan_jax.data.shapes"):
        monkeypatch.setattr(f"{module}.host_bytes", lambda *_: 16 * GIB)
    config = f"--config={runs.ROOT / 'tests' / 'runs.py'}"
    rest = ["--dry_run"] if dry else [f"--workdir={tmp_path / 'run'}"]
    assert main(["train", config, f"--config.{field}", "--devices=1", *rest]) == 1
    err = capsys.readouterr().err
    assert err.startswith("gan-jax: not enough memory: ")
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


LIMITED = """
import resource, sys
import jax
from gan_jax.main import main
from gan_jax.utils.memory import _numbers
jax.devices()
used = 1024 * _numbers(__import__("pathlib").Path("/proc/self/status"))["VmSize"]
resource.setrlimit(resource.RLIMIT_AS, (used + 7 * 2**30, used + 7 * 2**30))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow  # a whole start
def test_a_step_that_needs_more_than_the_limit_is_refused_once_it_is_compiled(tmp_path):
    """The activations of 20,000 pictures, under ulimit -v."""
    fields = {"data.dir": tmp_path, "data.num_examples": 30_000, "batch_size": 20_000, "steps_per_call": 1}
    flags = [f"--config.{name}={value}" for name, value in fields.items()]
    config = f"--config={runs.ROOT / 'configs' / 'dcgan_shapes.py'}"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "train", config, *flags, f"--workdir={tmp_path / 'run'}"],
        cwd=runs.ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1, done.stderr
    assert last.startswith("gan-jax: not enough memory: ")
    assert "execution.accumulation=N" in last
    assert "Traceback" not in done.stderr
