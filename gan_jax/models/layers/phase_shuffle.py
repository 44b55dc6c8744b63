"""Phase shuffle: activations along time moved by a few samples at random (WaveGAN).

Donahue, McAuley, Puckette 2019, "Adversarial audio synthesis", arXiv:1802.04208, section 3.3: a critic that
cannot see the phase does not reject fakes by the fixed phase of what transposed convolutions leave behind.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core.randomness import example_keys
from gan_jax.utils.checks import check_count

Array = jax.Array


class PhaseShuffle(nn.Module):
    """Maps [B, T, 1, C] moved along T by -n to n, each example by its own number, the ends mirrored.

    Only in training. The official code draws one number for all of a batch; here each example has its own, so
    that reals and fakes of one batch are moved independently, as the paper says it, and the numbers
    do not depend on how a batch is split.

    Attributes:
        most: n; 0 for none.
        axis_name: the mapped axis that splits the batch.
    """

    most: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        if self.most == 0:
            return x
        check_count(self.most, "phase_shuffle")
        length, n = x.shape[1], self.most
        if length <= n:
            raise ValueError(
                f"phase_shuffle={n} mirrors the ends of maps of {length} values: use a smaller one, or fewer "
                "layers"
            )
        if not train:
            return x
        keys = example_keys(self.make_rng("dropout"), x.shape[0], self.axis_name)
        shift = jax.vmap(lambda key: jax.random.randint(key, (), 0, 2 * n + 1))(keys)[:, None, None, None]
        padded = jnp.pad(x, ((0, 0), (n, n), (0, 0), (0, 0)), mode="reflect")
        # A choice among few slices: a gather's gradient would be a scatter, which is slow everywhere.
        moved = padded[:, :length]
        for places in range(1, 2 * n + 1):
            moved = jnp.where(shift == places, padded[:, places : places + length], moved)
        return moved
