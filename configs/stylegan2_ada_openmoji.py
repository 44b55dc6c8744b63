"""StyleGAN2 with ADA (Karras et al. 2020, arXiv:1912.04958 and 2006.06676) on few pictures: OpenMoji, 64x64.

    python experiments/emoji/prepare.py --from FOLDER --out emoji
    gan-jax train --config stylegan2_ada_openmoji --workdir runs/stylegan2_ada_openmoji

1,696 coloured emoji, of which the line drawings beside them are not looked at; or any folder of pictures:
--config.data.name=image_folder --config.data.folder=... --config.data.height=64. Without ADA:
--config.augment=none. Five levels, 4x4 to 64x64, with 64 channels, 32 at 32x32 and 16 at 64x64. The weight
of R1 is ten times the official heuristic's for these sizes. p can go from 0 to 1 in 100,000 images, not
500,000, since the run is that much shorter than those of the paper; it ended at 0.21. 50 minutes on one x86
core. Expect outlines filled with flat colours, some like people, and no emoji that one could name
(`experiments/ada_openmoji`).
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = 8_000
    config.log_every_steps = 50
    config.sample_every_steps = 500
    config.data.update(
        name="npz_pairs", file="emoji/openmoji_pairs.npz", height=64, crop="cut", family="[^-]+", flip=True
    )
    config.algorithm = dict(name="gan", latent_size=64)
    config.loss = dict(name="non_saturating")
    config.augment = dict(name="ada", adjust_images=100_000)
    config.penalties = dict(r1=dict(weight=0.5, every=16))
    config.generator_penalties = dict(path_length=dict(weight=2.0, every=4))
    config.ema = dict(name="half_life", images=5_000, ramp_up=0.05)
    config.generator = dict(
        name="stylegan2_generator",
        width_base=1_024,
        width_max=64,
        style_size=64,
        embedding_size=64,
        mapping_layers=2,
    )
    config.discriminator = dict(name="stylegan2_discriminator", width_base=1_024, width_max=64)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-3, b1=0.0, b2=0.99, finite_gradients=True)
    config.discriminator_optimizer = dict(
        name="adam", learning_rate=2e-3, b1=0.0, b2=0.99, finite_gradients=True
    )
    return config
