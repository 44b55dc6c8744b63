"""The two published protocols of Stacked-MNIST as configs, and the remedies that are compared on them.

    gan-jax train --config experiments/stacked_mnist/protocols.py:quarter/pacgan2 --workdir runs/pacgan2

"quarter" and "half" are the protocol of the Unrolled GAN (Metz et al. 2016, arXiv:1611.02163, section 3.3.1)
with a discriminator of 1/4 and 1/2 of the widths 8, 16, 32; "veegan" that of VEEGAN (Srivastava et al. 2017,
arXiv:1705.07761). Sizes, rates and lengths are those that PacGAN published for both (Lin et al. 2017,
arXiv:1712.04086; github.com/fjxmlzn/PacGAN, stacked_MNIST_experiments). The README lists what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_collections

from gan_jax.config.build import base_config
from gan_jax.config.overrides import overridden
from gan_jax.study.study import Study
from gan_jax.utils.errors import UserError

UNROLLED_WIDTHS = {"quarter": (2, 4, 8), "half": (4, 8, 16)}  # of the discriminator: 8 K, 16 K, 32 K
UNROLLED_BATCH, VEEGAN_BATCH = 128, 64

Overrides = Mapping[str, Any]


def unrolled(widths: tuple[int, ...]) -> ml_collections.ConfigDict:
    """DCGAN under the protocol of the Unrolled GAN, as PacGAN ran it: 500,000 steps, 25,600 samples judged.

    Args:
        widths: of the discriminator's three convolutions.
    """
    config = base_config()
    config.batch_size = UNROLLED_BATCH
    config.num_steps = 500_000
    config.steps_per_call = 100
    config.log_every_steps = 1_000
    config.checkpoint_every_steps = 5_000
    config.sample_every_steps = 50_000
    config.data.name = "stacked_mnist"
    config.algorithm = dict(name="gan", latent_size=256, latent="normal")
    config.evaluation = dict(metrics="modes", every_steps=25_000, num=25_600, best="modes")
    config.generator = dict(
        name="dcgan_generator",
        widths=(64, 32, 16, 8),  # 4x4, 7x7, 14x14, 28x28
        kernel_size=3,
        output_kernel_size=3,
        momentum=0.9,
        initializer="normal",
    )
    config.discriminator = dict(
        name="dcgan_discriminator",
        widths=widths,
        kernel_size=3,
        leak=0.3,
        norm="batch",
        norm_everywhere=True,
        momentum=0.9,
        initializer="normal",
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.99)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.99)
    return config


def veegan() -> ml_collections.ConfigDict:
    """DCGAN under VEEGAN's protocol, as PacGAN ran it: 50 epochs of 2,000 steps, 26,000 samples judged."""
    config = base_config()
    config.batch_size = VEEGAN_BATCH
    config.num_steps = 100_000
    config.steps_per_call = 25
    config.log_every_steps = 500
    config.checkpoint_every_steps = 2_000
    config.sample_every_steps = 10_000
    config.data.name = "stacked_mnist"
    config.algorithm = dict(name="gan", latent_size=100, latent="uniform")
    config.evaluation = dict(metrics="modes", every_steps=10_000, num=26_000, best="modes")
    config.generator = dict(
        name="dcgan_generator",
        widths=(512, 256, 128, 64),  # 2x2, 4x4, 7x7, 14x14, and one more doubling to the image
        kernel_size=5,
        momentum=0.9,
        initializer="normal",
    )
    config.discriminator = dict(
        name="dcgan_discriminator",
        widths=(64, 128, 256, 512),
        kernel_size=5,
        norm="batch",
        momentum=0.9,
        initializer="normal",
    )
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    return config


def packed(count: int, packs: int) -> Overrides:
    """PacGAN: the discriminator judges `count` pictures at once, and as many packs as the others pictures."""
    return {"algorithm.packing": count, "batch_size": packs * count}


def looking_ahead(steps: int) -> Overrides:
    """Unrolled GAN; eps_root keeps the derivative of Adam's root finite."""
    return {
        "algorithm.name": "unrolled",
        "algorithm.unrolled_steps": steps,
        "discriminator_optimizer.eps_root": 1e-8,
    }


# Two remedies that are younger than the protocols, on the same networks but for the discriminator's norm.
WGAN_GP: Overrides = {
    "algorithm.discriminator_steps": 5,
    "loss.name": "wasserstein",
    "penalties.wgan_gp.weight": 10.0,
    "discriminator.norm": "layer",  # BatchNorm mixes the images (Gulrajani et al. 2017, section 4)
    **{f"{player}_optimizer.learning_rate": 1e-4 for player in ("generator", "discriminator")},
    **{f"{player}_optimizer.b2": 0.9 for player in ("generator", "discriminator")},
}
R3GAN_LOSS: Overrides = {
    "loss.name": "relativistic_paired",
    "penalties.r1.weight": 1.0,
    "penalties.r2.weight": 1.0,
    "discriminator.norm": "none",
    "discriminator.norm_everywhere": False,
    "discriminator.initializer": "glorot_uniform",  # 0.02 without a norm leaves no signal
    **{f"{player}_optimizer.learning_rate": 2e-4 for player in ("generator", "discriminator")},
    **{f"{player}_optimizer.b1": 0.0 for player in ("generator", "discriminator")},
}
MODERN: Mapping[str, Overrides] = {"wgan_gp": WGAN_GP, "r3gan_loss": R3GAN_LOSS}
UNROLLED: Mapping[str, Overrides] = {
    "dcgan": {},
    **{f"unrolled{steps}": looking_ahead(steps) for steps in (1, 5, 10)},
    **{f"pacgan{count}": packed(count, UNROLLED_BATCH) for count in (2, 3, 4)},
    **MODERN,
}
VEEGAN: Mapping[str, Overrides] = {
    "dcgan": {},
    **{f"pacgan{count}": packed(count, VEEGAN_BATCH) for count in (2, 3, 4)},
    **MODERN,
}
VARIANTS: Mapping[str, Mapping[str, Overrides]] = {"quarter": UNROLLED, "half": UNROLLED, "veegan": VEEGAN}

REACHED = "How many of the 1,000 modes of Stacked-MNIST does a generator reach"
QUESTIONS = {
    "quarter": f"{REACHED} against a discriminator of 1/4 of the widths (the Unrolled GAN's protocol)?",
    "half": f"{REACHED} against a discriminator of 1/2 of the widths (the Unrolled GAN's protocol)?",
    "veegan": f"{REACHED} with the networks of DCGAN (VEEGAN's protocol)?",
}


def base(protocol: str) -> ml_collections.ConfigDict:
    """DCGAN, which all others of the protocol are compared with."""
    return veegan() if protocol == "veegan" else unrolled(UNROLLED_WIDTHS[protocol])


def get_config(argument: str = "quarter/dcgan") -> ml_collections.ConfigDict:
    """The config "PROTOCOL/VARIANT"; "PROTOCOL" alone is its DCGAN.

    Raises:
        UserError: no such protocol or variant; with the choices.
    """
    protocol, _, variant = argument.partition("/")
    if protocol not in VARIANTS:
        raise UserError(f"protocol {protocol!r} is not one of {', '.join(VARIANTS)}")
    if (variant or "dcgan") not in VARIANTS[protocol]:
        raise UserError(f"{protocol} has no variant {variant!r}; it has {', '.join(VARIANTS[protocol])}")
    return overridden(base(protocol), VARIANTS[protocol][variant or "dcgan"], argument)


def study(protocol: str) -> Study:
    """The full design: every variant from 50 seeds, as PacGAN's authors ran the Unrolled GAN's protocol."""
    return Study(
        question=QUESTIONS[protocol],
        base=base(protocol),
        variants=VARIANTS[protocol],
        seeds=50,
        ranked_by=("modes", "modes_kl"),
        compare_to="dcgan",
    )
