"""Optimizers and moving averages, by their names in configs.

Every number that may be a schedule is one of the train step, which the update is given:
`tx.update(grads, state, params, step=state.step)`. It is not the number of updates: a critic makes
several in a step, a lazy player less than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.optim.schedules import Constant, Schedule, as_schedule, constant, is_off
from gan_jax.optim.transforms import average_history, clip_weights, replace_not_finite
from gan_jax.utils.checks import check_count, check_decay, check_number, check_range
from gan_jax.utils.tables import Table
from gan_jax.utils.tree import PyTree

Array = jax.Array
Transformation: TypeAlias = optax.GradientTransformationExtraArgs


def adam(
    learning_rate: float | Schedule,
    b1: float | Schedule = 0.9,
    b2: float | Schedule = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    *,
    weight_clip: float = 0.0,
    historical_averaging: float = 0.0,
    finite_gradients: bool = False,
    lazy_regularization_scale: float = 1.0,
) -> Transformation:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980).

    Args:
        learning_rate: a number or a schedule of the train step, positive (a schedule may reach 0).
        b1: decay of the mean gradient, in [0, 1); likewise a number or a schedule. Under a schedule the
            correction for the zero start takes the present value.
        b2: likewise, of the mean square.
        eps: added to the root.
        eps_root: added under it; above 0 where one differentiates through the optimizer.
        weight_clip: WGAN's c (Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1): after the update
            every parameter is in [-c, c]; 0 is no clipping.
        historical_averaging: weight of |theta - mean of the past thetas|^2 in the loss (Salimans et al.
            2016, arXiv:1606.03498, section 3.3).
        finite_gradients: whether NaN in a gradient counts as 0 and infinity as 1e5, so that a single bad
            batch does not end the run (StyleGAN2-ADA's official code).
        lazy_regularization_scale: below 1 where lazy updates come in addition, see the function of that
            name.

    Raises:
        ValueError: a value out of its range.
    """
    for value, name in ((eps, "eps"), (eps_root, "eps_root")):
        check_range(value, name)
    make = partial(optax.adam, eps=eps, eps_root=eps_root)
    inner = _scheduled(make, learning_rate, {"b1": b1, "b2": b2}, lazy_regularization_scale)
    return _extended(inner, weight_clip, historical_averaging, finite_gradients, lazy_regularization_scale)


def optimistic_adam(
    learning_rate: float | Schedule,
    b1: float | Schedule = 0.9,
    b2: float | Schedule = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    *,
    weight_clip: float = 0.0,
    historical_averaging: float = 0.0,
    finite_gradients: bool = False,
    lazy_regularization_scale: float = 1.0,
) -> Transformation:
    """Adam that steps as if the last change of its direction were to come again.

    Daskalakis et al. 2018, arXiv:1711.00141, algorithm 1: with Adam's direction r_t it moves by
    -learning_rate (2 r_t - r_{t-1}). The first update, which has no r_{t-1}, is Adam's. Arguments and
    errors as `adam`'s.
    """
    for value, name in ((eps, "eps"), (eps_root, "eps_root")):
        check_range(value, name)

    def make(learning_rate: Any, b1: Any, b2: Any) -> optax.GradientTransformation:
        return optax.chain(
            optax.scale_by_adam(b1, b2, eps, eps_root),
            optax.scale_by_optimistic_gradient(),
            optax.scale_by_learning_rate(learning_rate),
        )

    inner = _scheduled(make, learning_rate, {"b1": b1, "b2": b2}, lazy_regularization_scale)
    return _extended(inner, weight_clip, historical_averaging, finite_gradients, lazy_regularization_scale)


def rmsprop(
    learning_rate: float | Schedule,
    decay: float | Schedule = 0.9,
    eps: float = 1e-7,
    eps_in_root: bool = False,
    *,
    weight_clip: float = 0.0,
    historical_averaging: float = 0.0,
    finite_gradients: bool = False,
    lazy_regularization_scale: float = 1.0,
) -> Transformation:
    """RMSprop (Hinton 2012, Coursera, lecture 6e), in one of the two forms that are in use.

    Args:
        decay: of the mean square, in [0, 1); a number or a schedule.
        eps: of the denominator.
        eps_in_root: False divides by root + eps, as Keras 2 (eps=1e-7) and PyTorch (eps=1e-8, decay=0.99) do;
            True by root(mean square + eps), as Keras 3 (eps=1e-7) and TensorFlow 1 (eps=1e-10) do. Where
            gradients are small the second form steps less: with eps=1e-7 below about 3e-4.

    Other arguments and errors as `adam`'s.
    """
    check_range(eps, "eps")
    if not isinstance(eps_in_root, bool):
        raise ValueError(f"eps_in_root={eps_in_root!r}: it must be True or False")
    make = partial(optax.rmsprop, eps=eps, eps_in_sqrt=eps_in_root)
    inner = _scheduled(make, learning_rate, {"decay": decay}, lazy_regularization_scale)
    return _extended(inner, weight_clip, historical_averaging, finite_gradients, lazy_regularization_scale)


def sgd(
    learning_rate: float | Schedule,
    momentum: float | Schedule = 0.0,
    *,
    weight_clip: float = 0.0,
    historical_averaging: float = 0.0,
    finite_gradients: bool = False,
    lazy_regularization_scale: float = 1.0,
) -> Transformation:
    """Gradient descent, with heavy-ball momentum if it is not 0. Other arguments and errors as `adam`'s."""

    def shorter(c: float, momentum: Any = 0.0) -> Any:
        """A gradient moves the parameters by rate / (1 - momentum) in all: with momentum ** c too."""
        return (1.0 - momentum**c) / (1.0 - momentum)

    decays = {"momentum": momentum}
    _decay(momentum, "momentum")  # before is_off, which wants a number or a schedule
    decays = {} if is_off(momentum) else decays
    inner = _scheduled(optax.sgd, learning_rate, decays, lazy_regularization_scale, shorter)
    return _extended(inner, weight_clip, historical_averaging, finite_gradients, lazy_regularization_scale)


OPTIMIZERS: Table[Callable[..., Transformation]] = Table(
    "optimizer",
    {
        "adam": adam,
        "optimistic_adam": optimistic_adam,
        "rmsprop": rmsprop,
        "sgd": sgd,
    },
)


def lazy_regularization_scale(intervals: Iterable[int]) -> float:
    """c = 1 / (1 + sum of 1 / interval) over the intervals above 1: the correction for lazy regularization.

    With lazy updates in addition the optimizer makes 1 / c times as many updates; learning_rate * c and
    decays ** c keep its speed and its memory per train step (Karras et al. 2020, arXiv:1912.04958,
    appendix B, where c = k / (k + 1) for one interval k). What acts at every step is part of the main loss
    and no update of its own. Plain gradient descent moves by the gradients, however many there are, and its
    learning rate stays.

    Args:
        intervals: descents of the main loss between two of each lazy one.

    Raises:
        ValueError: an interval that is no positive integer.
    """
    total = 0.0
    for interval in intervals:
        check_count(interval, "interval")
        total += 1.0 / interval if interval > 1 else 0.0
    return 1.0 / (1.0 + total)


# Moving averages of the generator's weights: completed train steps -> weight of the old average.


def no_average() -> Schedule:
    """The average is the generator itself."""
    return constant(0.0)


def decay_average(decay: float) -> Schedule:
    """min(decay, (1 + step) / (10 + step)), so that an early average forgets the initial weights.

    Raises:
        ValueError: `decay` is not in [0, 1).
    """
    check_decay(check_number(decay, "decay"), "decay")
    return lambda step: jnp.minimum(decay, (1.0 + step) / (10.0 + step))


def half_life_average(images: float | Schedule, batch_size: int, ramp_up: float = 0.05) -> Schedule:
    """0.5 ** (batch_size / half-life): an average whose half-life is counted in images.

    Karras et al. 2020, arXiv:2006.06676 (StyleGAN2-ADA): the half-life is the smaller of `images` and
    `ramp_up` times the images seen before this step.

    Args:
        images: the half-life in images, over all devices; a schedule of it may be 0, where the average is
            the generator itself, and is not ramped up.
        batch_size: images in a step, over all devices.
        ramp_up: 0 is no ramp: the half-life is `images` from the start.

    Raises:
        ValueError: `images` is not positive or so large that the average would never move in float32,
            `ramp_up` is negative, `batch_size` is no positive integer.
    """
    check_count(batch_size, "batch_size")
    check_range(ramp_up, "ramp_up")
    if callable(images):
        return _scheduled_half_life(as_schedule(images, "images", 0.0, batch_size * 2.0**22), batch_size)
    rate = batch_size / images if check_number(images, "images") > 0.0 else math.inf  # half-lives a step
    if not 0.5**rate < np.nextafter(np.float32(1), np.float32(0)) or rate == math.inf:
        most = batch_size * 2**22
        raise ValueError(f"images={images!r}: it must be positive and below {most} (batch_size * 2**22)")
    if ramp_up == 0.0:
        return constant(0.5**rate)

    def decay(step: Array) -> Array:
        # batch_size / (ramp_up * step * batch_size), without the product, which can leave int32.
        early = 1.0 / (ramp_up * jnp.maximum(step, 1).astype(jnp.float32))
        return jnp.where(step > 0, jnp.minimum(0.5**rate, 0.5**early), 0.0)

    return decay


def _scheduled_half_life(images: Schedule, batch_size: int) -> Schedule:
    def decay(step: Array) -> Array:
        half_life = images(step)
        return jnp.where(half_life > 0.0, 0.5 ** (batch_size / jnp.maximum(half_life, 1e-8)), 0.0)

    return decay


EMAS: Table[Callable[..., Schedule]] = Table(
    "moving average",
    {
        "none": no_average,
        "decay": decay_average,
        "half_life": half_life_average,
    },
)


def _scheduled(
    make: Callable[..., optax.GradientTransformation],
    learning_rate: float | Schedule,
    decays: dict[str, float | Schedule],
    lazy_regularization_scale: float,
    rate_scale: Callable[..., Any] = lambda c, **decays: c,
) -> Transformation:
    """`make` with the learning rate and decays of the train step, corrected for lazy regularization.

    Args:
        rate_scale: of the learning rate, from `lazy_regularization_scale` and the decays as they are given.

    It makes the optimizer anew for every update, which works because the states of those used here do
    not depend on these numbers.
    """
    if not 0.0 < check_number(lazy_regularization_scale, "lazy_regularization_scale") <= 1.0:
        raise ValueError(f"lazy_regularization_scale={lazy_regularization_scale!r}: it must be in (0, 1]")
    rate = as_schedule(learning_rate, "learning_rate")
    if is_off(rate):
        raise ValueError(f"learning_rate={learning_rate!r}: it must be positive")
    schedules = {name: _decay(value, name) for name, value in decays.items()}

    def at_step(step: Array | None) -> Transformation:
        c, given = lazy_regularization_scale, {name: _value(one, step) for name, one in schedules.items()}
        values = {name: value**c for name, value in given.items()}
        return optax.with_extra_args_support(make(_value(rate, step) * rate_scale(c, **given), **values))

    def update(
        updates: PyTree, state: PyTree, params: PyTree = None, *, step: Array | None = None, **extra: Any
    ) -> tuple[PyTree, PyTree]:
        return at_step(step).update(updates, state, params, **extra)

    return Transformation(lambda params: at_step(jnp.zeros((), jnp.int32)).init(params), update)


def _decay(value: float | Schedule, name: str) -> Schedule:
    return as_schedule(value, name, high=1.0, below=True)


def _value(schedule: Schedule, step: Array | None) -> Any:
    """The value at the step: a Python number if it is constant, exact and folded by the compiler."""
    if isinstance(schedule, Constant):
        return schedule.value
    if step is None:
        raise ValueError("a scheduled optimizer needs the train step: tx.update(..., step=state.step)")
    return schedule(step)


def _extended(
    inner: Transformation,
    weight_clip: float,
    historical_averaging: float,
    finite_gradients: bool,
    lazy_regularization_scale: float,
) -> Transformation:
    """The optimizer with the options that are on; its own state alone where all are off."""
    if not isinstance(finite_gradients, bool):
        raise ValueError(f"finite_gradients={finite_gradients!r}: it must be True or False")
    check_range(weight_clip, "weight_clip")
    check_range(historical_averaging, "historical_averaging")
    # It acts in the lazy updates as well.
    weight = historical_averaging * lazy_regularization_scale
    before = [replace_not_finite()] if finite_gradients else []
    before += [average_history(weight)] if historical_averaging > 0.0 else []
    after = [clip_weights(weight_clip)] if weight_clip > 0.0 else []
    return optax.chain(*before, inner, *after) if before or after else inner
