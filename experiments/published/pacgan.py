"""The set-up of PacGAN's table 1 on a ring and a grid of Gaussians, after its code.

Lin et al. 2018, "PacGAN", arXiv:1712.04086, section 4.1; github.com/fjxmlzn/PacGAN. The generator has four
hidden layers of 400 with BatchNorm before ReLU, the discriminator three maxout layers of 200 with 5 pieces;
weights are N(0, 0.02), Adam has 1e-4 and b1 0.8, both players descend at once, a batch has 100 packs, and 400
epochs are of 100,000 fixed points. One thing differs: BatchNorm's statistics are of all points of a batch
here, and there each place of a pack has its own 100.
"""

from __future__ import annotations

from typing import Any

from gan_jax.config.build import base_config
from gan_jax.study import Study

EPOCHS, POINTS, PACKS = 400, 100_000, 100


def study(question: str, packings: tuple[int, ...], **data: Any) -> Study:
    """GAN and PacGAN, ten trials each as there.

    Args:
        packings: how many points the discriminator judges together; 1 is the plain GAN.
        **data: fields of config.data.
    """
    base = base_config()
    base.num_steps = EPOCHS * POINTS // PACKS  # of the plain GAN
    base.steps_per_call = 500
    base.log_every_steps = 10_000
    base.checkpoint_every_steps = 20_000
    base.data.update(num_examples=POINTS, **data)
    base.game = dict(name="simultaneous")
    base.algorithm = dict(name="gan", latent_size=2)
    base.loss = dict(name="non_saturating")
    base.ema = dict(name="none")
    base.generator = dict(
        name="mlp_generator",
        widths=(400, 400, 400, 400),
        activation="relu",
        norm="batch",
        norm_first=True,
        momentum=0.95,
        norm_epsilon=1e-4,
        output="linear",
        initializer="normal",
    )
    base.discriminator = dict(
        name="mlp_discriminator", widths=(200, 200, 200), maxout_pieces=5, initializer="normal"
    )
    adam = dict(name="adam", learning_rate=1e-4, b1=0.8, b2=0.999)
    base.generator_optimizer = dict(adam)
    base.discriminator_optimizer = dict(adam)
    base.evaluation.update(metrics="density", num=2_500, every_steps=40_000)
    variants = {
        "gan" if packing == 1 else f"pacgan_{packing}": {
            "algorithm.packing": packing,
            "batch_size": PACKS * packing,
        }
        for packing in packings
    }
    return Study(
        question=question,
        base=base,
        variants=variants,
        seeds=10,
        ranked_by=("modes_reached", "high_quality", "reverse_kl"),
    )
