"""The networks a config can name. A generator takes (latent, train), a discriminator (image, train)."""

import flax.linen as nn

from gan_jax.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_jax.models.mlp import MLPDiscriminator, MLPGenerator

MODELS: dict[str, type[nn.Module]] = {
    "dcgan_generator": DCGANGenerator,
    "dcgan_discriminator": DCGANDiscriminator,
    "mlp_generator": MLPGenerator,
    "mlp_discriminator": MLPDiscriminator,
}
