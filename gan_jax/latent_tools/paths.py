"""Paths through latents: arcs between normal z, lines between uniform z and between styles w."""

from __future__ import annotations

import numpy as np

from gan_jax.core.randomness import Latent
from gan_jax.latent_tools.generator import Latents
from gan_jax.metrics.path_length import lerp, slerp
from gan_jax.utils.errors import UserError


def latent_path(stations: Latents, latent: Latent, frames: int, *, closed: bool = False) -> Latents:
    """The latents on the way from each station to the next, `frames` steps apart, both ends among them.

    In w straight, because there distances are nearly perceptual ones (Karras et al. 2019, arXiv:1812.04948,
    section 4.1). In z, where nearly all normal latents of many entries have the same norm, an arc, on which
    they keep it (White 2016, arXiv:1609.04468): `metrics.path_length.slerp`.

    Args:
        stations: two or more.
        latent: the distribution of z.
        frames: steps from one station to the next.
        closed: the way leads back to the first station, which is not shown twice.

    Returns:
        (N - 1) frames + 1 latents, or N frames of a closed way. Labels are those of the station before.

    Raises:
        UserError: fewer than two stations; an arc between normal latents of a single entry.
        ValueError: no frames.
    """
    count = len(stations)
    if count < 2:
        raise UserError(f"a path leads from one latent to another, and {count} is given: give at least two")
    if frames < 1:
        raise ValueError(f"frames={frames}: it must be at least 1")
    legs = count if closed else count - 1
    before = np.repeat(np.arange(legs), frames)
    after = (before + 1) % count
    t = np.tile(np.arange(frames) / frames, legs)
    if not closed:
        before, after, t = (np.append(x, end) for x, end in ((before, count - 2), (after, count - 1), (t, 1)))
    return between(stations.take(before), stations.take(after), latent, t)


def between(starts: Latents, ends: Latents, latent: Latent, t: np.ndarray) -> Latents:
    """Latents on the ways from each start to its end, at t [N] from 0 to 1; see `latent_path` for the ways.

    Returns:
        N latents, with the labels of the starts.

    Raises:
        UserError: an arc between normal latents of a single entry.
    """
    turns = starts.space == "z" and latent == "normal"
    if turns and starts.values.shape[1] < 2:
        raise UserError("paths between normal latents turn on a sphere, and these have a single entry")
    a, b = (latents.values.reshape(len(latents), -1).astype(np.float64) for latents in (starts, ends))
    return starts.moved((slerp if turns else lerp)(a, b, t).reshape(starts.values.shape))
