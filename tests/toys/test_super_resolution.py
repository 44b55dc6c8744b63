"""An MSE phase, then an adversarial one with a frozen network; the source is made of the image."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.training.train import train
from gan_jax.utils.errors import UserError
from tests.toys.common import (
    Toy,
    ToyData,
    ToyDiscriminator,
    check_alone,
    check_many,
    register,
    squares,
    toy_config,
)


def halved(image):
    """[B, H, W, C] -> [B, H/2, W/2, C]."""
    count, height, width, channels = image.shape
    return image.reshape(count, height // 2, 2, width // 2, 2, channels).mean((2, 4))


class Upscaler(nn.Module):
    image_shape: tuple[int, ...]

    @nn.compact
    def __call__(self, image, told, train):
        x = nn.relu(nn.Conv(4, (3, 3))(image))
        x = x.repeat(2, 1).repeat(2, 2)
        return jnp.tanh(nn.Conv(self.image_shape[-1], (3, 3))(x))


@dataclass(frozen=True, kw_only=True)
class SuperResolution(GAN):
    conditions: ClassVar[tuple[str, ...]] = ("image",)

    feature_weight: float = 0.0

    def load_frozen(self):
        if not self.feature_weight:
            return {}
        return {"perceptual": np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)}

    def updates(self):
        return tuple(u for u in super().updates() if self.adversarial_weight or u.role == "generator")

    def examples(self, batch):
        return {**super().examples(batch), "generator": (halved(batch["image"]), None)}

    def inputs(self, key, batch, state):
        return halved(batch["image"]), None

    def content_loss(self, fake, state, batch):
        loss = jnp.mean((fake - batch["image"]) ** 2)
        metrics = {"mse": loss}
        if self.feature_weight:
            kernel = state.frozen["perceptual"]
            features = [x.reshape(x.shape[0], -1) @ kernel for x in (fake, batch["image"])]
            metrics["features"] = jnp.mean((features[0] - features[1]) ** 2)
            loss = self.feature_weight * metrics["features"]
        return loss, metrics

    def sample(self, state, batch, key):
        return self.draw(state, halved(batch["image"]), None)


TOY = Toy(
    config=toy_config(
        {"name": "toy_super_resolution", "adversarial_weight": 0.0},
        {"name": "toy_upscaler"},
        discriminator={"name": "toy_discriminator"},
        num_steps=6,
        phases=[
            dict(name="mse", num_steps=3),
            dict(name="gan", num_steps=3, algorithm=dict(adversarial_weight=1e-3, feature_weight=6e-3)),
        ],
    ),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng)}),
    algorithms={"toy_super_resolution": SuperResolution},
    models={"toy_upscaler": Upscaler, "toy_discriminator": ToyDiscriminator},
)


def test_two_phases_with_a_frozen_network_live_in_one_file(monkeypatch, tmp_path):
    state = check_alone(TOY, monkeypatch, tmp_path, [2, 3, 4])
    assert jax.tree.map(np.shape, state.frozen) == {"perceptual": (64, 5)}
    record = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert len(record["frozen"]["perceptual"]) == 16
    losses = np.load(tmp_path / "whole" / "losses.npy")
    assert losses.shape[0] == 6


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)


def test_other_pretrained_constants_are_another_run(monkeypatch, tmp_path):
    register(monkeypatch, TOY)
    train(TOY.config, tmp_path / "run", devices=1)
    monkeypatch.setattr(
        SuperResolution, "load_frozen", lambda self: {"perceptual": np.zeros((64, 5), np.float32)}
    )
    with pytest.raises(UserError, match="the pretrained constants perceptual"):
        train(TOY.config, tmp_path / "run", devices=1)
