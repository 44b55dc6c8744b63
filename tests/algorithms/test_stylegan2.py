"""StyleGAN2 with ADA as a run of the plain GAN: truncation, what is remembered, and what resuming keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.config.heuristics import r1_gamma
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.models import MODELS
from gan_jax.training.train import train
from tests.runs import leaves
from tests.toys.common import Toy, ToyData, check_resumes, register, squares, toy_config

SMALL = dict(width_base=32, width_max=4)
TOY = Toy(
    config=toy_config(
        {"name": "gan", "latent_size": 4},
        {"name": "stylegan2_generator", "style_size": 4, "mapping_layers": 1, **SMALL},
        discriminator={"name": "stylegan2_discriminator", **SMALL},
        num_steps=6,
        augment={"name": "ada", "adjust_images": 100},
        penalties={"r1": {"weight": 0.1, "every": 3}},
        generator_penalties={"path_length": {"every": 2}},
    ),
    # One resolution, which is quicker to compile: what is remembered does not depend on it.
    data=ToyData({"image": Field((6, 6, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng, 6)}),
)


def test_a_generator_with_noise_draws_one_image_at_truncation_0():
    """Noise is fixed where pictures are drawn, and the state's mean style is that of training."""
    algorithm = GAN(
        generator=MODELS["stylegan2_generator"]((4, 4, 1), style_size=4, mapping_layers=1, **SMALL),
        discriminator=MODELS["mlp_discriminator"](widths=(4,)),
        generator_tx=optax.sgd(0.1),
        discriminator_tx=optax.sgd(0.1),
        ema_decay=optax.constant_schedule(0.5),
        latent_size=4,
    )
    batches = {"image": jnp.zeros((1, 4, 4, 4, 1))}
    state = jax.jit(algorithm.init)(jax.random.key(0), {"image": batches["image"][0]})
    after = jax.jit(algorithm.step)(state, batches)[0]
    mean = after.generator.stats["styles"]["mean"]
    assert (mean != 0).any()
    np.testing.assert_allclose(algorithm.mean_style(after), 0.5 * mean, rtol=1e-6)

    @jax.jit
    def drawn(state):
        latent = algorithm.latents(jax.random.key(1), 3)
        return [algorithm.truncated(psi).draw(state, latent, None) for psi in (0.0, 0.5, 1.0)]

    at_mean, between, whole = (np.asarray(image) for image in drawn(after))
    np.testing.assert_allclose(at_mean, np.repeat(at_mean[:1], 3, axis=0), atol=1e-6)
    assert 0 < between.std(0).mean() < whole.std(0).mean()


def test_the_heuristic_of_r1s_weight():
    """The official code's numbers for 256x256 and 1024x1024 on eight GPUs."""
    assert r1_gamma(256, 256, 64) == pytest.approx(0.2048)
    assert r1_gamma(1024, 1024, 32) == pytest.approx(6.5536)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 8])
def test_resuming_in_a_lazy_interval_and_while_ada_counts_keeps_every_bit(devices, monkeypatch, tmp_path):
    """R1 is due at steps 0 and 3, path length at 0, 2 and 4; ADA adjusts after step 4."""
    register(monkeypatch, TOY)
    state = train(TOY.config, tmp_path / "whole", devices=devices)
    assert set(state.extra) == {"augment", "path_length"}
    assert float(state.extra["augment"]["descents"]) == 2
    assert float(state.extra["path_length"]["mean"]) > 0
    assert np.abs(state.generator.stats["styles"]["mean"]).max() > 0
    check_resumes(TOY.config, tmp_path / "cut", [1, 2, 3, 5], leaves(state), devices)
