"""A progressively growing network in five phases, 4x4 to 16x16; the program grows, the state does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from tests.toys.common import Toy, ToyData, check_alone, check_many, squares, toy_config

WIDTH = 4


def enlarged(x, factor):
    return x.repeat(factor, 1).repeat(factor, 2)


def box_down(x, factor):
    count, height, width, channels = x.shape
    return x.reshape(count, height // factor, factor, width // factor, factor, channels).mean((2, 4))


class GrowingGenerator(nn.Module):
    """Blocks at 4, 8 and 16; what is above `resolution` is made at the start and not used."""

    image_shape: tuple[int, ...]
    resolution: int = 16

    @nn.compact
    def __call__(self, latent, told, train):
        size = self.image_shape[0]
        x = nn.Dense(16 * WIDTH, name="base")(latent).reshape(-1, 4, 4, WIDTH)
        image: Any = None
        side = 4
        while side <= (size if self.is_initializing() else self.resolution):
            if side > 4:
                x = nn.leaky_relu(nn.Conv(WIDTH, (3, 3), name=f"block_{side}")(enlarged(x, 2)))
            before, image = image, nn.Conv(self.image_shape[-1], (1, 1), name=f"to_rgb_{side}")(x)
            if before is not None and side == self.resolution:
                image = enlarged(before, 2) + told["fade"] * (image - enlarged(before, 2))
            side *= 2
        return jnp.tanh(enlarged(image, size // image.shape[1]))


class GrowingDiscriminator(nn.Module):
    resolution: int = 16

    @nn.compact
    def __call__(self, image, told, train):
        x: Any = None
        side = image.shape[1]
        top = side if self.is_initializing() else self.resolution
        while side >= 4:
            if side <= top:
                small = box_down(image, image.shape[1] // side)
                seen = nn.Conv(WIDTH, (1, 1), name=f"from_rgb_{side}")(small)
                if x is None:
                    x = seen
                elif side * 2 == self.resolution:
                    x = seen + told["fade"] * (x - seen)
                if side > 4:
                    x = box_down(nn.leaky_relu(nn.Conv(WIDTH, (3, 3), name=f"block_{side}")(x)), 2)
            side //= 2
        return nn.Dense(1)(x.reshape(x.shape[0], -1))[:, 0]


@dataclass(frozen=True, kw_only=True)
class Growing(GAN):
    fade_steps: int = 0

    def fade(self, state):
        if state is None or not self.fade_steps:
            return jnp.ones(())
        return jnp.minimum((state.step - self.first_step + 1) / self.fade_steps, 1.0)

    def conditioning(self, batch, state):
        return {"label": super().conditioning(batch, state), "fade": self.fade(state)}

    def prepare(self, batches, state):
        """Reals at this phase's resolution, faded like the fakes, as large as the full ones."""
        image = batches["image"]
        flat = image.reshape(-1, *image.shape[2:])
        factor = flat.shape[1] // self.generator.resolution
        low = box_down(flat, factor)
        coarse = enlarged(box_down(low, 2), 2) if self.fade_steps else low
        faded = enlarged(coarse + self.fade(state) * (low - coarse), factor)
        return {**batches, "image": faded.reshape(image.shape)}

    def enter(self, state):
        """Both optimizers forget."""
        fresh = {r: p.replace(opt=self.optimizer(r).init(p.params)) for r, p in state.players.items()}
        return state.replace(**fresh)


def phase(name, resolution, batch_size, fade_steps=0):
    networks = {role: dict(resolution=resolution) for role in ("generator", "discriminator")}
    algorithm = dict(fade_steps=fade_steps)
    return dict(name=name, num_steps=3, batch_size=batch_size, algorithm=algorithm, **networks)


TOY = Toy(
    config=toy_config(
        {"name": "toy_growing", "latent_size": 4},
        {"name": "toy_growing_generator"},
        discriminator={"name": "toy_growing_discriminator"},
        num_steps=15,
        phases=[
            phase("r4", 4, 16),
            phase("r8_fade", 8, 16, fade_steps=3),
            phase("r8", 8, 16),
            phase("r16_fade", 16, 8, fade_steps=3),
            phase("r16", 16, 8),
        ],
    ),
    data=ToyData(
        {"image": Field((16, 16, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng, 16)}
    ),
    algorithms={"toy_growing": Growing},
    models={
        "toy_growing_generator": GrowingGenerator,
        "toy_growing_discriminator": GrowingDiscriminator,
    },
)


@pytest.mark.slow
def test_five_phases_live_in_one_file(monkeypatch, tmp_path):
    """Stopped at every boundary, before and after it, and in mid-fade."""
    check_alone(TOY, monkeypatch, tmp_path, [2, 3, 4, 6, 9, 11, 12, 14])


def test_a_faded_network_begins_where_the_smaller_one_ended():
    shape = (16, 16, 1)
    latent, ones = jax.random.normal(jax.random.key(0), (2, 4)), {"fade": jnp.ones(()), "label": None}
    variables = GrowingGenerator(shape).init(jax.random.key(1), latent, ones, False)
    begin = GrowingGenerator(shape, 8).apply(variables, latent, {"fade": jnp.zeros(()), "label": None}, False)
    smaller = GrowingGenerator(shape, 4).apply(variables, latent, ones, False)
    np.testing.assert_array_equal(begin, smaller)


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
