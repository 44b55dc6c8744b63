"""Classification accuracy scores of conditional generators: GAN-train and GAN-test.

Shmelkov et al. 2018, arXiv:1807.09499, section 3: GAN-train is the accuracy on real images of a classifier
that was trained on generated ones: it falls with missing variety and with bad images. GAN-test is the
accuracy on generated images of a classifier that was trained on real ones: it falls with bad images or
wrong labels, and says nothing about variety; above the real accuracy, the generator makes easy images.
Ravuri and Vinyals 2019, arXiv:1905.10887, section 3, call the first the classification accuracy score (CAS).

Both papers train on as many generated images as there are real ones. Deviation: their classifiers are
ResNets for their data sets, and here it is the one of `gan_jax.feature_networks.classifier`. So compare
scores of one data set, one recipe and one number of images only, and read them beside `real`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_jax.feature_networks.classifier import accuracy, classifier_network
from gan_jax.feature_networks.classifier_training import Recipe, train_classifier
from gan_jax.feature_networks.labelled import check_labelled
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.utils.errors import UserError


@dataclass(frozen=True)
class ClassificationAccuracy:
    """Shares in [0, 1]; the more the better.

    Attributes:
        gan_train: of the real test images, by a classifier trained on the generated ones (the CAS).
        gan_test: of the generated images, by a classifier trained on the real ones.
        real: of the real test images, by a classifier trained on the real ones: what `gan_train` can reach.
    """

    gan_train: float
    gan_test: float
    real: float


def classification_accuracy(
    fake_images: np.ndarray,
    fake_labels: np.ndarray,
    real_train_images: np.ndarray | None,
    real_train_labels: np.ndarray | None,
    real_test_images: np.ndarray,
    real_test_labels: np.ndarray,
    num_classes: int,
    *,
    real_classifier: FeatureNetwork | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: bool = True,
) -> ClassificationAccuracy:
    """GAN-train, GAN-test and the real reference.

    Args:
        fake_images: uint8 [M, H, W, C]; as many as there are real training images makes `gan_train` and
            `real` comparable.
        fake_labels: integers [M], the classes that were asked for; every class is there.
        real_train_images: uint8 [N, H, W, C]; not read with `real_classifier`, and may be None then.
        real_train_labels: integers [N]; likewise.
        real_test_images: uint8 [T, H, W, C].
        real_test_labels: integers [T].
        num_classes: K.
        real_classifier: one that was trained on the real training images with the same recipe, as
            `classifier_cache.classifier` gives it, so that none is trained here.
        recipe: of both classifiers; None for the default one.
        seed: of both classifiers.
        progress: as in `train_classifier`.

    Raises:
        UserError: missing classes, labels out of range, images of different shapes, another number of
            classes than the classifier's.
        ValueError: neither real training images nor a classifier of them.
    """
    sets = [
        ("the generated set", fake_images, fake_labels, True),
        ("the real test set", real_test_images, real_test_labels, False),
    ]
    if real_classifier is None:
        if real_train_images is None or real_train_labels is None:
            raise ValueError("give the real training images with their labels, or real_classifier")
        sets.append(("the real training set", real_train_images, real_train_labels, True))
    for what, images, labels, whole in sets:
        check_labelled(what, images, labels, num_classes, whole=whole)
        _check_same_shape(what, images.shape[1:], fake_images.shape[1:])

    def trained(images: np.ndarray, labels: np.ndarray) -> FeatureNetwork:
        params = train_classifier(images, labels, num_classes, recipe=recipe, seed=seed, progress=progress)
        return classifier_network(params, images.shape[1:], num_classes)

    if real_classifier is None:
        assert real_train_images is not None
        assert real_train_labels is not None
        real_classifier = trained(real_train_images, real_train_labels)
    if real_classifier.num_classes != num_classes:
        raise UserError(
            f"the classifier of the real images ({real_classifier.name}) knows "
            f"{real_classifier.num_classes} classes, and the images are of {num_classes}: give one of the "
            "same data set"
        )
    fake_classifier = trained(fake_images, fake_labels)
    return ClassificationAccuracy(
        gan_train=accuracy(fake_classifier, real_test_images, real_test_labels),
        gan_test=accuracy(real_classifier, fake_images, fake_labels),
        real=accuracy(real_classifier, real_test_images, real_test_labels),
    )


def _check_same_shape(what: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise UserError(
            f"the images of {what} are {' x '.join(map(str, found))} and the generated ones "
            f"{' x '.join(map(str, expected))}: resize one of them"
        )
