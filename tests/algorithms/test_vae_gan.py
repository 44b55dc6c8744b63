"""VAE-GAN: each part's gradient is that of its own objective, and half of the fakes are reconstructions."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.vae_gan import VAEGAN
from gan_jax.data.codecs import Pixels, Points, Tiles
from gan_jax.data.spec import Field
from gan_jax.evaluation.protocol import from_row
from gan_jax.models import MODELS
from gan_jax.models.autoencoder import MLPAutoencoder
from gan_jax.models.mlp import MLPDiscriminator
from gan_jax.summaries.logs import read_metrics
from tests.toys.common import Toy, ToyData, check_alone, check_many, squares, toy_config

KEY = jax.random.key(0)
SHAPE, COUNT, LATENTS = (3, 4, 1), 6, 2


def vae_gan(**changes):
    given = dict(
        generator=MLPAutoencoder(SHAPE, code_size=LATENTS, widths=(5,)),
        discriminator=MLPDiscriminator(widths=(6, 4)),
        generator_tx=optax.sgd(0.1),
        discriminator_tx=optax.sgd(0.1),
        ema_decay=lambda step: 0.0,
        latent_size=LATENTS,
        layer="dropout_0",
    )
    return VAEGAN(**{**given, **changes})


def test_each_part_has_the_gradient_of_its_own_objective():
    """Larsen et al. 2016, algorithm 1, lines 11 to 13, the two parts of the generator written out."""
    algorithm = vae_gan(feature_weight=0.3, beta=0.7)
    batch = {"image": jax.random.uniform(KEY, (COUNT, *SHAPE), minval=-1)}
    state = jax.jit(algorithm.init)(KEY, batch)
    first, real = state.generator.params, batch["image"]
    net, judge = algorithm.generator, algorithm.discriminator

    def features(image):
        variables = {"params": state.discriminator.params}
        _, said = judge.apply(variables, image, None, True, capture_intermediates=True)
        return said["intermediates"]["dropout_0"]["__call__"][0]

    def decoded(params, latent):
        return jnp.tanh(net.apply({"params": params}, latent, None, True, method="decode")[0])

    def found(params):
        """The very latents that the loss draws, and their divergence."""
        latent, divergence, _ = algorithm._posterior(params, {}, state, batch, jax.random.fold_in(KEY, 20))
        return latent, jnp.mean(divergence)

    def negative_log_density(made, log_scale):
        apart = (features(real) - features(made)) / jnp.exp(log_scale)
        return jnp.mean(0.5 * apart**2 + 0.5 * math.log(2 * math.pi) + log_scale)

    def of_encoder(params):
        latent, divergence = found(params)
        made = decoded({**first, "encoder": params["encoder"]}, latent)
        return 0.7 * divergence / 6 + negative_log_density(made, jnp.mean(first["log_scale"]))

    def of_decoder(params):
        made = decoded(params, found(first)[0])
        return 0.3 * negative_log_density(made, jnp.mean(params["log_scale"]))

    def adversarial(params):
        latent, _ = algorithm.inputs(jax.random.split(KEY, 3)[0], batch, state)
        logits = judge.apply({"params": state.discriminator.params}, decoded(params, latent), None, True)
        return jnp.mean(jax.nn.softplus(-logits))

    @jax.jit
    def gradients(params):
        whole = jax.grad(lambda p: algorithm.generator_loss(p, state, batch, KEY)[0])(params)
        return whole, jax.grad(of_encoder)(params), jax.grad(lambda p: of_decoder(p) + adversarial(p))(params)

    whole, encoder, decoder = gradients(first)
    expected = {
        "encoder": encoder["encoder"],
        "decoder": decoder["decoder"],
        "log_scale": decoder["log_scale"],
    }
    assert whole.keys() == expected.keys()
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(whole), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=jax.tree_util.keystr(path))
        assert np.abs(a).max() > 0


def test_the_error_of_reconstructions_is_of_values_in_0_to_1():
    """Those of tiles are there already, those of pixels are halved."""
    batch = {"image": jax.random.uniform(KEY, (COUNT, *SHAPE))}
    found = {}
    for codec in (Pixels(), Tiles(np.zeros((1, 3), np.uint8))):
        algorithm = vae_gan(image_codec=codec)
        state = jax.jit(algorithm.init)(KEY, batch)
        _, out = jax.jit(algorithm.generator_loss)(state.generator.params, state, batch, KEY)
        found[codec.name] = float(out.metrics["reconstruction_l1"])
    assert found["tiles"] == pytest.approx(2 * found["pixels"], rel=1e-6)


def test_spectral_norms_of_encoder_and_decoder_move():
    algorithm = vae_gan(generator=MLPAutoencoder(SHAPE, code_size=LATENTS, widths=(5,), spectral_norm=True))
    batch = {"image": jax.random.uniform(KEY, (COUNT, *SHAPE), minval=-1)}
    state = jax.jit(algorithm.init)(KEY, batch)
    _, out = jax.jit(algorithm.generator_loss)(state.generator.params, state, batch, KEY)
    pairs = zip(
        jax.tree_util.tree_leaves_with_path(out.stats), jax.tree.leaves(state.generator.stats), strict=True
    )
    moved = {jax.tree_util.keystr(path): np.abs(a - b).max() > 0 for (path, a), b in pairs}
    assert {"encoder" in name for name in moved} == {True, False}
    assert all(moved.values())


def test_half_of_the_fakes_are_reconstructions():
    algorithm = vae_gan()
    batch = {"image": jax.random.uniform(KEY, (1000, *SHAPE), minval=-1)}
    state = jax.jit(algorithm.init)(KEY, batch)
    far = jax.tree.map(lambda x: x, state.generator.params)
    far["encoder"]["output"]["bias"] = jnp.array(
        [50.0, 50.0, -20.0, -20.0]
    )  # where no latent of the prior is
    state = state.replace(generator=state.generator.replace(params=far))
    latent, _ = jax.jit(algorithm.inputs)(KEY, batch, state)
    is_found = np.asarray(latent)[:, 0] > 25
    assert 0.45 < is_found.mean() < 0.55
    assert np.abs(np.asarray(latent)[~is_found]).max() < 6


def test_images_are_within_their_range_and_points_anywhere():
    algorithm = vae_gan()
    batch = {"image": jnp.zeros((COUNT, *SHAPE))}
    state = jax.jit(algorithm.init)(KEY, batch)
    latent = 100 * jnp.ones((COUNT, LATENTS))
    assert np.abs(algorithm.draw(state, latent, None)).max() <= 1
    points = vae_gan(image_codec=Points())
    assert np.abs(points.draw(state, 100 * latent, None)).max() > 1
    assert algorithm.encode(state, batch["image"], None).shape == (COUNT, LATENTS)
    assert algorithm.has_encoder
    assert algorithm.bits_kind is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": MODELS["mlp_generator"](SHAPE)}, "VAEGAN takes conv_autoencoder or mlp_autoencoder"),
        ({"packing": 2}, "packing=2: vae_gan compares each picture with its own"),
        ({"feature_weight": -1.0}, "feature_weight=-1.0"),
        ({"latent": "uniform"}, "the latents of VAEGAN are 'normal'"),
    ],
)
def test_what_it_is_not_made_for_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        vae_gan(**changes)


def test_a_layer_that_is_not_there_is_named_with_the_others():
    algorithm = dataclasses.replace(vae_gan(), layer="conv_7")
    batch = {"image": jnp.zeros((COUNT, *SHAPE))}
    state = jax.eval_shape(algorithm.init, KEY, batch)
    with pytest.raises(ValueError, match=r"has no conv_7; it has .*dropout_1"):
        jax.eval_shape(algorithm.step, state, jax.tree.map(lambda x: x[None], batch))


TOY = Toy(
    config=toy_config(
        {"name": "vae_gan", "latent_size": 3, "layer": "dropout_0"},
        {"name": "conv_autoencoder", "widths": (4,), "hidden": 8},
        discriminator={"name": "mlp_discriminator", "widths": (4,)},
        loss={"name": "non_saturating"},
    ),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng)}),
)
TOY.config.evaluation.metrics = "fid,reconstruction"


@pytest.mark.slow
def test_it_trains_resumes_and_is_scored(monkeypatch, tmp_path):
    check_alone(TOY, monkeypatch, tmp_path, [1])
    (record,) = [record for record in map(from_row, read_metrics(tmp_path / "whole")) if record]
    assert 0 < record.scores["reconstruction_l1"].value < 1


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
