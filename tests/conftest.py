"""Every test sees 8 virtual CPU devices and a quick compiler; fixtures of the tests that train whole runs."""

import collections
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Kernels of XLA's older emitters compile in half the time. Programs of `tests.runs.start` are as users'.
QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8 {QUICK}"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
PROGRAMS = 1_000  # what a process may hold at the end of a module; more are forgotten
gc.set_threshold(50_000, 20, 100)  # tracing leaves so much behind that looking for cycles takes a fifth of it


@pytest.fixture(scope="session", autouse=True)
def quick_compiler():
    """Programs are compiled in half the time, and once for all workers and later sessions."""
    import jax  # only now: it reads the variables above

    from gan_jax.utils.cache import cache_folder
    from gan_jax.utils.compilation_cache import OPTIONS, machine, prune

    folder = cache_folder("tests")
    prune(folder, 2**30)
    for name, value in {
        "jax_disable_most_optimizations": True,
        "jax_compilation_cache_dir": str(folder / machine()),
        **OPTIONS,
    }.items():
        jax.config.update(name, value)


@pytest.fixture(scope="session")
def events():
    """How often JAX has told of each kind of event in this process."""
    import jax

    counted: collections.Counter[str] = collections.Counter()
    jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: counted.update([event]))
    return counted


@pytest.fixture(scope="module", autouse=True)
def few_programs(events):
    """JAX keeps every program of a process, and each takes 1.4 MB, however small: 7 GB at the end."""
    yield
    if events["/jax/core/compile/backend_compile_duration"] > PROGRAMS:
        import jax

        jax.clear_caches()
        events.clear()


@pytest.fixture(autouse=True)
def own_environment():
    """What a command sets in the environment, such as for a target without a device, ends with its test.

    So do the places of modules that it adds, such as the compilers' folder.
    """
    before, places = dict(os.environ), list(sys.path)
    yield
    sys.path[:] = places
    for name in (set(os.environ) | set(before)) - {"PYTEST_CURRENT_TEST"}:
        if name not in before:
            del os.environ[name]
        elif os.environ.get(name) != before[name]:
            os.environ[name] = before[name]


@pytest.fixture(scope="session", autouse=True)
def quick_disk():
    """Nothing waits for the disk: no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def full_compiler():
    """For a module that computes more than it compiles."""
    import jax

    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A data folder for one test module."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def distributions(tmp_path_factory):
    """(the wheel, the source archive of which it was built), made without a network."""
    pytest.importorskip("build.__main__", reason="the package `build` makes the wheel")
    root, folder = Path(__file__).parents[1], tmp_path_factory.mktemp("distributions")
    sources = folder / "sources"
    sources.mkdir()
    parts = "gan_jax configs pyproject.toml setup.py MANIFEST.in README.md LICENSE CHANGELOG.md CITATION.cff"
    for name in parts.split():
        (sources / name).symlink_to(root / name)
    command = [sys.executable, "-P", "-m", "build", "--no-isolation", f"--outdir={folder}/made", str(sources)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel], [archive] = (folder / "made").glob("*.whl"), (folder / "made").glob("*.tar.gz")
    return wheel, archive
