"""A gated PixelCNN of the tiles of Super Mario Bros levels, in windows of 14 by 28.

    gan-jax data prepare vglc_mario
    gan-jax train --config pixelcnn_mario --workdir runs/pixelcnn_mario
    gan-jax levels runs/pixelcnn_mario --num 20 --out levels

Van den Oord et al. 2016, arXiv:1606.05328: the kind of each tile, given those above it and to its left. The
likelihood is exact, in bits per tile. Expect windows with few broken pipes of which a walker passes four in
five (`experiments/levels`); 14 minutes on one of two x86 cores with much beside it.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 2_000
    config.steps_per_call = 25
    config.log_every_steps = 50
    config.checkpoint_every_steps = 250
    config.sample_every_steps = 500
    config.data.name = "vglc_mario"
    config.algorithm = dict(name="autoregressive")
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(
        name="pixelcnn", width=32, layers=5, kernel_size=5, categorical=True, condition="none"
    )
    config.generator_optimizer = dict(
        name="adam", learning_rate=dict(name="cosine", start=1e-3, end=0.0, steps=config.get_ref("num_steps"))
    )
    return config
