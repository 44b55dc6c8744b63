"""Mixed precision: what a bfloat16 network computes in float32.

Micikevicius et al. 2018, "Mixed precision training", arXiv:1710.03740, sections 3.1 and 3.3: parameters and
what is added to them stay float32, and so do reductions and softmax. bfloat16 has float32's range (Kalamkar
et al. 2019, arXiv:1905.12322), so no loss is scaled. A layer of this package computes in the precision of its
input and casts its parameters to that; these do not:

- sums: products are accumulated in float32 and rounded once, and so are the gradients of what is broadcast
  (biases, pixels that are doubled), which XLA's CPU back end would sum in bfloat16 one by one;
- norms and their moving statistics, spectral norms (of the float32 kernels), the softmax of attention, the
  sum over a map;
- the discriminator's outputs, from the last features on: what compares examples (the logits of a critic, the
  statistics of a batch) is small work;
- StyleGAN's mapping network, what becomes of styles in each layer, and the sum of its images;
- the generator's last tanh, and the last layer where points come out, which are finer than images.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.models.layers.sums import channel_sums, parts

Array = jax.Array


def at_least_float32(x: Array) -> Array:
    """x as float32 if its precision is lower."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def add_bias(y: Array, bias: Array) -> Array:
    """y [..., C] + bias [C] in y's precision; the sum, and that of the bias's gradient, are float32."""
    wide = at_least_float32(y)
    add = _add if parts(y.shape) > 1 else jnp.add
    return add(wide, bias.astype(wide.dtype)).astype(y.dtype)


@jax.custom_vjp
def _add(y: Array, bias: Array) -> Array:
    return y + bias


_add.defvjp(lambda y, bias: (y + bias, None), lambda _, dy: (dy, channel_sums(parts(dy.shape), dy)[0]))
