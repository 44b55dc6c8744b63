"""One-hot tiles and 1-D signals: other codecs, the same GAN."""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import pytest

from gan_jax.data.codecs import Tiles, Wave
from gan_jax.data.spec import Field
from tests.toys.common import Toy, ToyData, ToyDiscriminator, check_alone, check_many, toy_config

PALETTE = np.array([[0, 0, 0], [200, 80, 0], [0, 160, 60]], np.uint8)


class TileGenerator(nn.Module):
    """Ends in a softmax over the kinds of tiles."""

    image_shape: tuple[int, ...]

    @nn.compact
    def __call__(self, latent, told, train):
        x = nn.Dense(int(np.prod(self.image_shape)))(latent)
        return nn.softmax(x.reshape(-1, *self.image_shape))


def levels(count, rng):
    """Ground on the lowest row, gaps, and some blocks: tile numbers [N, H, W]."""
    tiles = np.zeros((count, 6, 8), np.uint8)
    tiles[:, -1] = rng.random((count, 8)) < 0.8
    tiles[:, 2] = 2 * (rng.random((count, 8)) < 0.2)
    return {"image": tiles}


def tones(count, rng):
    """Sines of several pitches: int16 [N, L, 1, 1]."""
    phase = rng.random((count, 1)) * 6.28
    pitch = rng.integers(1, 5, (count, 1))
    wave = np.sin(phase + 6.28 * pitch * np.arange(32) / 32)
    return {"image": np.rint(wave * 30_000).astype(np.int16)[:, :, None, None]}


def toy(shape, codec, draw, generator):
    return Toy(
        config=toy_config(
            {"name": "gan", "latent_size": 4}, generator, discriminator={"name": "toy_discriminator"}
        ),
        data=ToyData({"image": Field(shape, codec)}, draw),
        models={"toy_tile_generator": TileGenerator, "toy_discriminator": ToyDiscriminator},
    )


TOYS = {
    "tiles": toy((6, 8, 3), Tiles(PALETTE), levels, {"name": "toy_tile_generator"}),
    "waves": toy((32, 1, 1), Wave(16_000), tones, {"name": "mlp_generator", "widths": (8,)}),
}


@pytest.mark.parametrize("name", TOYS)
def test_a_gan_of_another_kind_of_data(name, monkeypatch, tmp_path):
    check_alone(TOYS[name], monkeypatch, tmp_path, [1])


@pytest.mark.slow
@pytest.mark.parametrize("name", TOYS)
def test_on_eight_devices_and_in_a_study(name, monkeypatch, tmp_path):
    check_many(TOYS[name], monkeypatch, tmp_path)
