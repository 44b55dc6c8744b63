"""The metrics that compare each image with its own truth, and the cycle error: `scores.METRICS` has them.

They see images of 8 bits, as they are written to files, and need no feature network but for `lpips_paired`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gan_jax.evaluation.metric import Better, Comparison, Metric, Pairs
from gan_jax.feature_networks.lpips import perceptual_distance
from gan_jax.metrics import paired
from gan_jax.metrics.paired import K1, K2, SIGMA, WINDOW

NOISE = 2 / 255  # standard deviation, of values in [0, 1], in the cycle error after noise
CYCLES = ("cycle_error", "cycle_error_8_bits", "cycle_error_noise")
_SSIM = f"{WINDOW} x {WINDOW} Gaussian window of {SIGMA:g}, valid region, K {K1:g} and {K2:g}"
_LUMA = "luma of ITU-R BT.601 (16 to 235)"


def pair_metrics(border: int | None = None, scale: int = 1) -> dict[str, Metric]:
    """The metrics of pairs by name.

    Those of the luma are super-resolution's: without a border as wide as the picture was enlarged. The
    others see all channels of whole pictures.

    Args:
        border: so many rows and columns are left out on each side in all of them; None as above.
        scale: how many times as large the fakes are as what they were made of.
    """
    whole, inner = border or 0, (scale if scale > 1 else 0) if border is None else border
    return {
        "l1": _mean("l1", "lower", "values in [0, 1]", whole, paired.l1),
        "psnr": _mean("psnr", "higher", "dB, peak 255", whole, paired.psnr),
        "ssim": _mean("ssim", "higher", _SSIM, whole, paired.ssim, window=WINDOW),
        "psnr_luma": _mean("psnr_luma", "higher", "dB, peak 255", inner, paired.psnr, luma=True),
        "ssim_luma": _mean("ssim_luma", "higher", _SSIM, inner, paired.ssim, luma=True, window=WINDOW),
        "lpips_paired": _of_pairs(
            "lpips_paired",
            "lower",
            "unit weights",
            lambda pairs: perceptual_distance(pairs.network, pairs.fake, pairs.truth),
            needs={"maps"},
        ),
    }


def _mean(
    name: str,
    better: Better,
    protocol: str,
    border: int,
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    luma: bool = False,
    window: int = 1,
) -> Metric:
    """A function of two arrays of pictures, of the luma or all channels without a border.

    Args:
        window: the side of what has to fit in.
    """

    def each(pairs: Pairs) -> np.ndarray:
        sides = (paired.cropped(side, border) for side in (pairs.fake, pairs.truth))
        return measure(*(paired.luma(side) if luma else side for side in sides))

    channels = _LUMA if luma else "all channels"
    return _of_pairs(
        name,
        better,
        f"{protocol}, {channels}, border {border}",
        each,
        needs={"colour"} if luma else set(),
        least_side=window + 2 * border,
    )


def _of_pairs(
    name: str,
    better: Better,
    protocol: str,
    each: Callable[[Pairs], np.ndarray],
    *,
    needs: set[str],
    least_side: int = 1,
) -> Metric:
    def compute(given: Comparison) -> dict[str, float]:
        assert given.pairs is not None
        return means({name: each(given.pairs)})

    return Metric(
        1,
        protocol,
        {name: better},
        compute,
        least=1,
        least_side=least_side,
        needs=frozenset({"pairs", *needs}),  # type: ignore[arg-type]
        features=False,
        of_sets=False,
        each=lambda pairs: {name: each(pairs)},
    )


def means(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The scores of values [N] by name: their means over the pictures.

    A picture that equals its truth has an infinite PSNR: the mean is over the others, and a score beside it,
    NAME_equal, says how many were equal. Where all are, it is infinite.
    """
    found = {}
    for name, each in values.items():
        finite = each[np.isfinite(each)]
        found[name] = float(np.mean(finite if len(finite) else each))
        if len(finite) < len(each):
            found[f"{name}_equal"] = float(len(each) - len(finite))
    return found


def _cycle_error(given: Comparison) -> dict[str, float]:
    assert given.cycle_errors is not None
    return means({name: given.cycle_errors[name] for name in CYCLES})


CYCLE_ERROR = Metric(
    1,
    f"L1 of values in [0, 1] between the source and its translation there and back; of the translation as "
    f"it is, rounded to 8 bits, and with noise of {255 * NOISE:g}/255",
    dict.fromkeys(CYCLES, "lower"),
    _cycle_error,
    least=1,
    needs=frozenset({"cycle"}),
    features=False,
    of_sets=False,
)
