"""What data sets would hold, while their files are elsewhere."""

from typing import Any

import numpy as np
import pytest

from gan_jax.data import load
from gan_jax.data.codecs import Lab
from gan_jax.data.expected import expected_spec
from gan_jax.utils.errors import UserError


@pytest.mark.parametrize(
    ("name", "options", "shapes", "classes"),
    [
        ("shapes", dict(resolution=16, channels=1), dict(image=(16, 16, 1)), 8),
        ("fashion_mnist", {}, dict(image=(28, 28, 1)), 10),
        ("stacked_mnist", {}, dict(image=(28, 28, 3)), 1000),
        ("ring", dict(modes=8), dict(image=(1, 1, 2)), None),
        ("image_folder", dict(folder="gone", height=1024, channels=3), dict(image=(1024, 1024, 3)), None),
        ("photos", dict(folder="", tile=96), dict(image=(96, 96, 3)), None),
        (
            "pairs_folder",
            dict(folder="gone", height=8, width=12, source_channels=1),
            dict(image=(8, 12, 3), source=(8, 12, 1)),
            None,
        ),
        ("npz_pairs", dict(file="gone.npz", height=32), dict(image=(32, 32, 3), source=(32, 32, 3)), None),
        ("unpaired", dict(folder="gone", height=9), dict(image=(9, 9, 3), source=(9, 9, 3)), None),
        (
            "zip",
            dict(parts=dict(image=dict(name="mnist", split="train"), source=dict(name="kmnist"))),
            dict(image=(28, 28, 1), source=(28, 28, 1)),
            10,
        ),
    ],
)
def test_fields_and_classes(name, options, shapes, classes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = expected_spec(name, data_dir=tmp_path, **options)
    assert {name: field.shape for name, field in spec.fields.items()} == shapes
    assert spec.num_classes == classes
    assert not list(tmp_path.iterdir())  # nothing was prepared
    if name in ("unpaired", "zip"):
        assert not spec.fields["source"].aligned


def test_it_is_what_the_data_set_says_once_it_is_there(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "x.npz",
        source=rng.integers(0, 256, (12, 6, 8, 1), np.uint8),
        image=rng.integers(0, 256, (12, 6, 8, 3), np.uint8),
        label=np.arange(12) % 3,
    )
    options: dict[str, Any] = dict(file=str(tmp_path / "x.npz"), codec="lab")
    found = expected_spec("npz_pairs", data_dir=tmp_path / "data", **options)
    assert found == load("npz_pairs", data_dir=tmp_path / "data", **options).spec
    assert isinstance(found.fields["image"].codec, Lab)


def test_sizes_that_only_a_file_says():
    with pytest.raises(UserError, match=r"npz_pairs: gone.npz is not there, and only it says how large"):
        expected_spec("npz_pairs", file="gone.npz")
