"""Two arrays without pairs: lengths, who is held out, truth by names, and what is refused."""

import zlib

import numpy as np
import pytest

from gan_jax import data
from gan_jax.evaluation.evaluate import held_out_split
from gan_jax.utils.errors import UserError

NAMES = [str(i) for i in range(60)]
HELD_OUT = [name for name in NAMES if zlib.crc32(name.encode()) % 10 == 0]


def shown(numbers, channels=3):
    """Pictures [N, 4, 6, C] that show numbers."""
    return np.repeat(np.array(numbers, np.uint8), 24 * channels).reshape(-1, 4, 6, channels)


@pytest.fixture
def opened(tmp_path):
    """(arrays, options) -> the data set."""

    def make(arrays, split="train", **options):
        np.savez(tmp_path / "sides.npz", **arrays)
        return data.load("npz_unpaired", file=str(tmp_path / "sides.npz"), split=split, **options)

    return make


def test_two_lengths(opened):
    train = opened({"source": shown(range(40), 1), "image": shown(range(100, 160))})
    assert {name: field.shape for name, field in train.fields.items()} == {
        "source": (4, 6, 1),
        "image": (4, 6, 3),
    }
    assert not train.fields["source"].aligned
    kept = {int(name) for name in NAMES if name not in HELD_OUT}
    assert set(train.parts["source"].arrays()["image"][:, 0, 0, 0]) == kept & set(range(40))
    assert set(train.parts["image"].arrays()["image"][:, 0, 0, 0]) == {100 + number for number in kept}
    test = held_out_split(train, None)
    assert test is not None
    assert not test.fields["source"].aligned  # nobody has named them


def test_equal_names_are_the_truth(opened):
    order = np.random.default_rng(0).permutation(60)
    arrays = {
        "source": shown(range(60)),
        "source_name": np.array(NAMES),
        "image": shown(100 + order),
        "image_name": np.array(NAMES)[order],
    }
    test = opened(arrays, split="test", height=2, width=3)
    assert all(field.aligned for field in test.fields.values())
    found = test.arrays()
    assert sorted(found["source"][:, 0, 0, 0]) == sorted(map(int, HELD_OUT))
    np.testing.assert_array_equal(found["image"], found["source"] + 100)
    assert found["image"].shape[1:] == (2, 3, 3)
    assert not opened(arrays, split="test", truth=False).fields["source"].aligned


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image": None}, r"holds source, and no image"),
        ({"image_name": np.array(["a"])}, r"image_name is \[1\]; it must be \[60\]"),
        ({"source": np.zeros((3, 4))}, r"sources are float64 \[3, 4\]"),
    ],
)
def test_what_does_not_fit_is_said(opened, changed, message):
    arrays = {"source": shown(range(40)), "image": shown(range(60)), **changed}
    with pytest.raises(UserError, match=message):
        opened({name: value for name, value in arrays.items() if value is not None})
