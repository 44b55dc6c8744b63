"""What is trained: the networks, losses and batch sizes that every contender gets, with no framework in it.

A work is one kind of train step. All contenders build the same networks from it
(`tests/speed/test_bench_torch.py` and `tests/speed/test_bench_keras.py` show that they do), and one step is
the same arithmetic for all: `critic_steps` times a discriminator update on a batch of reals of its own and on
fakes from fresh noise, then one generator update on fresh noise; Adam for both; BatchNorm on the batch's
statistics; the reals and the fakes judged as two batches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Family = Literal["dcgan", "resnet"]
Loss = Literal["non_saturating", "hinge", "wasserstein"]


@dataclass(frozen=True)
class Work:
    """One kind of train step.

    Attributes:
        about: a line for the report.
        config: the shipped config that it is, in configs/; fields below that differ from it are overridden.
        image_shape: (height, width, channels).
        batch_sizes: those that are measured.
        family: "dcgan" (kernels of 5x5, strides and transposed convolutions of 2) or "resnet" (3x3 blocks).
        generator_widths, discriminator_widths: channels of each map.
        latent_size: L; latents are normal.
        activation: the generator's.
        norm_first: see `gan_jax.models.dcgan`.
        discriminator_norm: "none" or "batch" (not after the first convolution).
        dropout: the discriminator's rate.
        spectral_norm: the discriminator's.
        momentum: of BatchNorm's moving statistics.
        norm_epsilon: BatchNorm's; of the "dcgan" family only.
        critic_steps: discriminator updates per generator update.
        penalty: weight of the gradient penalty; 0 for none.
        learning_rate, b1, b2: Adam's, for both players.
        steps_per_call: steps in one compiled call of ours, and in the pool of reals that all go round.
    """

    name: str
    about: str
    config: str
    image_shape: tuple[int, int, int]
    batch_sizes: tuple[int, ...]
    family: Family
    generator_widths: tuple[int, ...]
    discriminator_widths: tuple[int, ...]
    latent_size: int = 100
    activation: Literal["relu", "selu"] = "relu"
    norm_first: bool = True
    discriminator_norm: Literal["none", "batch"] = "none"
    dropout: float = 0.0
    spectral_norm: bool = False
    momentum: float = 0.99
    norm_epsilon: float = 1e-3
    loss: Loss = "non_saturating"
    critic_steps: int = 1
    penalty: float = 0.0
    learning_rate: float = 2e-4
    b1: float = 0.5
    b2: float = 0.999
    steps_per_call: int = 10


DCGAN28 = Work(
    name="dcgan28",
    about="the thesis's DCGAN, 28x28x1",
    config="dcgan_fashion_mnist",
    image_shape=(28, 28, 1),
    batch_sizes=(32, 128, 512),
    family="dcgan",
    generator_widths=(128, 64),
    discriminator_widths=(64, 128),
    activation="selu",
    norm_first=False,
    dropout=0.4,
    steps_per_call=25,
)
DCGAN64 = Work(
    name="dcgan64",
    about="Radford's DCGAN, 64x64x3",
    config="dcgan_radford_64",
    image_shape=(64, 64, 3),
    batch_sizes=(128,),
    family="dcgan",
    generator_widths=(1024, 512, 256, 128),
    discriminator_widths=(128, 256, 512, 1024),
    discriminator_norm="batch",
    momentum=0.9,
    norm_epsilon=1e-5,
)
SNGAN32 = Work(
    name="sngan32",
    about="SNGAN's residual networks, 32x32x3",
    config="sngan_mnist",
    image_shape=(32, 32, 3),
    batch_sizes=(64,),
    family="resnet",
    generator_widths=(256, 256, 256, 256),
    discriminator_widths=(128, 128, 128, 128),
    latent_size=128,
    spectral_norm=True,
    momentum=0.9,
    loss="hinge",
    critic_steps=5,
    b1=0.0,
    b2=0.9,
)
WGAN_GP28 = Work(
    name="wgan_gp28",
    about="WGAN-GP with a small DCGAN, 28x28x1",
    config="wgan_gp_mnist",
    image_shape=(28, 28, 1),
    batch_sizes=(50,),
    family="dcgan",
    generator_widths=(64, 32),
    discriminator_widths=(32, 64),
    loss="wasserstein",
    critic_steps=5,
    penalty=10.0,
    learning_rate=1e-4,
    b2=0.9,
)
NARROW_DCGAN64 = replace(
    DCGAN64,
    name="dcgan64_narrow",
    about="Radford's DCGAN with a quarter of his widths, 64x64x3",
    batch_sizes=(64,),
    generator_widths=(256, 128, 64, 32),
    discriminator_widths=(32, 64, 128, 256),
)
NARROW_SNGAN32 = replace(
    SNGAN32,
    name="sngan32_narrow",
    about="SNGAN's residual networks with a quarter of its widths, 32x32x3",
    batch_sizes=(64,),
    generator_widths=(64, 64, 64, 64),
    discriminator_widths=(32, 32, 32, 32),
)
WORKS: dict[str, Work] = {
    work.name: work for work in (DCGAN28, NARROW_DCGAN64, DCGAN64, NARROW_SNGAN32, SNGAN32, WGAN_GP28)
}
ON_CPU = (
    "dcgan28",
    "dcgan64_narrow",
    "sngan32_narrow",
    "wgan_gp28",
)  # a step of the others takes 10 s and more
ON_GPU = ("dcgan28", "dcgan64", "sngan32", "wgan_gp28")
