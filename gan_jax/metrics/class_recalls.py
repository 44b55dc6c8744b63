"""Recall of each class, and their mean: the balanced accuracy, in which rare classes count as much as others.

Brodersen et al. 2010, "The balanced accuracy and its posterior distribution", doi:10.1109/ICPR.2010.764.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassRecalls:
    """What a classifier gets right; shares in [0, 1].

    Attributes:
        recalls: of each class, the share of its images that are taken for it; NaN of a class without images.
        accuracy: of all images.
    """

    recalls: tuple[float, ...]
    accuracy: float

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have images."""
        return float(np.nanmean(self.recalls))

    def mean_of(self, classes: list[int]) -> float:
        """The mean recall of these classes; NaN of none."""
        found = [self.recalls[label] for label in classes if not math.isnan(self.recalls[label])]
        return float(np.mean(found)) if found else math.nan


def class_recalls(predicted: np.ndarray, labels: np.ndarray, num_classes: int) -> ClassRecalls:
    """Recalls of predicted classes, integers [N] in [0, K).

    Args:
        predicted: by a classifier.
        labels: the truth.
        num_classes: K.

    Raises:
        ValueError: no images, or other shapes.
    """
    if predicted.shape != labels.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(f"expected two vectors of one length, got {predicted.shape} and {labels.shape}")
    right = predicted == labels
    found = (
        float(right[labels == label].mean()) if (labels == label).any() else math.nan
        for label in range(num_classes)
    )
    return ClassRecalls(tuple(found), float(right.mean()))
