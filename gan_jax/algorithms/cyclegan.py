"""Unpaired pictures, translated both ways: each translation undoes the other.

Zhu et al. 2017, arXiv:1703.10593. Each player is two networks in one module (`models.pair`): the generator
has the methods `a_to_b` and `b_to_a`, the discriminator `a` and `b`. The fields of the data are "source",
domain a, and "image", domain b.

Both generators descend first and both discriminators after them, as in the official PyTorch code, on the
very fakes of that step: the state keeps them, or the older ones that the pools exchanged them for, so
nothing is made twice. One Adam over two networks that step together is two Adams.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp

from gan_jax.algorithms.image_pool import empty_pool, exchange
from gan_jax.algorithms.sources import OfField
from gan_jax.augment import Augment, NoAugment
from gan_jax.core.algorithm import Algorithm, Array, Batch, Key
from gan_jax.core.collectives import gather_batch, own_rows
from gan_jax.core.games import Alternating
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import Role, TrainState
from gan_jax.core.update import LossOut, Update
from gan_jax.data.codecs import Codec, Pixels
from gan_jax.data.recoding import recoded
from gan_jax.losses.adversarial import LOSSES, AdversarialLoss
from gan_jax.utils.checks import check_count, check_range
from gan_jax.utils.tree import PyTree

DOMAINS = ("a", "b")
FIELDS = {"a": "source", "b": "image"}
VIEWS = 7  # what the keys of augmentations are folded with
METHODS: dict[Role, tuple[str, ...]] = {"generator": ("a_to_b", "b_to_a"), "discriminator": DOMAINS}


@dataclass(frozen=True, kw_only=True)
class CycleGAN(Algorithm):
    """Two translators and two discriminators.

    Attributes:
        loss: of each discriminator, and of each generator against it. The official code halves least
            squares for the discriminators only, ours for both: hence `adversarial_weight`.
        augment: what is done to reals and fakes before a discriminator sees them: with some hundred pictures
            of a domain it learns them by heart otherwise. None that adapts.
        adversarial_weight: of each generator's adversarial loss.
        cycle: weight of E|back(there(x)) - x|, for both domains.
        identity: weight of E|there(y) - y|, where y is of the target's domain already, as a share of
            `cycle`; 0 leaves it out (the paper uses it for paintings, the official code always).
        pool_size: earlier fakes of each domain to keep and show again; 0 for none.
        direction: in which `sample` translates the field "source".
        source_codec, image_codec: of the domains a and b, which `sample` pictures.
    """

    loss: AdversarialLoss = dataclasses.field(default_factory=LOSSES["least_squares"])
    augment: Augment = dataclasses.field(default_factory=NoAugment)
    adversarial_weight: float = 2.0
    cycle: float = 10.0
    identity: float = 0.5
    pool_size: int = 50
    direction: str = "a_to_b"
    source_codec: Codec = dataclasses.field(default_factory=Pixels)
    image_codec: Codec = dataclasses.field(default_factory=Pixels)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("adversarial_weight", "cycle", "identity"):
            check_range(getattr(self, name), name)
        if self.pool_size != 0:
            check_count(self.pool_size, "pool_size")
        self.check_direction(self.direction)
        if self.augment.adaptive:
            raise ValueError(
                "augment adapts to one discriminator, and cyclegan has two: keep a fixed augment.p with "
                "augment.adjust_images=0, or use augment.name=diffaugment"
            )
        for role, methods in METHODS.items():
            if not all(hasattr(self.networks[role], method) for method in methods):
                raise ValueError(
                    f"the {role} has no methods {' and '.join(methods)}: cyclegan takes pairs of networks, "
                    "such as resnet_translator_pair and patchgan_discriminator_pair"
                )
        if self.loss.relativistic:
            raise ValueError(
                "a relativistic loss weighs fakes against reals, and cyclegan's generators are shown none: "
                "use another loss, such as least_squares"
            )
        if not isinstance(self.game, Alternating):
            raise ValueError(
                "cyclegan's discriminators learn from the fakes that the generators made just before: set "
                "game.name=alternating"
            )

    @property
    def conditions(self) -> tuple[str, ...]:
        return ("source",)

    def obstacles(self) -> list[str]:
        """The state holds the fakes of a step between its two descents."""
        kept = (
            "cyclegan keeps the fakes of the whole mini-batch for the discriminators: use another algorithm"
        )
        return [*super().obstacles(), *filter(None, [self.augment.of_batch]), kept]

    def updates(self) -> tuple[Update, ...]:
        return Update("generator", self.generator_loss), Update("discriminator", self.discriminator_loss)

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        """Both domains, for both players.

        Raises:
            ValueError: an identity loss between pictures of different shapes.
        """
        shapes = [batch[FIELDS[domain]].shape[1:] for domain in DOMAINS]
        if self.identity and shapes[0] != shapes[1]:
            raise ValueError(
                f"the identity loss compares pictures of both domains, which are {shapes[0]} and "
                f"{shapes[1]}: set algorithm.identity=0.0"
            )
        both = (batch["source"], batch["image"], None)
        return {"generator": both, "discriminator": both}

    def init_extra(self, key: Key, batch: Batch) -> dict[str, PyTree]:
        """The pools, and the fakes that the discriminators are shown in this step."""
        shapes = {domain: batch[FIELDS[domain]].shape for domain in DOMAINS}
        extra: dict[str, PyTree] = {"shown": {domain: jnp.zeros(shapes[domain]) for domain in DOMAINS}}
        if self.pool_size:
            extra["pools"] = {domain: empty_pool(self.pool_size, shapes[domain][1:]) for domain in DOMAINS}
        return extra

    def generator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """Both generators: adversarial, cycle and identity losses."""
        stats = state.generator.stats
        call = jax.random.split(key, 7)

        def there(x: Array, way: str, number: int) -> Array:
            nonlocal stats
            made, stats = self.apply(
                self.generator, params, stats, x, None, key=call[number], train=True, method=way
            )
            return made

        a, b = batch["source"], batch["image"]
        fake_b, fake_a = there(a, "a_to_b", 0), there(b, "b_to_a", 1)
        fakes = {"a": fake_a, "b": fake_b}
        judged = {domain: self._judge(None, state, fakes[domain], domain, key)[0] for domain in DOMAINS}
        metrics = {
            f"generator_{domain}": self.loss.generator(judged[domain], judged[domain]) for domain in DOMAINS
        }
        metrics["cycle_a"] = _distance(there(fake_b, "b_to_a", 2), a)
        metrics["cycle_b"] = _distance(there(fake_a, "a_to_b", 3), b)
        loss = self.adversarial_weight * (metrics["generator_a"] + metrics["generator_b"])
        loss += self.cycle * (metrics["cycle_a"] + metrics["cycle_b"])
        if self.identity:
            metrics["identity_a"] = _distance(there(a, "b_to_a", 4), a)
            metrics["identity_b"] = _distance(there(b, "a_to_b", 5), b)
            loss += self.cycle * self.identity * (metrics["identity_a"] + metrics["identity_b"])
        extra = jax.lax.stop_gradient(self._kept(state, fakes, call[6]))
        return loss, LossOut(metrics=metrics, stats=stats, extra=extra)

    def _kept(self, state: TrainState, fakes: dict[str, Array], key: Key) -> dict[str, PyTree]:
        """What the discriminators are shown in this step, of all devices: the fakes, or pooled ones."""
        kept: dict[str, PyTree] = {"shown": fakes}
        if self.pool_size:
            pools, shown = {}, {}
            for domain, pool_key in zip(DOMAINS, jax.random.split(key), strict=True):
                pool = state.extra["pools"][domain]
                shown[domain], pools[domain] = exchange(pool, fakes[domain], pool_key, self.axis_name)
            kept = {"shown": shown, "pools": pools}
        return kept | {"shown": {d: gather_batch(x, self.axis_name) for d, x in kept["shown"].items()}}

    def discriminator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """Both discriminators, on the fakes that this step's generators made or on older ones."""
        loss, stats = jnp.zeros(()), state.discriminator.stats
        metrics = {}
        for number, domain in enumerate(DOMAINS):
            real_key, fake_key = jax.random.split(jax.random.fold_in(key, number))
            image = batch[FIELDS[domain]]
            shown = own_rows(state.extra["shown"][domain], image.shape[0], self.axis_name)
            real, stats = self._judge(params, state, image, domain, real_key, stats)
            fake, stats = self._judge(params, state, shown, domain, fake_key, stats)
            loss += self.loss.discriminator(real, fake)
            metrics[f"discriminator_real_{domain}"] = jnp.mean(self.loss.output(real))
            metrics[f"discriminator_fake_{domain}"] = jnp.mean(self.loss.output(fake))
        return loss, LossOut(metrics=metrics, stats=stats)

    def _judge(
        self,
        params: PyTree | None,
        state: TrainState,
        image: Array,
        domain: str,
        key: Key,
        stats: PyTree = None,
    ) -> tuple[Array, PyTree]:
        """Logits of a domain's discriminator, with its parameters of now where none are given.

        Args:
            key: of the augmentation.
        """
        d = state.discriminator
        params, stats = (d.params if params is None else params), (d.stats if stats is None else stats)
        keys = example_keys(jax.random.fold_in(key, VIEWS), image.shape[0], self.axis_name)
        view = self.augment(image, keys, {}, state.step)
        return self.apply(self.discriminator, params, stats, view, None, key=None, train=True, method=domain)

    def sample(self, state: TrainState, batch: Batch, key: Key) -> Array | dict[str, Array]:
        """The translations of the field "source", and what the way back makes of them, from the average."""
        there_key, back_key = jax.random.split(key)
        source, back = batch["source"], _other(self.direction)
        made = self.translate(state, source, there_key, self.direction)
        shown = {"source": source, "cycle": self.translate(state, made, back_key, back)}
        codecs = (self.source_codec, self.image_codec)
        seen, wanted = codecs if self.direction == "a_to_b" else codecs[::-1]
        return {"image": made} | {
            name: OfField().pictured(recoded(picture, seen, wanted), made.shape[1:])
            for name, picture in shown.items()
        }

    @property
    def directions(self) -> tuple[str, ...]:
        """Both."""
        return ("a_to_b", "b_to_a")

    def turned(self, direction: str) -> Self:
        self.check_direction(direction)
        return dataclasses.replace(self, direction=direction)

    def translate(self, state: TrainState, picture: Array, key: Key, direction: str) -> Array:
        self.check_direction(direction)
        params, stats = state.ema["params"], state.ema["stats"]
        return self.apply(
            self.generator, params, stats, picture, None, key=key, train=False, method=direction
        )[0]


def _distance(x: Array, y: Array) -> Array:
    return jnp.mean(jnp.abs(x - y))


def _other(direction: str) -> str:
    return "b_to_a" if direction == "a_to_b" else "a_to_b"
