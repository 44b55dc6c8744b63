"""InfoGAN: codes that the discriminator can read off the images, found without labels.

Chen et al. 2016, arXiv:1606.03657: both players maximise L_I(G, Q), the lower bound of equation 5 on the
mutual information of codes and images. Q shares the discriminator's body (its auxiliary outputs): logits of
the categorical code, then the means of the continuous ones, whose variance is 1 as in the authors' MNIST
experiment (openai/InfoGAN, launchers/run_mnist_exp.py), which weighs both kinds with 1. Their Q has a hidden
layer of its own: `discriminator.auxiliary_hidden=128`. As there, Q learns in the discriminator's descents.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.gan import GAN
from gan_jax.core.modules import is_conditional
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Batch, Key, Metrics
from gan_jax.utils.checks import check_count, check_range


@dataclass(frozen=True, kw_only=True)
class InfoGAN(GAN):
    """The generator's input is [noise | one-hot categorical code | continuous codes in [-1, 1]].

    Attributes:
        categories: of the one categorical code.
        continuous: how many continuous codes.
        categorical_weight: lambda of the categorical code's part of L_I.
        continuous_weight: lambda of the continuous codes' part.
    """

    categories: int = 10
    continuous: int = 2
    categorical_weight: float = 1.0
    continuous_weight: float = 1.0

    def check_auxiliary(self) -> None:
        check_count(self.categories, "categories")
        if self.continuous != 0:
            check_count(self.continuous, "continuous")
        for name in ("categorical_weight", "continuous_weight"):
            check_range(getattr(self, name), name)
        for role in ("generator", "discriminator"):
            if is_conditional(getattr(self, role)):
                raise ValueError(f"infogan finds its codes without labels: set {role}.condition=none")
        for name, off in (("packing", 1), ("pool_size", 0)):
            if getattr(self, name) != off:
                raise ValueError(
                    f"{name}={getattr(self, name)}: infogan must read each fake's own codes; set {name}={off}"
                )
        self.expect_auxiliary(
            self.categories + self.continuous,
            f"categories={self.categories} and continuous={self.continuous}",
        )

    @property
    def num_classes(self) -> int | None:
        """The categories: `sample` takes the categorical code where others take the label."""
        return self.categories

    @property
    def input_size(self) -> int:
        """Noise and codes."""
        return self.latent_size + self.categories + self.continuous

    def latents(self, key: Key, count: int) -> Array:
        """Noise and codes [count, input_size], every category equally likely."""
        noise = super().latents(key, count)
        keys = example_keys(jax.random.fold_in(key, 1), count, self.axis_name)
        category = jax.vmap(lambda k: jax.random.randint(k, (), 0, self.categories))(keys)
        return self.with_codes(noise, category, self.codes(jax.random.fold_in(key, 2), count))

    def codes(self, key: Key, count: int) -> Array:
        """Continuous codes [count, continuous], uniform on [-1, 1)."""
        draw = lambda k: jax.random.uniform(k, (self.continuous,), minval=-1.0)
        return jax.vmap(draw)(example_keys(key, count, self.axis_name))

    def with_codes(self, noise: Array, category: Array, codes: Array) -> Array:
        """The generator's input from noise [B, latent_size], category int32 [B] and codes [B, continuous]."""
        one_hot = jax.nn.one_hot(category, self.categories)
        return self.split(jnp.concatenate([noise, one_hot, codes], axis=1))

    def sample(self, state: TrainState, batch: Batch, key: Key) -> Array:
        """Images [B, H, W, C] of the categories in batch["label"], noise and continuous codes drawn."""
        count = batch["image"].shape[0]
        noise = super().latents(key, count)
        codes = self.codes(jax.random.fold_in(key, 2), count)
        return self.draw(state, self.with_codes(noise, batch["label"], codes), None)

    def auxiliary_loss(
        self, real: Array | None, fake: Array | None, latent: Array, batch: Batch
    ) -> tuple[Array | float, Metrics]:
        """-lambda L_I up to a constant, read from the fakes alone."""
        assert fake is not None
        one_hot, codes = jnp.split(latent[:, self.latent_size :], [self.categories], axis=1)
        logits, means = jnp.split(fake, [self.categories], axis=1)
        categorical = jnp.mean(optax.losses.softmax_cross_entropy(logits, one_hot))
        continuous = 0.5 * jnp.mean(jnp.sum(jnp.square(codes - means), axis=1))
        loss = self.categorical_weight * categorical + self.continuous_weight * continuous
        if real is None:
            return loss, {}
        read = jnp.mean(jnp.argmax(logits, axis=1) == jnp.argmax(one_hot, axis=1))
        return loss, {"code_read": read, "code_error": continuous}
