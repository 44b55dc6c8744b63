"""Denoising diffusion (Ho et al. 2020, arXiv:2006.11239): one algorithm, one network, no GAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import Role
from gan_jax.core.update import LossOut, Update
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from tests.toys.common import Toy, ToyData, check_alone, check_many, squares, toy_config


class Denoiser(nn.Module):
    image_shape: tuple[int, ...]
    width: int = 8

    @nn.compact
    def __call__(self, image, time, told, train):
        x = image.reshape(image.shape[0], -1)
        x = nn.silu(nn.Dense(self.width)(jnp.concatenate([x, time[:, None]], axis=1)))
        return nn.Dense(int(np.prod(self.image_shape)))(x).reshape(image.shape)


@dataclass(frozen=True, kw_only=True)
class Diffusion(Algorithm):
    roles: ClassVar[tuple[Role, ...]] = ("generator",)

    noise_steps: int = 5

    @property
    def kept(self):
        """The share of the image's variance that is left after each noising step, [T]."""
        return jnp.cumprod(1 - jnp.linspace(1e-4, 0.4, self.noise_steps))

    def examples(self, batch):
        return {"generator": (batch["image"], jnp.zeros(1), self.conditioning(batch, None))}

    def updates(self):
        return (Update("generator", self.denoising),)

    def denoising(self, params, state, batch, key):
        image = batch["image"]
        keys = example_keys(key, image.shape[0], self.axis_name)
        draw = lambda k: jax.random.randint(jax.random.fold_in(k, 0), (), 0, self.noise_steps)
        level = jax.vmap(draw)(keys)
        noise = jax.vmap(lambda k: jax.random.normal(jax.random.fold_in(k, 1), image.shape[1:]))(keys)
        kept = self.kept[level][:, None, None, None]
        noisy = jnp.sqrt(kept) * image + jnp.sqrt(1 - kept) * noise
        guess, stats = self.apply(
            self.generator,
            params,
            state.generator.stats,
            noisy,
            level / self.noise_steps,
            self.conditioning(batch, state),
            key=key,
            train=True,
        )
        return jnp.mean((guess - noise) ** 2), LossOut(metrics={}, stats=stats)

    def sample(self, state, batch, key):
        """DDIM with eta 0 (arXiv:2010.02502, equation 12)."""
        shape = batch["image"].shape
        keys = example_keys(key, shape[0], self.axis_name)
        noisy = jax.vmap(lambda k: jax.random.normal(k, shape[1:]))(keys)
        for level in reversed(range(self.noise_steps)):
            time = jnp.full(shape[:1], level / self.noise_steps)
            guess, _ = self.apply(
                self.generator,
                state.ema["params"],
                state.ema["stats"],
                noisy,
                time,
                self.conditioning(batch, state),
                key=None,
                train=False,
            )
            kept, before = self.kept[level], self.kept[level - 1] if level else 1.0
            image = jnp.clip((noisy - jnp.sqrt(1 - kept) * guess) / jnp.sqrt(kept), -1, 1)
            noisy = jnp.sqrt(before) * image + jnp.sqrt(1 - before) * guess
        return noisy


TOY = Toy(
    config=toy_config({"name": "toy_diffusion"}, {"name": "toy_denoiser"}),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng)}),
    algorithms={"toy_diffusion": Diffusion},
    models={"toy_denoiser": Denoiser},
)


def test_diffusion_lives_in_one_file(monkeypatch, tmp_path):
    check_alone(TOY, monkeypatch, tmp_path, [2])


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
