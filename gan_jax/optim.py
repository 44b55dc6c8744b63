"""The optimizers a config can name, and schedules."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax.numpy as jnp
import optax

from gan_jax.checks import check_decay


def check_ranges(learning_rate: float, eps: float = 0.0, **decays: float) -> None:
    """Raises a ValueError unless all are what an optimizer can work with."""
    if not 0.0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate={learning_rate}: it must be positive and finite")
    if not 0.0 <= eps < math.inf:
        raise ValueError(f"eps={eps}: it must be finite and at least 0")
    for name, decay in decays.items():
        check_decay(decay, name)


def adam(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980)."""
    check_ranges(learning_rate, eps=eps, b1=b1, b2=b2)
    return optax.adam(learning_rate, b1=b1, b2=b2, eps=eps)


def rmsprop(learning_rate: float, decay: float = 0.9, eps: float = 1e-7) -> optax.GradientTransformation:
    """RMSprop as in Keras: epsilon 1e-7, outside the root."""
    check_ranges(learning_rate, eps=eps, decay=decay)
    return optax.rmsprop(learning_rate, decay=decay, eps=eps, eps_in_sqrt=False)


def sgd(learning_rate: float, momentum: float = 0.0) -> optax.GradientTransformation:
    """Gradient descent, with heavy-ball momentum if it is not 0."""
    check_ranges(learning_rate, momentum=momentum)
    return optax.sgd(learning_rate, momentum=momentum or None)


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adam": adam,
    "rmsprop": rmsprop,
    "sgd": sgd,
}


def ema_schedule(decay: float) -> optax.Schedule:
    """step -> min(decay, (1 + step) / (10 + step)), so that a young average forgets its beginnings."""
    return lambda step: jnp.minimum(decay, (1.0 + step) / (10.0 + step))
