"""Pictures of a run's generator as the controls of the page ask for them."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass

import numpy as np

from gan_jax.latent_tools.directions import Directions, Method, axes_of_z, find_directions
from gan_jax.latent_tools.generator import LatentGenerator, Latents
from gan_jax.latent_tools.mixing import chosen_layers, layer_bands
from gan_jax.latent_tools.paths import between
from gan_jax.utils.errors import UserError

DIRECTIONS = 8  # sliders
_REMEMBERED = 256  # latents of seeds


@dataclass(frozen=True)
class Point:
    """One picture.

    Attributes:
        seed: of its latent, that of the first picture of `gan-jax sample --seed`.
        label: its class; None of an unconditional run.
        moves: how far along each direction, in standard deviations of random latents; missing ones are 0.
        layers: of styles, which are moved, as `mixing.chosen_layers` reads them; nothing of z.
    """

    seed: int
    label: int | None = None
    moves: tuple[float, ...] = ()
    layers: str = "all"


@dataclass(frozen=True)
class View:
    """What is looked at.

    Attributes:
        point: a picture.
        to: another one, on the way to which the view is; None for the picture itself.
        t: how far it is, from 0 to 1.
        psi: of the styles' truncation; 1 for none.
    """

    point: Point
    to: Point | None = None
    t: float = 0.0
    psi: float = 1.0


class Pictures:
    """view -> its picture, uint8 [H, W, C].

    All views are drawn one at a time by one compiled program, which sees a single latent: threads may call
    it, and take turns.

    Args:
        generator: of a run, without truncation.

    Attributes:
        directions: along which points move.
        method: how they were found; None: those are the axes of z, of a network whose weights say none.
        truncates: whether a mean of styles is there, to which views can be truncated.
        bands: names of the layers of styles; () of a generator of z.
    """

    def __init__(self, generator: LatentGenerator) -> None:
        self.generator = generator
        self._space = generator.chosen_space(None)
        self._lock = threading.Lock()
        self._mean = _mean_style(generator) if self._space == "w" else None
        self.truncates = self._mean is not None
        self._latents = functools.lru_cache(_REMEMBERED)(self._drawn)
        first = self._latents(0, None if self.num_classes is None else 0)
        self.bands = tuple(layer_bands(first.values.shape[1])) if self._space == "w" else ()
        self.directions, self.method = _directions(generator, first)

    @property
    def num_classes(self) -> int | None:
        """How many classes a view can have; None of an unconditional run."""
        return self.generator.algorithm.num_classes

    def __call__(self, view: View) -> np.ndarray:
        """The picture of a view.

        Raises:
            UserError: layers that the generator does not have, no mean to truncate to.
        """
        with self._lock:
            latents = self._moved(view.point)
            if view.to is not None:
                end = self._moved(view.to)
                latent = self.generator.algorithm.latent
                way = between(latents, end, latent, np.array([view.t]))
                # A class has no half: the nearer one's.
                latents = (latents if view.t < 0.5 else end).moved(way.values)
            image = self.generator(self._truncated(latents, view.psi))
        return self.generator.codec.picture(image)[0]

    def _drawn(self, seed: int, label: int | None) -> Latents:
        drawn = self.generator.drawn([seed], None if label is None else [label])
        return self.generator.in_space(drawn, self._space)

    def _moved(self, point: Point) -> Latents:
        start, found = self._latents(point.seed, point.label), self.directions
        moves = np.zeros(len(found.vectors))
        moves[: len(point.moves)] = point.moves
        values = start.values.astype(np.float64)
        step = (moves * found.spread) @ found.vectors
        if self._space == "w":
            values[:, chosen_layers(point.layers, values.shape[1])] += step
        else:
            values += step
        return start.moved(values)

    def _truncated(self, latents: Latents, psi: float) -> Latents:
        if psi == 1.0:
            return latents
        if self._mean is None:
            raise UserError(f"psi={psi:g}: this generator has no mean style to truncate to")
        return latents.moved(self._mean + psi * (latents.values - self._mean))


def _directions(generator: LatentGenerator, first: Latents) -> tuple[Directions, Method | None]:
    """As `gan-jax walk` finds them, and the axes of z where it finds none.

    Args:
        first: any latents in the space of the directions.
    """
    classes = generator.algorithm.num_classes
    labels = None if classes is None else range(classes)
    count = min(DIRECTIONS, first.values.shape[-1])
    if first.space == "w":
        return find_directions(generator, "ganspace", "w", count, labels=labels), "ganspace"
    try:
        return find_directions(generator, "sefa", "z", count, labels=labels), "sefa"
    except UserError:
        return axes_of_z(generator, count), None


def _mean_style(generator: LatentGenerator) -> np.ndarray | None:
    """The mean of the styles [D]; None where the generator keeps none."""
    try:
        return np.asarray(generator.algorithm.mean_style(generator.state))
    except ValueError:
        return None
