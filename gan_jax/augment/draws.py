"""Random draws of ADA's pipeline: which transforms are applied to each example, and how strongly.

Karras et al. 2020, arXiv:2006.06676, appendix B: each transform is applied to each example with
probability p, independently. The distributions of the strengths are where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

Array = jax.Array

TRANSFORMS: dict[str, tuple[str, ...]] = {
    "blit": ("flip", "quarter_turn", "shift"),
    "geometric": ("scale", "rotate", "stretch", "translate"),
    "color": ("brightness", "contrast", "luma_flip", "hue", "saturation"),
    "filter": ("bands",),
    "corrupt": ("noise", "cutout"),
}
NAMES = tuple(name for names in TRANSFORMS.values() for name in names)

# One decision each. The place of a slot decides its random numbers: new ones belong at the end.
SLOTS = (
    *("flip", "quarter_turn", "shift"),
    *("scale", "rotate/before", "stretch", "rotate/after", "translate"),
    *("brightness", "contrast", "luma_flip", "hue", "saturation"),
    *("bands/0", "bands/1", "bands/2", "bands/3"),
    *("noise", "cutout"),
)


@dataclass(frozen=True)
class Draws:
    """The random numbers of a batch.

    Attributes:
        p: probability of each transform, [].
        names: the transforms that may happen.
        color_share: the share of p with which those of colours happen.
        gates: uniform on [0, 1), [B, slots].
        uniforms: the same, [B, slots, 2].
        normals: standard normal, [B, slots, 2].
        noise_keys: keys [B] for noise per pixel.
    """

    p: Array
    names: frozenset[str]
    gates: Array
    uniforms: Array
    normals: Array
    noise_keys: Array
    color_share: float = 1.0

    def happens(self, slot: str) -> Array:
        """Whether the transform is applied: bool [B], True with probability p or its share of it."""
        if slot.split("/")[0] not in self.names:
            return jnp.zeros_like(self.gates[:, 0], bool)
        p = self.p * self.color_share if slot in TRANSFORMS["color"] else self.p
        if slot.startswith("rotate/"):
            p = 1.0 - jnp.sqrt(1.0 - p)  # so that one of the two happens with probability p
        return self.gates[:, SLOTS.index(slot)] < p

    def any_happens(self, *names: str) -> Array:
        """Whether at least one slot of these transforms is applied: bool [B]."""
        slots = [slot for slot in SLOTS if slot.split("/")[0] in names]
        return jnp.any(jnp.stack([self.happens(slot) for slot in slots]), 0)

    def uniform(self, slot: str, part: int = 0) -> Array:
        """Uniform on [0, 1): [B]. `part` is 0 or 1."""
        return self.uniforms[:, SLOTS.index(slot), part]

    def normal(self, slot: str, part: int = 0) -> Array:
        """Standard normal: [B]. `part` is 0 or 1."""
        return self.normals[:, SLOTS.index(slot), part]


def draw(keys: Array, p: Array, names: frozenset[str], color_share: float = 1.0) -> Draws:
    """The random numbers of a batch; those of one transform do not depend on which others are on."""

    def draw_example(key: Array) -> tuple[Array, Array, Array, Array]:
        gate_key, uniform_key, normal_key, noise_key = jax.random.split(key, 4)
        gates = jax.random.uniform(gate_key, (len(SLOTS),))
        uniforms = jax.random.uniform(uniform_key, (len(SLOTS), 2))
        return gates, uniforms, jax.random.normal(normal_key, (len(SLOTS), 2)), noise_key

    return Draws(p, names, *jax.vmap(draw_example)(keys), color_share)
