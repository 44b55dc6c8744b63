"""SAGAN on MNIST: self-attention, spectral normalisation in both networks, two learning rates (TTUR).

    gan-jax data prepare mnist
    gan-jax train --config sagan_mnist --workdir runs/sagan_mnist

Zhang et al. 2019, arXiv:1805.08318: hinge loss, Adam with betas 0 and 0.9, 1e-4 for the generator and 4e-4
for the discriminator (Heusel et al. 2017, arXiv:1706.08500), one step each; attention on the 14x14 maps;
narrow for a CPU. Expect strokes like those of digits, over half legible; 18 minutes on two x86 cores with
another training and tests beside it. On colour shapes a similar network collapsed to one ground and colour.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 3_000
    config.steps_per_call = 10
    config.log_every_steps = 50
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 500
    config.data.name = "mnist"
    config.algorithm = dict(name="gan", latent_size=128)
    config.loss = dict(name="hinge")
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(
        name="resnet_generator", widths=(64, 48, 32, 24), attention_size=14, spectral_norm=True
    )
    config.discriminator = dict(
        name="resnet_discriminator", widths=(16, 32, 48, 48), attention_size=14, spectral_norm=True
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.0, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=4e-4, b1=0.0, b2=0.9)
    return config
