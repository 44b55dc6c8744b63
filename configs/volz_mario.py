"""The GAN of Volz et al. on windows of Super Mario Bros levels: DCGAN with BatchNorm as a WGAN.

    gan-jax data prepare vglc_mario
    gan-jax train --config volz_mario --workdir runs/volz_mario
    gan-jax levels runs/volz_mario --search cmaes --fitness ground=0.5 --out found

Volz et al. 2018, "Evolving Mario levels in the latent space of a deep convolutional GAN", arXiv:1805.00728,
by its code: 32 latents, generator 256-128-64 with kernels of 4, BatchNorm and a ReLU at the end, critic
64-128-256, weights N(0, 0.02), clipped to [-0.01, 0.01], RMSprop at 5e-5, batches of 32. Other than there:
windows of twelve levels and 13 kinds of tiles where it has 173 of one level and ten kinds; maps of 14x28
where it pads to 32x32 with sky; five critic steps to each of the generator throughout, where the code's
epochs of six batches make it 5 and 1 in turn (and never the 100 that it asks for at the start), in as many
generator steps: 5,000 epochs of two. 735,117 and 671,553 parameters, where it has 797,568 and 670,464 with
the padding and ten kinds; not trained here.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 10_000
    config.steps_per_call = 10
    config.log_every_steps = 100
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 1_000
    config.data.name = "vglc_mario"
    config.algorithm = dict(name="gan", latent_size=32, discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.ema = dict(name="none")
    config.generator = dict(
        name="dcgan_generator",
        widths=(256, 128, 64),
        kernel_size=4,
        momentum=0.9,
        norm_epsilon=1e-5,
        initializer="normal",
        output="relu",
        condition="none",
    )
    config.discriminator = dict(
        name="dcgan_discriminator",
        widths=(64, 128, 256),
        kernel_size=4,
        norm="batch",
        momentum=0.9,
        norm_epsilon=1e-5,
        initializer="normal",
        condition="none",
    )
    config.generator_optimizer = dict(name="rmsprop", learning_rate=5e-5, decay=0.99, eps=1e-8)
    config.discriminator_optimizer = dict(
        name="rmsprop", learning_rate=5e-5, decay=0.99, eps=1e-8, weight_clip=0.01
    )
    return config
