"""The pictures of a run show what they say."""

import numpy as np
import pytest

from gan_jax.config.build import build
from gan_jax.data.shapes import SHAPES
from gan_jax.training import pictures
from tests.runs import tiny


@pytest.fixture
def shown(monkeypatch):
    """The examples that pictures are made of, and their columns."""
    seen = []

    def keep(examples, codec, columns=None):
        seen.append((np.asarray(examples), columns))
        return np.zeros((8, 8, 1), np.uint8)

    monkeypatch.setattr(pictures, "examples_picture", keep)
    return seen


def test_reals_stand_in_the_rows_of_the_samples(shown, data_dir):
    plan = build(
        tiny(
            data_dir,
            **{
                "generator.condition": "embedding",
                "discriminator.condition": "embedding",
                "data.num_examples": 400,
            },
        )
    )
    pictures.reals_like_samples(plan)
    [(examples, columns)] = shown
    assert pictures.row_names(plan) == SHAPES
    assert columns == 8
    stored = plan.dataset.arrays()
    known = {
        image.tobytes(): int(label) for image, label in zip(stored["image"], stored["label"], strict=True)
    }
    images = np.rint((examples + 1) * 127.5).astype(np.uint8)
    assert [known[image.tobytes()] for image in images] == np.repeat(np.arange(8), 8).tolist()


def test_without_classes_the_first_that_are_drawn(shown, data_dir, tmp_path):
    plan = build(tiny(data_dir))
    pictures.reals_like_samples(plan)
    pictures.picture_of_reals(plan, tmp_path)
    (beside, columns), (alone, _) = shown
    assert columns is None
    assert pictures.row_names(plan) == ()
    np.testing.assert_array_equal(beside, alone)
