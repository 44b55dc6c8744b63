"""Conditional image synthesis with auxiliary classifier GANs.

Odena, Olah, Shlens 2017, arXiv:1610.09585, equations 2 and 3: the discriminator also names the class, of
reals and of fakes, and both players gain where it is right. The generator is told the class, the
discriminator is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import optax

from gan_jax.algorithms.gan import GAN
from gan_jax.core.modules import is_conditional, trait
from gan_jax.core.update import Array, Batch, Metrics
from gan_jax.utils.checks import check_range


@dataclass(frozen=True, kw_only=True)
class ACGAN(GAN):
    """Both players also minimise the cross-entropy of the class.

    Attributes:
        class_weight: of the cross-entropy beside the adversarial loss; the paper's is 1.
    """

    class_weight: float = 1.0

    def check_auxiliary(self) -> None:
        check_range(self.class_weight, "class_weight")
        if self.num_classes is None:
            raise ValueError(
                "acgan tells the generator the class: give data with labels (a folder of pictures has them "
                "where each class is a sub-folder), and set generator.condition, for example to embedding"
            )
        if is_conditional(self.discriminator):
            raise ValueError(
                "acgan's discriminator must find out the class, and this one is told: "
                "set discriminator.condition=none"
            )
        if self.packing > 1:
            raise ValueError(
                f"packing={self.packing} mixes classes that acgan must tell apart: set packing=1"
            )
        if self.pool_size:
            raise ValueError(
                f"pool_size={self.pool_size}: the pool keeps no classes; set pool_size=0 for acgan"
            )
        if trait(self.discriminator, "auxiliary") == 0:
            object.__setattr__(self, "discriminator", self.discriminator.clone(auxiliary=self.num_classes))
        self.expect_auxiliary(self.num_classes, "there are so many classes")

    def auxiliary_loss(
        self, real: Array | None, fake: Array | None, latent: Array, batch: Batch
    ) -> tuple[Array | float, Metrics]:
        """-L_C of the paper, and how often the class is named rightly."""
        loss, metrics = jnp.zeros(()), {}
        for name, logits in (("real", real), ("fake", fake)):
            if logits is not None:
                entropy = optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
                loss = loss + jnp.mean(entropy)
                if real is not None:  # the discriminator's descent
                    metrics[f"class_{name}"] = jnp.mean(jnp.argmax(logits, axis=-1) == batch["label"])
        return self.class_weight * loss, metrics
