"""What the networks must know about the data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSpec:
    """What the networks must know about the data."""

    image_shape: tuple[int, int, int]
    num_classes: int | None
