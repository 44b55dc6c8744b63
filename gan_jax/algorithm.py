"""A method is two networks and an ordered list of updates; the step that runs them is shared by all.

A new method subclasses `Algorithm`, writes its losses and lists its updates. Everything else (the
loop, devices, checkpoints, pictures, scores) sees only what is defined here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct

from gan_jax.checks import check_count
from gan_jax.noise import INIT, LATENTS, Latent, example_keys, latents
from gan_jax.state import Player, PyTree, TrainState

Array = jax.Array
Key = jax.Array
Batch = dict[str, Array]  # "image": float32 [B, H, W, C] in [-1, 1]; "label": int32 [B] if there are any
Metrics = dict[str, Array]  # float32 scalars
Role = Literal["generator", "discriminator"]


class LossOut(struct.PyTreeNode):
    """What a loss hands back besides its value; None leaves the state's own as it is."""

    metrics: Metrics
    stats: PyTree = None  # the updated player's new collections
    extra: PyTree = None  # the new TrainState.extra


# (this player's params, state, mini-batch, key) -> (scalar to minimise, LossOut)
Loss = Callable[[PyTree, TrainState, Batch, Key], tuple[Array, LossOut]]


@dataclass(frozen=True)
class Update:
    """One descent of one player.

    Attributes:
        role: whose parameters move.
        loss: differentiated with respect to those parameters.
        every: run only at steps divisible by this (lazy regularisation). The metrics of a lazy
            update are NaN at the other steps.
        repeat: descents in a row, each on a mini-batch of its own (n_critic, Goodfellow's k).
    """

    role: Role
    loss: Loss
    every: int = 1
    repeat: int = 1

    def __post_init__(self) -> None:
        check_count(self.every, "every")
        check_count(self.repeat, "repeat")


def apply_network(
    module: nn.Module, params: PyTree, stats: PyTree, x: Array, *, key: Key | None, train: bool
) -> tuple[Array, PyTree]:
    """module(x), and its collections afterwards; `key` is for what the network draws itself."""
    rngs = None if key is None else {"dropout": key}
    variables = {"params": params, **stats}
    out, changed = module.apply(variables, x, train, rngs=rngs, mutable=list(stats) if train else [])
    return out, {**stats, **changed}


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """The static half of a run: networks, optimizers and the rules of the game.

    Attributes:
        generator: (latents [B, L], train) -> images [B, H, W, C] in [-1, 1].
        discriminator: (images, train) -> logits [B].
        generator_tx: the generator's optimizer.
        discriminator_tx: the discriminator's optimizer.
        ema_decay: step -> decay of the generator's moving average; 0 is no averaging.
        latent_size: L.
        latent: the latents' distribution.
        axis: the mapped axis that splits the batch under `pmap` or `shard_map`; None under `jit`.
        split: lays a batch that is drawn inside the step out as the given ones are; the identity on one
            device. `compile_step` sets it.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_tx: optax.GradientTransformation
    discriminator_tx: optax.GradientTransformation
    ema_decay: optax.Schedule
    latent_size: int = 100
    latent: Latent = "normal"
    axis: str | None = None
    split: Callable[[Array], Array] = lambda x: x

    conditional = False  # whether `sample` reads the batch's labels

    def __post_init__(self) -> None:
        if self.latent not in LATENTS:
            raise ValueError(f"latent={self.latent!r} is not one of {', '.join(LATENTS)}")
        check_count(self.latent_size, "latent_size")

    def updates(self) -> tuple[Update, ...]:
        """What one step does, in order."""
        raise NotImplementedError(f"{type(self).__name__} must list its updates")

    @property
    def minibatches(self) -> int:
        """How many mini-batches one step consumes: the largest `repeat`."""
        return max(update.repeat for update in self.updates())

    def with_axis(self, axis: str) -> Self:
        """The same algorithm for a step that is mapped over `axis`."""
        return dataclasses.replace(
            self,
            axis=axis,
            generator=self.generator.clone(axis=axis),
            discriminator=self.discriminator.clone(axis=axis),
        )

    def latents(self, key: Key, count: int) -> Array:
        """Latents [count, L] for the examples on this device."""
        return self.split(latents(example_keys(key, count, self.axis), self.latent_size, self.latent))

    def init(self, key: Key, batch: Batch) -> TrainState:
        """The state before the first step; `batch` is one mini-batch and only its shapes matter."""
        generator_key, discriminator_key, extra_key = jax.random.split(jax.random.fold_in(key, INIT), 3)
        latent = jnp.zeros((1, self.latent_size))
        generator = init_player(self.generator, self.generator_tx, generator_key, latent)
        discriminator = init_player(
            self.discriminator, self.discriminator_tx, discriminator_key, batch["image"][:1]
        )
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

    def step(self, state: TrainState, batches: Batch) -> tuple[TrainState, Metrics]:
        """All updates, once.

        Args:
            batches: `minibatches` mini-batches, every leaf [minibatches, B, ...]; an update with a
                smaller `repeat` uses the first ones.
        """
        key = jax.random.fold_in(state.key, state.step)
        metrics: Metrics = {}
        for index, update in enumerate(self.updates()):
            state, new = self._lazily(update, state, batches, jax.random.fold_in(key, index))
            metrics |= new
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
        image, _ = apply_network(
            self.generator, state.ema["params"], state.ema["stats"], latent, key=None, train=False
        )
        return image

    def _lazily(
        self, update: Update, state: TrainState, batches: Batch, key: Key
    ) -> tuple[TrainState, Metrics]:
        """Runs the update at the steps it is due."""

        def due(state: TrainState) -> tuple[TrainState, Metrics]:
            return self._repeatedly(update, state, batches, key)

        if update.every == 1:
            return due(state)

        def skipped(state: TrainState) -> tuple[TrainState, Metrics]:
            shapes = jax.eval_shape(due, state)[1]
            return state, jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan, x.dtype), shapes)

        return jax.lax.cond(state.step % update.every == 0, due, skipped, state)

    def _repeatedly(
        self, update: Update, state: TrainState, batches: Batch, key: Key
    ) -> tuple[TrainState, Metrics]:
        """`repeat` descents; the metrics are the last one's."""
        if update.repeat == 1:
            first = jax.tree.map(lambda x: x[0], batches)
            return self._descend(update, state, first, jax.random.fold_in(key, 0))

        def body(state: TrainState, item: tuple[Array, Batch]) -> tuple[TrainState, Metrics]:
            index, batch = item
            return self._descend(update, state, batch, jax.random.fold_in(key, index))

        used = jax.tree.map(lambda x: x[: update.repeat], batches)
        state, metrics = jax.lax.scan(body, state, (jnp.arange(update.repeat), used))
        return state, jax.tree.map(lambda x: x[-1], metrics)

    def _descend(
        self, update: Update, state: TrainState, batch: Batch, key: Key
    ) -> tuple[TrainState, Metrics]:
        """One descent of one player on one mini-batch."""
        player: Player = getattr(state, update.role)
        tx = self.generator_tx if update.role == "generator" else self.discriminator_tx
        local = vary_params(state, self.axis) if self.axis else state
        params = getattr(local, update.role).params
        (loss, out), grads = jax.value_and_grad(update.loss, has_aux=True)(params, local, batch, key)
        metrics = out.metrics if update.every > 1 else {f"{update.role}_loss": loss, **out.metrics}
        if self.axis:
            grads, metrics = jax.lax.pmean((grads, metrics), self.axis)
        changes, opt = tx.update(grads, player.opt, player.params)
        stats = player.stats if out.stats is None else out.stats
        player = Player(params=optax.apply_updates(player.params, changes), stats=stats, opt=opt)
        state = state.replace(**{update.role: player})
        return (state if out.extra is None else state.replace(extra=out.extra)), metrics


def vary_params(state: TrainState, axis: str) -> TrainState:
    """The state with both players' parameters cast to device-varying.

    Autodiff under shard_map sums the gradients of replicated parameters over the devices by itself,
    and a mean of that sum is wrong by their number; gradients of varying ones stay local.
    """

    def vary(player: Player) -> Player:
        return player.replace(params=jax.lax.pcast(player.params, axis, to="varying"))

    return state.replace(generator=vary(state.generator), discriminator=vary(state.discriminator))


def init_player(module: nn.Module, tx: optax.GradientTransformation, key: Key, *example: Any) -> Player:
    """A player with fresh parameters; `example` are the network's inputs."""
    variables = dict(module.init(key, *example, train=False))
    params = variables.pop("params")
    return Player(params=params, stats=variables, opt=tx.init(params))
