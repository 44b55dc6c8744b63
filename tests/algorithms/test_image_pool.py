"""The pool of earlier fakes against a simulation that takes the same draws, one image after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms.image_pool import check_pool, empty_pool, exchange
from gan_jax.core.collectives import gather_batch
from tests.devices import AXIS, WAYS, split_run

SIZE, BATCH = 24, 8


def numbered(first, count=BATCH):
    """Images [count, 2, 1, 1] that all hold their number."""
    return jnp.broadcast_to(
        jnp.arange(first, first + count, dtype=jnp.float32)[:, None, None, None], (count, 2, 1, 1)
    )


run = jax.jit(lambda pool, image, key: exchange(pool, image, key, None))


def simulate(kept, fresh, key):
    """One exchange on a list; returns what is shown."""
    slot_key, swap_key = jax.random.split(key)
    if len(kept) < SIZE:
        kept.extend(fresh)
        return list(fresh)
    slots = np.asarray(jax.random.permutation(slot_key, SIZE))
    swapped = np.asarray(jax.random.bernoulli(swap_key, 0.5, (len(fresh), 1, 1, 1))).ravel()
    shown = []
    for image, slot, swap in zip(fresh, slots, swapped, strict=False):
        shown.append(kept[slot] if swap else image)
        if swap:
            kept[slot] = image
    return shown


def test_exchange_is_the_simulation():
    kept: list[float] = []
    pool = empty_pool(SIZE, (2, 1, 1))
    for number in range(20):
        fresh, key = numbered(1 + number * BATCH), jax.random.fold_in(jax.random.key(0), number)
        shown, pool = run(pool, fresh, key)
        expected = simulate(kept, list(np.asarray(fresh[:, 0, 0, 0])), key)
        np.testing.assert_array_equal(shown[:, 0, 0, 0], expected)
        np.testing.assert_array_equal(shown[:, 0], shown[:, 1])
        np.testing.assert_array_equal(pool["image"][: len(kept), 0, 0, 0], kept)
        assert int(pool["count"]) == len(kept)
        assert not np.any(pool["image"][len(kept) :])


def test_all_are_shown_as_they_are_until_it_is_full():
    pool = empty_pool(SIZE, (2, 1, 1))
    for number in range(SIZE // BATCH):
        assert int(pool["count"]) == number * BATCH
        fresh = numbered(1 + number * BATCH)
        shown, pool = run(pool, fresh, jax.random.key(number))
        np.testing.assert_array_equal(shown, fresh)
    np.testing.assert_array_equal(pool["image"], numbered(1, SIZE))


def test_half_of_the_shown_are_old_and_no_image_is_lost_or_doubled():
    pool, old = empty_pool(SIZE, (2, 1, 1)), []
    for number in range(400):
        before = set(np.asarray(pool["image"][:, 0, 0, 0]))
        fresh = numbered(1 + number * BATCH)
        shown, pool = run(pool, fresh, jax.random.fold_in(jax.random.key(1), number))
        if number < SIZE // BATCH:
            continue
        shown, after = shown[:, 0, 0, 0], np.asarray(pool["image"][:, 0, 0, 0])
        assert len(set(after)) == SIZE
        # What was there and what came is, afterwards, in the pool or was shown.
        assert before | set(np.asarray(fresh[:, 0, 0, 0])) == set(after) | set(np.asarray(shown))
        old.append(np.isin(shown, list(before)))
    share = np.mean(old)
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(np.size(old))
    ages = np.mean(old, axis=0)  # every place of the batch alike
    assert np.abs(ages - 0.5).max() < 5 * 0.5 / np.sqrt(len(old))


def test_every_place_of_the_pool_is_drawn_alike():
    """And none twice in a batch: the places change hands one to one."""
    full = {"image": numbered(1000, SIZE), "count": jnp.int32(SIZE)}
    keys = jax.random.split(jax.random.key(2), 3000)
    shown = jax.jit(jax.vmap(lambda key: exchange(full, numbered(0), key, None)[0]))(keys)[:, :, 0, 0, 0]
    counts = np.bincount(np.asarray(shown[shown >= 1000], int) - 1000, minlength=SIZE)
    expected = 3000 * BATCH / 2 / SIZE
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    assert all(len(set(row)) == BATCH for row in np.asarray(shown))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("filled", [0, SIZE])
def test_eight_devices_show_and_keep_the_same(way, filled):
    pool = {"image": numbered(1000, SIZE), "count": jnp.int32(filled)}
    fresh, key = numbered(0), jax.random.key(3)

    def local(pool, rows):
        count = jnp.int32(pool["count"])
        shown, after = exchange({"image": pool["image"], "count": count}, rows, key, AXIS)
        counts = gather_batch(after["count"][None].astype(jnp.float32), AXIS)
        return (shown,), {"image": after["image"], "count": counts}

    (shown,), after = split_run(way, local, pool, fresh)
    expected, pool = run(pool, fresh, key)
    np.testing.assert_array_equal(shown, expected)
    np.testing.assert_array_equal(after["image"], pool["image"])
    np.testing.assert_array_equal(after["count"], [float(pool["count"])] * 8)


@pytest.mark.parametrize(("size", "batch", "wanted"), [(10, 8, 8), (20, 8, 16), (3, 8, 8), (63, 16, 64)])
def test_sizes_that_batches_do_not_fill_are_refused_with_one_that_they_do(size, batch, wanted):
    with pytest.raises(ValueError, match=f"pool_size={size}: it must be a multiple .*{batch}; try {wanted}"):
        check_pool(size, batch)
    check_pool(wanted, batch)
