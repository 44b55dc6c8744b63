"""Stacked MNIST, from a tiny MNIST: the digits it says, the same each time, and what a missing mnist gets."""

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data.stacked_mnist import StackedMnist, stacked_digits
from gan_jax.utils.errors import UserError


@pytest.fixture
def mnist(tiny_mnist):
    data.prepare("mnist", source=str(tiny_mnist))
    return {split: data.load("mnist", split=split).arrays() for split in ("train", "test")}


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_channels_are_the_digits_that_the_label_says(mnist, split):
    dataset = data.load("stacked_mnist", split=split, count=55)
    assert len(dataset) == {"train": 55, "test": 6}[split]
    assert (dataset.image_shape, dataset.num_classes) == ((28, 28, 3), 1000)
    assert (dataset.class_names[7], dataset.class_names[-1]) == ("007", "999")
    arrays, digits = dataset.arrays(), mnist[split]
    places = {image.tobytes(): label for image, label in zip(digits["image"], digits["label"], strict=True)}
    for image, label in zip(arrays["image"], arrays["label"], strict=True):
        a, b, c = (places[image[:, :, channel].tobytes()] for channel in range(3))
        assert label == 100 * a + 10 * b + c


def test_the_same_each_time_and_another_with_another_seed(mnist, tiny_mnist, tmp_path):
    first = data.load("stacked_mnist", count=40)
    elsewhere = str(tmp_path / "elsewhere")
    data.prepare("mnist", source=str(tiny_mnist), data_dir=elsewhere)
    again = data.load("stacked_mnist", count=40, data_dir=elsewhere)
    np.testing.assert_array_equal(first.arrays()["image"], again.arrays()["image"])
    assert first.fingerprint == again.fingerprint
    other = data.load("stacked_mnist", count=40, seed=1)
    assert (first.arrays()["image"] != other.arrays()["image"]).any()
    assert first.fingerprint != other.fingerprint
    assert other.options == {"seed": 1, "count": 40}


def test_longer_sets_begin_as_shorter_ones(mnist):
    short, long = data.load("stacked_mnist", count=10), data.load("stacked_mnist", count=20)
    np.testing.assert_array_equal(short.arrays()["label"], long.arrays()["label"][:10])


def test_the_digits_are_uniform_and_independent():
    digits = stacked_digits(30_000, 10, seed=3)
    assert digits.shape == (30_000, 3)
    counts = np.bincount(digits @ np.array([100, 10, 1]), minlength=1000)
    # Chi-squared of 999 degrees of freedom: mean 999, standard deviation 44.7.
    assert ((counts - 30) ** 2 / 30).sum() == pytest.approx(999, abs=4 * 44.7)
    assert (digits != stacked_digits(30_000, 10, seed=3, split="test")).any()


def test_the_protocol_s_default_count():
    assert StackedMnist.OPTIONS() == StackedMnist.OPTIONS(0, 128_000)


def test_a_missing_mnist_is_named_with_the_command(data_dir):
    for call in (data.load, data.prepare):
        with pytest.raises(UserError) as caught:
            call("stacked_mnist", count=10)
        message = str(caught.value)
        assert f"gan-jax data prepare mnist --data_dir {data_dir}" in message
        assert str(data_dir / "mnist") in message
    assert not data_dir.exists()


def test_once_prepared_it_needs_mnist_no_more(mnist, data_dir):
    before = data.load("stacked_mnist", count=10).arrays()
    (data_dir / "mnist").rename(data_dir / "away")
    np.testing.assert_array_equal(data.load("stacked_mnist", count=10).arrays()["image"], before["image"])


def test_what_will_not_do(mnist):
    with pytest.raises(UserError, match="count is 0"):
        data.load("stacked_mnist", count=0)
    with pytest.raises(UserError, match="seed is -1"):
        data.load("stacked_mnist", seed=-1)
    with pytest.raises(UserError, match=r"Unknown option size .*seed, count"):
        data.load("stacked_mnist", size=3)
    with pytest.raises(UserError, match="from files in a folder: leave out"):
        data.prepare("stacked_mnist", source=".")
