"""What the networks must know about the data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSpec:
    """What the networks must know about the data.

    Attributes:
        image_shape: (H, W, C) of an example; a point in R^D is an image (1, 1, D).
        num_classes: number of labels; None where there are none.
        points: whether the examples are points of a known density, float32 of any range, and no images in
            [-1, 1] that are kept as bytes.
    """

    image_shape: tuple[int, int, int]
    num_classes: int | None
    points: bool = False
