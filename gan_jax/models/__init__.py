"""The networks a config can name.

A generator takes (latent, label, train), a translator (image, label, train) and so does a discriminator; all
ignore the label, which may be None, unless their field `condition` says how it enters. A pair takes
(image of "a", image of "b", label, train), see `models.pair`, a denoiser (noisy image, time, label, train),
see `models.layers.denoiser`.
"""

import flax.linen as nn

from gan_jax.models.autoencoder import ConvAutoencoder, MLPAutoencoder
from gan_jax.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_jax.models.diffusion_unet import DiffusionUNet
from gan_jax.models.flow import Glow, MLPFlow
from gan_jax.models.mlp import MLPDiscriminator, MLPGenerator
from gan_jax.models.mlp_denoiser import MLPDenoiser
from gan_jax.models.pair import PatchGANDiscriminatorPair, ResNetTranslatorPair, UNetGeneratorPair
from gan_jax.models.patchgan import PatchGANDiscriminator
from gan_jax.models.pixelcnn import PixelCNN
from gan_jax.models.progan import ProGANDiscriminator, ProGANGenerator
from gan_jax.models.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_jax.models.resnet import ResNetDiscriminator, ResNetGenerator
from gan_jax.models.resnet_translator import ResNetTranslator
from gan_jax.models.sr_discriminator import SRDiscriminator
from gan_jax.models.srresnet import SRResNet
from gan_jax.models.stylegan import StyleGANGenerator
from gan_jax.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan_jax.models.unet import UNetGenerator
from gan_jax.models.wavegan import WaveGANDiscriminator, WaveGANGenerator
from gan_jax.utils.tables import Table

MODELS: Table[type[nn.Module]] = Table(
    "network",
    {
        "dcgan_generator": DCGANGenerator,
        "dcgan_discriminator": DCGANDiscriminator,
        "mlp_generator": MLPGenerator,
        "mlp_discriminator": MLPDiscriminator,
        "resnet_generator": ResNetGenerator,
        "resnet_discriminator": ResNetDiscriminator,
        "progan_generator": ProGANGenerator,
        "progan_discriminator": ProGANDiscriminator,
        "stylegan_generator": StyleGANGenerator,
        "stylegan2_generator": StyleGAN2Generator,
        "stylegan2_discriminator": StyleGAN2Discriminator,
        "r3gan_generator": R3GANGenerator,
        "r3gan_discriminator": R3GANDiscriminator,
        "wavegan_generator": WaveGANGenerator,
        "wavegan_discriminator": WaveGANDiscriminator,
        "conv_autoencoder": ConvAutoencoder,
        "mlp_autoencoder": MLPAutoencoder,
        "glow": Glow,
        "mlp_flow": MLPFlow,
        "pixelcnn": PixelCNN,
        "unet_generator": UNetGenerator,
        "resnet_translator": ResNetTranslator,
        "patchgan_discriminator": PatchGANDiscriminator,
        "srresnet_generator": SRResNet,
        "sr_discriminator": SRDiscriminator,
        "diffusion_unet": DiffusionUNet,
        "mlp_denoiser": MLPDenoiser,
        "unet_generator_pair": UNetGeneratorPair,
        "resnet_translator_pair": ResNetTranslatorPair,
        "patchgan_discriminator_pair": PatchGANDiscriminatorPair,
    },
)
