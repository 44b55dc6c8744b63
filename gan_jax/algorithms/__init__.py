"""The methods a config can name, one file per paper.

What differs from the GAN only in its objective, its penalties, its networks or its optimizers (WGAN,
LSGAN, SNGAN, conditional GANs, ...) is a config of `gan`.
"""

from gan_jax.algorithms.acgan import ACGAN
from gan_jax.algorithms.autoregressive import Autoregressive
from gan_jax.algorithms.cyclegan import CycleGAN
from gan_jax.algorithms.diffusion import Diffusion
from gan_jax.algorithms.feature_matching import FeatureMatching
from gan_jax.algorithms.flow import Flow
from gan_jax.algorithms.gan import GAN
from gan_jax.algorithms.growing import Growing
from gan_jax.algorithms.infogan import InfoGAN
from gan_jax.algorithms.translator import Translator
from gan_jax.algorithms.unrolled import UnrolledGAN
from gan_jax.algorithms.vae import VAE
from gan_jax.algorithms.vae_gan import VAEGAN
from gan_jax.core.algorithm import Algorithm
from gan_jax.utils.tables import Table

ALGORITHMS: Table[type[Algorithm]] = Table(
    "algorithm",
    {
        "gan": GAN,
        "acgan": ACGAN,
        "autoregressive": Autoregressive,
        "cyclegan": CycleGAN,
        "diffusion": Diffusion,
        "feature_matching": FeatureMatching,
        "flow": Flow,
        "growing": Growing,
        "infogan": InfoGAN,
        "translator": Translator,
        "unrolled": UnrolledGAN,
        "vae": VAE,
        "vae_gan": VAEGAN,
    },
)
