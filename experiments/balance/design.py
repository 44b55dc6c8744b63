"""What the study compares: cuts of Fashion-MNIST, ways to deal with them, and the generators' configs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import ml_collections

from gan_jax.api.configs import load_config
from gan_jax.feature_networks.balanced_training import Training

CUTS: dict[str, dict[str, Any]] = {  # options of `data`
    "1:10": {"imbalance": 10},
    "1:50": {"imbalance": 50},
    "1:100": {"imbalance": 100},
    "10 a class": {"per_class": 10},
    "30 a class": {"per_class": 30},
    "100 a class": {"per_class": 100},
}
SEEDS = 10  # of the classifier

_PLAIN = Training(steps=500)
_CLASSIC = replace(_PLAIN, augment=("shift", "flip"))


@dataclass(frozen=True)
class Method:
    """A way to train the classifier.

    Attributes:
        training: how.
        generator: whose pictures are added, a key of GENERATORS; "" for none.
        only_unbalanced: whether it differs from another method only where classes are rare.
    """

    training: Training
    generator: str = ""
    only_unbalanced: bool = False


def _even(training: Training, ratio: float = 0.0) -> Training:
    return replace(training, balance="oversample", ratio=ratio)


METHODS: dict[str, Method] = {
    "nothing": Method(_PLAIN),
    "class weights": Method(replace(_PLAIN, balance="weights"), only_unbalanced=True),
    "over-sampling": Method(_even(_PLAIN), only_unbalanced=True),
    "classic": Method(_CLASSIC),
    "over-sampling + classic": Method(_even(_CLASSIC), only_unbalanced=True),
    "GAN": Method(_even(_PLAIN, 1.0), "GAN"),
    "GAN + classic": Method(_even(_CLASSIC, 1.0), "GAN"),
    "DDPM": Method(_even(_PLAIN, 1.0), "DDPM"),
    "DDPM + classic": Method(_even(_CLASSIC, 1.0), "DDPM"),
}


def is_unbalanced(cut: str) -> bool:
    """Whether classes are rare in it."""
    return "imbalance" in CUTS[cut]


def methods_of(cut: str) -> list[str]:
    """Those that are compared on a cut, the first of which is what the others are compared with."""
    return [name for name, method in METHODS.items() if is_unbalanced(cut) or not method.only_unbalanced]


def baseline(method: str, cut: str) -> str:
    """What a method with generated pictures is compared with: all the same without them."""
    classic = "classic" in method
    if is_unbalanced(cut):
        return "over-sampling + classic" if classic else "over-sampling"
    return "classic" if classic else "nothing"


def _gan() -> tuple[ml_collections.ConfigDict, dict[str, Any]]:
    """The projection DCGAN with ADA; and how it is sampled."""
    config = load_config("projection_fashion_mnist")
    config.num_steps = 2_000
    # Of the paper's groups the two that are cheap on a CPU; no quarter turns, which nothing here has.
    config.augment = dict(
        name="ada", groups=("blit", "color"), without=("quarter_turn", "hue"), adjust_images=50_000
    )
    return config, {"per_class": 500}


def _ddpm() -> tuple[ml_collections.ConfigDict, dict[str, Any]]:
    """The small denoiser of `edm_fashion_mnist`, told the class, for a fifth of its steps."""
    config = load_config("edm_fashion_mnist")
    config.num_steps = 500
    config.ema = dict(name="decay", decay=0.99)
    return config, {"per_class": 100, "sampler": ("heun", 9, None)}


GENERATORS = {"GAN": _gan, "DDPM": _ddpm}


def generator_config(name: str, cut: str, seed: int) -> tuple[ml_collections.ConfigDict, dict[str, Any]]:
    """The config of a generator that sees the cut alone, each class as often as others; and its sampling."""
    config, sampled = GENERATORS[name]()
    config.seed = seed
    with config.unlocked():
        config.data.update(CUTS[cut], oversample=is_unbalanced(cut))
    config.checkpoint_every_steps = config.sample_every_steps = 500
    return config, sampled
