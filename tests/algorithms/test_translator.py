"""Translators of one direction: their losses by hand, what they refuse, and what a user's picture becomes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.sources import Downscale, Lightness, Masked, OfField
from gan_jax.algorithms.translator import Translator
from gan_jax.augment.ada import ADA
from gan_jax.core.algorithm import Geometry
from gan_jax.core.randomness import example_keys
from gan_jax.data.codecs import Lab, Pixels
from gan_jax.data.recoding import recoded
from gan_jax.data.spec import Field
from gan_jax.feature_networks.perceptual import Features, Gram
from gan_jax.losses.adversarial import LOSSES
from gan_jax.losses.contents import L1, MeanSquare, TotalVariation
from gan_jax.losses.generator_penalties import PathLength
from gan_jax.models.pair import ResNetTranslatorPair
from tests.toys.common import ToyTranslator

KEY = jax.random.key(0)
BATCH = 4


class Patches(ToyTranslator):
    """Logits of patches [B, h, w]."""

    def __call__(self, image, told, train):
        return super().__call__(image, told, train)[..., 0]


def translator(**changes):
    given = {
        "generator": ToyTranslator((8, 8, 3)),
        "generator_tx": optax.sgd(0.1),
        "discriminator": Patches((8, 8, 1)),
        "discriminator_tx": optax.sgd(0.1),
        "ema_decay": lambda step: 0.0,
        "loss": LOSSES["non_saturating"](),
        "contents": (L1(weight=100.0),),
    }
    return Translator(**{**given, **changes})


def batch_of(seed=0, **shapes):
    keys = jax.random.split(jax.random.key(seed), len(shapes))
    return {
        name: jax.random.uniform(key, (BATCH, *shape), minval=-1.0)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


PAIRS = {"image": (8, 8, 3), "source": (8, 8, 1)}


def test_both_losses_by_hand():
    """Isola et al. 2017, equations 1 to 4, the adversary seeing the source and the mean over its patches."""
    algorithm, batch = translator(), batch_of(**PAIRS)
    state = algorithm.init(KEY, batch)
    g, d = state.generator.params, state.discriminator.params
    made = algorithm.generator.apply({"params": g}, batch["source"], None, True)
    judge = lambda image: algorithm.discriminator.apply(
        {"params": d}, jnp.concatenate([image, batch["source"]], -1), None, True
    )
    softplus = lambda x: np.log1p(np.exp(np.asarray(x, np.float64)))
    loss, out = algorithm.generator_loss(g, state, batch, KEY)
    expected = softplus(-judge(made)).mean() + 100 * np.abs(made - batch["image"]).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(out.metrics["l1"], np.abs(made - batch["image"]).mean(), rtol=1e-5)
    loss, _ = algorithm.discriminator_loss(d, state, batch, KEY)
    expected = softplus(-judge(batch["image"])).mean() + softplus(judge(made)).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_without_an_adversary_only_the_generator_moves():
    algorithm, batch = translator(adversarial_weight=0.0), batch_of(**PAIRS)
    state = algorithm.init(KEY, batch)
    after, metrics = algorithm.step(state, jax.tree.map(lambda x: x[None], batch))
    jax.tree.map(np.testing.assert_array_equal, after.discriminator, state.discriminator)
    assert any(
        jax.tree.leaves(jax.tree.map(lambda x, y: bool((x != y).any()), after.generator, state.generator))
    )
    assert "l1" in metrics
    assert "discriminator_real" not in metrics


def test_contents_by_hand():
    algorithm = translator(contents=(L1(weight=0.0), MeanSquare(weight=2.0), TotalVariation(weight=0.5)))
    batch = batch_of(**PAIRS)
    made = batch_of(5, made=(8, 8, 3))["made"]
    loss, values = algorithm.content_loss(made, algorithm.init(KEY, batch), batch)
    x = np.asarray(made)
    square = np.mean((x - batch["image"]) ** 2)
    variation = np.mean(np.diff(x, axis=1) ** 2) + np.mean(np.diff(x, axis=2) ** 2)
    np.testing.assert_allclose([values["mse"], values["tv"]], [square, variation], rtol=1e-5)
    np.testing.assert_allclose(loss, 2 * square + 0.5 * variation, rtol=1e-5)


def test_a_step_has_one_hole_for_all_its_descents_and_each_step_its_own():
    algorithm = translator(source=Masked(0.5), generator=ToyTranslator((8, 8, 3)))
    batch = jax.tree.map(lambda x: x[None], batch_of(image=(8, 8, 3)))
    state = algorithm.init(KEY, batch_of(image=(8, 8, 3)))
    first = algorithm.prepare(batch, state)["source"]
    mini = jax.tree.map(lambda x: x[0], algorithm.prepare(batch, state))
    for key in jax.random.split(KEY):  # of the discriminator's descent, and of the generator's
        np.testing.assert_array_equal(algorithm.inputs(key, mini, state)[0], first[0])
    assert (algorithm.prepare(batch, state.replace(step=state.step + 1))["source"] != first).any()
    sample = algorithm.sample(state, batch_of(image=(8, 8, 3)), KEY)
    assert {name: x.shape for name, x in sample.items()} == {
        "image": (BATCH, 8, 8, 3),
        "source": (BATCH, 8, 8, 3),
    }


def test_a_grey_source_beside_images_in_lab_is_pictured_grey():
    """And one in L*a*b* beside pixels in its colours."""
    algorithm = translator(source_codec=Pixels(), image_codec=Lab(), contents=(L1(weight=1.0),))
    stored = np.arange(256, dtype=np.uint8).reshape(BATCH, 8, 8, 1)
    batch = {"image": batch_of(**PAIRS)["image"], "source": Pixels().decode(jnp.asarray(stored))}
    shown = algorithm.sample(algorithm.init(KEY, batch), batch, KEY)["source"]
    np.testing.assert_array_equal(Lab().picture(np.asarray(shown)), stored.repeat(3, axis=-1))
    colours = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    seen = recoded(Lab().decode(jnp.asarray(colours)), Lab(), Pixels())
    np.testing.assert_array_equal(Pixels().picture(np.asarray(seen)), colours)
    np.testing.assert_array_equal(
        Lab().picture(np.asarray(recoded(Pixels().decode(jnp.asarray(colours)), Pixels(), Lab()))), colours
    )


def test_a_users_picture_of_another_size():
    algorithm = translator(source=Masked(0.5))
    state = algorithm.init(KEY, batch_of(image=(8, 8, 3)))
    picture = batch_of(1, picture=(12, 20, 3))["picture"]
    alpha = jnp.ones((BATCH, 12, 20, 1)).at[:, 3:7, 5:9].set(0.0)
    assert algorithm.directions == ("a_to_b",)
    assert algorithm.reads_alpha
    assert algorithm.geometry("a_to_b") == Geometry(1, 1)
    assert algorithm.input_field("a_to_b") == "image"
    made = algorithm.translate(state, jnp.concatenate([picture, alpha], -1), KEY, "a_to_b")
    known = np.broadcast_to(alpha == 1, made.shape)
    np.testing.assert_array_equal(np.asarray(made)[known], np.asarray(picture)[known])
    with pytest.raises(ValueError, match="direction='b_to_a': Translator translates a_to_b"):
        algorithm.translate(state, picture, KEY, "b_to_a")


def test_what_it_refuses():
    with pytest.raises(ValueError, match="nothing to learn from"):
        translator(contents=(), adversarial_weight=0.0)
    with pytest.raises(ValueError, match="set pool_size=0 or paired=False"):
        translator(pool_size=8)
    with pytest.raises(ValueError, match="enlarges 1 times, and the images are 4 times"):
        translator(source=Downscale(4))
    translator(source=OfField("image"), adversarial_weight=0.0)
    with pytest.raises(ValueError, match="beside themselves: set paired=False"):
        translator(source=OfField("image"))
    with pytest.raises(ValueError, match="name it without _pair"):
        translator(generator=ResNetTranslatorPair((8, 8, 3)))
    algorithm, batch = translator(generator_penalties=(PathLength(every=1),)), batch_of(**PAIRS)
    state = algorithm.init(KEY, batch)
    with pytest.raises(ValueError, match="needs its method mapping"):
        algorithm.generator_loss(state.generator.params, state, batch, KEY)


def test_networks_that_know_pixels_are_not_shown_lab():
    lab = {"image": Field((8, 8, 3), Lab())}
    translator(source=Lightness()).check_fields(lab)
    for kind in (Features, Gram):
        content = kind(weight=1.0, network="random", layers=("relu_0",))
        translator(source=Masked(0.5), contents=(content,)).check_fields({"image": Field((8, 8, 3))})
        with pytest.raises(ValueError, match=rf"contents\.{content.name} looks at pixels, .* images in L"):
            translator(source=Lightness(), contents=(content,)).check_fields(lab)


def test_augmentation_counts_examples_and_not_their_patches():
    """p may go from 0 to 1 in so many reals, whatever the number of logits of each."""
    seen = []

    class Spy(ADA):
        def update(self, memory, real_logits, step):
            seen.append(real_logits.shape)
            return memory

    algorithm, batch = translator(augment=Spy(groups=("blit",))), batch_of(**PAIRS)
    state = jax.eval_shape(algorithm.init, KEY, batch)
    jax.eval_shape(algorithm.discriminator_loss, state.discriminator.params, state, batch, KEY)
    assert seen == [(BATCH,)]


def test_patches_of_an_example_are_flipped_together_and_ranked_by_their_mean():
    algorithm = translator(label_flipping=0.5, paired=False)
    real, fake = jnp.ones((64, 3, 3)), jnp.zeros((64, 3, 3))
    flipped, _ = algorithm.flipped(real, fake, KEY)
    each = np.asarray(flipped).reshape(64, -1)
    assert set(map(tuple, each)) == {(0.0,) * 9, (1.0,) * 9}
    best = translator(top_k=0.5)
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3, 3)), jnp.float32)
    means = np.asarray(logits).reshape(4, -1).mean(1)
    expected = np.log1p(np.exp(-np.asarray(logits)[np.argsort(-means)[:2]])).mean()
    np.testing.assert_allclose(best.objective(logits, logits, jnp.zeros((), jnp.int32)), expected, rtol=1e-5)


def test_sources_are_drawn_by_the_keys_of_examples():
    algorithm = translator(source=Masked(0.5))
    image = batch_of(image=(8, 8, 3))
    whole = algorithm.with_source(image, KEY)["source"]
    np.testing.assert_array_equal(whole, Masked(0.5)(image, example_keys(KEY, BATCH)))
