"""A run that begins with the trained networks of another one."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from absl import logging

from gan_jax.config.init_from import InitFrom
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import Player, TrainState
from gan_jax.feature_networks.network import digest_of
from gan_jax.training.restore import BEST, NEWEST, restored_run
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import listed
from gan_jax.utils.paths import expanded
from gan_jax.utils.tree import PyTree

_OF_THE_RUN = (
    "parent",
    "name",
    "axis_name",
    "remat",
    "image_shape",
)  # fields that say nothing of the network


def with_weights_of(
    chosen: InitFrom, algorithm: Algorithm, state: TrainState, *, averaged: bool
) -> tuple[TrainState, dict[str, Any]]:
    """A fresh state with the networks of another run, and what is recorded of them.

    Weights and statistics (of BatchNorm, of spectral norms) are taken, and with the generator its averaged
    weights; optimizers and all else begin anew.

    Args:
        algorithm: with this run's networks. Where they differ from the other's in what has no weights, such
            as the activation, a warning says so.
        state: of arrays.
        averaged: whether this run averages the generator's weights; if not, its average is the weights.

    Raises:
        UserError: no such run or checkpoint, a player that one of them lacks, or networks that differ.
    """
    run = expanded(chosen.run).absolute()
    folder = BEST if chosen.checkpoint == "best" else NEWEST
    step = int(chosen.checkpoint) if chosen.checkpoint.isdigit() else None
    other_algorithm, _, source = restored_run(run, folder, step)
    ours: dict[str, Player] = dict(state.players.items())
    theirs: dict[str, Player] = dict(source.players.items())
    names = chosen.names or tuple(ours)
    for name in names:
        if name not in ours or name not in theirs:
            whose = "this run" if name not in ours else f"the run {run}"
            both = ", ".join(sorted(set(ours) & set(theirs)))
            raise UserError(
                f"init_from.players: {whose} has no player {name!r}; those of both are {both}: "
                "set init_from.players to some of them"
            )
    found: dict[str, Any] = {}
    digests = {}
    for name in names:
        mine, other = ours[name], theirs[name]
        _check_same(run, name, _weights(mine), _weights(other))
        _compare_fields(name, getattr(algorithm, name), getattr(other_algorithm, name))
        weights = _placed(_weights(other), _weights(mine))
        digests[name] = digest_of(weights, name)
        found[name] = mine.replace(**weights)
        if name == "generator":
            found["ema"] = _placed(source.ema if averaged else _weights(other), state.ema)
            digests["ema"] = digest_of(found["ema"], "ema")
    return state.replace(**found), {"run": str(run), "step": int(source.step), "digests": digests}


def check_same_weights(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raises a UserError where a run that has made no step yet began with other weights than it would now."""
    if before["digests"] != now["digests"]:
        raise UserError(
            f"this run began with the weights of {before['run']} at step {before['step']}, and would now "
            f"begin with others (of {now['run']} at step {now['step']}): name that step as "
            "init_from.checkpoint, or choose another workdir"
        )


def _compare_fields(name: str, mine: nn.Module | None, other: nn.Module | None) -> None:
    """Warns where networks of the same weights are told different things."""
    here, there = (
        {} if network is None else {field.name: getattr(network, field.name) for field in fields(network)}
        for network in (mine, other)
    )
    told = [
        f"{field} is {here.get(field)!r} here and {there.get(field)!r} there"
        for field in sorted(here.keys() | there.keys())
        if field not in _OF_THE_RUN and here.get(field) != there.get(field)
    ]
    if type(mine) is not type(other):
        told.insert(0, f"it is {type(mine).__name__} here and {type(other).__name__} there")
    if told:
        logging.warning("init_from: the %s has the same weights, but %s", name, listed(told))


def _weights(player: Player) -> dict[str, PyTree]:
    return {"params": player.params, "stats": player.stats}


def _placed(values: PyTree, like: PyTree) -> PyTree:
    """Copies of the values where the arrays of `like` are."""
    return jax.tree.map(lambda value, to: jax.device_put(np.array(value), to.sharding), values, like)


def _check_same(run: Path, name: str, mine: PyTree, other: PyTree) -> None:
    """Raises a UserError unless both are the weights of the same network."""

    def shapes(tree: PyTree) -> dict[str, str]:
        leaves = jax.tree_util.tree_leaves_with_path(tree)
        return {jax.tree_util.keystr(path): f"{x.dtype}{list(x.shape)}" for path, x in leaves}

    here, there = shapes(mine), shapes(other)
    problems = [
        f"{path} is {here.get(path, 'absent')} here and {there.get(path, 'absent')} there"
        for path in dict.fromkeys([*here, *there])
        if here.get(path) != there.get(path)
    ]
    if problems:
        raise UserError(
            f"init_from.run={run}: the {name} there is another network: {listed(problems)}. Choose the same "
            f"network, size of images and classes, or leave the {name} out of init_from.players"
        )
