"""The U-Net: its parameters, sizes, dropout that stays on, and what it refuses."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.algorithm import apply_network
from gan_jax.core.modules import is_conditional
from gan_jax.core.randomness import Microbatch, within
from gan_jax.models.unet import UNetGenerator
from tests.models.test_models import shapes, start

KEY = jax.random.key(0)
# (downs, width) -> parameters of the PyTorch code with BatchNorm
PUBLISHED = {
    (8, 64): 54_413_955,
    (7, 64): 41_828_995,
    (6, 64): 29_244_035,
    (5, 64): 16_659_075,
    (6, 32): 7_314_755,
    (5, 32): 4_168_003,
}
SMALL = UNetGenerator((16, 16, 3), width=4, downs=4)
X = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 2)).astype(np.float32)


def size_of(network, image):
    return sum(x.size for x in jax.tree.leaves(shapes(network, image)["params"]))


@pytest.mark.parametrize(("downs", "width"), PUBLISHED)
def test_published_networks_have_as_many_parameters(downs, width):
    image = jnp.zeros((1, 2**downs, 2**downs, 3))
    for norm in ("batch", "instance"):
        network = UNetGenerator((256, 256, 3), width=width, downs=downs, norm=norm)
        assert size_of(network, image) == PUBLISHED[downs, width]


@pytest.fixture(scope="module")
def variables():
    return start(SMALL, X[:1])


@jax.jit
def translated(variables, x, key):
    stats = {name: tree for name, tree in variables.items() if name != "params"}
    return apply_network(SMALL, variables["params"], stats, x, None, key=key, train=False)[0]


def test_any_size_that_halves_and_any_channels():
    for shape in ((1, 16, 16, 1), (2, 48, 32, 5)):
        x = jax.ShapeDtypeStruct(shape, jnp.float32)
        made = jax.eval_shape(lambda x: SMALL.init_with_output(KEY, x, None, train=False)[0], x)
        assert made.shape == (*shape[:3], 3)
        assert made.dtype == jnp.float32


def test_noise_stays_on_where_there_is_a_key(variables):
    key, other = jax.random.split(KEY)
    found = np.asarray(translated(variables, X, key))
    assert (np.abs(found) < 1).all()
    np.testing.assert_array_equal(found, translated(variables, X, key))
    assert not np.allclose(found, translated(variables, X, other), atol=1e-4)
    still = np.asarray(SMALL.apply(variables, X, None, train=False))
    np.testing.assert_array_equal(still, np.asarray(SMALL.apply(variables, X, None, train=False)))
    assert not np.allclose(found, still, atol=1e-4)


def test_an_images_noise_is_its_places_alone(variables):
    """Not that of what stands beside it: equal images at different places differ, others change nothing."""
    found = np.asarray(translated(variables, X, KEY))
    changed = np.asarray(translated(variables, np.concatenate([X[:2], -X[2:]]), KEY))
    np.testing.assert_allclose(changed[:2], found[:2], atol=1e-6)
    same = np.asarray(translated(variables, np.repeat(X[:1], 4, axis=0), KEY))
    assert not np.allclose(same[0], same[1], atol=1e-4)


def test_noise_does_not_depend_on_the_split_of_the_batch(variables):
    """In training, where it is in accumulated parts and on devices the same."""
    network = SMALL.clone(axis_name="batch")

    @functools.partial(jax.pmap, axis_name="batch", in_axes=(None, 0))
    def split(variables, x):
        return network.apply(variables, x, None, train=True, rngs={"dropout": KEY})

    @jax.jit
    def whole(variables, x):
        made = SMALL.apply(variables, x, None, train=True, rngs={"dropout": KEY})
        parts: list[Any] = []
        for index in range(2):
            with within(Microbatch(jnp.int32(index), 2, 1, 2)):
                parts.append(SMALL.apply(variables, x[index::2], None, train=True, rngs={"dropout": KEY}))
        return made, jnp.stack(parts, axis=1)

    made, parts = whole(variables, X)
    np.testing.assert_allclose(split(variables, X[:, None])[:, 0], made, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.reshape(parts, made.shape), made, rtol=1e-4, atol=1e-5)


def test_instance_norm_is_the_batch_norm_of_one_example(variables):
    """The same in training and after it, whatever is beside it; what the paper's networks do."""
    batch = SMALL.clone(norm="batch", norm_epsilon=1e-5, dropout=0.0)
    instance = SMALL.clone(dropout=0.0)
    stats = start(batch, X[:1])["batch_stats"]
    trained, _ = batch.apply(
        {**variables, "batch_stats": stats}, X[:1], None, train=True, mutable=["batch_stats"]
    )
    for train in (True, False):
        found = instance.apply(variables, X, None, train=train)
        np.testing.assert_allclose(found[:1], trained, rtol=1e-4, atol=1e-5)


def test_first_and_innermost_maps_have_no_norm(variables):
    """The innermost map of the smallest image is 1x1."""
    norms = {name for name in variables["params"] if "norm" in name}
    assert norms == {"down_norm_1", "down_norm_2", "up_norm_3", "up_norm_2", "up_norm_1"}


def test_gains_start_around_1_and_kernels_around_0(variables):
    wide = start(SMALL.clone(width=32, downs=3), X[:1])["params"]
    gain, kernel = (np.asarray(x) for x in (wide["down_norm_1"]["norm"]["scale"], wide["down_1"]["kernel"]))
    assert abs(gain.mean() - 1) < 5 * 0.02 / np.sqrt(gain.size)
    assert 0.01 < gain.std() < 0.03
    assert abs(kernel.std() / 0.02 - 1) < 0.05


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_other_ways_up(upsampling):
    network = SMALL.clone(upsampling=upsampling)
    assert shapes(network, X)["params"]["up_0"]["conv"]["kernel"].shape == (3, 3, 8, 3)


def test_what_translate_asks_of_it():
    assert (SMALL.multiple, SMALL.scale) == (16, 1)
    assert not is_conditional(SMALL)


@pytest.mark.parametrize(
    ("fields", "size", "message"),
    [
        ({}, (30, 50), "images of 30x50: .* multiples of 16; the next are 16x48 and 32x64"),
        ({}, (8, 16), "images of 8x16: .* multiples of 16; the next are 16x16"),
        (dict(downs=0), (16, 16), "downs=0"),
        (dict(downs=17), (16, 16), "downs=17: it must be at most 16"),
        (dict(width=2.5), (16, 16), "width=2.5"),
        (dict(dropout=1.0), (16, 16), "dropout rate 1.0"),
        (dict(upsampling="cubic"), (16, 16), "upsampling='cubic' is not one of transpose"),
        (dict(norm="bath"), (16, 16), "norm='bath' is not one of"),
    ],
)
def test_what_makes_no_unet_is_refused(fields, size, message):
    with pytest.raises(ValueError, match=message):
        shapes(SMALL.clone(**fields), jnp.zeros((1, *size, 3)))


def test_vectors_are_no_images():
    with pytest.raises(ValueError, match=r"takes images \[B, H, W, C\], not an array of shape \(1, 12\)"):
        shapes(SMALL, jnp.zeros((1, 12)))
