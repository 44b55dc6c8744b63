"""The layers that compare examples, against loops, and the same on a batch that is split over devices."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding

from gan_jax.distributed import parallel
from gan_jax.models.layers.minibatch import MinibatchDiscrimination, MinibatchStddev
from tests.devices import AXIS, assert_close, everything, split_run

KEY = jax.random.key(0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# Minibatch discrimination

FEATURES, KERNEL = array(0, 16, 6), array(1, 6, 3, 2) / 4


def closeness(x, kernel):
    """Section 3.2 of the paper without j = i, float64: o [B, kernels]."""
    x, kernel = np.float64(x), np.float64(kernel)
    o = np.zeros((len(x), kernel.shape[1]))
    for i in range(len(x)):
        for j in range(len(x)):
            for b in range(kernel.shape[1]):
                if i != j:
                    o[i, b] += np.exp(-np.abs(x[i] @ kernel[:, b] - x[j] @ kernel[:, b]).sum())
    return o


def discriminate(x, kernel=KERNEL):
    return MinibatchDiscrimination(kernel.shape[1], kernel.shape[2]).apply({"params": {"kernel": kernel}}, x)


def test_closeness_is_the_loop():
    y = discriminate(FEATURES)
    assert y.shape == (16, 6 + 3)
    np.testing.assert_array_equal(y[:, :6], FEATURES)
    np.testing.assert_allclose(y[:, 6:], closeness(FEATURES, KERNEL), rtol=1e-5)


def test_equal_examples_are_close_and_unlike_ones_are_not():
    np.testing.assert_allclose(discriminate(np.ones((5, 6), np.float32))[:, 6:], 4, rtol=1e-6)
    apart = 1e3 * np.arange(5, dtype=np.float32)[:, None] * np.ones(6, np.float32)
    np.testing.assert_array_equal(discriminate(apart)[:, 6:], 0)
    assert (discriminate(FEATURES[:1])[:, 6:] == 0).all()  # alone


def test_closeness_gradient_is_the_loops():
    """Central differences of the float64 loop."""
    weights = array(2, 16, 3)
    found = jax.grad(lambda x, k: jnp.sum(weights * discriminate(x, k)[:, 6:]), (0, 1))(FEATURES, KERNEL)
    for which, gradient in enumerate(found):
        direction = array(3 + which, *gradient.shape)
        ends = []
        for sign in (1, -1):
            arguments = [np.float64(FEATURES), np.float64(KERNEL)]
            arguments[which] = arguments[which] + sign * 1e-6 * direction
            ends.append(np.sum(weights * closeness(*arguments)))
        slope = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(np.sum(np.float64(gradient) * direction), slope, rtol=1e-4)


def test_gradients_of_equal_examples_are_finite():
    gradient = jax.grad(lambda x: jnp.sum(discriminate(x) ** 2))(np.ones((4, 6), np.float32))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("features", [16, 2048])
def test_distances_start_of_order_1(features):
    x = array(0, 64, features)
    y, variables = MinibatchDiscrimination(20, 4).init_with_output(KEY, x)
    assert jax.tree.map(jnp.shape, variables) == {"params": {"kernel": (features, 20, 4)}}
    m = np.einsum("ia,akd->ikd", x, variables["params"]["kernel"])
    distances = np.abs(m[:, None] - m[None]).sum(-1)[~np.eye(64, dtype=bool)]
    np.testing.assert_allclose(distances.mean(), 2 / np.pi**0.5, rtol=0.1)
    assert 0.2 < np.mean(y[:, features:]) / 63 < 0.6


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({}, (2, 3, 3, 4), "flatten first"),
        ({"kernels": 0}, (2, 4), "kernels=0"),
        ({"dims": -1}, (2, 4), "dims=-1"),
    ],
    ids=str,
)
def test_mistakes_in_discrimination_are_refused(fields, shape, message):
    with pytest.raises(ValueError, match=message):
        MinibatchDiscrimination(**fields).init(KEY, np.ones(shape, np.float32))


# Minibatch standard deviation

IMAGES = array(5, 16, 3, 2, 4) * np.linspace(0.2, 2, 16, dtype=np.float32)[:, None, None, None]


def deviations(x, size, strided=False):
    """One number per example: the mean over all values of the deviation over its group, float64."""
    found, groups = [], len(x) // size
    for i in range(len(x)):
        first = i // size * size
        members = range(i % groups, len(x), groups) if strided else range(first, first + size)
        group = [np.float64(x[j]) for j in members]
        mean = sum(group) / size
        variance = sum((member - mean) ** 2 for member in group) / size
        found.append(np.sqrt(variance + 1e-8).mean())
    return np.array(found)


def spread(x, size=4, strided=False):
    return MinibatchStddev(size, strided=strided).apply({}, x)


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("shape", [(16, 3, 2, 4), (16, 5)])
def test_stddev_is_the_loop(shape, size, strided):
    x = IMAGES if len(shape) == 4 else IMAGES.reshape(16, -1)[:, :5]
    y = spread(x, size, strided)
    assert y.shape == (*shape[:-1], shape[-1] + 1)
    np.testing.assert_array_equal(y[..., :-1], x)
    expected = deviations(x, size, strided).reshape(16, *[1] * (len(shape) - 2))
    np.testing.assert_allclose(y[..., -1], np.broadcast_to(expected, shape[:-1]), rtol=1e-5)


def test_groups_do_not_see_each_other():
    changed = IMAGES.copy()
    changed[5] += 3
    moved = np.asarray(spread(changed) != spread(IMAGES))[..., -1].all((1, 2))
    np.testing.assert_array_equal(np.flatnonzero(moved), [4, 5, 6, 7])
    moved = np.asarray(spread(changed, strided=True) != spread(IMAGES, strided=True))[..., -1].all((1, 2))
    np.testing.assert_array_equal(np.flatnonzero(moved), [1, 5, 9, 13])


def test_a_batch_smaller_than_a_group_is_one_group():
    np.testing.assert_array_equal(spread(IMAGES[:3], 4), spread(IMAGES[:3], 3))
    np.testing.assert_allclose(spread(IMAGES[:1], 4)[..., -1], 1e-4, rtol=1e-5)


def test_gradients_of_equal_images_are_finite():
    gradient = jax.grad(lambda x: jnp.sum(spread(x) ** 2))(np.ones((4, 3, 2, 1), np.float32))
    assert np.isfinite(gradient).all()


def test_mistakes_in_stddev_are_refused():
    with pytest.raises(ValueError, match="group_size=4 does not divide the batch of 6"):
        spread(IMAGES[:6])
    with pytest.raises(ValueError, match="group_size=0"):
        spread(IMAGES, 0)


# Layouts


class Critic(nn.Module):
    """Both layers, behind and before others."""

    group_size: int
    axis_name: str | None = None
    strided: bool = False

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(5)(MinibatchStddev(self.group_size, self.axis_name, self.strided)(jnp.tanh(x)))
        x = x.reshape(x.shape[0], -1)
        x = jnp.tanh(nn.Dense(6)(x))
        return nn.Dense(1)(MinibatchDiscrimination(3, 2, self.axis_name)(x))[:, 0]


def loss_with(critic):
    """A mean over examples, and R1, whose gradient is of second order.

    On a split batch the gradient in the images is that of the sum of all logits on all devices, as
    R1 needs it where examples see each other.
    """

    def loss(params, rows):
        x, weights = rows

        def total(x):
            return jnp.sum(critic.apply(params, x))

        y, inner = critic.apply(params, x), jax.grad(total)(x)
        return jnp.mean(weights * jnp.sin(y)) + jnp.mean(jnp.sum(jnp.square(inner), (1, 2, 3))), y

    return loss


# A device's 2 examples are a group, of two groups, half of one, an eighth of one.
@pytest.mark.parametrize(
    ("way", "group_size", "strided"),
    [("shard_map", 2, False), ("shard_map", 2, True), ("shard_map", 4, False), ("pmap", 16, False)],
)
def test_a_split_batch_changes_nothing(way, group_size, strided):
    rows = (IMAGES, array(6, 16))
    critic = Critic(group_size, strided=strided)
    params = critic.init(KEY, IMAGES[:1])
    expected = jax.jit(everything(loss_with(critic)))(params, rows)
    found = split_run(way, everything(loss_with(Critic(group_size, AXIS, strided))), params, rows)
    assert_close(found, expected, 2e-5)
    for leaf in jax.tree.leaves(expected):
        assert np.abs(leaf).max() > 1e-4


def test_a_sharded_batch_under_jit_changes_nothing():
    rows = (IMAGES, array(6, 16))
    critic = Critic(4)
    params = critic.init(KEY, IMAGES[:1])
    run = everything(loss_with(critic))
    split: NamedSharding = parallel.split_on(parallel.make_mesh(), 0)
    assert_close(jax.jit(run)(params, parallel.place(rows, split)), jax.jit(run)(params, rows), 2e-5)


def test_parameters_may_be_made_with_the_axis_set():
    """Outside of the mapped function, where the axis has no name."""
    jax.tree.map(
        np.testing.assert_array_equal, Critic(4, AXIS).init(KEY, IMAGES), Critic(4).init(KEY, IMAGES)
    )


def test_seeds_are_independent():
    critic: Any = Critic(4)
    params = jax.vmap(lambda key: critic.init(key, IMAGES[:1]))(jax.random.split(KEY, 2))
    x = np.stack([IMAGES, IMAGES[::-1] * 2])
    found = jax.jit(jax.vmap(lambda params, x: critic.apply(params, x)))(params, x)
    for seed in range(2):
        alone = critic.apply(jax.tree.map(lambda leaf: leaf[seed], params), x[seed])  # noqa: B023
        np.testing.assert_allclose(found[seed], alone, rtol=1e-5, atol=1e-6)
