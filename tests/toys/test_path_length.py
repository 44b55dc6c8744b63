"""A style generator with lazy path length: its mean lives in the state's `extra` beside ADA's p."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from tests.toys.common import Toy, ToyData, ToyDiscriminator, check_alone, check_many, squares, toy_config


class StyleGenerator(nn.Module):
    """mapping and synthesis with two layers of styles."""

    image_shape: tuple[int, ...]
    width: int = 6

    def setup(self):
        self.first = nn.Dense(self.width)
        self.layers = [nn.Dense(16), nn.Dense(int(np.prod(self.image_shape)))]

    def __call__(self, latent, told, train):
        return self.synthesis(self.mapping(latent, told, train), told, train)

    def mapping(self, latent, told, train):
        w = nn.leaky_relu(self.first(latent))
        return jnp.stack([w, w], axis=1)

    def synthesis(self, styles, told, train):
        x = jnp.tanh(self.layers[0](styles[:, 0]))
        x = self.layers[1](x * jnp.mean(styles[:, 1], -1, keepdims=True))
        return jnp.tanh(x).reshape(-1, *self.image_shape)


TOY = Toy(
    config=toy_config(
        {"name": "gan", "latent_size": 4},
        {"name": "toy_style_generator"},
        discriminator={"name": "toy_discriminator"},
        num_steps=4,
        augment={"name": "ada", "adjust_images": 100},
        penalties={"r1": {"weight": 0.1, "every": 2}},
        generator_penalties={"path_length": {"every": 2}},
    ),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng)}),
    models={"toy_style_generator": StyleGenerator, "toy_discriminator": ToyDiscriminator},
)


@pytest.mark.slow
def test_path_length_keeps_its_mean_and_adas_p(monkeypatch, tmp_path):
    state = check_alone(TOY, monkeypatch, tmp_path, [1, 2, 3])
    assert set(state.extra) == {"augment", "path_length"}
    assert float(state.extra["path_length"]["mean"]) > 0


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
