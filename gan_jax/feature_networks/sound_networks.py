"""Feature networks of sounds, which see them as spectrograms: statistics of levels, and classifiers.

They take sounds as they are stored, int16 [B, L, 1, 1], so that waves and spectrograms are judged alike: of a
generator of spectrograms what Griffin and Lim's method makes of them is heard.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.sound_codecs import Sound, Wave, as_wave, level_map
from gan_jax.feature_networks.network import FeatureNetwork, Outputs, digest_of
from gan_jax.utils.tree import PyTree

Array = jax.Array

_AT_A_TIME = 512


def spectral_network(length: int, rate: int) -> FeatureNetwork:
    """The mean and the standard deviation over time of each frequency's level: no weights.

    The levels are those of a sound's picture (`data.spectral.levels`): 80 decibels as 0 to 1.

    Args:
        length: samples of a sound.
        rate: samples per second.
    """
    bins, _, _ = picture_shape(length)

    def apply(params: PyTree, stored: Array) -> Outputs:
        levels = level_map(as_wave(stored), jnp)
        return Outputs(jnp.concatenate([levels.mean(axis=-1), levels.std(axis=-1)], axis=-1))

    return FeatureNetwork(
        name="spectral",
        digest=digest_of({}, f"spectral 1, {length} at {rate}"),
        resizer="none",
        image_shape=(length, 1, 1),
        num_features=2 * bins,
        num_classes=None,
        params={},
        apply=apply,
        codec=Wave(rate),
    )


def hearing(network: FeatureNetwork, length: int, rate: int) -> FeatureNetwork:
    """A network of grey pictures uint8 [B, F, T, 1] as one of sounds of this length."""

    def apply(params: PyTree, stored: Array) -> Outputs:
        return network.apply(params, _grey(level_map(as_wave(stored), jnp), jnp))

    return replace(
        network,
        digest=digest_of({}, f"{network.digest} of spectrograms of {length} at {rate}"),
        image_shape=(length, 1, 1),
        apply=apply,
        maps=None,
        codec=Wave(rate),
    )


def is_of_sounds(codec: object) -> bool:
    """Whether what a codec stores are sounds."""
    return isinstance(codec, Sound)


def grey_pictures(stored: np.ndarray) -> np.ndarray:
    """Sounds int16 [N, L, 1, 1] as grey spectrograms uint8 [N, F, T, 1], which a classifier is trained on."""
    parts = [
        _grey(level_map(np.asarray(as_wave(jnp.asarray(stored[start : start + _AT_A_TIME])))), np)
        for start in range(0, len(stored), _AT_A_TIME)
    ]
    return np.concatenate(parts)


def picture_shape(length: int) -> tuple[int, int, int]:
    """(F, T, 1) of the pictures of sounds of so many samples."""
    bins, frames = level_map(np.zeros((1, length, 1, 1), np.float32)).shape[1:]
    return int(bins), int(frames), 1


def _grey(levels: Any, xp: Any) -> Any:
    return xp.rint(levels * 255).astype(np.uint8)[..., None]
