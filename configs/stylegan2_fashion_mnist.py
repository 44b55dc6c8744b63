"""StyleGAN2 (Karras et al. 2020, arXiv:1912.04958), small, on Fashion-MNIST.

    gan-jax data prepare fashion_mnist
    gan-jax train --config stylegan2_fashion_mnist --workdir runs/stylegan2_fashion_mnist

Three levels, 7x7 to 28x28, with 64 channels each; styles of 64 numbers. R1 at every 16th step, path length
at every 4th, style mixing and noise, as in the paper; its half-life of 10,000 images for the average. The
weight of R1 is ten times the heuristic's for images this small (`gan_jax.config.heuristics`).
160,000 images in half an hour on one x86 core. Expect garments of every kind, dark ones without detail: FID
91, precision 0.77, recall 0.29 (`experiments/stylegan2_fashion_mnist`).
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = 10_000
    config.log_every_steps = 100
    config.sample_every_steps = 1_000
    config.data.name = "fashion_mnist"
    config.algorithm = dict(name="gan", latent_size=64)
    config.loss = dict(name="non_saturating")
    config.penalties = dict(r1=dict(weight=0.1, every=16))
    config.generator_penalties = dict(path_length=dict(weight=2.0, every=4))
    config.ema = dict(name="half_life", images=10_000, ramp_up=0.05)
    config.generator = dict(
        name="stylegan2_generator",
        width_base=2_048,
        width_max=64,
        style_size=64,
        embedding_size=64,
        mapping_layers=2,
    )
    config.discriminator = dict(name="stylegan2_discriminator", width_base=2_048, width_max=64)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-3, b1=0.0, b2=0.99, finite_gradients=True)
    config.discriminator_optimizer = dict(
        name="adam", learning_rate=2e-3, b1=0.0, b2=0.99, finite_gradients=True
    )
    return config
