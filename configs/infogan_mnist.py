"""InfoGAN on MNIST: ten categories and two continuous codes, found without labels.

    gan-jax data prepare mnist
    gan-jax train --config infogan_mnist --workdir runs/infogan_mnist
    gan-jax sample --workdir runs/infogan_mnist --label 3 --out category_3.png

Chen et al. 2016, arXiv:1606.03657, appendix C.1, and the authors' code (openai/InfoGAN): 62 noise variables,
uniform on [-1, 1], weight 1 for both kinds of codes, a hidden layer of 128 before they are read, Adam at 2e-4
for the discriminator and 1e-3 for the generator; on a small DCGAN with BatchNorm, without their dense layers
of 1024. Expect code_error 0.026 at the end (half the squared error of both codes; 0.33 is to say 0 for them):

    python experiments/gallery/codes.py --workdir runs/infogan_mnist --seed 2 --out codes.png

shows a category in each row, and that the second code leans all digits from the right to the left, while the
first one moves strokes towards the middle (1 becomes 4, and 7 becomes 9). Five categories are mostly one
digit (0, 1, 6, 7, 9), the others two or three that look alike. 15 minutes on two busy x86 cores.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 10_000
    config.steps_per_call = 25
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.name = "mnist"
    config.algorithm = dict(name="infogan", latent_size=62, latent="uniform", categories=10, continuous=2)
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(name="dcgan_generator", widths=(64, 32))
    config.discriminator = dict(
        name="dcgan_discriminator", widths=(32, 64), norm="batch", auxiliary=12, auxiliary_hidden=128
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.999)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    return config
