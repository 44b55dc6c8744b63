"""CycleGAN with pools: two translators in one player, two discriminators in the other, unpaired data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from gan_jax.algorithms.image_pool import empty_pool, exchange
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.update import LossOut, Update
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.losses.adversarial import LOSSES, AdversarialLoss
from tests.toys.common import (
    BATCH,
    Toy,
    ToyData,
    ToyDiscriminator,
    ToyTranslator,
    check_alone,
    check_many,
    squares,
    toy_config,
)


class Pair(nn.Module):
    """Two networks of one player."""

    first: nn.Module
    second: nn.Module

    def __call__(self, a, b, told, train):
        return self.forward(a, told, train), self.backward(b, told, train)

    def forward(self, x, told, train):
        return self.first(x, told, train)

    def backward(self, x, told, train):
        return self.second(x, told, train)


def translators(image_shape, width: int = 4):
    return Pair(ToyTranslator(image_shape, width), ToyTranslator(image_shape, width))


def discriminators(width: int = 8):
    return Pair(ToyDiscriminator(width), ToyDiscriminator(width))


@dataclass(frozen=True, kw_only=True)
class CycleGAN(Algorithm):
    conditions: ClassVar[tuple[str, ...]] = ("source",)

    loss: AdversarialLoss = field(default_factory=LOSSES["non_saturating"])
    cycle: float = 10.0
    pool_size: int = BATCH

    def examples(self, batch):
        both = (batch["source"], batch["image"], None)
        return {"generator": both, "discriminator": both}

    def init_extra(self, key, batch):
        shape = batch["image"].shape
        return {
            "pools": {name: empty_pool(self.pool_size, shape[1:]) for name in ("a", "b")},
            "shown": {name: jnp.zeros(shape) for name in ("a", "b")},
        }

    def updates(self):
        return Update("generator", self.generator_loss), Update("discriminator", self.discriminator_loss)

    def generator_loss(self, params, state, batch, key):
        g = lambda x, way: self.apply(
            self.generator, params, state.generator.stats, x, None, key=None, train=True, method=way
        )[0]
        a, b = batch["source"], batch["image"]
        fake_b, fake_a = g(a, "forward"), g(b, "backward")
        loss = self.adversarial(state, fake_b, "backward")
        loss += self.adversarial(state, fake_a, "forward")
        cycle = jnp.mean(jnp.abs(g(fake_b, "backward") - a)) + jnp.mean(jnp.abs(g(fake_a, "forward") - b))
        shown, pools = {}, {}
        for number, (name, fake) in enumerate((("a", fake_a), ("b", fake_b))):
            pool_key = jax.random.fold_in(key, number)
            shown[name], pools[name] = exchange(state.extra["pools"][name], fake, pool_key, self.axis_name)
        extra = jax.lax.stop_gradient({"shown": shown, "pools": pools})
        return loss + self.cycle * cycle, LossOut(metrics={"cycle": cycle}, extra=extra)

    def discriminator_loss(self, params, state, batch, key):
        """On the fakes that this step's generators made, or older ones from the pools."""
        loss = jnp.zeros(())
        for real, name, way in ((batch["source"], "a", "forward"), (batch["image"], "b", "backward")):
            fake = self.judge(params, state.extra["shown"][name], way)
            loss += self.loss.discriminator(self.judge(params, real, way), fake)
        return loss, LossOut(metrics={})

    def adversarial(self, state, fake, way):
        logits = self.judge(state.discriminator.params, fake, way)
        return self.loss.generator(logits, logits)

    def judge(self, params, image, way):
        return self.apply(self.discriminator, params, {}, image, None, key=None, train=True, method=way)[0]

    def sample(self, state, batch, key):
        g = lambda x, way: self.apply(
            self.generator, state.ema["params"], {}, x, None, key=None, train=False, method=way
        )[0]
        translated = g(batch["source"], "forward")
        return {"image": translated, "cycle": g(translated, "backward")}


TOY = Toy(
    config=toy_config(
        {"name": "toy_cyclegan"},
        {"name": "toy_translators"},
        discriminator={"name": "toy_discriminators"},
        loss={"name": "least_squares"},
    ),
    data=ToyData(
        {"image": Field((8, 8, 1), Pixels()), "source": Field((8, 8, 1), Pixels(), aligned=False)},
        lambda count, rng: {"image": squares(count, rng), "source": 255 - squares(count, rng)},
    ),
    algorithms={"toy_cyclegan": CycleGAN},
    models={"toy_translators": translators, "toy_discriminators": discriminators},
)


def test_two_translators_with_pools_live_in_one_file(monkeypatch, tmp_path):
    state = check_alone(TOY, monkeypatch, tmp_path, [1, 2])
    assert int(state.extra["pools"]["a"]["count"]) == BATCH
    assert [path.name for path in tmp_path.glob("grid*.png")] == ["grid.png"]  # made and cycle side by side


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
