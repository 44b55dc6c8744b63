"""R3GAN's objective on MNIST with a small network without any normalisation.

    gan-jax data prepare mnist
    gan-jax train --config r3gan_mnist --workdir runs/r3gan_mnist

Huang et al. 2024, arXiv:2501.05441: relativistic pairs, R1 on the reals and R2 on the fakes at every step,
Adam with beta1 0, gamma and beta2 scheduled, the average's half life in images. The full network is
another. Expect clean strokes, most digits legible; 6 minutes on two x86 cores with tests beside it.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 4_000
    config.steps_per_call = 10
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.name = "mnist"
    config.algorithm = dict(name="gan", latent_size=64)
    config.loss = dict(name="relativistic_paired")
    gamma = dict(name="cosine", start=1.0, end=0.1, steps=config.get_ref("num_steps"))
    config.penalties = dict(r1=dict(weight=dict(gamma)), r2=dict(weight=dict(gamma)))
    config.ema = dict(name="half_life", images=20_000)
    config.generator = dict(name="dcgan_generator", widths=(64, 32), activation="leaky_relu", norm="none")
    config.discriminator = dict(name="dcgan_discriminator", widths=(32, 64))
    beta2 = dict(name="cosine", start=0.9, end=0.99, steps=config.get_ref("num_steps"))
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.0, b2=dict(beta2))
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.0, b2=dict(beta2))
    return config
