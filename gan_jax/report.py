"""Tables of what a run is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
from clu import parameter_overview

from gan_jax.state import Player, PyTree, TrainState


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
    for role in ("generator", "discriminator"):
        rows = layer_rows(getattr(state, role))
        trained, moving = sum(row.trained for row in rows), sum(row.moving for row in rows)
        table = parameter_overview.make_table(rows)
        parts.append(f"{role}: {trained + moving:,} parameters ({trained:,} trained)\n{table}")
    return "\n".join(parts)


def tree_bytes(tree: PyTree) -> int:
    """Bytes of the arrays in a tree (keys are counted as their data)."""
    leaves = jax.tree.leaves(jax.eval_shape(_key_data, tree))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def _key_data(tree: PyTree) -> PyTree:
    def data(leaf: jax.Array) -> jax.Array:
        return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf

    return jax.tree.map(data, tree)


def mebibytes(count: int) -> str:
    """A number of bytes as text."""
    return f"{count / 2**20:,.1f} MiB"
