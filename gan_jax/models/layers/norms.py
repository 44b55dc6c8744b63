"""Normalisation layers by name, plain or conditional on a class.

- "batch": per channel over the global batch and all positions (Ioffe and Szegedy 2015,
  arXiv:1502.03167).
- "instance": per channel and example over all positions (Ulyanov et al. 2016, arXiv:1607.08022).
- "layer": per example over everything, gain and bias per channel (Ba et al. 2016, arXiv:1607.06450, as
  WGAN-GP's critics have it, Gulrajani et al. 2017, arXiv:1704.00028).
- "group": per example over all positions and a group of channels (Wu and He 2018, arXiv:1803.08494).
- "none": nothing.

What is added to the variance, epsilon, is 1e-3 of "batch", as in Keras (PyTorch's and Radford's code have
1e-5), and 1e-5 of the others, unless a network's `norm_epsilon` says otherwise. It matters where activations
are small: of N(0, 0.02) weights the first BatchNorm of Radford's discriminator gives a variance of 0.73 with
1e-3 and 0.996 with 1e-5.

Conditional: gain and bias are looked up by label (de Vries et al. 2017, arXiv:1707.00683; Miyato and Koyama
2018, arXiv:1802.05637).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core.launches import are_costly
from gan_jax.models.layers.batch_norm import LeanBatchNorm
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.utils.checks import check_count, check_decay, check_range

Array = jax.Array

NORMS = ("none", "batch", "instance", "layer", "group")
FLAT_NORMS = ("none", "batch", "layer")  # those that take [B, F]
EPSILONS = {"batch": 1e-3, "instance": 1e-5, "layer": 1e-5, "group": 1e-5}


def check_norm(kind: str, field: str = "norm", choices: tuple[str, ...] = NORMS) -> None:
    """One of the names above."""
    if kind not in choices:
        raise ValueError(f"{field}={kind!r} is not one of {', '.join(choices)}")


def needs_no_bias(kind: str) -> bool:
    """Whether a bias per channel right before the layer is useless.

    "batch" and "instance" subtract each channel's mean, and with it any bias: its true gradient is
    zero, and Adam would turn the rounding noise in it into full-size steps. "layer" and "group"
    subtract a mean over several channels, which leaves the differences between their biases.
    """
    check_norm(kind)
    return kind in ("batch", "instance")


def group_count(channels: int, groups: int) -> int:
    """The largest divisor of `channels` that is at most `groups` and leaves two channels to a group.

    With one channel to a group it would be instance normalisation. A prime number of channels is one
    group.
    """
    most = max(min(groups, channels // 2), 1)
    return next(count for count in range(most, 0, -1) if channels % count == 0)


class PixelNorm(nn.Module):
    """x / sqrt(mean of x^2 over the channels + epsilon), for x [..., C]; it has no parameters.

    Karras et al. 2018, arXiv:1710.10196, section 4.2. Computed in float32, given in x's precision.

    Attributes:
        epsilon: added to the mean square.
    """

    epsilon: float = 1e-8

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = at_least_float32(x)
        return (y * jax.lax.rsqrt(jnp.mean(jnp.square(y), -1, keepdims=True) + self.epsilon)).astype(x.dtype)


class Norm(nn.Module):
    """Normalises images [B, H, W, C], or features [B, F] where `kind` can ("batch", "layer", "none").

    Attributes:
        kind: a name in `NORMS`; "none" is the identity and has no parameters.
        momentum: of "batch": the weight of the old moving statistics, used when `train` is False.
        epsilon: added to the variance; 0 for the kind's own in `EPSILONS`.
        groups: of "group": the most there may be (`group_count`).
        num_classes: None, or K for a gain (1 at the start) and a bias (0) [K, C] by label. The
            statistics are still those of all classes together.
        axis_name: the mapped axis that splits the batch, None under jit.
        affine: whether a gain and a bias follow where there is no `num_classes`.
        scale_init: draws that gain at the start.
    """

    kind: str
    momentum: float = 0.99
    epsilon: float = 0.0
    groups: int = 32
    num_classes: int | None = None
    axis_name: str | None = None
    affine: bool = True
    scale_init: Callable[..., Array] = nn.initializers.ones

    @nn.compact
    def __call__(self, x: Array, label: Array | None, train: bool) -> Array:
        """x normalised; `label` is int32 [B] in [0, num_classes), not read without `num_classes`.

        Computed in float32 (and so are the moving statistics), given in x's precision.

        Raises:
            ValueError: a kind that is unknown or does not fit x's shape; conditional "none"; no label
                where there must be one.
        """
        self._check(x)
        if self.kind == "none":
            return x
        y = self._layer(x, train)(at_least_float32(x))
        if self.num_classes is not None:
            y = self._affine(y, label, self.num_classes)
        return y.astype(x.dtype)

    def _check(self, x: Array) -> None:
        check_norm(self.kind)
        if x.ndim == 2 and self.kind not in FLAT_NORMS:
            choices = ", ".join(FLAT_NORMS)
            raise ValueError(f"norm={self.kind!r} needs images; features {x.shape} can have {choices}")
        if x.ndim not in (2, 4):
            raise ValueError(f"a norm takes images [B, H, W, C] or features [B, F], not shape {x.shape}")
        if self.kind == "instance" and x.shape[1] * x.shape[2] == 1:
            raise ValueError("norm='instance' makes every 1x1 map zero: choose another norm or a larger map")
        if self.kind == "none" and self.num_classes is not None:
            raise ValueError("norm='none' has no gain and bias to condition: choose another norm")

    def _layer(self, x: Array, train: bool) -> nn.Module:
        affine = self.affine and self.num_classes is None
        epsilon = check_range(self.epsilon, "norm_epsilon") or EPSILONS[self.kind]
        options: dict[str, Any] = dict(
            epsilon=epsilon, use_bias=affine, use_scale=affine, scale_init=self.scale_init, name="norm"
        )
        if self.kind == "batch":
            check_decay(self.momentum, "momentum")
            if train and self.axis_name is None and are_costly():
                return LeanBatchNorm(self.momentum, **options)
            return nn.BatchNorm(not train, momentum=self.momentum, axis_name=self.axis_name, **options)
        # The two-pass variance: the one-pass E[x^2] - E[x]^2 cancels where the mean is large.
        options["use_fast_variance"] = False
        if self.kind == "instance":
            return nn.InstanceNorm(**options)
        if self.kind == "layer":
            return nn.LayerNorm(reduction_axes=tuple(range(1, x.ndim)), feature_axes=-1, **options)
        check_count(self.groups, "groups")
        return nn.GroupNorm(num_groups=group_count(x.shape[-1], self.groups), **options)

    def _affine(self, x: Array, label: Array | None, num_classes: int) -> Array:
        check_count(num_classes, "num_classes")
        if label is None:
            raise ValueError(f"a norm of {num_classes} classes needs labels: pass them, or num_classes=None")
        shape = (num_classes, x.shape[-1])
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        per_example = (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1])
        # `take`: a label out of range gives NaN instead of another class.
        gain, shift = (jnp.take(table, label, axis=0).reshape(per_example) for table in (scale, bias))
        return x * gain + shift
