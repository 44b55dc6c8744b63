"""A variational autoencoder of convolutions on Fashion-MNIST: 20 epochs of 468 batches.

    gan-jax data prepare fashion_mnist
    gan-jax train --config vae_fashion_mnist --workdir runs/vae_fashion_mnist
    gan-jax evaluate --fake runs/vae_fashion_mnist --metrics bits_per_dim,reconstruction --num 64
    gan-jax project --workdir runs/vae_fashion_mnist --input PICTURES --out projected

Kingma and Welling 2014, arXiv:1312.6114, with 16 latents and a discretised logistic likelihood whose scale is
learned. Pictures are what the decoder takes for the mean, so they are smooth: noise of the likelihood's scale
belongs to each, and is not shown. 5 minutes on two x86 cores; after 8,493 steps it
draws soft garments of every kind (experiments/comparison).
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 128
    epoch = 60_000 // config.get_ref("batch_size")  # follows --config.batch_size
    config.num_steps = 20 * epoch
    config.steps_per_call = 26
    config.log_every_steps = 117
    config.checkpoint_every_steps = epoch
    config.sample_every_steps = 2 * epoch
    config.data.name = "fashion_mnist"
    config.algorithm = dict(name="vae", latent_size=16, beta=1.0)
    config.likelihood = dict(name="discretised_logistic")
    config.ema = dict(name="half_life", images=20_000)
    config.generator = dict(name="conv_autoencoder", widths=(32, 64), kernel_size=5, hidden=256)
    config.generator_optimizer = dict(
        name="adam", learning_rate=dict(name="cosine", start=1e-3, end=0.0, steps=config.get_ref("num_steps"))
    )
    return config
