"""A run for the soak test: small, so that nearly all of its life is starts, stops and saves."""

from __future__ import annotations

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    """An MLP GAN with all that must be restored: batch norm, dropout, a lazy penalty, an average, scores."""
    config = base_config()
    config.batch_size = 16
    config.num_steps = 6000
    config.steps_per_call = 5
    config.log_every_steps = 25
    config.checkpoint_every_steps = 60
    config.sample_every_steps = 1500
    config.data.update(name="shapes", resolution=16, channels=1, num_examples=500, seed=0, flip=True)
    config.algorithm = dict(name="gan", discriminator_steps=1, latent_size=8, latent="normal")
    config.loss = dict(name="non_saturating")
    config.penalties = dict(r1=dict(weight=0.1, every=4))
    config.ema = dict(name="decay", decay=0.99)
    config.generator = dict(
        name="mlp_generator", widths=(32,), activation="leaky_relu", norm="batch", initializer="normal"
    )
    config.discriminator = dict(
        name="mlp_discriminator", widths=(32,), activation="leaky_relu", dropout=0.3, initializer="normal"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.999)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.999)
    config.evaluation = dict(metrics="fid", every_steps=50, num=64, network="random")
    return config
