"""Randomness per example: the same however the batch is split, and of the right distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gan_jax.core.randomness import INIT, INPUT, PICTURES, example_keys, keep_mask, latents

KEY = jax.random.key(3)


def data(keys):
    return np.asarray(jax.random.key_data(keys))


def test_keys_are_folds_of_the_index_in_the_global_batch():
    found = data(example_keys(KEY, 6))
    np.testing.assert_array_equal(found, [data(jax.random.fold_in(KEY, i)) for i in range(6)])
    np.testing.assert_array_equal(data(example_keys(KEY, 3)), found[:3])


def test_keys_are_the_same_when_the_batch_is_split():
    whole = data(example_keys(KEY, 16))
    spec = jax.sharding.PartitionSpec

    def local(_):
        return jax.random.key_data(example_keys(KEY, 2, "batch"))

    by_pmap = jax.pmap(local, axis_name="batch")(jnp.zeros(8))
    np.testing.assert_array_equal(np.asarray(by_pmap).reshape(whole.shape), whole)
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    mapped = jax.shard_map(local, mesh=mesh, in_specs=spec("batch"), out_specs=spec("batch"))
    np.testing.assert_array_equal(jax.jit(mapped)(jnp.zeros(8)), whole)


def test_named_folds_are_out_of_reach_of_steps():
    """Steps are int32 and updates few; the three are distinct and beyond both."""
    assert len({INIT, PICTURES, INPUT}) == 3
    assert min(INIT, PICTURES, INPUT) > np.iinfo(np.int32).max


def test_normal_latents():
    z = np.asarray(latents(example_keys(KEY, 2000), 8, "normal"))
    assert z.shape == (2000, 8)
    assert z.dtype == np.float32
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    correlation = np.corrcoef(z.T)  # between the coordinates; its deviation is 1 / sqrt(2000)
    assert np.abs(correlation - np.eye(8)).max() < 5 / np.sqrt(2000)


def test_uniform_latents():
    z = np.asarray(latents(example_keys(KEY, 2000), 8, "uniform"))
    assert z.min() >= -1
    assert z.max() < 1
    assert stats.kstest(z.ravel(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_a_latent_depends_on_its_own_key_alone(distribution):
    keys = example_keys(KEY, 5)
    whole = np.asarray(latents(keys, 3, distribution))
    assert len(np.unique(whole)) == 15
    for i in range(5):
        np.testing.assert_array_equal(latents(keys[i : i + 1], 3, distribution)[0], whole[i])


@pytest.mark.parametrize(("rate", "threshold"), [(0.4, 102), (0.25, 64), (0.5, 128), (0.0, 0), (0.99, 253)])
def test_mask_keeps_the_share_that_it_says(rate, threshold):
    mask, kept = keep_mask(example_keys(KEY, 64), (7, 9, 5), rate)
    assert mask.shape == (64, 7, 9, 5)
    assert mask.dtype == bool
    assert kept == 1 - threshold / 256
    count = mask.size
    deviation = np.sqrt(count * kept * (1 - kept))
    assert abs(int(mask.sum()) - count * kept) <= 5 * deviation
    for axis in (1, 2, 3):  # no place within an example is special
        others = tuple(i for i in range(4) if i != axis)
        share = np.asarray(mask.mean(others))
        per_place = count / mask.shape[axis]
        assert np.abs(share - kept).max() <= 5 * np.sqrt(kept * (1 - kept) / per_place)


def threefry(key, first, second):
    """Threefry-2x32 with 20 rounds, by the paper (Salmon et al. 2011, doi:10.1145/2063384.2063405)."""
    keys = [np.uint32(key[0]), np.uint32(key[1]), np.uint32(key[0] ^ key[1] ^ 0x1BD11BDA)]
    x, y = first + keys[0], second + keys[1]
    for block in range(5):
        for rotation in ((13, 15, 26, 6), (17, 29, 16, 24))[block % 2]:
            x = x + y
            y = (y << np.uint32(rotation) | y >> np.uint32(32 - rotation)) ^ x
        x = x + keys[(block + 1) % 3]
        y = y + keys[(block + 2) % 3] + np.uint32(block + 1)
    return np.concatenate([x, y])


@pytest.mark.parametrize("size", [8, 10, 33])  # 2 words, 3 and 9
def test_mask_bytes_are_those_of_the_generator(size):
    """Every byte of the random words is used once: the mask, recomputed from the words."""
    keys = example_keys(KEY, 3)
    mask, _ = keep_mask(keys, (size,), 0.4)
    words = -(-size // 4)
    counts = np.append(np.arange(words, dtype=np.uint32), np.zeros(words % 2, np.uint32)).reshape(2, -1)
    for i in range(3):
        octets = threefry(jax.random.key_data(keys[i]), *counts)[:words].astype("<u4").view(np.uint8)[:size]
        np.testing.assert_array_equal(mask[i], octets >= 102)


def test_masks_of_another_generator_are_its_bits():
    keys = example_keys(jax.random.key(1, impl="rbg"), 2)
    mask, _ = keep_mask(keys, (10,), 0.4)
    words = jax.vmap(lambda key: jax.random.bits(key, (3,), jnp.uint32))(keys)
    octets = np.asarray(words).astype("<u4").view(np.uint8)[:, :10]
    np.testing.assert_array_equal(mask, octets >= 102)


def test_masks_differ_between_examples_and_do_not_depend_on_the_others():
    keys = example_keys(KEY, 4)
    mask = np.asarray(keep_mask(keys, (50,), 0.5)[0])
    assert len({row.tobytes() for row in mask}) == 4
    np.testing.assert_array_equal(keep_mask(keys[2:], (50,), 0.5)[0], mask[2:])


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, 0.999, float("nan")])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        keep_mask(example_keys(KEY, 1), (3,), rate)
