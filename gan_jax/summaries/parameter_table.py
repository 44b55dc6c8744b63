"""Tables of the networks' layers and their numbers of parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
from clu import parameter_overview

from gan_jax.core.state import Player, TrainState
from gan_jax.utils.tree import PyTree


@dataclass(frozen=True)
class LayerRow:
    """One layer of a network."""

    layer: str
    shapes: str
    trained: int
    moving: int  # statistics that are not trained by gradients


def layer_rows(player: Player) -> list[LayerRow]:
    """One row per layer, in the order of the tree; arrays or shapes will do."""
    layers: dict[str, tuple[list[str], int, int]] = {}
    trees: list[tuple[bool, PyTree]] = [(True, player.params), *((False, s) for s in player.stats.values())]
    for trained, tree in trees:
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            names = [str(getattr(entry, "key", entry)) for entry in path]
            shapes, ours, moving = layers.get("/".join(names[:-1]), ([], 0, 0))
            size = math.prod(leaf.shape)
            text = f"{names[-1]} {'x'.join(map(str, leaf.shape))}"
            layers["/".join(names[:-1])] = (
                [*shapes, text],
                ours + size * trained,
                moving + size * (not trained),
            )
    return [LayerRow(name, ", ".join(s), ours, moving) for name, (s, ours, moving) in layers.items()]


def parameter_report(state: TrainState) -> str:
    """A table by layer for each network, with totals."""
    parts = []
    for role, player in state.players.items():
        rows = layer_rows(player)
        trained, moving = sum(row.trained for row in rows), sum(row.moving for row in rows)
        table = parameter_overview.make_table(rows)
        parts.append(f"{role}: {trained + moving:,} parameters ({trained:,} trained)\n{table}")
    return "\n".join(parts)
