"""Targets by name; the compilers themselves are in `test_compiled`."""

import sys

import pytest

from gan_jax.accelerators import chips, targets
from gan_jax.utils.errors import UserError


@pytest.mark.parametrize(
    ("name", "platform", "topology"),
    [
        ("v5e:4x4", "tpu", "v5e:4x4"),
        ("v4:2x2x1", "tpu", "v4:2x2x1"),
        ("h100", "gpu", "1x1x1"),
        ("H100:8", "gpu", "1x1x8"),
        ("h100:16", "gpu", "1x2x8"),
    ],
)
def test_names(name, platform, topology):
    target = targets.parsed(name)
    assert (target.platform, target.topology) == (platform, topology)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("h10", "did you mean"),
        ("v5e", "a slice of a shape, such as v5e:2x2"),
        ("v5e:8", "a slice of a shape"),
        ("h100:2x2", "a number of GPUs"),
        ("h100:12", "whole machines of 8"),
    ],
)
def test_wrong_names(name, words):
    with pytest.raises(UserError, match=words):
        targets.parsed(name)


@pytest.mark.parametrize("name", ["v5e:2x2", "h100"])
def test_what_is_missing_is_said_in_a_line(name, monkeypatch):
    monkeypatch.setattr(targets, "missing", lambda platform: ["libtpu"])
    with pytest.raises(
        UserError, match="libtpu is not installed: in a clone, make install EXTRAS=accelerators"
    ) as error:
        targets.devices(targets.parsed(name))
    assert "\n" not in str(error.value)


def test_compilers_are_found_where_make_puts_them(tmp_path, monkeypatch):
    monkeypatch.setattr(targets, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setenv("PATH", "")
    assert targets.missing("tpu") == ["libtpu"]
    for name in ("libtpu", "jax_cuda12_plugin", "jax_plugins/xla_cuda12"):
        (tmp_path / name).mkdir(parents=True)
    assert targets.missing("tpu") == []
    assert targets.missing("gpu") == ["ptxas of nvidia-cuda-nvcc-cu12"]
    (tmp_path / "nvidia" / "cuda_nvcc" / "bin").mkdir(parents=True)
    (tmp_path / "nvidia" / "cuda_nvcc" / "bin" / "ptxas").touch()
    assert targets.missing("gpu") == []


def test_a_gpu_in_the_words_of_xla():
    text = chips.description(chips.GPUS["h100"])
    assert "core_count: 132" in text
    assert "cuda_compute_capability { major: 9 minor: 0 }" in text
    assert text.count("{") == text.count("}")
