"""The benchmark's FLOPs, counted by hand, against XLA's own count of the same losses in plain `lax`."""

import jax
import jax.numpy as jnp
import pytest

from experiments.speed.counts import (
    Layer,
    discriminator_layers,
    generator_layers,
    step_bytes,
    step_flops,
    taps,
)
from experiments.speed.jax_contender import algorithm_of, plainly
from experiments.speed.works import WORKS
from gan_jax.config.build import example_batch
from gan_jax.core.algorithm import apply_network
from gan_jax.data.spec import DataSpec, Field
from gan_jax.losses.gradient_penalties import norm_penalty

BATCH = 4


def xla_flops(function, *arguments):
    """Of the program before it is optimised, convolutions as `lax` has them."""
    with plainly():
        counted = jax.jit(function).lower(*arguments).cost_analysis()
    assert counted is not None
    return counted["flops"]


@pytest.mark.parametrize("name", ["dcgan28", "dcgan64", "sngan32", "wgan_gp28"])
def test_a_step_is_counted_as_xla_counts_it(name):
    work = WORKS[name]
    algorithm = algorithm_of(work, BATCH)
    example = example_batch(DataSpec({"image": Field(work.image_shape)}, None), BATCH)
    state = jax.eval_shape(algorithm.init, jax.random.key(0), example)
    latent = jax.ShapeDtypeStruct((BATCH, work.latent_size), jnp.float32)
    image = example["image"]

    def generate(params, latent, state):
        return apply_network(
            algorithm.generator, params, state.generator.stats, latent, None, key=None, train=True
        )[0]

    def judge(params, x, state):
        key = jax.random.key(0)
        stats = state.discriminator.stats
        return apply_network(algorithm.discriminator, params, stats, x, None, key=key, train=True)[0]

    def discriminator_loss(params, real, fake, state):
        value = algorithm.loss.discriminator(judge(params, real, state), judge(params, fake, state))
        if work.penalty:
            value += norm_penalty(lambda x: judge(params, x, state), real)
        return value

    def generator_loss(params, latent, state):
        logits = judge(state.discriminator.params, generate(params, latent, state), state)
        return algorithm.loss.generator(logits, logits)

    g, d = state.generator.params, state.discriminator.params
    critic = xla_flops(generate, g, latent, state)
    critic += xla_flops(jax.grad(discriminator_loss), d, image, image, state)
    counted = work.critic_steps * critic + xla_flops(jax.grad(generator_loss), g, latent, state)
    # XLA counts what is elementwise as well, random bits among it: never less than ours, and not much more.
    assert step_flops(work, BATCH) == pytest.approx(counted, rel=0.08)
    assert step_flops(work, BATCH) < counted


def test_taps_of_a_small_convolution():
    # 4 -> 2 with a kernel of 3 and stride 2: one column of padding, at the far end, that one tap falls on.
    assert taps(4, 2, 3, 2) == 5
    # 5 -> 5 with a kernel of 3: each end loses one tap.
    assert taps(5, 5, 3, 1) == 13


def test_bytes_of_a_layer():
    layer = Layer(flops=0, inputs=10, outputs=20, weights=7)
    assert layer.traffic(batch=2) == 4 * (2 * 30 + 7)


def test_weights_are_those_of_the_thesis():
    work = WORKS["dcgan28"]
    assert sum(x.weights for x in generator_layers(work)) == 100 * 6272 + 25 * 128 * 64 + 25 * 64
    assert sum(x.weights for x in discriminator_layers(work)) == 25 * 64 + 25 * 64 * 128 + 6272


def test_bytes_grow_with_the_batch_but_for_the_weights():
    work = WORKS["dcgan28"]
    one, two, three = (step_bytes(work, batch) for batch in (1, 2, 3))
    assert three - two == two - one > 0
    assert one - (two - one) > 7 * 4 * 800_000  # Adam's traffic, for one million parameters
