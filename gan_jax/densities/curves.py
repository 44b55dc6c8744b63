"""Gaussian noise around planar curves: the swiss roll, two moons, spirals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.randomness import example_keys
from gan_jax.densities.density import NEAR
from gan_jax.densities.mixture import check_points
from gan_jax.utils.checks import check_count, check_number, check_range

Array = jax.Array

_PANEL_NODES = 8  # Gauss-Legendre nodes on each piece of curve that is no longer than the noise's std
_LEAST_PANELS = 64  # for a noise that is wide: enough to follow the bends
_THINNEST = 1e-4  # the least std, in lengths of the curve
_POINTS = 512  # points whose distances to all nodes are held at once


@dataclass(frozen=True)
class Arc:
    """c(s) = centre + r(s) (cos a(s), sin a(s)) for s in [0, 1], r and a linear in s.

    It is a piece of Archimedes' spiral or, where r is constant, of a circle.

    Attributes:
        centre: (x, y).
        radius: r at s = 0 and at s = 1.
        angle: a at s = 0 and at s = 1, in radians.
        power: s = u^(1 / power) with u uniform on [0, 1); its density is power s^(power - 1).
    """

    centre: tuple[float, float]
    radius: tuple[float, float]
    angle: tuple[float, float]
    power: int = 1

    def position(self, s: Any, xp: Any = np) -> Any:
        """The points [..., 2] for s [...]; `xp` is numpy or jax.numpy, whichever made `s`."""
        radius, angle = self._polar(s)
        return xp.stack(
            [self.centre[0] + radius * xp.cos(angle), self.centre[1] + radius * xp.sin(angle)], axis=-1
        )

    def velocity(self, s: np.ndarray) -> np.ndarray:
        """dc/ds [..., 2] for s [...]."""
        radius, angle = self._polar(s)
        growth, turn = self.radius[1] - self.radius[0], self.angle[1] - self.angle[0]
        cos, sin = np.cos(angle), np.sin(angle)
        return np.stack([growth * cos - radius * turn * sin, growth * sin + radius * turn * cos], axis=-1)

    def _polar(self, s: Any) -> tuple[Any, Any]:
        return (
            self.radius[0] + (self.radius[1] - self.radius[0]) * s,
            self.angle[0] + (self.angle[1] - self.angle[0]) * s,
        )

    @property
    def longest_speed(self) -> float:
        """max |dc/ds|: r is linear, so it is at an end."""
        return float(np.linalg.norm(self.velocity(np.array([0.0, 1.0])), axis=-1).max())


@dataclass(frozen=True)
class Curve:
    """c(s) + N(0, std^2 I): one of the arcs, all equally likely, a point of it, and noise.

    Its modes are pieces of the arcs, all of the same probability, in the order in which the arcs are run
    through.

    Attributes:
        arcs: the parts of the curve.
        std: of the noise, in each coordinate; at least a ten-thousandth of the curve's length.
        pieces: how many modes there are; a multiple of the number of arcs.
    """

    arcs: tuple[Arc, ...]
    std: float
    pieces: int = 20

    def __post_init__(self) -> None:
        if not self.arcs:
            raise ValueError("arcs=(): expected at least one arc")
        low = _THINNEST * max(arc.longest_speed for arc in self.arcs)
        check_range(self.std, "std", low=low)
        check_count(self.pieces, "pieces")
        if self.pieces % len(self.arcs):
            raise ValueError(f"pieces={self.pieces}: it must be a multiple of {len(self.arcs)}, the arcs")

    @property
    def dimension(self) -> int:
        """2."""
        return 2

    @property
    def weights(self) -> np.ndarray:
        """Probabilities of the pieces, float64 [K]: all the same."""
        return np.full(self.pieces, 1 / self.pieces)

    def sample(self, key: Array, count: int) -> Array:
        """Independent draws, float32 [count, 2]; draw i is a function of (key, i) alone."""

        def draw(key: Array) -> Array:
            which, along, noise = jax.random.split(key, 3)
            u = jax.random.uniform(along, (), jnp.float32)
            places = jnp.stack([arc.position(u ** (1 / arc.power), jnp) for arc in self.arcs])
            place = places[jax.random.randint(which, (), 0, len(self.arcs))]
            return place + jnp.float32(self.std) * jax.random.normal(noise, (2,), jnp.float32)

        return jax.vmap(draw)(example_keys(key, count))

    def log_prob(self, x: Array) -> Array:
        """ln p(x) in nats, [..., 2] -> [...].

        p(x) is the integral over s of p(s) N(x; c(s), std^2 I), by a Gauss-Legendre rule of 8 nodes on each
        piece of curve that is no longer than std: its error is below that of float32. The work for each
        point grows with the length of the curve in units of std: about 3,000 nodes for the swiss roll.

        Raises:
            ValueError: the last axis is not 2.
        """
        x = check_points(x, 2)
        nodes, log_weights = self._rule
        centres = jnp.array(nodes, x.dtype)
        constants = jnp.array(log_weights - math.log(2 * math.pi * self.std**2), x.dtype)

        def log_prob_of_point(point: Array) -> Array:
            squares = jnp.sum(((point - centres) / jnp.array(self.std, x.dtype)) ** 2, axis=-1)
            return jax.scipy.special.logsumexp(constants - 0.5 * squares)

        flat = jax.lax.map(log_prob_of_point, x.reshape(-1, 2), batch_size=_POINTS)
        return flat.reshape(x.shape[:-1])

    def mode_of(self, points: np.ndarray) -> np.ndarray:
        """The piece with the nearest point of the curve, [N, 2] -> int64 [N]; -1 beyond NEAR std."""
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"expected points [N, 2], got {list(points.shape)}")
        modes = np.empty(len(points), np.int64)
        for start in range(0, len(points), _POINTS):
            part = points[start : start + _POINTS]
            found = [self._nearest(arc, part) for arc in self.arcs]
            distance = np.stack([d for _, d in found])
            which = distance.argmin(axis=0)
            rows = np.arange(len(part))
            piece = np.stack([self._piece(number, s) for number, (s, _) in enumerate(found)])
            near = distance[which, rows] <= NEAR * self.std  # a NaN is not
            modes[start : start + _POINTS] = np.where(near, piece[which, rows], -1)
        return modes

    def _piece(self, number: int, s: np.ndarray) -> np.ndarray:
        """The mode of the places s [N] of an arc."""
        each = self.pieces // len(self.arcs)
        inside = np.floor(s ** self.arcs[number].power * each).astype(np.int64)
        return number * each + np.minimum(inside, each - 1)

    def _nearest(self, arc: Arc, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each point [N, 2] the nearest place s [N] of an arc and its distance [N].

        The best of places half a std apart, then three Gauss-Newton steps from it.
        """
        places = np.linspace(0.0, 1.0, 2 * self._panels(arc) + 1)
        curve = arc.position(places)
        squares = (points[:, :1] - curve[:, 0]) ** 2 + (points[:, 1:] - curve[:, 1]) ** 2
        s = places[squares.argmin(axis=1)]
        distance = np.linalg.norm(points - arc.position(s), axis=1)
        for _ in range(3):
            velocity = arc.velocity(s)
            shift = ((points - arc.position(s)) * velocity).sum(axis=1) / (velocity**2).sum(axis=1)
            tried = np.clip(s + shift, 0.0, 1.0)
            after = np.linalg.norm(points - arc.position(tried), axis=1)
            better = after < distance
            s, distance = np.where(better, tried, s), np.where(better, after, distance)
        return s, distance

    def _panels(self, arc: Arc) -> int:
        """Into how many pieces, none longer than std, an arc is cut."""
        return max(_LEAST_PANELS, math.ceil(arc.longest_speed / self.std))

    def _weighted_nodes(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each arc the nodes [n, 2] and their weights [n]."""
        x, w = np.polynomial.legendre.leggauss(_PANEL_NODES)
        for arc in self.arcs:
            panels = self._panels(arc)
            s = ((np.arange(panels)[:, None] + (x + 1) / 2) / panels).ravel()
            density = arc.power * s ** (arc.power - 1)
            yield arc.position(s), np.tile(w / 2, panels) / panels * density / len(self.arcs)

    @cached_property
    def _rule(self) -> tuple[np.ndarray, np.ndarray]:
        """The quadrature: nodes float64 [n, 2] and the logarithms of their weights [n]."""
        nodes, weights = zip(*self._weighted_nodes(), strict=True)
        return np.concatenate(nodes), np.log(np.concatenate(weights))


def swiss_roll(std: float = 0.25 / 7.5, pieces: int = 20) -> Curve:
    """(t cos t, t sin t) / 7.5 with t uniform on [1.5 pi, 4.5 pi], and noise.

    scikit-learn's `make_swiss_roll` seen from its side, scaled as WGAN-GP's toy data are (Gulrajani et al.
    2017, arXiv:1704.00028, and its code: noise 0.25, all divided by 7.5).
    """
    ends = (1.5 * math.pi, 4.5 * math.pi)
    return Curve((Arc((0.0, 0.0), (ends[0] / 7.5, ends[1] / 7.5), ends),), std, pieces)


def two_moons(std: float = 0.1, pieces: int = 20) -> Curve:
    """Two half circles of radius 1 that reach into each other, uniform along them, and noise.

    The places are those of scikit-learn's `make_moons`: the upper around (0, 0), the lower around (1, 0.5).
    """
    upper = Arc((0.0, 0.0), (1.0, 1.0), (0.0, math.pi))
    lower = Arc((1.0, 0.5), (1.0, 1.0), (math.pi, 2 * math.pi))
    return Curve((upper, lower), std, pieces)


def spiral(
    turns: float = 1.5, radius: float = math.pi, arms: int = 2, std: float = 0.1, pieces: int = 20
) -> Curve:
    """Archimedes' spirals from the origin: s (cos 2 pi turns s, sin 2 pi turns s) radius, s the root of a
    uniform number, so that they are nearly even along the arms; and noise.

    The defaults are the two spirals of FFJORD's toy data (Grathwohl et al. 2018, arXiv:1810.01367, and its
    code) up to a rotation and without their second, uniform noise.
    """
    check_count(arms, "arms")
    check_range(turns, "turns")
    check_number(radius, "radius")
    if not (radius > 0.0):
        raise ValueError(f"radius={radius!r}: it must be above 0")
    turn = 2 * math.pi * turns
    starts = [2 * math.pi * arm / arms for arm in range(arms)]
    return Curve(
        tuple(Arc((0.0, 0.0), (0.0, radius), (start, start + turn), 2) for start in starts), std, pieces
    )
