"""Updates: which mini-batches they see, and what becomes of the entries of `extra` that losses hand back."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.games import GAMES
from gan_jax.core.modules import has_field, walk, with_field
from gan_jax.core.update import LossOut, Update
from tests.algorithms.linear import linear


class Scale(nn.Module):
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, told, train):
        return self.param("scale", nn.initializers.ones, ()) * x


class Recorder(Algorithm):
    """Each player's loss is its scale times the mean of its mini-batch, and `extra` counts both."""

    def updates(self):
        return Update("generator", self.loss("first"), batch=1), Update("discriminator", self.loss("second"))

    def init_extra(self, key, batch):
        return {"first": jnp.zeros(()), "second": jnp.zeros(()), "kept": jnp.float32(7)}

    def loss(self, name):
        def loss(params, state, batch, key):
            extra = {name: state.extra[name] + 1}
            return params["scale"] * jnp.mean(batch["image"]), LossOut(metrics={}, extra=extra)

        return loss


def recorder(**fields):
    return Recorder(
        generator=Scale(),
        discriminator=Scale(),
        generator_tx=optax.sgd(1.0),
        discriminator_tx=optax.sgd(1.0),
        ema_decay=lambda step: 0.0,
        **fields,
    )


@pytest.mark.parametrize("game", ["alternating", "simultaneous", "extragradient", "consensus"])
def test_two_players_see_separate_mini_batches(game):
    algorithm = recorder(game=GAMES[game](**({"weight": 0.0} if game == "consensus" else {})))
    count = algorithm.minibatches
    assert count == (4 if game == "extragradient" else 2)
    image = jnp.broadcast_to(jnp.arange(count, dtype=jnp.float32)[:, None, None], (count, 2, 1))
    state = algorithm.init(jax.random.key(0), {"image": image[0]})
    state, _ = algorithm.step(state, {"image": image})
    ahead = 2.0 if game == "extragradient" else 0.0  # it descends on the second half of the mini-batches
    seen = {"generator": ahead + 1, "discriminator": ahead}
    for role, mean in seen.items():
        np.testing.assert_allclose(state.players[role].params["scale"], 1 - mean, rtol=1e-6)


def test_what_a_loss_hands_back_leaves_the_other_entries():
    algorithm = recorder()
    state = algorithm.init(jax.random.key(0), {"image": jnp.ones((2, 1))})
    for _ in range(3):
        state, _ = algorithm.step(state, {"image": jnp.ones((2, 2, 1))})
    assert {name: float(value) for name, value in state.extra.items()} == {"first": 3, "second": 3, "kept": 7}


def test_an_entry_that_the_state_does_not_have_is_an_error():
    algorithm = recorder()
    state = algorithm.init(jax.random.key(0), {"image": jnp.ones((2, 1))})
    state = state.replace(extra={"first": jnp.zeros(())})
    with pytest.raises((ValueError, KeyError), match="second"):
        algorithm.step(state, {"image": jnp.ones((2, 2, 1))})


def test_separate_batches_of_a_gan():
    algorithm = linear(discriminator_steps=2, separate_batches=True)
    assert [update.batch for update in algorithm.updates()] == [0, 2]
    assert algorithm.minibatches == 3
    assert linear(discriminator_steps=2).minibatches == 2


@pytest.mark.parametrize("batch", [-1, 0.5, None])
def test_an_impossible_mini_batch_is_refused(batch):
    with pytest.raises(ValueError, match="batch="):
        Update("generator", recorder().loss("first"), batch=batch)


class Outer(nn.Module):
    inner: nn.Module
    listed: tuple[nn.Module, ...]
    axis_name: str | None = None


def test_fields_of_modules_in_modules():
    outer = Outer(Scale(), (Scale(), nn.Dense(2)))
    assert [path for path, _ in walk(outer, "g")] == ["g", "g.inner", "g.listed.0", "g.listed.1"]
    assert has_field(outer, "features")
    assert not has_field(outer, "norm")
    changed = with_field(outer, axis_name="batch", features=5)
    assert (changed.axis_name, changed.inner.axis_name, changed.listed[0].axis_name) == ("batch",) * 3
    assert changed.listed[1].features == 5
    assert outer.inner.axis_name is None


class Draws(nn.Module):
    @nn.compact
    def __call__(self, x, told, train):
        return jnp.stack([jax.random.normal(self.make_rng(name), x.shape) for name in ("dropout", "noise")])

    def double(self, x, train):
        return 2 * x


def test_networks_have_two_streams_also_when_sampling_and_methods_by_name():
    algorithm = recorder()
    x, network = jnp.zeros(3), Draws()
    drawn = [
        algorithm.apply(network, {}, {}, x, None, key=jax.random.key(seed), train=False)[0]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.isclose(drawn[0], drawn[2]).any()
    assert not np.isclose(*drawn[0]).any()  # dropout's and noise's
    doubled, _ = algorithm.apply(network, {}, {}, jnp.ones(3), key=None, train=False, method="double")
    np.testing.assert_array_equal(doubled, 2 * np.ones(3))
