"""Generative adversarial nets, and what has since been put into their two losses.

Goodfellow et al. 2014, arXiv:1406.2661: algorithm 1 with k discriminator steps per generator step,
each player on noise of its own. The discriminator sees the reals and the fakes as two batches
where that matters (BatchNorm), and only its own descent moves its moving statistics.

The objective, the penalties and the augmentation are components; with them this is also WGAN
(arXiv:1701.07875), WGAN-GP (1704.00028), LSGAN (1611.04076), SNGAN (1802.05957), SAGAN (1805.08318) and
R3GAN's loss (2501.05441), and with networks that look at the labels the conditional GAN (1411.1784) and
the projection discriminator (1802.05637). Fakes get the labels of the mini-batch's reals.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from gan_jax.algorithms.image_pool import empty_pool, exchange
from gan_jax.algorithms.packing import deinterleave, interleave, pack
from gan_jax.augment import Augment, NoAugment
from gan_jax.core.accumulation import Microbatches, network_obstacles, objective_obstacles
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.collectives import gather_batch
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Batch, Key, LossOut, Metrics, Update
from gan_jax.losses.adversarial import LOSSES, AdversarialLoss
from gan_jax.losses.penalties import Penalty, PenaltyInputs
from gan_jax.optim.schedules import Schedule, as_schedule, is_off
from gan_jax.utils.checks import check_count, check_range
from gan_jax.utils.tree import PyTree

# Folded into a descent's key, beyond what its `split` yields.
REAL_VIEW, FAKE_VIEW, FLIPS, POOL, REAL_SCORE, PENALTIES = range(10, 16)


@dataclass(frozen=True, kw_only=True)
class GAN(Algorithm):
    """The adversarial game with any pair of networks.

    Attributes:
        loss: the objectives of both players.
        penalties: added to the discriminator's loss; lazy ones have a descent of their own.
        augment: what is done to reals and fakes before the discriminator sees them.
        discriminator_steps: Goodfellow's k, WGAN's n_critic.
        instance_noise: standard deviation of normal noise on all that the discriminator sees, in units of
            the images' [-1, 1] (Soenderby et al. 2017, arXiv:1610.04490); a number or a schedule.
        label_flipping: probability with which a real and its fake change places before the discriminator.
        packing: examples that the discriminator judges together, stacked as channels (PacGAN, Lin et al.
            2018, arXiv:1712.04086).
        pool_size: earlier fakes to keep and show again; 0 for none.
        top_k: share of the fakes, those that the discriminator likes best, from which the generator learns
            (Sinha et al. 2020, arXiv:2002.06224); a number or a schedule.
    """

    loss: AdversarialLoss = dataclasses.field(default_factory=LOSSES["non_saturating"])
    penalties: tuple[Penalty, ...] = ()
    augment: Augment = dataclasses.field(default_factory=NoAugment)
    discriminator_steps: int = 1
    instance_noise: float | Schedule = 0.0
    label_flipping: float = 0.0
    packing: int = 1
    pool_size: int = 0
    top_k: float | Schedule = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self.discriminator_steps, "discriminator_steps")
        check_count(self.packing, "packing")
        if self.pool_size != 0:
            check_count(self.pool_size, "pool_size")
        check_range(self.label_flipping, "label_flipping", 0.0, 0.5)
        as_schedule(self.instance_noise, "instance_noise")
        as_schedule(self.top_k, "top_k", 1e-6, 1.0)
        if self.top_k != 1.0 and self.loss.relativistic:
            raise ValueError(
                "top_k chooses fakes by their own logits, and a relativistic loss weighs them against the "
                "reals: set top_k=1.0 or another loss"
            )
        if self.discriminator.conditional:
            for name, off in (("packing", 1), ("pool_size", 0)):
                if getattr(self, name) != off:
                    raise ValueError(
                        f"{name}={getattr(self, name)} mixes fakes of several labels before a discriminator "
                        f"that is told one label: set {name}={off} or discriminator.condition=none"
                    )
        self.check_auxiliary()

    def check_auxiliary(self) -> None:
        """Raises a ValueError unless the discriminator's auxiliary outputs are those that are trained."""
        self.expect_auxiliary(0, "this method trains none")

    def expect_auxiliary(self, count: int, reason: str) -> None:
        """Raises a ValueError unless the discriminator has `count` auxiliary outputs."""
        found = getattr(self.discriminator, "auxiliary", 0)
        if found != count:
            raise ValueError(
                f"discriminator.auxiliary={found}: it must be {count}, because {reason}; set "
                f"--config.discriminator.auxiliary={count}"
            )

    @property
    def microbatches(self) -> Microbatches:
        """A pack is never cut."""
        return Microbatches(self.execution.accumulation, self.packing)

    def obstacles(self) -> list[str]:
        """Those of the networks and of the objective."""
        return [*super().obstacles(), *objective_obstacles(self)]

    def updates(self) -> tuple[Update, ...]:
        lazy = [penalty for penalty in self.penalties if penalty.every > 1]
        return (
            Update("discriminator", self.discriminator_loss, repeat=self.discriminator_steps),
            *(Update("discriminator", partial(self.penalty_loss, p), every=p.every) for p in lazy),
            Update("generator", self.generator_loss),
        )

    def init_extra(self, key: Key, batch: Batch) -> PyTree:
        """The memories of the components that have one: {"augment", "pool", names of penalties}."""
        extra = {penalty.name: penalty.init() for penalty in self.penalties}
        extra["augment"] = self.augment.init()
        if self.pool_size:
            extra["pool"] = empty_pool(self.pool_size, batch["image"].shape[1:])
        return {name: memory for name, memory in extra.items() if memory}

    def seen_shape(self, image_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Packed examples are stacked as channels."""
        return (*image_shape[:-1], image_shape[-1] * self.packing)

    def discriminator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """The objective on a batch of reals and one of fakes, and the penalties that are not lazy."""
        latent_key, fake_key, real_key, generator_key = jax.random.split(key, 4)
        latent, label = self.inputs(latent_key, batch)
        fake = self.fakes(state, latent, label, generator_key)
        extra = dict(state.extra)
        if self.pool_size:
            pool_key = jax.random.fold_in(key, POOL)
            fake, extra["pool"] = exchange(extra["pool"], fake, pool_key, self.axis_name)
        real, fake = self.discriminator_views(state, batch["image"], fake, key)
        views, labels, stats = (real, fake), (batch.get("label"), label), state.discriminator.stats
        judged, stats = self.discriminate_both(params, stats, views, labels, (real_key, fake_key))
        (real_logits, real_side), (fake_logits, fake_side) = judged
        scores = gather_batch(real_logits, self.axis_name), gather_batch(fake_logits, self.axis_name)
        loss = self.loss.discriminator(*self.flipped(*scores, jax.random.fold_in(key, FLIPS)))
        metrics = {
            "discriminator_real": jnp.mean(self.loss.output(real_logits)),
            "discriminator_fake": jnp.mean(self.loss.output(fake_logits)),
        }
        side, side_metrics = self.auxiliary_loss(real_side, fake_side, latent, batch)
        metrics |= side_metrics
        keys = example_keys(jax.random.fold_in(key, PENALTIES), real.shape[0], self.axis_name)
        critic = partial(self.critic, params, state.discriminator.stats, label, real_key)
        inputs = PenaltyInputs(critic, real, fake, keys, *scores, self.axis_name)
        for penalty in self.penalties:
            if penalty.every == 1:
                value, memory = penalty(inputs, extra.get(penalty.name, {}), state.step)
                loss = loss + as_schedule(penalty.weight, "weight")(state.step) * value
                extra |= {penalty.name: memory} if memory else {}
                metrics[penalty.name] = value
        if "augment" in extra:
            logits = jnp.repeat(scores[0], self.packing)  # every example of a pack counts
            extra["augment"] = self.augment.update(extra["augment"], logits, state.step)
            metrics |= {f"augment_{name}": extra["augment"][name] for name in ("p", "r")}
        return loss + side, LossOut(metrics=metrics, stats=stats, extra=extra)

    def penalty_loss(
        self, penalty: Penalty, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """One lazy penalty, times its interval (Karras et al. 2020, arXiv:1912.04958, appendix B)."""
        latent_key, _, real_key, generator_key = jax.random.split(key, 4)
        latent, label = self.inputs(latent_key, batch)
        fake = self.fakes(state, latent, label, generator_key)
        real, fake = self.discriminator_views(state, batch["image"], fake, key)
        keys = example_keys(jax.random.fold_in(key, PENALTIES), real.shape[0], self.axis_name)
        critic = partial(self.critic, params, state.discriminator.stats, label, real_key)
        inputs = PenaltyInputs(critic, real, fake, keys, None, None, self.axis_name)
        value, _ = penalty(inputs, {}, state.step)
        loss = penalty.every * as_schedule(penalty.weight, "weight")(state.step) * value
        return loss, LossOut(metrics={penalty.name: value})

    def generator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """The generator's part, through the discriminator as it is now."""
        latent_key, fake_key, generator_key = jax.random.split(key, 3)
        latent, label = self.inputs(latent_key, batch)
        fake, stats = self.apply(
            self.generator, params, state.generator.stats, latent, label, key=generator_key, train=True
        )
        d = state.discriminator
        view = self.discriminator_view(state, fake, jax.random.fold_in(key, FAKE_VIEW))
        logits, fake_side, _ = self.discriminate(d.params, d.stats, view, label, fake_key)
        logits = real_logits = gather_batch(logits, self.axis_name)
        if self.loss.relativistic:
            real = self.discriminator_view(state, batch["image"], jax.random.fold_in(key, REAL_VIEW))
            real_key = jax.random.fold_in(key, REAL_SCORE)
            real_logits = self.discriminate(d.params, d.stats, real, batch.get("label"), real_key)[0]
            real_logits = gather_batch(real_logits, self.axis_name)
        loss = self.objective(real_logits, logits, state.step)
        side, metrics = self.auxiliary_loss(None, fake_side, latent, batch)
        return loss + side, LossOut(metrics=metrics, stats=stats)

    # What the losses are made of.

    def inputs(self, key: Key, batch: Batch) -> tuple[Array, Array | None]:
        """The generator's: latents [B, L] and labels [B], if there are any."""
        return self.latents(key, batch["image"].shape[0]), batch.get("label")

    def fakes(self, state: TrainState, latent: Array, label: Array | None, key: Key) -> Array:
        """Images from the generator as it trains; its statistics stay."""
        g = state.generator
        return self.apply(self.generator, g.params, g.stats, latent, label, key=key, train=True)[0]

    def discriminator_views(
        self, state: TrainState, real: Array, fake: Array, key: Key
    ) -> tuple[Array, Array]:
        """Both batches as the discriminator sees them."""
        return (
            self.discriminator_view(state, real, jax.random.fold_in(key, REAL_VIEW)),
            self.discriminator_view(state, fake, jax.random.fold_in(key, FAKE_VIEW)),
        )

    def discriminator_view(self, state: TrainState, image: Array, key: Key) -> Array:
        """Images [B, H, W, C] as the discriminator sees them: [B / packing, H, W, C * packing]."""
        augment_key, noise_key = jax.random.split(key)
        count = image.shape[0]
        keys = example_keys(augment_key, count, self.axis_name)
        image = self.augment(image, keys, state.extra.get("augment", {}), state.step)
        noise = as_schedule(self.instance_noise, "instance_noise")
        if not is_off(noise):
            draw = partial(jax.random.normal, shape=image.shape[1:])
            image = image + noise(state.step) * jax.vmap(draw)(example_keys(noise_key, count, self.axis_name))
        return pack(image, self.packing)

    def discriminate(
        self, params: PyTree, stats: PyTree, view: Array, label: Array | None, key: Key
    ) -> tuple[Array, Array | None, PyTree]:
        """The discriminator's logits, auxiliary outputs [B, n] if it has any, and statistics afterwards."""
        out, stats = self.apply(self.discriminator, params, stats, view, label, key=key, train=True)
        logits, side = out if isinstance(out, tuple) else (out, None)
        return logits, side, stats

    def discriminate_both(
        self,
        params: PyTree,
        stats: PyTree,
        views: tuple[Array, Array],
        labels: tuple[Array | None, Array | None],
        keys: tuple[Key, Key],
    ) -> tuple[list[tuple[Array, Array | None]], PyTree]:
        """As `discriminate` on reals and fakes: logits and auxiliary outputs of both, and statistics
        afterwards.

        Where no example matters to another they are one batch, since one large product is faster than two.
        """
        if stats or network_obstacles(discriminator=self.discriminator):
            judged = []
            for view, label, key in zip(views, labels, keys, strict=True):
                logits, side, stats = self.discriminate(params, stats, view, label, key)
                judged.append((logits, side))
            return judged, stats

        # A pair's rows are neighbours: they stay on their device.
        label = None if labels[0] is None or labels[1] is None else interleave(labels[0], labels[1])
        logits, side, stats = self.discriminate(params, stats, interleave(*views), label, keys[0])
        sides = (None, None) if side is None else deinterleave(side)
        return list(zip(deinterleave(logits), sides, strict=True)), stats

    def critic(self, params: PyTree, stats: PyTree, label: Array | None, key: Key, view: Array) -> Array:
        """The logits alone, for penalties."""
        return self.discriminate(params, stats, view, label, key)[0]

    def flipped(self, real_logits: Array, fake_logits: Array, key: Key) -> tuple[Array, Array]:
        """Some pairs of the global batch exchanged, as if they had each other's labels."""
        if not self.label_flipping:
            return real_logits, fake_logits
        swapped = jax.random.bernoulli(key, self.label_flipping, real_logits.shape)
        return jnp.where(swapped, fake_logits, real_logits), jnp.where(swapped, real_logits, fake_logits)

    def objective(self, real_logits: Array, fake_logits: Array, step: Array) -> Array:
        """The generator's objective, on the best fakes of the global batch only if top_k says so."""
        if self.top_k == 1.0:
            return self.loss.generator(real_logits, fake_logits)
        count = jnp.ceil(as_schedule(self.top_k, "top_k")(step) * fake_logits.shape[0])
        each = jax.vmap(lambda logit: self.loss.generator(logit[None], logit[None]))(fake_logits)
        rank = jnp.argsort(jnp.argsort(-fake_logits))
        return jnp.sum(jnp.where(rank < count, each, 0.0)) / count

    def auxiliary_loss(
        self, real: Array | None, fake: Array | None, latent: Array, batch: Batch
    ) -> tuple[Array | float, Metrics]:
        """What a player pays for the discriminator's auxiliary outputs [B, n]; nothing here.

        Args:
            real: those on the reals; None in the generator's loss.
            fake: those on the fakes.
            latent: what the fakes were made from.
        """
        return 0.0, {}
