"""Every test sees 8 virtual CPU devices; fixtures of the tests that train whole runs."""

import os

import pytest

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory):
    """Programs of one test module are compiled once for all that ask for this fixture."""
    from tests import runs  # only now: it imports JAX, which reads the variables above

    with runs.compiled_once(tmp_path_factory.getbasetemp() / "programs"):
        yield


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A data folder for one test module."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def quick_compiler():
    """Half the compile time, for a module that does not test how well the code is optimised."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
