"""A state that is split over the devices: each keeps a part, and is lent the rest while it needs it.

Rajbhandari et al. 2020, "ZeRO: memory optimizations toward training trillion parameter models",
arXiv:1910.02054, stage 3: parameters, gradients and optimizer states are partitioned, the batch is split as
before. Xu et al. 2020, "Automatic cross-replica sharding of weight update in data-parallel training",
arXiv:2004.13336, is the same in XLA. A descent gathers the parameters of both networks, takes the gradient on
each device's part of the batch, sums it into the parts, and steps each part where it lies; the whole
parameters are given up after it. The numbers are those of whole copies, but for the order of sums.

Left alone, XLA's partitioner would rather split the channels of a convolution as its kernel is split and
exchange activations, which are larger. So a game is played by `Split` rules: parameters are made whole where
a loss begins, and gradients and what the optimizer makes of them are laid out as the state is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gan_jax.core.accumulation import Microbatches
from gan_jax.core.games import Game, Rules
from gan_jax.core.state import Player, TrainState
from gan_jax.core.update import Array, Batch, Key, LossOut, Metrics, Update
from gan_jax.utils.tree import PyTree

# Numbers in a leaf: what is smaller is not worth an exchange of its own, and every device keeps all of it.
LARGE = 2**16


def split_dimension(shape: tuple[int, ...], devices: int) -> int | None:
    """The dimension along which an array of this shape is split: the largest that the devices divide.

    None where the array has fewer than `LARGE` numbers, or the devices divide none of its dimensions.
    """
    if devices == 1 or math.prod(shape) < LARGE:
        return None
    fitting = [index for index, length in enumerate(shape) if length % devices == 0]
    return max(fitting, key=lambda index: shape[index], default=None)


def split_sharding(shape: tuple[int, ...], mesh: Mesh) -> NamedSharding:
    """How an array of this shape lies on a one-dimensional mesh when states are split."""
    dimension = split_dimension(shape, mesh.size)
    axes = () if dimension is None else (*[None] * dimension, mesh.axis_names[0])
    return NamedSharding(mesh, PartitionSpec(*axes))


def split_tree(tree: PyTree, mesh: Mesh) -> PyTree:
    """The `split_sharding` of every leaf; arrays or shapes will do."""
    return jax.tree.map(lambda leaf: split_sharding(leaf.shape, mesh), tree)


def lay_out(state: TrainState, mesh: Mesh) -> TrainState:
    """The state, inside a program, as it is kept between steps; small leaves too."""
    return jax.tree.map(jax.lax.with_sharding_constraint, state, split_tree(state, mesh))


@dataclass(frozen=True)
class SplitGame:
    """A game between players of whom each device keeps a part.

    Attributes:
        game: what is played.
        mesh: the devices.
    """

    game: Game
    mesh: Mesh

    def minibatches(self, updates: tuple[Update, ...]) -> int:
        """As the game."""
        return self.game.minibatches(updates)

    def __call__(
        self, rules: Rules, state: TrainState, batches: Batch, key: Key
    ) -> tuple[TrainState, Metrics]:
        return self.game(SplitRules(rules, self.mesh), state, batches, key)


@dataclass(frozen=True)
class SplitRules:
    """An algorithm's rules for states that are split: the same losses and optimizers, between exchanges."""

    rules: Rules
    mesh: Mesh

    @property
    def generator_tx(self) -> optax.GradientTransformation:
        return split_optimizer(self.rules.generator_tx, self.mesh)

    @property
    def discriminator_tx(self) -> optax.GradientTransformation:
        return split_optimizer(self.rules.discriminator_tx, self.mesh)

    @property
    def axis_name(self) -> str | None:
        return self.rules.axis_name

    @property
    def microbatches(self) -> Microbatches:
        return self.rules.microbatches

    def updates(self) -> tuple[Update, ...]:
        """The algorithm's, each with whole parameters."""
        return tuple(
            dataclasses.replace(update, loss=partial(self._loss, update)) for update in self.rules.updates()
        )

    def _loss(
        self, update: Update, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        params, lent = whole(params, self.mesh), self._lent(state)
        loss, out = update.loss(params, lent, batch, key)
        return loss, out.replace(stats=split(out.stats, self.mesh), extra=split(out.extra, self.mesh))

    def _lent(self, state: TrainState) -> TrainState:
        """The state with all whole that a loss looks at."""

        def player(of: Player) -> Player:
            return of.replace(params=whole(of.params, self.mesh), stats=whole(of.stats, self.mesh))

        return state.replace(
            **{role: player(of) for role, of in state.players.items()},
            extra=whole(state.extra, self.mesh),
            frozen=whole(state.frozen, self.mesh),
        )


def split_optimizer(tx: optax.GradientTransformation, mesh: Mesh) -> optax.GradientTransformation:
    """The optimizer, every device working on its parts."""
    inner = optax.with_extra_args_support(tx)

    def update(grads: PyTree, opt: PyTree, params: PyTree = None, **extra: Any) -> tuple[PyTree, PyTree]:
        changes, opt = inner.update(split(grads, mesh), opt, params, **extra)
        return split(changes, mesh), split(opt, mesh)

    return optax.GradientTransformationExtraArgs(inner.init, update)


def whole(tree: PyTree, mesh: Mesh) -> PyTree:
    """All of every leaf on every device; its gradient is summed up where each part lies."""
    return _each(_gather, tree, mesh)


def split(tree: PyTree, mesh: Mesh) -> PyTree:
    """Every leaf as `split_sharding` has it; its gradient is gathered."""
    return _each(_scatter, tree, mesh)


def _each(move: Callable[[Array, Mesh], Array], tree: PyTree, mesh: Mesh) -> PyTree:
    def leaf(x: Array) -> Array:
        return x if split_dimension(x.shape, mesh.size) is None else move(x, mesh)

    return jax.tree.map(leaf, tree)


# The transpose of `with_sharding_constraint` is the same constraint, which for parameters that are made whole
# would mean whole gradients on every device.


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _gather(x: Array, mesh: Mesh) -> Array:
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec()))


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _scatter(x: Array, mesh: Mesh) -> Array:
    return jax.lax.with_sharding_constraint(x, split_sharding(x.shape, mesh))


_gather.defvjp(lambda x, mesh: (_gather(x, mesh), None), lambda mesh, _, dy: (_scatter(dy, mesh),))
_scatter.defvjp(lambda x, mesh: (_scatter(x, mesh), None), lambda mesh, _, dy: (_gather(dy, mesh),))
