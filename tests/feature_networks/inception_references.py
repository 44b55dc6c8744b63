"""Inception with random weights, as PyTorch's modules have them, for tests/metrics/test_inception*.py."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.feature_networks.inception import InceptionV3


def random_params(variant, seed):
    """Parameters of `InceptionV3`; the statistics of the batch norms are not those of any images."""
    image = jax.ShapeDtypeStruct((1, 299, 299, 3), jnp.float32)
    shapes = jax.eval_shape(InceptionV3(variant).init, jax.random.key(0), image)["params"]
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        name = path[-1].key
        if name == "kernel":
            draws = rng.standard_normal(leaf.shape, np.float32)
            return draws * np.float32(np.sqrt(2 / np.prod(leaf.shape[:-1])))
        # With biases around 1 most units are on: with biases around 0 each layer would blow rounding up.
        low, high = {"variance": (0.5, 2.0), "scale": (0.7, 1.3), "bias": (0.5, 1.5)}.get(name, (-0.5, 0.5))
        return rng.uniform(low, high, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def torch_state(params):
    """The state dict of PyTorch's module with these parameters: name -> array in PyTorch's layout."""
    state = {}
    for keys, leaf in jax.tree_util.tree_leaves_with_path(params):
        *folder, name = (key.key for key in keys)
        prefix = ".".join(folder)
        leaf = np.asarray(leaf)
        if prefix == "fc":
            state[f"fc.{'weight' if name == 'kernel' else name}"] = leaf.T
        elif name == "kernel":
            state[f"{prefix}.conv.weight"] = np.moveaxis(leaf, (0, 1, 2, 3), (2, 3, 1, 0))
            state[f"{prefix}.bn.num_batches_tracked"] = np.array(0)
        else:
            endings = {"scale": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}
            state[f"{prefix}.bn.{endings[name]}"] = leaf
    return state
