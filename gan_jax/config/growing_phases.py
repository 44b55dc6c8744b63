"""The phases of a network that grows: `config.phases` from images and batch sizes by resolution.

    config.phases = growing_phases((7, 14, 28), images=600_000, fade_images=600_000, batch_size={7: 64, ...})

See `gan_jax.algorithms.growing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from gan_jax.utils.checks import check_count

T = TypeVar("T", int, float)


def growing_phases(
    resolutions: Sequence[int],
    *,
    images: int | Mapping[int, int],
    fade_images: int | Mapping[int, int],
    batch_size: int | Mapping[int, int],
    learning_rate: float | Mapping[int, float] | None = None,
) -> list[dict[str, Any]]:
    """A list for `config.phases`: every resolution is faded in, but for the first, and then trained.

    Each number is one for all resolutions, or one for each.

    Args:
        resolutions: heights of the levels to be trained, the lowest first; it need not be the lowest of all.
        images: reals shown at a resolution once it is there. Steps are rounded up.
        fade_images: reals shown while it is faded in; 0 for no fade.
        batch_size: images in a step.
        learning_rate: of both players; None leaves the config's as they are.

    Raises:
        ValueError: a resolution without a number, or a number that is none.
    """
    phases: list[dict[str, Any]] = []
    for place, resolution in enumerate(resolutions):
        batch = at(batch_size, resolution, "batch_size")
        check_count(batch, "batch_size")
        changes: dict[str, Any] = dict(
            batch_size=batch,
            generator=dict(resolution=resolution),
            discriminator=dict(resolution=resolution),
        )
        if learning_rate is not None:
            rate = dict(learning_rate=at(learning_rate, resolution, "learning_rate"))
            changes |= dict(generator_optimizer=dict(rate), discriminator_optimizer=dict(rate))
        fade = at(fade_images, resolution, "fade_images") if place else 0
        if fade != 0:
            steps = steps_for(fade, batch, "fade_images")
            algorithm = dict(fade_steps=steps)
            phases.append(dict(name=f"r{resolution}_fade", num_steps=steps, algorithm=algorithm, **changes))
        steps = steps_for(at(images, resolution, "images"), batch, "images")
        algorithm = dict(fade_steps=0)
        phases.append(dict(name=f"r{resolution}", num_steps=steps, algorithm=algorithm, **changes))
    return phases


def steps_of(phases: Sequence[Mapping[str, Any]]) -> int:
    """The steps of all these phases together: what `config.num_steps` must be."""
    return sum(phase["num_steps"] for phase in phases)


def at(values: T | Mapping[int, T], resolution: int, name: str) -> T:
    """The number for a resolution.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(values, Mapping):
        return values
    if resolution not in values:
        raise ValueError(f"{name}={dict(values)}: it has no number for the resolution {resolution}")
    return values[resolution]


def steps_for(images: int, batch_size: int, name: str) -> int:
    """Steps that show at least so many images."""
    check_count(images, name)
    return -(-images // batch_size)
