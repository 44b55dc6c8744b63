"""A game of one pixel whose every number can be computed by hand: G(z) = a z + b, logit(x) = w x + c."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.algorithms.gan import GAN

KEY = jax.random.key(7)
RATES = np.array([0.1, 0.1, 0.2, 0.2])  # the players' learning rates, for each of a, b, w, c
START = np.array([0.5, -0.2, 0.3, 0.1])


def constant(value: float) -> Callable[..., jax.Array]:
    return lambda key: jnp.float32(value)


class LinearGenerator(nn.Module):
    """a z + b."""

    axis_name: str | None = None
    conditional = False
    num_classes = None

    @nn.compact
    def __call__(self, latent, label, train):
        a, b = self.param("a", constant(START[0])), self.param("b", constant(START[1]))
        return (a * latent + b)[:, :, None, None]


class LinearDiscriminator(nn.Module):
    """w x + c."""

    axis_name: str | None = None
    conditional = False

    @nn.compact
    def __call__(self, image, label, train):
        w, c = self.param("w", constant(START[2])), self.param("c", constant(START[3]))
        return w * image[:, 0, 0, 0] + c


class Given:
    """Latents 0, 1, 2, ... in every batch, whatever the key."""

    def latents(self, key, count):
        return jnp.arange(count, dtype=jnp.float32)[:, None]


class GivenGAN(Given, GAN):
    """The GAN with latents that a hand computation knows."""


def linear(kind: type[GAN] = GivenGAN, **fields: Any) -> GAN:
    """The game with SGD at `RATES`."""
    defaults = dict(
        generator=LinearGenerator(),
        discriminator=LinearDiscriminator(),
        generator_tx=optax.sgd(0.1),
        discriminator_tx=optax.sgd(0.2),
        ema_decay=optax.constant_schedule(0.0),
        latent_size=1,
    )
    return kind(**(defaults | fields))


def batches_of(*rows: Any) -> dict[str, jax.Array]:
    """Reals of one pixel: {"image": [minibatches, B, 1, 1, 1]}."""
    return {"image": jnp.asarray(np.array(rows), jnp.float32)[:, :, None, None, None]}


def start(algorithm: GAN, batches: Any, theta: Any = START) -> Any:
    """The state before the first step, with these parameters."""
    state = algorithm.init(KEY, jax.tree.map(lambda x: x[0], batches))
    a, b, w, c = jnp.asarray(theta, jnp.float32)
    generator = state.generator.replace(params={"a": a, "b": b})
    discriminator = state.discriminator.replace(params={"w": w, "c": c})
    return state.replace(generator=generator, discriminator=discriminator)


def values(state: Any) -> np.ndarray:
    """a, b, w, c."""
    g, d = state.generator.params, state.discriminator.params
    return np.array([g["a"], g["b"], d["w"], d["c"]], np.float64)


# The same in float64 NumPy


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softplus(x: Any) -> Any:
    return np.logaddexp(0, x)


def logits(theta: Any, real: Any) -> tuple[Any, Any]:
    """Those of the reals, and those of as many fakes."""
    a, b, w, c = theta
    return w * real + c, w * (a * np.arange(len(real)) + b) + c


def discriminator_loss(theta: Any, real: Any) -> Any:
    """-E log D(x) - E log(1 - D(G(z)))."""
    on_real, on_fake = logits(theta, real)
    return softplus(-on_real).mean() + softplus(on_fake).mean()


def generator_loss(theta: Any, real: Any) -> Any:
    """-E log D(G(z)); the reals only say how many."""
    return softplus(-logits(theta, real)[1]).mean()


def gradient(loss: Callable[[np.ndarray], Any], theta: Any, step: float = 1e-5) -> np.ndarray:
    """By central differences."""
    sides = [
        (loss(theta + step * unit) - loss(theta - step * unit)) / (2 * step) for unit in np.eye(len(theta))
    ]
    return np.array(sides)


def slopes(theta: Any, real: Any) -> np.ndarray:
    """v: each player's gradient of its own loss, in closed form."""
    a, b, w, _ = theta
    z = np.arange(len(real))
    on_real, on_fake = logits(theta, real)
    too_low, too_high = sigmoid(on_real) - 1, sigmoid(on_fake)
    g = (too_high - 1) * w
    in_w, in_c = too_low * real + too_high * (a * z + b), too_low + too_high
    return np.array([(g * z).mean(), g.mean(), in_w.mean(), in_c.mean()])


def test_the_closed_form_is_the_gradient() -> None:
    """Of each loss with respect to its player's two parameters."""
    real = np.array([1.0, -0.5, 2.0])
    by_differences = [gradient(partial(f, real=real), START) for f in (generator_loss, discriminator_loss)]
    expected = np.concatenate([by_differences[0][:2], by_differences[1][2:]])
    np.testing.assert_allclose(slopes(START, real), expected, rtol=1e-8)
