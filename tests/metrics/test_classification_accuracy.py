"""Classification accuracy scores of sets whose scores are known."""

from typing import Any

import numpy as np
import pytest

from gan_jax.feature_networks import classifier_training as training
from gan_jax.feature_networks.classifier import classifier_network
from gan_jax.feature_networks.classifier_training import Recipe
from gan_jax.metrics import classification_accuracy as module
from gan_jax.utils.errors import UserError

# mypy does not follow arguments that are unpacked
classification_accuracy: Any = module.classification_accuracy
train_classifier: Any = training.train_classifier

pytestmark = pytest.mark.usefixtures("full_compiler")

RECIPE = Recipe(epochs=3, batch_size=32, shift=0, dropout=0.0)
CLASSES = 4


def corners(seed, count, places=range(CLASSES)) -> Any:
    """Noisy images, class k with a bright block in the corner places[k]."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % CLASSES).astype(np.int32)
    images = rng.integers(0, 80, (count, 8, 8, 1))
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(list(places)[label], 2)
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 150
    return images.astype(np.uint8), labels


TRAIN: Any = corners(0, 400)
TEST: Any = corners(1, 100)


def scores(fakes, **changes):
    arguments: dict[str, Any] = {"recipe": RECIPE, "progress": False} | changes
    reals: Any = (None, None) if "real_classifier" in changes else TRAIN
    return classification_accuracy(*fakes, *reals, *TEST, CLASSES, **arguments)


@pytest.fixture(scope="module")
def real_classifier():
    params = train_classifier(*TRAIN, CLASSES, recipe=RECIPE, progress=False)
    return classifier_network(params, (8, 8, 1), CLASSES)


def test_reals_as_fakes_score_as_reals():
    found = scores(TRAIN)
    assert found.gan_train == found.real > 0.97
    assert found.gan_test > 0.97
    found = scores(corners(2, 400))
    assert min(found.gan_train, found.gan_test, found.real) > 0.97


def test_labels_that_nobody_heeds_score_at_chance(real_classifier):
    images, labels = corners(2, 400)
    mixed = np.random.default_rng(0).permutation(labels)
    found = scores((images, mixed), real_classifier=real_classifier)
    assert found.gan_test == pytest.approx(1 / CLASSES, abs=0.1)
    assert found.gan_train < 0.6
    assert found.real > 0.97


def test_two_classes_that_change_places_are_half_wrong(real_classifier):
    """Both scores see it: half of the images have a wrong label."""
    found = scores(corners(2, 400, places=(1, 0, 2, 3)), real_classifier=real_classifier)
    assert found.gan_train == pytest.approx(0.5, abs=0.03)
    assert found.gan_test == pytest.approx(0.5, abs=0.03)


def test_missing_variety_shows_in_gan_train_only(real_classifier):
    """Every class has two forms among the reals, and the fakes have one: bright, or the same in dark."""
    two_forms = lambda images: np.where(
        np.arange(len(images))[:, None, None, None] % 8 < 4, images, 255 - images
    )
    train: Any = two_forms(TRAIN[0]), TRAIN[1]
    test: Any = two_forms(TEST[0]), TEST[1]
    found = classification_accuracy(*corners(2, 400), *train, *test, CLASSES, recipe=RECIPE, progress=False)
    assert found.gan_test > 0.97
    assert found.real > 0.97
    assert found.gan_train < 0.8


def test_a_given_classifier_is_not_trained_again(real_classifier, monkeypatch):
    calls = []

    def train(images, *rest, **options):
        calls.append(images)
        return train_classifier(images, *rest, **options)

    monkeypatch.setattr(module, "train_classifier", train)
    fakes = corners(2, 400)
    given = scores(fakes, real_classifier=real_classifier)
    assert len(calls) == 1
    assert calls[0] is fakes[0]
    also = classification_accuracy(
        *fakes, *TRAIN, *TEST, CLASSES, real_classifier=real_classifier, recipe=RECIPE, progress=False
    )
    assert given == also
    assert len(calls) == 2
    assert given == scores(fakes)  # the same seed and recipe: the same classifiers
    assert len(calls) == 4


# Errors


def test_a_class_that_is_not_generated():
    images, labels = corners(2, 40)
    with pytest.raises(UserError, match="the generated set has no images of the classes 3"):
        scores((images[labels < 3], labels[labels < 3]))


def test_a_class_that_is_not_real():
    images, labels = TRAIN
    kept: Any = (images[labels > 0], labels[labels > 0])
    with pytest.raises(UserError, match="the real training set has no images of the classes 0"):
        classification_accuracy(*corners(2, 40), *kept, *TEST, CLASSES, recipe=RECIPE, progress=False)


def test_fewer_images_than_classes():
    images, labels = corners(2, 3)
    with pytest.raises(UserError, match="3 images of 4 classes"):
        scores((images, labels))


def test_more_classes_than_were_said():
    images, labels = corners(2, 40)
    with pytest.raises(UserError, match="the generated set has labels from 1 to 4"):
        scores((images, labels + 1))


def test_classifiers_of_another_number_of_classes(real_classifier):
    images, labels = corners(2, 40)
    with pytest.raises(UserError, match="knows 4 classes, and the images are of 3"):
        classification_accuracy(
            images[labels < 3], labels[labels < 3], None, None,
            TEST[0][TEST[1] < 3], TEST[1][TEST[1] < 3], 3,
            real_classifier=real_classifier, recipe=RECIPE, progress=False,
        )  # fmt: skip


def test_images_of_different_shapes(real_classifier):
    fakes = np.zeros((8, 9, 8, 1), np.uint8), np.arange(8) % 4
    with pytest.raises(
        UserError, match="the images of the real test set are 8 x 8 x 1 and the generated ones 9 x 8 x 1"
    ):
        scores(fakes, real_classifier=real_classifier)


@pytest.mark.parametrize("reals", [(None, None), (TRAIN[0], None)])
def test_neither_reals_nor_their_classifier(reals):
    with pytest.raises(ValueError, match="real training images with their labels, or real_classifier"):
        classification_accuracy(*corners(2, 40), *reals, *TEST, CLASSES, recipe=RECIPE, progress=False)
