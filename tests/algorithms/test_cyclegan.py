"""CycleGAN: both losses by hand, the official order, and both directions."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.cyclegan import CycleGAN
from gan_jax.augment import ADA, NoAugment
from gan_jax.core.games import GAMES
from gan_jax.data.codecs import Lab
from gan_jax.losses.adversarial import LOSSES
from tests.toys.common import ToyTranslator

KEY = jax.random.key(0)
BATCH = 2


class Pair(nn.Module):
    """Two networks of one player; children name its ways."""

    first: nn.Module
    second: nn.Module

    def __call__(self, a, b, told, train):
        return self.forward(a, told, train), self.backward(b, told, train)


class Translators(Pair):
    def a_to_b(self, x, told, train):
        return self.first(x, told, train)

    def b_to_a(self, x, told, train):
        return self.second(x, told, train)

    forward, backward = a_to_b, b_to_a


class Discriminators(Pair):
    def a(self, x, told, train):
        return self.first(x, told, train)[..., 0]

    def b(self, x, told, train):
        return self.second(x, told, train)[..., 0]

    forward, backward = a, b


seen: list[jax.Array] = []  # what `Noise` added


def cyclegan(**changes):
    given = {
        "generator": Translators(ToyTranslator((8, 8, 3)), ToyTranslator((8, 8, 1))),
        "generator_tx": optax.sgd(0.1),
        "discriminator": Discriminators(ToyTranslator((8, 8, 1)), ToyTranslator((8, 8, 1))),
        "discriminator_tx": optax.sgd(0.1),
        "ema_decay": lambda step: 0.0,
        "pool_size": 2 * BATCH,
    }
    return CycleGAN(**{**given, **changes})


@pytest.fixture
def batch():
    a, b = jax.random.split(jax.random.key(1))
    return {
        "source": jax.random.uniform(a, (BATCH, 8, 8, 1), minval=-1.0),
        "image": jax.random.uniform(b, (BATCH, 8, 8, 3), minval=-1.0),
    }


def nets(algorithm, state):
    call = lambda net, params: lambda x, way: net.apply({"params": params}, x, None, True, method=way)
    return (
        call(algorithm.generator, state.generator.params),
        call(algorithm.discriminator, state.discriminator.params),
    )


def test_both_losses_by_hand(batch):
    """Zhu et al. 2017, equations 1 to 3, with the weights of the official code."""
    algorithm = cyclegan(identity=0.0)
    state = algorithm.init(KEY, batch)
    g, d = nets(algorithm, state)
    a, b = batch["source"], batch["image"]
    fake_b, fake_a = g(a, "a_to_b"), g(b, "b_to_a")
    loss, out = algorithm.generator_loss(state.generator.params, state, batch, KEY)
    expected = jnp.mean((d(fake_b, "b") - 1) ** 2) + jnp.mean((d(fake_a, "a") - 1) ** 2)
    expected += 10 * (jnp.abs(g(fake_b, "b_to_a") - a).mean() + jnp.abs(g(fake_a, "a_to_b") - b).mean())
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    state = state.replace(extra={**state.extra, **out.extra})
    loss, _ = algorithm.discriminator_loss(state.discriminator.params, state, batch, KEY)
    halves = [
        0.5 * (jnp.mean((d(real, way) - 1) ** 2) + jnp.mean(d(fake, way) ** 2))
        for real, fake, way in ((a, fake_a, "a"), (b, fake_b, "b"))
    ]
    np.testing.assert_allclose(loss, sum(halves), rtol=1e-5)


class Noise(NoAugment):
    """Keeps what it adds, which is drawn by example."""

    def __call__(self, image, keys, memory, step):
        noise = jax.vmap(lambda key: jax.random.normal(key, image.shape[1:]))(keys)
        seen.append(noise)
        return image + noise


def test_discriminators_see_pictures_augmented_each_by_its_own_key(batch):
    """Reals and fakes of both domains and in both losses, and the generators learn through it."""
    seen.clear()
    algorithm = cyclegan(identity=0.0, cycle=0.0, augment=Noise())
    state = algorithm.init(KEY, batch)
    g, d = nets(algorithm, state)
    fakes = {"b": g(batch["source"], "a_to_b"), "a": g(batch["image"], "b_to_a")}
    loss, out = algorithm.generator_loss(state.generator.params, state, batch, KEY)
    views = dict(zip("ab", seen, strict=True))
    expected = sum(jnp.mean((d(fakes[way] + views[way], way) - 1) ** 2) for way in "ab")
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    state = state.replace(extra={**state.extra, **out.extra})
    algorithm.discriminator_loss(state.discriminator.params, state, batch, jax.random.fold_in(KEY, 1))
    drawn = np.concatenate([noise.reshape(BATCH, -1)[:, :64] for noise in seen])
    assert len(seen) == 6
    # The generators' loss draws once for both domains.
    assert len(np.unique(drawn, axis=0)) == 5 * BATCH


def test_identity_loss(batch):
    """Where domains have the same channels; section 5.2: 0.5 of the cycle's weight."""
    same = {**batch, "source": jnp.broadcast_to(batch["source"], batch["image"].shape)}
    pair = Translators(ToyTranslator((8, 8, 3)), ToyTranslator((8, 8, 3)))
    without, with_it = cyclegan(generator=pair, identity=0.0), cyclegan(generator=pair, identity=0.5)
    state = with_it.init(KEY, same)
    g, _ = nets(with_it, state)
    params = state.generator.params
    more = (
        with_it.generator_loss(params, state, same, KEY)[0]
        - without.generator_loss(params, state, same, KEY)[0]
    )
    a, b = same["source"], same["image"]
    expected = 5 * (jnp.abs(g(a, "b_to_a") - a).mean() + jnp.abs(g(b, "a_to_b") - b).mean())
    np.testing.assert_allclose(more, expected, rtol=1e-4)


def test_domains_of_other_channels_have_no_identity_loss(batch):
    with pytest.raises(ValueError, match=r"set algorithm.identity=0.0"):
        cyclegan(identity=0.5).init(KEY, batch)


def test_discriminators_learn_from_the_fakes_of_this_step(batch):
    algorithm = cyclegan(identity=0.0)
    state = algorithm.init(KEY, batch)
    after, _ = algorithm.step(state, jax.tree.map(lambda x: x[None], batch))
    g, _ = nets(algorithm, state)
    np.testing.assert_allclose(after.extra["shown"]["b"], g(batch["source"], "a_to_b"), atol=1e-6)
    np.testing.assert_allclose(after.extra["shown"]["a"], g(batch["image"], "b_to_a"), atol=1e-6)
    assert int(after.extra["pools"]["a"]["count"]) == BATCH


def test_swapped_domains_are_mirrored(batch):
    """With the networks exchanged too, every loss is the same."""
    algorithm = cyclegan(identity=0.0)
    state = algorithm.init(KEY, batch)
    swap = lambda tree: {"first": tree["second"], "second": tree["first"]}
    mirrored = dataclasses.replace(
        algorithm, generator=Translators(ToyTranslator((8, 8, 1)), ToyTranslator((8, 8, 3)))
    )
    other = mirrored.init(KEY, {"source": batch["image"], "image": batch["source"]})
    other = other.replace(
        generator=other.generator.replace(params=swap(state.generator.params)),
        discriminator=other.discriminator.replace(params=swap(state.discriminator.params)),
    )
    loss, _ = algorithm.generator_loss(state.generator.params, state, batch, KEY)
    exchanged = {"source": batch["image"], "image": batch["source"]}
    again, _ = mirrored.generator_loss(other.generator.params, other, exchanged, KEY)
    np.testing.assert_allclose(loss, again, rtol=1e-5)


def test_both_directions(batch):
    algorithm = cyclegan(identity=0.0)
    state = algorithm.init(KEY, batch)
    g, _ = nets(algorithm, state)
    sample = algorithm.sample(state, batch, KEY)
    fake = g(batch["source"], "a_to_b")
    np.testing.assert_allclose(sample["image"], fake, atol=1e-6)
    cycle = jnp.broadcast_to(g(fake, "b_to_a"), fake.shape)
    np.testing.assert_allclose(sample["cycle"], cycle, atol=1e-6)
    turned = algorithm.turned("b_to_a")
    other = turned.sample(state, {"source": batch["image"]}, KEY)
    np.testing.assert_allclose(other["image"], g(batch["image"], "b_to_a"), atol=1e-6)
    assert algorithm.input_field("b_to_a") == "image"
    in_lab = dataclasses.replace(algorithm, image_codec=Lab())  # what is seen is grey in both directions
    shown = [
        Lab().picture(np.asarray(in_lab.sample(state, batch, KEY)[name])) for name in ("source", "cycle")
    ]
    assert np.ptp(shown, axis=-1).max() == 0
    shown = in_lab.turned("b_to_a").sample(state, {"source": batch["image"]}, KEY)["source"]
    colours = Lab().encode(np.asarray(batch["image"])) / 127.5 - 1
    np.testing.assert_allclose(shown[..., 0], colours.mean(axis=-1), atol=1 / 127.5)
    with pytest.raises(ValueError, match="translates a_to_b and b_to_a"):
        algorithm.translate(state, batch["image"], KEY, "there")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(({"loss": LOSSES[f"relativistic_{kind}"]()}, "use another loss") for kind in ("paired", "average")),
        *(
            ({"game": GAMES[name]()}, "set game.name=alternating")
            for name in ("simultaneous", "extragradient", "consensus")
        ),
        ({"augment": ADA()}, "cyclegan has two: keep a fixed augment.p"),
        ({"generator": ToyTranslator((8, 8, 3))}, "the generator has no methods a_to_b and b_to_a"),
        ({"discriminator": ToyTranslator((8, 8, 1))}, "the discriminator has no methods a and b"),
    ],
)
def test_what_it_refuses(changes, message):
    """The generators would learn nothing of the loss, the discriminators see no fakes of this step."""
    with pytest.raises(ValueError, match=message):
        cyclegan(**changes)
