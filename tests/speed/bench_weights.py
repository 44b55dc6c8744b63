"""The parameters of our networks in the order and layout of the peers' (experiments/speed)."""

import dataclasses
import re

import jax
import numpy as np

from experiments.speed.works import WORKS


def seeded(tree, seed=0):
    """The tree with numbers that no symmetry hides: biases and gains too are random."""
    numbers = np.random.default_rng(seed)
    flat, structure = jax.tree.flatten(tree)
    new = [x + 0.1 * numbers.standard_normal(x.shape).astype(np.float32) for x in flat]
    return jax.tree.unflatten(structure, new)


def as_in_the_network(name):
    """Sorts the layers of a DCGAN: the dense one of a generator first, of a discriminator last."""
    kind, _, number = name.partition("_")
    order = {"up": 0, "conv": 0, "norm": 1}
    return int(number), order[kind]


def dcgan_layers(params, *, dense_first):
    """The layers' own dicts, {"kernel", "bias"} or {"scale", "bias"}, from input to output."""
    names = sorted((name for name in params if name != "dense"), key=as_in_the_network)
    layers = [next(iter(params[x].values())) if re.match("up|norm", x) else params[x] for x in names]
    return [params["dense"], *layers] if dense_first else [*layers, params["dense"]]


def residual_layers(params, order, *, dense_first):
    """Likewise of a residual network; `order` is that of the layers in a block."""
    layers = []
    for block in sorted(name for name in params if name.startswith("block")):
        for name in order:
            if name in params[block]:
                layer = params[block][name]
                layers.append(layer["norm"] if name.startswith("norm") else layer)
    if not dense_first:
        return [*layers, params["dense"]]
    return [params["dense"], *layers, params["norm"]["norm"], params["output"]]


def small(name):
    """The work with narrow networks and without dropout, whose masks no two frameworks share."""
    work = WORKS[name]

    def narrow(widths):
        return tuple(4 + index for index in range(len(widths)))

    return dataclasses.replace(
        work,
        generator_widths=narrow(work.generator_widths),
        discriminator_widths=narrow(work.discriminator_widths)[::-1],
        latent_size=5,
        dropout=0.0,
    )
