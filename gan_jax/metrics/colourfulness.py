"""How colourful pictures are.

Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images", section 7. Their viewers called 0
not colourful, 15 slightly, 33 moderately, 45 averagely, 59 quite, 82 highly and 109 extremely colourful.
"""

from __future__ import annotations

import numpy as np


def colourfulness(images: np.ndarray) -> np.ndarray:
    """The authors' M^(3) of each picture: float64 [N], 0 for grey ones.

    sqrt(var rg + var yb) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2) with rg = R - G and yb = (R + G) / 2 - B, over
    all pixels.

    Args:
        images: [N, H, W, 3], sRGB in 0 to 255.

    Raises:
        ValueError: not three channels.
    """
    if np.ndim(images) != 4 or np.shape(images)[-1] != 3:
        raise ValueError(f"expected pictures [N, H, W, 3], got {np.shape(images)}")
    return np.array([_of_picture(image.astype(np.float64)) for image in images])


def _of_picture(image: np.ndarray) -> float:
    red, green, blue = np.moveaxis(image, -1, 0)
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    spread = np.sqrt(opponents.var(axis=(1, 2)).sum())
    return float(spread + 0.3 * np.sqrt((opponents.mean(axis=(1, 2)) ** 2).sum()))
