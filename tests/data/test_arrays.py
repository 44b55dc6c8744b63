"""Arrays in memory as a data set."""

import numpy as np
import pytest

from gan_jax import data
from gan_jax.config.build import base_config
from gan_jax.config.components import complete, data_options, with_dataset
from gan_jax.data import from_arrays
from gan_jax.training.restore import restored_run
from gan_jax.training.train import train
from gan_jax.utils.errors import UserError
from tests.runs import tiny

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 4, 6, 3), np.uint8)
LABELS = np.arange(10) % 3


def test_examples_and_labels_come_back():
    dataset = from_arrays(IMAGES, LABELS, class_names=("cat", "dog", "owl"))
    assert (dataset.image_shape, dataset.num_classes) == ((4, 6, 3), 3)
    assert dataset.class_names == ("cat", "dog", "owl")
    batch = dataset.gather(np.array([7, 0, 7]))
    np.testing.assert_array_equal(batch["image"], IMAGES[[7, 0, 7]])
    np.testing.assert_array_equal(batch["label"], LABELS[[7, 0, 7]])
    np.testing.assert_array_equal(dataset.arrays()["image"], IMAGES)
    grey = from_arrays(IMAGES[..., 0])
    assert (grey.image_shape, grey.num_classes, grey.class_names) == ((4, 6, 1), None, ())
    assert from_arrays(IMAGES, LABELS).class_names == ("0", "1", "2")


def test_the_fingerprint_is_of_the_content():
    same = {
        from_arrays(IMAGES, LABELS).fingerprint,
        from_arrays(IMAGES.copy(), LABELS.astype(np.uint8)).fingerprint,
    }
    assert len(same) == 1
    others = [from_arrays(IMAGES), from_arrays(IMAGES[::-1], LABELS), from_arrays(IMAGES, LABELS[::-1])]
    assert len(same | {other.fingerprint for other in others}) == 4


@pytest.mark.parametrize(
    ("images", "labels", "names", "message"),
    [
        (IMAGES / 255, None, (), r"float64 \[10, 4, 6, 3\]: they must be uint8"),
        (IMAGES[0, 0], None, (), "must be uint8"),
        (IMAGES[:0], None, (), "must be uint8"),
        (IMAGES, LABELS[:9], (), r"int64 \[9\]: they must be integers \[10\]"),
        (IMAGES, LABELS / 1, (), "must be integers"),
        (IMAGES, LABELS - 1, (), "from -1 to 1"),
        (IMAGES, LABELS * 10**9, (), "they must be 0 to 99999 at most"),
        (IMAGES, LABELS, ("cat", "dog"), "they must be 0 to 1 at most"),
        (IMAGES, None, ("cat", "dog"), "names of 2 classes are given, and no labels"),
    ],
)
def test_arrays_that_will_not_do(images, labels, names, message):
    with pytest.raises(UserError, match=message):
        from_arrays(images, labels, class_names=names)


def test_a_config_with_another_data_set():
    config = base_config()
    config.data.update(name="shapes", resolution=32)
    made = complete(with_dataset(config, "arrays", {}))
    assert (made.data.name, data_options(made)) == ("arrays", {})
    assert config.data.resolution == 32
    with pytest.raises(UserError, match="arrays that a program held: give them to train"):
        data.load("arrays")


def test_arrays_in_memory_are_trained_on(tmp_path, data_dir):
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    dataset = from_arrays(images, np.arange(40) % 2, class_names=("cat", "dog"))
    config = tiny(data_dir, num_steps=2, steps_per_call=1, sample_every_steps=2, batch_size=4)
    state = train(config, tmp_path / "run", devices=1, dataset=dataset)
    assert int(state.step) == 2
    _, spec, _ = restored_run(tmp_path / "run")
    assert (spec.image_shape, spec.num_classes) == ((16, 16, 1), 2)
    with pytest.raises(UserError, match="the data"):
        train(config, tmp_path / "run", devices=1, dataset=from_arrays(images[::-1], np.arange(40) % 2))
