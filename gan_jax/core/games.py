"""How the two players take turns: in which order their updates run, and where their gradients are taken.

A game is played with any algorithm's list of updates. Each is a frozen dataclass that a config names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import optax

from gan_jax.core import draws
from gan_jax.core.accumulation import Microbatches, average
from gan_jax.core.launches import are_costly
from gan_jax.core.state import TrainState
from gan_jax.core.update import (
    Array,
    Batch,
    Key,
    Metrics,
    Update,
    compute_gradients,
    descend,
    mean_over,
    vary,
    vary_params,
)
from gan_jax.optim.schedules import Schedule, as_schedule
from gan_jax.utils.tables import Table
from gan_jax.utils.tree import PyTree


class Rules(Protocol):
    """What a game needs of an `Algorithm`."""

    @property
    def generator_tx(self) -> optax.GradientTransformation: ...
    @property
    def discriminator_tx(self) -> optax.GradientTransformation: ...
    @property
    def axis_name(self) -> str | None: ...
    @property
    def microbatches(self) -> Microbatches: ...
    def updates(self) -> tuple[Update, ...]: ...


class Game(Protocol):
    """One step's worth of play."""

    def minibatches(self, updates: tuple[Update, ...]) -> int:
        """How many mini-batches a step consumes; a ValueError if these updates cannot be played so."""

    def __call__(
        self, rules: Rules, state: TrainState, batches: Batch, key: Key
    ) -> tuple[TrainState, Metrics]: ...


@dataclass(frozen=True)
class Alternating:
    """One update after the other, each at the state that the one before left (Goodfellow's algorithm 1)."""

    def minibatches(self, updates: tuple[Update, ...]) -> int:
        """All that some update sees."""
        return _minibatches(updates)

    def __call__(
        self, rules: Rules, state: TrainState, batches: Batch, key: Key
    ) -> tuple[TrainState, Metrics]:
        metrics: Metrics = {}
        for index, update in enumerate(rules.updates()):
            update_key = jax.random.fold_in(key, index)

            def due(state: TrainState, update: Update = update, key: Key = update_key) -> tuple:
                return _repeatedly(rules, update, state, batches, key)

            state, new = _lazily(update, state, due)
            metrics |= new
        return state, metrics


@dataclass(frozen=True)
class Simultaneous:
    """All gradients at the state before the step, then all descents."""

    def minibatches(self, updates: tuple[Update, ...]) -> int:
        """One for each that updates see apart; several descents in a row are no simultaneous game."""
        _refuse_repeats(updates, "simultaneous")
        return _minibatches(updates)

    def __call__(
        self, rules: Rules, state: TrainState, batches: Batch, key: Key
    ) -> tuple[TrainState, Metrics]:
        return _together(rules, state, state, batches, key)


@dataclass(frozen=True)
class Extragradient:
    """Extrapolates, and descends from where it was with the gradient found there, on another mini-batch.

    Korpelevich 1976; Gidel et al. 2019, arXiv:1802.10551, algorithm 4: the optimizer's moments (Adam's) see
    both gradients.
    """

    def minibatches(self, updates: tuple[Update, ...]) -> int:
        """Those to extrapolate, and as many to descend."""
        _refuse_repeats(updates, "extragradient")
        return 2 * _minibatches(updates)

    def __call__(
        self, rules: Rules, state: TrainState, batches: Batch, key: Key
    ) -> tuple[TrainState, Metrics]:
        half = _minibatches(rules.updates())
        first, second = (jax.tree.map(lambda x, i=i: x[i * half : (i + 1) * half], batches) for i in (0, 1))
        ahead, _ = _together(rules, state, state, first, jax.random.fold_in(key, 0))
        before = state.players
        back = ahead.replace(
            **{role: player.replace(params=before[role].params) for role, player in ahead.players.items()}
        )
        return _together(rules, back, ahead, second, jax.random.fold_in(key, 1))


@dataclass(frozen=True)
class Consensus:
    """Simultaneous descent on each player's loss + weight * |v|^2 / 2, v the gradients of both.

    Mescheder et al. 2017, "The numerics of GANs", arXiv:1705.10461, algorithm 2.

    Attributes:
        weight: their gamma, a number or a schedule.
    """

    weight: float | Schedule = 10.0

    def __post_init__(self) -> None:
        as_schedule(self.weight, "weight")

    def minibatches(self, updates: tuple[Update, ...]) -> int:
        """One for each that updates see apart."""
        _refuse_repeats(updates, "consensus")
        if any(update.every > 1 for update in updates):
            raise ValueError(
                "the game consensus takes the gradients of all updates together, and a lazy one is not "
                "always there: set every=1"
            )
        return _minibatches(updates)

    def __call__(
        self, rules: Rules, state: TrainState, batches: Batch, key: Key
    ) -> tuple[TrainState, Metrics]:
        updates, axis_name = rules.updates(), rules.axis_name
        seen = [_minibatch(batches, update.batch) for update in updates]
        keys = [jax.random.fold_in(key, index) for index in range(len(updates))]
        found = [
            compute_gradients(update, state, batch, update_key, axis_name, rules.microbatches)
            for update, batch, update_key in zip(updates, seen, keys, strict=True)
        ]
        pulls = self.pull(
            rules, state, seen, keys, vary(_sums(updates, [one.grads for one in found]), axis_name)
        )
        weight = as_schedule(self.weight, "weight")(state.step)
        metrics: Metrics = {}
        for update, one in zip(updates, found, strict=True):
            pull = pulls.pop(update.role, None)  # once for each player
            if pull is not None:
                grads = jax.tree.map(lambda g, p: g + weight * p, one.grads, pull)
                one = one._replace(grads=grads)
            state = descend(update, state, one, _tx(rules, update))
            metrics |= one.out.metrics
        return state, metrics

    def pull(
        self, rules: Rules, state: TrainState, batches: list[Batch], keys: list[Key], v: dict[str, PyTree]
    ) -> dict[str, PyTree]:
        """The gradient of |v|^2 / 2 for both players: that of <v(theta), v> with the second v as a constant.

        v is a mean over examples and so is this: the batches can be cut, and split over devices.

        Args:
            batches: the mini-batch of each update.
        """
        updates, local = rules.updates(), vary_params(state, rules.axis_name)
        players = {role: player.params for role, player in local.players.items()}

        def along(params: dict[str, PyTree], batches: list[Batch]) -> Array:
            moved = local.replace(**{r: p.replace(params=params[r]) for r, p in local.players.items()})
            grads = [
                jax.grad(update.loss, has_aux=True)(params[update.role], moved, batch, key)[0]
                for update, batch, key in zip(updates, batches, keys, strict=True)
            ]
            return optax.tree.vdot(_sums(updates, grads), v)

        def pull_of_microbatch(batches: list[Batch]) -> tuple[PyTree, tuple[()], tuple[()]]:
            return jax.grad(along)(players, batches), (), ()

        return mean_over(
            rules.axis_name, average(pull_of_microbatch, batches, rules.microbatches, players)[0]
        )


GAMES: Table[Callable[..., Game]] = Table(
    "game",
    {
        "alternating": Alternating,
        "simultaneous": Simultaneous,
        "extragradient": Extragradient,
        "consensus": Consensus,
    },
)


def _minibatch(batches: Batch, index: int) -> Batch:
    return jax.tree.map(lambda x: x[index], batches)


def _minibatches(updates: tuple[Update, ...]) -> int:
    """How many mini-batches the updates see."""
    return max(update.batch + update.repeat for update in updates)


def _tx(rules: Rules, update: Update) -> optax.GradientTransformation:
    return rules.generator_tx if update.role == "generator" else rules.discriminator_tx


def _sums(updates: tuple[Update, ...], grads: list[PyTree]) -> dict[str, PyTree]:
    """Each player's gradients added up: a penalty may have an update of its own."""
    total: dict[str, PyTree] = {}
    for update, one in zip(updates, grads, strict=True):
        before = total.get(update.role)
        total[update.role] = one if before is None else jax.tree.map(jnp.add, before, one)
    return total


def _refuse_repeats(updates: tuple[Update, ...], game: str) -> None:
    if any(update.repeat > 1 for update in updates):
        raise ValueError(
            f"the game {game} takes one gradient of each player at the same point: several discriminator "
            "steps in a row need the game alternating"
        )


def _lazily(
    update: Update, state: TrainState, due: Callable[[TrainState], tuple[TrainState, Metrics]]
) -> tuple[TrainState, Metrics]:
    """Runs `due` at the steps at which the update is."""
    if update.every == 1:
        return due(state)

    def skipped(state: TrainState) -> tuple[TrainState, Metrics]:
        shapes = jax.eval_shape(due, state)[1]
        return state, jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan, x.dtype), shapes)

    return jax.lax.cond(state.step % update.every == 0, due, skipped, state)


def _repeatedly(
    rules: Rules, update: Update, state: TrainState, batches: Batch, key: Key
) -> tuple[TrainState, Metrics]:
    """`repeat` descents; the metrics are the last one's."""

    def once(state: TrainState, key: Key, item: tuple[Array | int, Batch]) -> tuple[TrainState, Metrics]:
        index, batch = item
        found = compute_gradients(
            update, state, batch, jax.random.fold_in(key, index), rules.axis_name, rules.microbatches
        )
        return descend(update, state, found, _tx(rules, update)), found.out.metrics

    if update.repeat == 1:
        return once(state, key, (0, _minibatch(batches, update.batch)))
    used = jax.tree.map(lambda x: x[update.batch : update.batch + update.repeat], batches)
    items = (jnp.arange(update.repeat), used)
    if are_costly():
        return _repeated_in_few_kernels(update, once, state, key, items)
    state, metrics = jax.lax.scan(lambda state, item: once(state, key, item), state, items)
    return state, jax.tree.map(lambda x: x[-1], metrics)


def _repeated_in_few_kernels(
    update: Update,
    once: Callable[..., tuple[TrainState, Metrics]],
    state: TrainState,
    key: Key,
    items: PyTree,
) -> tuple[TrainState, Metrics]:
    """The descents of `_repeatedly`; what the other player does in them, which stands still, at once for all.

    A critic's fakes, for example, are then one batch.
    """

    def still(state: TrainState, key: Key, item: PyTree) -> list[Array]:
        return jax.tree.leaves((state.replace(**{update.role: None}, extra={}), key, item))

    first = jax.tree.map(lambda x: x[0], items)
    draw, rest = draws.ahead(once, still, state, key, first, steps=update.repeat, largest=draws.ALL)
    alike, each = len(still(state, key, None)), len(jax.tree.leaves(items))
    drawn = jax.vmap(draw, in_axes=[None] * alike + [0] * each)(*still(state, key, items))

    def descent(carry: tuple[TrainState, Metrics], given: PyTree) -> tuple[tuple[TrainState, Metrics], None]:
        drawn, item = given
        return rest(drawn, carry[0], key, item), None

    metrics = jax.tree.map(jnp.zeros_like, jax.eval_shape(once, state, key, first)[1])
    return jax.lax.scan(descent, (state, metrics), (drawn, items))[0]


def _together(
    rules: Rules, state: TrainState, at: TrainState, batches: Batch, key: Key
) -> tuple[TrainState, Metrics]:
    """Every update's gradient at `at`, every descent from `state`."""
    metrics: Metrics = {}
    for index, update in enumerate(rules.updates()):
        update_key = jax.random.fold_in(key, index)

        def due(state: TrainState, update: Update = update, key: Key = update_key) -> tuple:
            batch = _minibatch(batches, update.batch)
            found = compute_gradients(update, at, batch, key, rules.axis_name, rules.microbatches)
            return descend(update, state, found, _tx(rules, update)), found.out.metrics

        state, new = _lazily(update, state, due)
        metrics |= new
    return state, metrics
