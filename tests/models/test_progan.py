"""ProGAN's networks: their sizes, what they compute, and how one level fades into the next."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.progan import ProGANDiscriminator, ProGANGenerator

KEY = jax.random.key(0)
SHAPE = (16, 24, 2)  # levels 4x6, 8x12, 16x24
SMALL: dict[str, Any] = dict(width_base=16, width_max=6)  # 6, 4 and 2 channels; the vectors have 6
LATENT = jax.random.normal(jax.random.key(1), (4, 5))
IMAGE = jax.random.uniform(jax.random.key(2), (4, *SHAPE), minval=-1.0)


def parameters(module, *inputs):
    shapes = jax.eval_shape(lambda: module.init(KEY, *inputs, None, train=False))
    return sum(math.prod(x.shape) for x in jax.tree.leaves(shapes["params"]))


@pytest.mark.parametrize(
    ("shape", "latent", "fields", "generator", "discriminator"),
    [
        ((1024, 1024, 3), 512, {}, 23_079_115, 23_087_249),
        ((512, 512, 3), 512, {}, 23_072_120, 23_080_225),
        ((256, 256, 3), 512, {}, 23_044_309, 23_052_353),
        ((128, 128, 3), 512, {}, 22_933_394, 22_941_313),
        ((64, 64, 3), 512, {}, 22_490_383, 22_498_049),
        ((32, 32, 3), 512, {}, 20_719_628, 20_726_785),
        ((32, 32, 1), 128, dict(width_base=512, width_max=128), 843_812, 845_537),
    ],
)
def test_parameters_are_those_of_the_official_networks(shape, latent, fields, generator, discriminator):
    assert parameters(ProGANGenerator(shape, **fields), jnp.zeros((1, latent))) == generator
    assert parameters(ProGANDiscriminator(**fields), jnp.zeros((1, *shape))) == discriminator


def moved(variables):
    """Variables whose biases are not 0."""
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(3), len(leaves))
    draw = lambda key, x: x + 0.3 * jax.random.normal(key, x.shape)
    return jax.tree.unflatten(tree, list(map(draw, keys, leaves)))


def generator(resolution=0, **fields):
    return ProGANGenerator(SHAPE, resolution=resolution, **SMALL, **fields)


def discriminator(resolution=0, **fields):
    return ProGANDiscriminator(resolution=resolution, **SMALL, **fields)


@pytest.fixture(scope="module")
def of_generator():
    return moved(jax.jit(lambda: generator().init(KEY, LATENT, None, train=False))())


@pytest.fixture(scope="module")
def of_discriminator():
    return moved(jax.jit(lambda: discriminator().init(KEY, IMAGE, None, train=False))())


def convolved(params, x, gain=2**0.5):
    """Zeros around it, stride 1, weights scaled by He's factor."""
    kernel, bias = params["kernel"], params["bias"]
    fan_in = math.prod(kernel.shape[:3])
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dimensions)
    return y * gain / fan_in**0.5 + bias


def dense(params, x, gain=2**0.5):
    return x @ params["kernel"] * gain / x.shape[1] ** 0.5 + params.get("bias", 0.0)


def leaky(x):
    return jnp.maximum(x, 0.2 * x)


def pixel_norm(x):
    return x / jnp.sqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-8)


def doubled(x):
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)


def halved(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def test_the_generator_is_the_official_code_restated(of_generator):
    """Level by level and not fused, for the first two levels; fade 0.25."""
    p, act = of_generator["params"], lambda x: pixel_norm(leaky(x))
    x = dense(p["dense"], pixel_norm(LATENT), (2 / 24) ** 0.5).reshape(4, 4, 6, 6) + p["dense_bias"]
    x = act(convolved(p["conv_4"], act(x)))
    coarse = doubled(convolved(p["to_image_4"], x, 1.0))
    x = act(convolved(p["up_8"], doubled(x)))
    x = act(convolved(p["conv_8"], x))
    fine = convolved(p["to_image_8"], x, 1.0)
    expected = doubled(0.75 * coarse + 0.25 * fine)
    told = {"label": None, "fade": jnp.float32(0.25)}
    found = generator(8).apply(of_generator, LATENT, told, train=False)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_discriminator_is_the_official_code_restated(of_discriminator):
    p, seen = of_discriminator["params"], halved(IMAGE)
    x = leaky(convolved(p["from_image_8"], seen))
    x = leaky(convolved(p["conv_8"], x))
    x = leaky(halved(convolved(p["down_8"], x)))
    x = 0.75 * leaky(convolved(p["from_image_4"], halved(seen))) + 0.25 * x
    deviation = jnp.sqrt(jnp.mean((x - x.mean(0)) ** 2, 0) + 1e-8).mean()  # one group of four
    x = jnp.concatenate([x, jnp.full((4, 4, 6, 1), deviation)], -1)
    x = leaky(convolved(p["last_conv"], x))
    expected = dense(p["dense"], leaky(dense(p["hidden"], x.reshape(4, -1))), 1.0)[:, 0]
    told = {"label": None, "fade": jnp.float32(0.25)}
    found = discriminator(8).apply(of_discriminator, IMAGE, told, train=False)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def at_fade(network, variables, x, fade):
    told = None if fade is None else {"label": None, "fade": jnp.float32(fade)}
    return network.apply(variables, x, told, train=False)


@pytest.mark.parametrize(("before", "after"), [(4, 8), (8, 16)])
def test_a_fade_goes_from_the_level_before_to_the_level_itself(of_generator, of_discriminator, before, after):
    for fade, same in ((0.0, before), (1.0, after)):
        begin = at_fade(generator(after), of_generator, LATENT, fade)
        np.testing.assert_array_equal(begin, at_fade(generator(same), of_generator, LATENT, None))
        logits = at_fade(discriminator(after), of_discriminator, IMAGE, fade)
        expected = at_fade(discriminator(same), of_discriminator, IMAGE, None)
        np.testing.assert_allclose(logits, expected, rtol=1e-6, atol=1e-6)
    half = at_fade(generator(after), of_generator, LATENT, 0.5)
    assert half.shape == (4, *SHAPE)
    assert np.any(half != begin)


def test_grown_to_the_last_level_is_grown(of_generator, of_discriminator):
    for fine, whole, variables, x in (
        (generator(16), generator(), of_generator, LATENT),
        (discriminator(16), discriminator(), of_discriminator, IMAGE),
    ):
        np.testing.assert_array_equal(at_fade(fine, variables, x, None), at_fade(whole, variables, x, None))


def test_activations_have_variance_one_at_the_start():
    """As equalised weights promise it, whatever the widths are."""
    fields: dict[str, Any] = dict(width_base=512, width_max=64)
    x = jax.random.normal(KEY, (8, 16, 16, 3))
    wide = ProGANDiscriminator(**fields, minibatch="none")

    @functools.partial(jax.jit, static_argnums=0)
    def intermediates(network, x):
        _, found = network.init_with_output(
            KEY, x, None, train=False, capture_intermediates=True, mutable=["params", "intermediates"]
        )
        return found["intermediates"]

    of_d = intermediates(wide, x)
    of_g = intermediates(ProGANGenerator((16, 16, 3), **fields), jax.random.normal(KEY, (8, 64)))
    for name in ("conv_8", "up_8", "up_16", "conv_16"):  # of maps of mean square 1
        assert np.var(of_g[name]["__call__"][0]) == pytest.approx(2.0, rel=0.3), name
    for name in ("to_image_4", "to_image_8", "to_image_16"):
        assert np.var(of_g[name]["__call__"][0]) == pytest.approx(1.0, rel=0.6), name
    assert np.var(of_d["conv_16"]["__call__"][0]) == pytest.approx(2.0, rel=0.4)
    assert np.var(of_d["dense"]["__call__"][0]) < 4.0


@pytest.mark.parametrize("condition", ["one_hot", "auto"])
def test_labels_change_what_is_made_and_what_is_said(condition):
    made = generator(condition=condition, num_classes=3)
    judged = discriminator(condition="auto", num_classes=3, auxiliary=3)
    labels = jnp.arange(4) % 3

    @jax.jit
    def both(labels):
        image, _ = made.init_with_output(KEY, LATENT, {"label": labels, "fade": None}, train=False)
        return image, judged.init_with_output(KEY, IMAGE, labels, train=False)[0]

    (image, (logits, auxiliary)), (other, (others, same)) = both(labels), both((labels + 1) % 3)
    assert np.any(image != other)
    assert np.all(logits != others)
    np.testing.assert_array_equal(auxiliary, same)
    assert auxiliary.shape == (4, 3)


@pytest.mark.parametrize("size", [(28, 28), (14, 28), (72, 72), (7, 7), (5, 9)])
def test_any_size_has_its_levels(size):
    """The lowest level is what all sides halve evenly to."""
    shape = (*size, 1)

    def both():
        image, _ = ProGANGenerator(shape, **SMALL).init_with_output(KEY, LATENT, None, train=False)
        return image, discriminator().init_with_output(KEY, image, None, train=False)[0]

    image, logits = jax.eval_shape(both)
    assert (image.shape, logits.shape) == ((4, *shape), (4,))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: generator(12), r"resolution=12: images of 16x24 have the levels 4 \(4x6\), 8 \(8x12\), 16"),
        (
            lambda: discriminator(32).init(KEY, IMAGE, None, train=False),
            "resolution=32: images of 16x24 have",
        ),
        (lambda: ProGANGenerator((3, 8, 1)), "images of 3x8 pixels"),
        (
            lambda: ProGANGenerator(SHAPE, width_base=4).init(KEY, LATENT, None, train=False),
            "width_base=4: level 2 has width_base / 8",
        ),
        (
            lambda: discriminator(minibatch="discrimination").init(KEY, IMAGE, None, train=False),
            "minibatch='discrimination' is not one of none, stddev",
        ),
        (
            lambda: discriminator(condition="embedding").init(KEY, IMAGE, None, train=False),
            "condition='embed",
        ),
        (lambda: discriminator(auxiliary=-1).init(KEY, IMAGE, None, train=False), "auxiliary=-1"),
    ],
)
def test_impossible_fields_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        jax.eval_shape(lambda: make())
