"""The shared step on games whose every update can be written down by hand."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.randomness import example_keys, latents
from gan_jax.core.update import LossOut, Update
from gan_jax.losses.adversarial import LOSSES
from gan_jax.models import MODELS

KEY = jax.random.key(7)


class LinearGenerator(nn.Module):
    """One pixel: a z + b."""

    axis_name: str | None = None
    conditional = False

    @nn.compact
    def __call__(self, latent, label, train):
        a, b = self.param("a", constant(0.5)), self.param("b", constant(-0.2))
        return (a * latent + b)[:, :, None, None]


class LinearDiscriminator(nn.Module):
    """Its logit: w x + c."""

    axis_name: str | None = None
    conditional = False

    @nn.compact
    def __call__(self, image, label, train):
        w, c = self.param("w", constant(0.3)), self.param("c", constant(0.1))
        return w * image[:, 0, 0, 0] + c


def constant(value):
    return lambda key: jnp.float32(value)


class GivenLatents(GAN):
    """The GAN with latents that a hand computation knows: 0, 1, 2, ... in every batch."""

    def latents(self, key, count):
        return jnp.arange(count, dtype=jnp.float32)[:, None]


def linear(kind=GivenLatents, **fields):
    defaults = dict(
        generator=LinearGenerator(),
        discriminator=LinearDiscriminator(),
        generator_tx=optax.sgd(0.1),
        discriminator_tx=optax.sgd(0.2),
        ema_decay=optax.constant_schedule(0.9),
        latent_size=1,
    )
    return kind(**(defaults | fields))


def batches_of(*rows):
    """Reals of one pixel: {"image": [minibatches, B, 1, 1, 1]}."""
    return {"image": jnp.asarray(rows, jnp.float32)[:, :, None, None, None]}


def start(algorithm, batches, key=KEY):
    return algorithm.init(key, jax.tree.map(lambda x: x[0], batches))


def values(state):
    g, d = state.generator.params, state.discriminator.params
    return np.array([g["a"], g["b"], d["w"], d["c"]], np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def discriminator_by_hand(theta, real, rate=0.2):
    """One SGD step on -E log D(x) - E log(1 - D(G(z))), and the loss."""
    a, b, w, c = theta
    fake = a * np.arange(len(real)) + b
    too_low, too_high = sigmoid(w * real + c) - 1, sigmoid(w * fake + c)
    loss = -np.log(too_low + 1).mean() - np.log(1 - too_high).mean()
    slope_w, slope_c = (too_low * real + too_high * fake).mean(), (too_low + too_high).mean()
    return np.array([a, b, w - rate * slope_w, c - rate * slope_c]), loss


def generator_by_hand(theta, count, kind="non_saturating", rate=0.1):
    a, b, w, c = theta
    z = np.arange(count)
    d = sigmoid(w * (a * z + b) + c)
    if kind == "non_saturating":
        loss, slope = -np.log(d).mean(), d - 1
    else:
        loss, slope = np.log(1 - d).mean(), -d
    return np.array([a - rate * (slope * w * z).mean(), b - rate * (slope * w).mean(), w, c]), loss


@pytest.mark.parametrize("loss", ["non_saturating", "minimax"])
def test_gan_steps_by_hand(loss):
    """First the discriminator, then the generator against the discriminator as it is by then."""
    algorithm, reals = linear(loss=LOSSES[loss]()), np.array([1.0, -0.5, 2.0])
    batches = batches_of(reals)
    state, step = start(algorithm, batches), jax.jit(algorithm.step)
    theta = np.array([0.5, -0.2, 0.3, 0.1])
    np.testing.assert_allclose(values(state), theta, rtol=1e-6)
    average = theta[:2]
    for number in range(3):
        state, metrics = step(state, batches)
        before = theta
        theta, d_loss = discriminator_by_hand(theta, reals)
        at_once, _ = generator_by_hand(before, 3, loss)
        theta, g_loss = generator_by_hand(theta, 3, loss)
        average = 0.9 * average + 0.1 * theta[:2]
        np.testing.assert_allclose(values(state), theta, rtol=1e-5)
        assert np.abs(at_once[:2] - theta[:2]).max() > 1e-4  # simultaneous updates would be told apart
        np.testing.assert_allclose(metrics["discriminator_loss"], d_loss, rtol=1e-5)
        np.testing.assert_allclose(metrics["generator_loss"], g_loss, rtol=1e-5)
        ema = state.ema["params"]
        np.testing.assert_allclose([ema["a"], ema["b"]], average, rtol=1e-5)
        assert int(state.step) == number + 1


def test_gan_metrics_are_the_mean_probabilities_before_the_update():
    algorithm, reals = linear(), np.array([1.0, -0.5, 2.0])
    _, metrics = jax.jit(algorithm.step)(start(algorithm, batches_of(reals)), batches_of(reals))
    np.testing.assert_allclose(metrics["discriminator_real"], sigmoid(0.3 * reals + 0.1).mean(), rtol=1e-5)
    fake = 0.5 * np.arange(3) - 0.2
    np.testing.assert_allclose(metrics["discriminator_fake"], sigmoid(0.3 * fake + 0.1).mean(), rtol=1e-5)


def test_k_discriminator_steps_use_the_minibatches_in_order():
    algorithm = linear(discriminator_steps=3)
    assert algorithm.minibatches == 3
    rows = [np.array([1.0, -0.5]), np.array([4.0, 2.0]), np.array([-3.0, 0.5])]
    theta = np.array([0.5, -0.2, 0.3, 0.1])
    for real in rows:
        theta, d_loss = discriminator_by_hand(theta, real)
    expected, _ = generator_by_hand(theta, 2)
    state, metrics = jax.jit(algorithm.step)(start(algorithm, batches_of(*rows)), batches_of(*rows))
    np.testing.assert_allclose(values(state), expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["discriminator_loss"], d_loss, rtol=1e-5)  # the last descent's


def test_average_of_decay_0_is_the_generator():
    algorithm = linear(ema_decay=optax.constant_schedule(0.0))
    batches = batches_of([1.0, 2.0])
    state, _ = jax.jit(algorithm.step)(start(algorithm, batches), batches)
    jax.tree.map(np.testing.assert_array_equal, state.ema["params"], state.generator.params)


def test_average_follows_a_schedule_of_the_step():
    """At step s the decay is s / 10 here, so the first step copies the generator."""
    algorithm = linear(ema_decay=lambda step: step / 10)
    batches = batches_of([1.0, 2.0])
    state, step = start(algorithm, batches), jax.jit(algorithm.step)
    average = 123.0
    for number in range(4):
        state, _ = step(state, batches)
        average = number / 10 * average + (1 - number / 10) * float(state.generator.params["b"])
        np.testing.assert_allclose(state.ema["params"]["b"], average, rtol=1e-6)


# Lazy and repeated updates, on a method whose losses record what they were given


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recorder(Algorithm):
    """Losses that are linear in the parameters and report their key and mini-batch."""

    every: int = 1
    repeat: int = 1

    def updates(self):
        return (
            Update("generator", self.lazy, every=self.every),
            Update("discriminator", self.plain, repeat=self.repeat),
        )

    def init_extra(self, key, batch):
        return {"count": jnp.zeros((), jnp.int32)}

    def lazy(self, params, state, batch, key):
        metrics = {"lazy_draw": jax.random.uniform(key), "lazy_mean": batch["image"].mean()}
        extra = {"count": state.extra["count"] + 1}
        return params["b"] * 1.0, LossOut(metrics=metrics, extra=extra)

    def plain(self, params, state, batch, key):
        return params["c"] * jax.random.uniform(key), LossOut(metrics={"plain_draw": jax.random.uniform(key)})


def run(algorithm, steps, key=KEY, first=0):
    rows = np.arange(float(algorithm.minibatches * 2)).reshape(-1, 2)
    state = start(algorithm, batches_of(*rows), key).replace(step=jnp.int32(first))
    step, found = jax.jit(algorithm.step), []
    for _ in range(steps):
        state, metrics = step(state, batches_of(*rows))
        found.append(jax.device_get(metrics))
    return state, {name: np.array([m[name] for m in found]) for name in found[0]}


def test_lazy_updates_run_at_the_steps_that_are_due_with_the_same_keys():
    state, always = run(linear(Recorder), 7)
    assert int(state.extra["count"]) == 7
    state, lazy = run(linear(Recorder, every=3), 7)
    assert int(state.extra["count"]) == 3
    due = np.array([True, False, False, True, False, False, True])
    for name in ("lazy_draw", "lazy_mean"):
        np.testing.assert_array_equal(lazy[name], np.where(due, always[name], np.nan))
    np.testing.assert_array_equal(lazy["plain_draw"], always["plain_draw"])
    np.testing.assert_allclose(state.generator.params["b"], -0.2 - 0.1 * 3, rtol=1e-5)
    # A lazy update's loss is part of the player's, and does not stand for it in the records.
    assert "generator_loss" in always
    assert "generator_loss" not in lazy


def test_every_draw_is_new_and_a_function_of_key_and_step_alone():
    _, all_ = run(linear(Recorder), 5)
    draws = np.concatenate([all_["lazy_draw"], all_["plain_draw"]])
    assert len(np.unique(draws)) == 10
    _, late = run(linear(Recorder), 2, first=3)  # other parameters by then: only (key, step) is the same
    for name in ("lazy_draw", "plain_draw"):
        np.testing.assert_array_equal(late[name], all_[name][3:])
    _, other = run(linear(Recorder), 5, key=jax.random.key(8))
    assert not np.isin(other["plain_draw"], draws).any()


def test_repeats_draw_anew_each_time():
    state, metrics = run(linear(Recorder, repeat=4), 1)
    step_key = jax.random.fold_in(jax.random.fold_in(KEY, 0), 1)  # step 0, update 1
    draws = [jax.random.uniform(jax.random.fold_in(step_key, r)) for r in range(4)]
    np.testing.assert_allclose(state.discriminator.params["c"], 0.1 - 0.2 * sum(draws), rtol=1e-5)
    np.testing.assert_allclose(metrics["plain_draw"], [draws[-1]], rtol=1e-6)
    np.testing.assert_array_equal(metrics["lazy_mean"], [0.5])  # fewer repeats: the first mini-batch


def no_loss(params, state, batch, key):
    return jnp.zeros(()), LossOut(metrics={})


@pytest.mark.parametrize("field", ["every", "repeat"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_impossible_intervals_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field}={value}: it must be a positive integer"):
        Update("generator", no_loss, **{field: value})


# State, sampling, latents


def small(**fields):
    defaults = dict(
        generator=MODELS["mlp_generator"]((4, 3, 2), widths=(5, 6)),
        discriminator=MODELS["mlp_discriminator"](widths=(6, 5), dropout=0.25),
        generator_tx=optax.adam(1e-2),
        discriminator_tx=optax.adam(1e-2),
        ema_decay=optax.constant_schedule(0.5),
        latent_size=3,
    )
    return GAN(**(defaults | fields))


BATCH = {"image": np.random.default_rng(0).uniform(-1, 1, (1, 8, 4, 3, 2)).astype(np.float32)}


def test_a_fresh_state_can_be_donated():
    """No buffer is in it twice; donated buffers are gone afterwards."""
    algorithm = small()
    one = jax.tree.map(lambda x: x[0], BATCH)
    state = algorithm.init(jnp.copy(KEY), one)  # not jitted: there equal outputs would be one buffer
    old = state.generator.params["output"]["kernel"]
    step = jax.jit(algorithm.step, donate_argnums=0)
    state, _ = step(state, BATCH)
    assert old.is_deleted()
    state, _ = step(state, BATCH)
    assert int(state.step) == 2


def test_initial_average_is_the_generator_and_players_differ_by_key():
    algorithm, one = small(), jax.tree.map(lambda x: x[0], BATCH)
    state, other = algorithm.init(KEY, one), algorithm.init(jax.random.key(8), one)
    jax.tree.map(np.testing.assert_array_equal, state.ema["params"], state.generator.params)
    jax.tree.map(np.testing.assert_array_equal, state.ema["stats"], state.generator.stats)
    kernels = [s.generator.params["dense_0"]["kernel"] for s in (state, other)]
    assert not np.array_equal(*kernels)
    smaller = jax.tree.map(lambda x: x[0, :1], BATCH)
    jax.tree.map(np.testing.assert_array_equal, algorithm.init(KEY, smaller).generator, state.generator)


def test_step_moves_both_networks_statistics_and_averages_them():
    algorithm = small()
    state = start(algorithm, BATCH)
    after, _ = jax.jit(algorithm.step)(state, BATCH)
    for i in range(2):
        for name in ("mean", "var"):
            old, new, average = (
                s["batch_stats"][f"norm_{i}"]["norm"][name]
                for s in (state.generator.stats, after.generator.stats, after.ema["stats"])
            )
            assert np.abs(new - old).max() > 0
            np.testing.assert_allclose(average, 0.5 * old + 0.5 * new, rtol=1e-5, atol=1e-7)


def test_samples_are_the_averaged_generators_for_the_latents_of_the_key():
    algorithm = small(latent="uniform")
    state = start(algorithm, BATCH)
    state = state.replace(generator=jax.tree.map(jnp.zeros_like, state.generator))
    key = jax.random.key(3)
    found = algorithm.sample(state, {"image": jnp.zeros((6, 4, 3, 2))}, key)
    z = latents(example_keys(key, 6), 3, "uniform")
    variables = {"params": state.ema["params"], **state.ema["stats"]}
    np.testing.assert_allclose(found, algorithm.generator.apply(variables, z, None, train=False), rtol=1e-6)
    fewer = algorithm.sample(state, {"image": jnp.zeros((2, 4, 3, 2))}, key)
    np.testing.assert_allclose(fewer, found[:2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"latent": "gaussian"}, "latent='gaussian' is not one of normal, uniform"),
        ({"latent_size": 0}, "latent_size=0: it must be a positive integer"),
        ({"discriminator_steps": 0}, "discriminator_steps=0: it must be a positive integer"),
    ],
)
def test_impossible_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields)


def test_a_method_must_list_its_updates():
    with pytest.raises(NotImplementedError, match="Algorithm must list its updates"):
        linear(Algorithm).updates()
