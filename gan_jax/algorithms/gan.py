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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.algorithms.image_pool import empty_pool, exchange
from gan_jax.algorithms.packing import deinterleave, interleave, pack, unpack
from gan_jax.augment import Augment, NoAugment
from gan_jax.core.accumulation import Microbatches, network_obstacles
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.collectives import gather_batch
from gan_jax.core.modules import is_conditional, trait
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import Role, TrainState
from gan_jax.core.update import Array, Batch, Key, LossOut, Metrics, Update
from gan_jax.losses.adversarial import LOSSES, AdversarialLoss
from gan_jax.losses.generator_penalties import GeneratorPenalty, GeneratorPenaltyInputs
from gan_jax.losses.penalties import Penalty, PenaltyInputs
from gan_jax.losses.term import Term
from gan_jax.optim.schedules import Schedule, as_schedule, is_off
from gan_jax.utils.checks import check_count, check_range
from gan_jax.utils.tree import PyTree

# Folded into a descent's key, beyond what its `split` yields.
REAL_VIEW, FAKE_VIEW, FLIPS, POOL, REAL_SCORE, PENALTIES = range(10, 16)


class Fakes(NamedTuple):
    """Fakes, and what they were made of.

    Attributes:
        latent: the generator's first input, [B, L].
        told: what it was told beside that.
        image: [B, H, W, C].
    """

    latent: Array
    told: PyTree
    image: Array


class Shown(NamedTuple):
    """What the discriminator is shown in a descent: the reals, or the fakes.

    Attributes:
        image: [B, H, W, C], not yet augmented.
        told: what the discriminator is told beside them.
        view_key: of their augmentation and noise: with the same key they are seen as before.
    """

    image: Array
    told: PyTree
    view_key: Key


@dataclass(frozen=True, kw_only=True)
class GAN(Algorithm):
    """The adversarial game with any pair of networks.

    Attributes:
        loss: the objectives of both players.
        penalties: added to the discriminator's loss; lazy ones have a descent of their own.
        generator_penalties: likewise, of the generator.
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
        adversarial_weight: of the adversarial loss among the generator's; 0 leaves it out. What is paid for
            auxiliary outputs (classes, codes) has weights of its own.
        separate_batches: whether the generator's descent sees reals, or what it reads of the batch, that the
            discriminator's descents of the same step have not seen.
    """

    loss: AdversarialLoss = dataclasses.field(default_factory=LOSSES["non_saturating"])
    penalties: tuple[Penalty, ...] = ()
    generator_penalties: tuple[GeneratorPenalty, ...] = ()
    augment: Augment = dataclasses.field(default_factory=NoAugment)
    discriminator_steps: int = 1
    instance_noise: float | Schedule = 0.0
    label_flipping: float = 0.0
    packing: int = 1
    pool_size: int = 0
    top_k: float | Schedule = 1.0
    adversarial_weight: float = 1.0
    separate_batches: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self.discriminator_steps, "discriminator_steps")
        check_count(self.packing, "packing")
        if self.pool_size != 0:
            check_count(self.pool_size, "pool_size")
        check_range(self.label_flipping, "label_flipping", 0.0, 0.5)
        check_range(self.adversarial_weight, "adversarial_weight")
        as_schedule(self.instance_noise, "instance_noise")
        as_schedule(self.top_k, "top_k", 1e-6, 1.0)
        if self.top_k != 1.0 and self.loss.relativistic:
            raise ValueError(
                "top_k chooses fakes by their own logits, and a relativistic loss weighs them against the "
                "reals: set top_k=1.0 or another loss"
            )
        if is_conditional(self.discriminator):
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
        """Raises a ValueError if the discriminator says that it has another number of auxiliary outputs."""
        found = trait(self.discriminator, "auxiliary")
        if found not in (None, count):
            raise ValueError(
                f"discriminator.auxiliary={found}: it must be {count}, because {reason}; set "
                f"discriminator.auxiliary={count}"
            )

    @property
    def microbatches(self) -> Microbatches:
        """A pack is never cut."""
        return Microbatches(self.execution.accumulation, self.packing)

    @property
    def all_penalties(self) -> tuple[Penalty | GeneratorPenalty, ...]:
        """Those of both players."""
        return (*self.penalties, *self.generator_penalties)

    def obstacles(self) -> list[str]:
        """Those of the networks, of the components and of the method's own fields."""
        found = super().obstacles()
        for penalty in self.all_penalties:
            if penalty.of_batch:
                why = f"takes {penalty.of_batch} of the whole mini-batch"
                found.append(f"the penalty {penalty.name} {why}: use another penalty")
        found += [component.of_batch for component in (self.loss, self.augment) if component.of_batch]
        if self.label_flipping:
            found.append("label_flipping is drawn for the whole mini-batch: set algorithm.label_flipping=0.0")
        if self.pool_size:
            found.append("the pool exchanges fakes of the whole mini-batch: set algorithm.pool_size=0")
        if self.top_k != 1.0:
            found.append("top_k ranks the fakes of the whole mini-batch: set algorithm.top_k=1.0")
        return found

    def updates(self) -> tuple[Update, ...]:
        lazy = [p for p in self.penalties if p.every > 1]
        lazy_generator = [p for p in self.generator_penalties if p.every > 1]
        batch = self.discriminator_steps if self.separate_batches else 0
        return (
            Update("discriminator", self.discriminator_loss, repeat=self.discriminator_steps),
            *(Update("discriminator", partial(self.penalty_loss, p), every=p.every) for p in lazy),
            Update("generator", self.generator_loss, batch=batch),
            *(
                Update("generator", partial(self.generator_penalty_loss, p), every=p.every, batch=batch)
                for p in lazy_generator
            ),
        )

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        """Latents; for the discriminator, packed examples with all that it sees beside them."""
        told = self.conditioning(batch, None)
        seen = self.discriminator_input(batch["image"], batch)
        shape = (*seen.shape[:-1], seen.shape[-1] * self.packing)
        return {
            "generator": (jnp.zeros((1, self.input_size)), told),
            "discriminator": (jnp.zeros(shape), told),
        }

    def init_extra(self, key: Key, batch: Batch) -> dict[str, PyTree]:
        """The memories of the components that have one: "augment", "pool", names of penalties."""
        extra = {penalty.name: penalty.init() for penalty in self.all_penalties}
        extra["augment"] = self.augment.init()
        if self.pool_size:
            extra["pool"] = empty_pool(self.pool_size, batch["image"].shape[1:])
        return {name: memory for name, memory in extra.items() if memory}

    def discriminator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """The objective on a batch of reals and one of fakes, and the penalties that are not lazy."""
        latent_key, fake_key, real_key, generator_key = jax.random.split(key, 4)
        latent, told = self.inputs(latent_key, batch, state)
        fakes = Fakes(latent, told, self.fakes(state, latent, told, generator_key))
        extra: dict[str, PyTree] = {}
        if self.pool_size:
            pool_key = jax.random.fold_in(key, POOL)
            pooled, extra["pool"] = exchange(state.extra["pool"], fakes.image, pool_key, self.axis_name)
            fakes = fakes._replace(image=pooled)
        shown = self.shown(state, batch, fakes, key)
        judged, stats = self.discriminate_both(
            params,
            state.discriminator.stats,
            self.discriminator_views(state, shown),
            (shown[0].told, shown[1].told),
            (real_key, fake_key),
        )
        (real_logits, real_side), (fake_logits, fake_side) = judged
        scores = gather_batch(real_logits, self.axis_name), gather_batch(fake_logits, self.axis_name)
        loss = self.loss.discriminator(*self.flipped(*scores, jax.random.fold_in(key, FLIPS)))
        metrics = {
            "discriminator_real": jnp.mean(self.loss.output(real_logits)),
            "discriminator_fake": jnp.mean(self.loss.output(fake_logits)),
        }
        side, side_metrics = self.auxiliary_loss(real_side, fake_side, latent, batch)
        metrics |= side_metrics
        inputs = self.penalty_inputs(params, state, shown, key, real_key, scores)
        loss, values, memories = with_penalties(loss, self.penalties, inputs, state)
        metrics |= values
        extra |= memories
        if "augment" in state.extra:
            if self.augment.adaptive and self.loss.midpoint is None:
                raise ValueError("augment adapts to logits above the loss's midpoint, and this one has none")
            logits = jnp.repeat(of_examples(scores[0]), self.packing)  # every example of a pack counts
            logits = logits - (self.loss.midpoint or 0.0)
            extra["augment"] = self.augment.update(state.extra["augment"], logits, state.step)
            metrics |= {f"augment_{name}": extra["augment"][name] for name in ("p", "r")}
        return loss + side, LossOut(metrics=metrics, stats=stats, extra=extra)

    def penalty_loss(
        self, penalty: Penalty, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """One lazy penalty, times the descents that an eager one would have acted in.

        Karras et al. 2020, arXiv:1912.04958, appendix B, whose discriminator descends once in a step.
        """
        latent_key, _, real_key, generator_key = jax.random.split(key, 4)
        latent, told = self.inputs(latent_key, batch, state)
        fakes = Fakes(latent, told, self.fakes(state, latent, told, generator_key))
        inputs = self.penalty_inputs(params, state, self.shown(state, batch, fakes, key), key, real_key)
        value, _ = penalty(inputs, {}, state.step)
        descents = penalty.every * self.discriminator_steps
        loss = descents * as_schedule(penalty.weight, "weight")(state.step) * value
        return loss, LossOut(metrics={penalty.name: value})

    def generator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """The generator's part, through the discriminator as it is now."""
        latent_key, fake_key, generator_key = jax.random.split(key, 3)
        latent, told = self.inputs(latent_key, batch, state)
        fake, stats = self.generate(
            params, state.generator.stats, latent, told, key=generator_key, train=True
        )
        loss, metrics = self.content_loss(fake, state, batch)
        # What is paid for auxiliary outputs has a weight of its own.
        if self.adversarial_weight or type(self).auxiliary_loss is not GAN.auxiliary_loss:
            adversarial, found = self.adversarial_loss(state, batch, Fakes(latent, told, fake), key, fake_key)
            loss, metrics = loss + adversarial, found | metrics
        inputs = self.generator_penalty_inputs(params, state, latent, told, key, generator_key)
        loss, values, memories = with_penalties(loss, self.generator_penalties, inputs, state)
        return loss, LossOut(metrics=metrics | values, stats=stats, extra=memories)

    def adversarial_loss(
        self, state: TrainState, batch: Batch, fakes: Fakes, key: Key, fake_key: Key
    ) -> tuple[Array, Metrics]:
        """What the generator pays for what the discriminator says of these fakes.

        Args:
            key: that of the generator's loss.
            fake_key: for what the discriminator draws itself at the fakes.
        """
        real, fake = self.shown(state, batch, fakes, key)

        def judge(shown: Shown, key: Key) -> tuple[Array, Array | None]:
            view = self.discriminator_view(state, shown.image, shown.view_key)
            d = state.discriminator
            logits, side, _ = self.discriminate(d.params, d.stats, view, shown.told, key)
            return gather_batch(logits, self.axis_name), side

        logits, fake_side = judge(fake, fake_key)
        real_logits = logits
        if self.loss.relativistic:
            real_logits = judge(real, jax.random.fold_in(key, REAL_SCORE))[0]
        loss = self.objective(real_logits, logits, state.step)
        side, metrics = self.auxiliary_loss(None, fake_side, fakes.latent, batch)
        return self.adversarial_weight * loss + side, metrics

    def generator_penalty_loss(
        self, penalty: GeneratorPenalty, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """One lazy penalty on the generator, times its interval."""
        latent_key, _, generator_key = jax.random.split(key, 3)
        latent, told = self.inputs(latent_key, batch, state)
        inputs = self.generator_penalty_inputs(params, state, latent, told, key, generator_key)
        value, memory = penalty(inputs, state.extra.get(penalty.name, {}), state.step)
        loss = penalty.every * as_schedule(penalty.weight, "weight")(state.step) * value
        return loss, LossOut(metrics={penalty.name: value}, extra={penalty.name: memory} if memory else {})

    # What the losses are made of.

    def inputs(self, key: Key, batch: Batch, state: TrainState) -> tuple[Array, PyTree]:
        """The generator's first input, latents [B, L], and what it is told beside it."""
        return self.latents(key, batch["image"].shape[0]), self.conditioning(batch, state)

    def discriminator_input(self, image: Array, batch: Batch) -> Array:
        """Images, real or fake, with what the discriminator sees beside them; as they are by default."""
        return image

    def content_loss(self, fake: Array, state: TrainState, batch: Batch) -> tuple[Array, Metrics]:
        """What the generator pays beyond its adversarial loss, and its metrics; nothing by default."""
        return jnp.zeros(()), {}

    def generator_penalty_inputs(
        self, params: PyTree, state: TrainState, latent: Array, told: PyTree, key: Key, generator_key: Key
    ) -> GeneratorPenaltyInputs:
        """What penalties on the generator see."""

        def apply(method: str, x: Array, *others: Any) -> Any:
            if not hasattr(self.generator, method):
                raise ValueError(f"a penalty on the generator needs its method {method}, which it has not")
            stats = state.generator.stats
            return self.apply(
                self.generator, params, stats, x, *others, key=generator_key, train=True, method=method
            )[0]

        keys = example_keys(jax.random.fold_in(key, PENALTIES), latent.shape[0], self.axis_name)
        return GeneratorPenaltyInputs(apply, latent, told, keys, self.axis_name)

    def fakes(self, state: TrainState, latent: Array, told: PyTree, key: Key) -> Array:
        """Images from the generator as it trains; its statistics stay."""
        g = state.generator
        return self.generate(g.params, g.stats, latent, told, key=key, train=True)[0]

    def generate(
        self, params: PyTree, stats: PyTree, latent: Array, told: PyTree, *, key: Key | None, train: bool
    ) -> tuple[Array, PyTree]:
        """The generator's images, and its statistics afterwards."""
        return self.apply(self.generator, params, stats, latent, told, key=key, train=train)

    def shown(self, state: TrainState, batch: Batch, fakes: Fakes, key: Key) -> tuple[Shown, Shown]:
        """The batch's reals and these fakes as a descent with this key shows them."""
        real, fake = (self.discriminator_input(image, batch) for image in (batch["image"], fakes.image))
        return (
            Shown(real, self.conditioning(batch, state), jax.random.fold_in(key, REAL_VIEW)),
            Shown(fake, fakes.told, jax.random.fold_in(key, FAKE_VIEW)),
        )

    def discriminator_views(self, state: TrainState, shown: tuple[Shown, Shown]) -> tuple[Array, Array]:
        """Reals and fakes as the discriminator sees them."""
        real, fake = (self.discriminator_view(state, one.image, one.view_key) for one in shown)
        return real, fake

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
        self, params: PyTree, stats: PyTree, view: Array, told: PyTree, key: Key
    ) -> tuple[Array, Array | None, PyTree]:
        """The discriminator's logits, [B] or of patches [B, h, w]; auxiliary outputs [B, n] if it has any;
        statistics afterwards."""
        out, stats = self.apply(self.discriminator, params, stats, view, told, key=key, train=True)
        logits, side = out if isinstance(out, tuple) else (out, None)
        return logits, side, stats

    def discriminate_both(
        self,
        params: PyTree,
        stats: PyTree,
        views: tuple[Array, Array],
        told: tuple[PyTree, PyTree],
        keys: tuple[Key, Key],
    ) -> tuple[list[tuple[Array, Array | None]], PyTree]:
        """As `discriminate` on reals and fakes: logits and auxiliary outputs of both, and statistics
        afterwards.

        Where no example matters to another they are one batch, since one large product is faster than two.
        """
        if stats or network_obstacles(discriminator=self.discriminator):
            judged = []
            for view, own_told, key in zip(views, told, keys, strict=True):
                logits, side, stats = self.discriminate(params, stats, view, own_told, key)
                judged.append((logits, side))
            return judged, stats

        # A pair's rows are neighbours: they stay on their device.
        both_told = jax.tree.map(lambda a, b: interleave(a, b) if jnp.ndim(a) else a, *told)
        logits, side, stats = self.discriminate(params, stats, interleave(*views), both_told, keys[0])
        sides = (None, None) if side is None else deinterleave(side)
        return list(zip(deinterleave(logits), sides, strict=True)), stats

    def penalty_inputs(
        self,
        params: PyTree,
        state: TrainState,
        shown: tuple[Shown, Shown],
        key: Key,
        network_key: Key,
        scores: tuple[Array | None, Array | None] = (None, None),
    ) -> PenaltyInputs:
        """What penalties on the discriminator see: the images before their augmentation, and critics with it.

        Args:
            key: that of the loss.
            network_key: for what the discriminator draws itself.
            scores: logits of the reals and of the fakes on all devices.
        """
        real, fake = (pack(one.image, self.packing) for one in shown)
        keys = example_keys(jax.random.fold_in(key, PENALTIES), real.shape[0], self.axis_name)

        def critic(shown: Shown, packed: Array) -> Array:
            view = self.discriminator_view(state, unpack(packed, self.packing), shown.view_key)
            stats = state.discriminator.stats
            return of_examples(self.discriminate(params, stats, view, shown.told, network_key)[0])

        real_critic, fake_critic = (partial(critic, one) for one in shown)
        real_logits, fake_logits = scores
        return PenaltyInputs(
            real_critic, fake_critic, real, fake, keys, real_logits, fake_logits, self.axis_name
        )

    def flipped(self, real_logits: Array, fake_logits: Array, key: Key) -> tuple[Array, Array]:
        """Some pairs of the global batch exchanged, as if they had each other's labels."""
        if not self.label_flipping:
            return real_logits, fake_logits
        swapped = jax.random.bernoulli(key, self.label_flipping, real_logits.shape[:1])
        swapped = swapped.reshape(-1, *[1] * (real_logits.ndim - 1))  # all patches of an example
        return jnp.where(swapped, fake_logits, real_logits), jnp.where(swapped, real_logits, fake_logits)

    def objective(self, real_logits: Array, fake_logits: Array, step: Array) -> Array:
        """The generator's objective, on the best fakes of the global batch only if top_k says so."""
        if self.top_k == 1.0:
            return self.loss.generator(real_logits, fake_logits)
        count = jnp.ceil(as_schedule(self.top_k, "top_k")(step) * fake_logits.shape[0])
        each = jax.vmap(lambda logit: self.loss.generator(logit[None], logit[None]))(fake_logits)
        rank = jnp.argsort(jnp.argsort(-of_examples(fake_logits)))
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


def of_examples(logits: Array) -> Array:
    """Logits [B]: where a discriminator judges patches, [B, h, w], the mean of an example's."""
    return logits if logits.ndim == 1 else jnp.mean(logits, axis=tuple(range(1, logits.ndim)))


def with_penalties(
    loss: Array, penalties: Sequence[Term], inputs: Any, state: TrainState
) -> tuple[Array, Metrics, dict[str, PyTree]]:
    """A loss with those of these penalties that act at every step; their values and new memories, by name."""
    values: Metrics = {}
    memories: dict[str, PyTree] = {}
    for penalty in penalties:
        if penalty.every == 1:
            value, memory = penalty(inputs, state.extra.get(penalty.name, {}), state.step)
            loss = loss + as_schedule(penalty.weight, "weight")(state.step) * value
            values[penalty.name] = value
            memories |= {penalty.name: memory} if memory else {}
    return loss, values, memories
