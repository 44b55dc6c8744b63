"""A variational autoencoder (arXiv:1312.6114): no discriminator, one module with `encode` and `decode`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import Role
from gan_jax.core.update import LossOut, Update
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.training.train import train
from gan_jax.utils.errors import UserError
from tests.toys.common import Toy, ToyData, check_alone, check_many, register, squares, toy_config


class Autoencoder(nn.Module):
    image_shape: tuple[int, ...]
    latent_size: int = 3

    def setup(self):
        self.encoder = nn.Dense(2 * self.latent_size)
        self.decoder = nn.Dense(int(np.prod(self.image_shape)))

    def __call__(self, image, told, train):
        return self.decode(self.encode(image, told, train)[0], told, train)

    def encode(self, image, told, train):
        mean, log_variance = jnp.split(self.encoder(image.reshape(image.shape[0], -1)), 2, axis=-1)
        return mean, log_variance

    def decode(self, latent, told, train):
        return jnp.tanh(self.decoder(latent)).reshape(-1, *self.image_shape)


@dataclass(frozen=True, kw_only=True)
class VAE(Algorithm):
    roles: ClassVar[tuple[Role, ...]] = ("generator",)

    beta: float = 1.0
    latent_size: int = 3

    def examples(self, batch):
        return {"generator": (batch["image"], self.conditioning(batch, None))}

    def updates(self):
        return (Update("generator", self.bound),)

    def bound(self, params, state, batch, key):
        image, told, stats = batch["image"], self.conditioning(batch, state), state.generator.stats
        (mean, log_variance), _ = self.apply(
            self.generator, params, stats, image, told, key=key, train=True, method="encode"
        )
        latent = mean + jnp.exp(log_variance / 2) * self.latents(key, image.shape[0])
        made, stats = self.apply(
            self.generator, params, stats, latent, told, key=key, train=True, method="decode"
        )
        error = jnp.mean(jnp.sum((made - image) ** 2, axis=(1, 2, 3)))
        kl = 0.5 * jnp.mean(jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1, axis=1))
        return error + self.beta * kl, LossOut(metrics={"kl": kl, "error": error}, stats=stats)

    def draw(self, state, latent, conditioning):
        params, stats = state.ema["params"], state.ema["stats"]
        return self.apply(
            self.generator, params, stats, latent, conditioning, key=None, train=False, method="decode"
        )[0]


TOY = Toy(
    config=toy_config({"name": "toy_vae"}, {"name": "toy_autoencoder"}),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng)}),
    algorithms={"toy_vae": VAE},
    models={"toy_autoencoder": Autoencoder},
)


def test_a_vae_lives_in_one_file(monkeypatch, tmp_path):
    state = check_alone(TOY, monkeypatch, tmp_path, [1])
    assert state.discriminator is None


@pytest.mark.parametrize("component", ["loss", "augment", "penalties", "discriminator"])
def test_what_it_does_not_take_is_refused(monkeypatch, tmp_path, component):
    register(monkeypatch, TOY)
    config = TOY.config.copy_and_resolve_references()
    chosen = {
        "loss": dict(name="hinge"),
        "augment": dict(name="ada"),
        "penalties": dict(r1=dict(weight=1.0)),
        "discriminator": dict(name="mlp_discriminator"),
    }
    with config.unlocked():
        if component in config:
            del config[component]
        config[component] = chosen[component]
    with pytest.raises(UserError, match=f"takes no {component}"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_without_blocks_cannot_compute_them_again(monkeypatch, tmp_path):
    register(monkeypatch, TOY)
    config = TOY.config.copy_and_resolve_references()
    with config.unlocked():
        config.execution.remat = True
    with pytest.raises(UserError, match=r"execution.remat=True: the generator \(toy_autoencoder\)"):
        train(config, tmp_path / "run")


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
