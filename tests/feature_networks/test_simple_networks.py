"""Random, pixel and principal-component features against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.feature_networks.simple_networks import pca_network, pixel_network, random_network
from gan_jax.utils.errors import UserError


def pictures(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def features(network: FeatureNetwork, images):
    return np.asarray(jax.jit(network.apply)(network.params, images).features)


# Random


def strided_by_hand(x, kernel):
    """A 3x3 convolution with stride 2 and SAME padding, then ReLU, of one image [H, W, I] in float64."""
    pads = [(max((-(-n // 2) - 1) * 2 + 3 - n, 0)) for n in x.shape[:2]]
    padded = np.pad(x, [(p // 2, p - p // 2) for p in pads] + [(0, 0)])
    channels = [
        sum(signal.correlate2d(padded[..., i], kernel[..., i, o], "valid") for i in range(x.shape[2]))
        for o in range(kernel.shape[3])
    ]
    return np.maximum(np.stack(channels, -1)[::2, ::2], 0)


@pytest.mark.parametrize("shape", [(9, 12, 1), (8, 8, 3)])
def test_random_features_by_hand(shape):
    network = random_network(shape, seed=3)
    images = pictures(0, 2, *shape)
    for image, found in zip(images, features(network, images), strict=True):
        x = image / 127.5 - 1
        for kernel in network.params.values():
            x = strided_by_hand(x, np.float64(kernel))
        expected = np.concatenate([x.mean((0, 1)), x.max((0, 1))])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 48, 3), (1, 1, 2), (5, 40, 4)])
def test_random_networks_take_any_size(shape):
    network = random_network(shape)
    images = pictures(0, 3, *shape)
    found = features(network, images)
    assert found.shape == (3, network.num_features) == (3, 256)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found.std(axis=0).max() > 0
    assert network.maps is not None
    maps = network.maps(network.params, jnp.asarray(images))
    assert [m.shape[0] for m in maps] == [3] * len(network.params)
    assert max(maps[-1].shape[1:3]) <= 4
    np.testing.assert_allclose(maps[-1].mean((1, 2)), found[:, :128], rtol=1e-5, atol=1e-6)


def test_random_weights_have_hes_variance_and_depend_on_the_seed_alone():
    first, again, other = (random_network((28, 28, 3), seed) for seed in (0, 0, 1))
    for name, fan_in in (("conv_00", 27), ("conv_01", 9 * 32), ("conv_02", 9 * 64)):
        kernel = first.params[name]
        deviation = np.sqrt(0.8 * (2 / fan_in) ** 2 / kernel.size)  # of a uniform variable's sample variance
        assert abs(kernel.var() - 2 / fan_in) < 5 * deviation
        assert abs(kernel.mean()) < 5 * np.sqrt(2 / fan_in / kernel.size)
        np.testing.assert_array_equal(kernel, again.params[name])
        assert not np.array_equal(kernel, other.params[name])
    assert first.digest == again.digest != other.digest
    assert random_network((32, 32, 3)).digest != first.digest  # of another size


def test_random_weights_are_the_same_on_every_machine():
    """The first ones from Philox's definition: 24 high bits, as a number in [-1, 1), times He's bound."""
    bits = np.random.Philox(key=np.array([7, 0], np.uint64)).random_raw(2)
    expected = [((int(word) >> 40) / 2**23 - 1) * (6 / 9) ** 0.5 for word in bits]
    found = random_network((8, 8, 1), 7).params["conv_00"].ravel()[:2]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_uint8_and_floats_of_the_same_range_are_the_same_images():
    images = pictures(0, 4, 8, 8, 3)
    for network in (random_network((8, 8, 3)), pixel_network((8, 8, 3)), pca_network(images, 2)):
        np.testing.assert_array_equal(features(network, images), features(network, np.float32(images)))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_random_networks_seeds(seed):
    with pytest.raises(UserError, match="from 0 to"):
        random_network((8, 8, 1), seed)


@pytest.mark.parametrize("shape", [(8, 8), (8, 0, 1), (8.0, 8, 1)])
def test_bad_image_shapes(shape):
    for make in (random_network, pixel_network):
        with pytest.raises(ValueError, match=r"image_shape|height|width"):
            make(shape)


# Pixels


def test_pixels():
    images = pictures(0, 5, 4, 3, 2)
    network = pixel_network((4, 3, 2))
    found = features(network, images)
    assert network.num_features == found.shape[1] == 24
    np.testing.assert_allclose(found, images.reshape(5, 24) / 255, rtol=1e-6)
    np.testing.assert_array_equal(features(network, np.full((1, 4, 3, 2), 255, np.uint8)), 1.0)
    with pytest.raises(UserError, match="4 x 3 x 2"):
        network.check_shape((4, 4, 2))


# Principal components


@pytest.mark.parametrize("count", [200, 15])  # more images than pixels, and fewer
def test_principal_components_are_those_of_the_singular_values(count):
    images = pictures(0, count, 5, 4, 1)
    others = pictures(1, 7, 5, 4, 1)
    network = pca_network(images, 6)
    rows = images.reshape(count, -1) / 255
    directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2]
    expected = (others.reshape(7, -1) / 255 - rows.mean(axis=0)) @ directions[:6].T
    found = features(network, others)
    signs = np.sign(np.sum(found * expected, axis=0))
    np.testing.assert_allclose(found, expected * signs, rtol=1e-3, atol=1e-4)
    assert network.num_features == 6


def test_principal_components_agree_with_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition", reason="the reference implementation")
    images = pictures(0, 80, 6, 6, 1)
    rows = images.reshape(80, -1) / 255
    expected = decomposition.PCA(4, svd_solver="full").fit_transform(rows)
    found = features(pca_network(images, 4), images)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("count", [100, 12])
def test_each_components_largest_weight_is_positive(count):
    basis = pca_network(pictures(0, count, 5, 4, 1), 8).params["basis"]
    assert (np.take_along_axis(basis, np.abs(basis).argmax(axis=0)[None], axis=0) > 0).all()


def test_batches_and_the_whole_set_are_the_same():
    images = pictures(0, 60, 4, 4, 3)
    whole, batches = pca_network(images, 5), pca_network([images[:25], images[25:]], 5)
    assert whole.digest == batches.digest
    assert whole.digest != pca_network(images[1:], 5).digest


def test_a_set_larger_than_a_block_is_decomposed_as_a_whole():
    images = pictures(0, 5000, 2, 2, 1)
    images[2048:, 0, 0] //= 4  # so that a block says something else than the whole
    rows = images.reshape(5000, 4) / 255
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    found = features(pca_network(images, 2), images)
    np.testing.assert_allclose(found.var(axis=0, ddof=1), values[::-1][:2], rtol=1e-4)
    np.testing.assert_allclose(np.abs(found[:, 0]), np.abs((rows - rows.mean(0)) @ vectors[:, -1]), atol=1e-4)


def test_more_components_than_there_are():
    with pytest.raises(UserError, match="at most 9"):
        pca_network(pictures(0, 10, 4, 4, 1), 10)
    with pytest.raises(UserError, match="at most 4"):
        pca_network(pictures(0, 10, 2, 2, 1), 5)
    twice = np.repeat(pictures(0, 4, 4, 4, 1), 5, axis=0)
    assert pca_network(twice, 3).num_features == 3
    with pytest.raises(UserError, match="vary in fewer directions"):
        pca_network(twice, 4)
    with pytest.raises(UserError, match="vary in fewer directions"):
        pca_network(np.full((9, 4, 4, 1), 7, np.uint8), 1)


def test_matrices_too_large_to_decompose_are_refused_at_once():
    with pytest.raises(UserError, match="at most 4096 images"):
        pca_network(np.zeros((4097, 64, 65, 1), np.uint8), 2)


def test_pca_takes_uint8_and_float32_in_its_range():
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 1), dtype=np.uint8)
    for kind in (np.float64, np.float16, np.int32):
        with pytest.raises(ValueError, match="uint8 or float32"):
            pca_network(images.astype(kind), 2)
    for value in (-0.1, 255.1, np.nan):
        beyond = np.where(images == images.max(), value, images).astype(np.float32)
        with pytest.raises(ValueError, match="in 0 to 255, not "):
            pca_network(beyond, 2)
    one, other = pca_network(images, 5).params, pca_network(images.astype(np.float32), 5).params
    for name in one:
        np.testing.assert_allclose(other[name], one[name], atol=1e-6)
