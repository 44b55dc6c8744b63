"""A method is two networks and an ordered list of updates; the step that runs them is shared by all.

A new method subclasses `Algorithm`, writes its losses and lists its updates. Everything else (the
loop, devices, checkpoints, pictures, scores) sees only what is defined here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from gan_jax.core.accumulation import Microbatches, network_obstacles
from gan_jax.core.execution import Execution, Precision
from gan_jax.core.games import Alternating, Game
from gan_jax.core.randomness import INIT, LATENTS, Latent, example_keys, latents
from gan_jax.core.state import Player, TrainState
from gan_jax.core.update import Array, Batch, Key, Metrics, Update
from gan_jax.utils.checks import check_count
from gan_jax.utils.tree import PyTree


def apply_network(
    module: nn.Module,
    params: PyTree,
    stats: PyTree,
    x: Array,
    label: Array | None,
    *,
    key: Key | None,
    train: bool,
    precision: Precision = "float32",
    remat: bool = False,
    capture: bool = False,
) -> tuple[Any, PyTree]:
    """module(x, label), and its collections afterwards, all of them float32.

    Args:
        key: for what the network draws itself.
        train: whether the collections move.
        precision: what x is cast to. The layers of `gan_jax.models` compute in their input's precision, but
            for what needs more (statistics, spectral norms, a softmax, the logits); parameters and statistics
            stay float32, and so do the gradients, because the casts are differentiated.
        remat: a gradient keeps only what enters the network's blocks, see `models.layers.remat`.
        capture: also return what each layer said, as Flax's collection "intermediates".
    """
    if remat:
        module = module.clone(remat=True)
    out, changed = module.apply(
        {"params": params, **stats},
        x.astype(precision),
        label,
        train,
        rngs=None if key is None else {"dropout": key},
        mutable=(list(stats) if train else []) + (["intermediates"] if capture else []),
        capture_intermediates=capture,
    )
    return as_float32((out, {**stats, **changed}))


def as_float32(tree: PyTree) -> PyTree:
    """Every leaf of a lower floating-point precision as float32."""
    return jax.tree.map(lambda x: x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x, tree)


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """The static half of a run: networks, optimizers and the rules of the game.

    Attributes:
        generator: (latents [B, L], labels [B] or None, train) -> images [B, H, W, C] in [-1, 1].
        discriminator: (images, labels or None, train) -> logits [B].
        generator_tx: the generator's optimizer.
        discriminator_tx: the discriminator's optimizer.
        ema_decay: step -> decay of the generator's moving average; 0 is no averaging.
        game: how the players take turns.
        latent_size: L.
        latent: the latents' distribution.
        execution: how the networks and their gradients are computed.
        axis_name: the mapped axis that splits the batch under `pmap` or `shard_map`; None under `jit`.
        split: lays a batch that is drawn inside the step out as the given ones are; the identity on one
            device. `compile_step` sets it.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_tx: optax.GradientTransformation
    discriminator_tx: optax.GradientTransformation
    ema_decay: optax.Schedule
    game: Game = dataclasses.field(default_factory=Alternating)
    latent_size: int = 100
    latent: Latent = "normal"
    execution: Execution = dataclasses.field(default_factory=Execution)
    axis_name: str | None = None
    split: Callable[[Array], Array] = lambda x: x

    def __post_init__(self) -> None:
        if self.latent not in LATENTS:
            raise ValueError(f"latent={self.latent!r} is not one of {', '.join(LATENTS)}")
        check_count(self.latent_size, "latent_size")

    def updates(self) -> tuple[Update, ...]:
        """What one step does, in order."""
        raise NotImplementedError(f"{type(self).__name__} must list its updates")

    @property
    def microbatches(self) -> Microbatches:
        """How each mini-batch is cut."""
        return Microbatches(self.execution.accumulation)

    def obstacles(self) -> list[str]:
        """Why a mini-batch of this method cannot be cut into parts, a sentence each, and what to do.

        Empty where every loss is a mean over examples that stand for themselves. A method that sees several
        at once beyond its networks must add what it does.
        """
        return network_obstacles(generator=self.generator, discriminator=self.discriminator)

    @property
    def minibatches(self) -> int:
        """How many mini-batches one step consumes."""
        return self.game.minibatches(self.updates())

    @property
    def num_classes(self) -> int | None:
        """How many classes `sample` can be asked for; None where it does not look at labels."""
        return self.generator.num_classes if self.generator.conditional else None

    @property
    def input_size(self) -> int:
        """The length of the generator's input; that of the latents by default."""
        return self.latent_size

    def with_axis(self, axis_name: str) -> Self:
        """The same algorithm for a step that is mapped over `axis_name`."""
        return dataclasses.replace(
            self,
            axis_name=axis_name,
            generator=self.generator.clone(axis_name=axis_name),
            discriminator=self.discriminator.clone(axis_name=axis_name),
        )

    def apply(
        self,
        module: nn.Module,
        params: PyTree,
        stats: PyTree,
        x: Array,
        label: Array | None,
        *,
        key: Key | None,
        train: bool,
        capture: bool = False,
    ) -> tuple[Any, PyTree]:
        """`apply_network` as this run computes its networks; nothing else in a method calls one."""
        return apply_network(
            module,
            params,
            stats,
            x,
            label,
            key=key,
            train=train,
            precision=self.execution.precision,
            remat=self.execution.remat and train,
            capture=capture,
        )

    def latents(self, key: Key, count: int) -> Array:
        """Latents [count, L] for the examples on this device."""
        return self.split(latents(example_keys(key, count, self.axis_name), self.latent_size, self.latent))

    def init(self, key: Key, batch: Batch) -> TrainState:
        """The state before the first step; `batch` is one mini-batch and only its shapes matter."""
        generator_key, discriminator_key, extra_key = jax.random.split(jax.random.fold_in(key, INIT), 3)
        label = batch["label"][:1] if "label" in batch else None
        latent = jnp.zeros((1, self.input_size))
        seen = jnp.zeros((1, *self.seen_shape(batch["image"].shape[1:])))
        generator = init_player(self.generator, self.generator_tx, generator_key, latent, label)
        discriminator = init_player(self.discriminator, self.discriminator_tx, discriminator_key, seen, label)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            generator=generator,
            discriminator=discriminator,
            # A copy: the state is donated, and one buffer cannot be donated twice.
            ema=jax.tree.map(jnp.copy, {"params": generator.params, "stats": generator.stats}),
            extra=self.init_extra(extra_key, batch),
        )

    def init_extra(self, key: Key, batch: Batch) -> PyTree:
        """The method's own state; nothing by default."""
        return {}

    def seen_shape(self, image_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one example as the discriminator gets it; that of an image by default."""
        return image_shape

    def step(self, state: TrainState, batches: Batch) -> tuple[TrainState, Metrics]:
        """All updates, once.

        Args:
            batches: `minibatches` mini-batches, every leaf [minibatches, B, ...]; an update with a
                smaller `repeat` uses the first ones.

        Raises:
            ValueError: the mini-batches are to be cut into parts and cannot.
        """
        for obstacle in self.obstacles() if self.microbatches.count > 1 else ():
            raise ValueError(f"accumulation={self.microbatches.count}: {obstacle}")
        key = jax.random.fold_in(state.key, state.step)
        state, metrics = self.game(self, state, batches, key)
        decay = self.ema_decay(state.step)
        current = {"params": state.generator.params, "stats": state.generator.stats}
        ema = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.ema, current)
        return state.replace(step=state.step + 1, ema=ema), metrics

    def sample(self, state: TrainState, batch: Batch, key: Key) -> Array:
        """Images [B, H, W, C] in [-1, 1] from the averaged generator.

        Args:
            batch: an unconditional method uses only its size, a conditional one its labels, a
                translator its images.
        """
        latent = self.latents(key, batch["image"].shape[0])
        return self.draw(state, latent, batch.get("label"))

    def draw(self, state: TrainState, latent: Array, label: Array | None) -> Array:
        """Images [B, H, W, C] in [-1, 1] of these latents [B, L] from the averaged generator."""
        ema = state.ema
        return self.apply(self.generator, ema["params"], ema["stats"], latent, label, key=None, train=False)[
            0
        ]


def init_player(module: nn.Module, tx: optax.GradientTransformation, key: Key, *example: Any) -> Player:
    """A player with fresh parameters; `example` are the network's inputs."""
    variables = dict(module.init(key, *example, train=False))
    params = variables.pop("params")
    return Player(params=params, stats=variables, opt=tx.init(params))
