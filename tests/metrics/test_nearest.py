"""Copies of training images are found, fresh images are not called copies; scores against closed forms."""

import numpy as np
import pytest

from gan_jax.metrics.nearest import cell_centres, mann_whitney, memorisation, nearest_training
from gan_jax.utils.errors import UserError


def blobs(size, seed, dims=8):
    """Four clusters of different widths."""
    generator = np.random.default_rng(seed)
    which = generator.integers(0, 4, size)
    centres = 10 * np.eye(4, dims)
    width = np.array([0.3, 1.0, 1.0, 3.0])[which][:, None]
    return (centres[which] + width * generator.standard_normal((size, dims))).astype(np.float32)


TRAIN, HELD_OUT, FRESH = blobs(1500, 1), blobs(600, 2), blobs(500, 3)


def near_copies(size, seed, noise=0.02):
    generator = np.random.default_rng(seed)
    rows = TRAIN[generator.integers(0, len(TRAIN), size)]
    return rows + noise * generator.standard_normal(rows.shape).astype(np.float32)


@pytest.mark.parametrize("held_out", [HELD_OUT, None], ids=["held_out", "train"])
def test_copies_are_found(held_out):
    found = memorisation(near_copies(500, 4), TRAIN, held_out)
    assert found.c_t < -5
    assert found.close_share > 0.9
    assert found.median_ratio < 0.1
    assert found.farther < 0.05
    assert found.authenticity < 0.05
    exact = memorisation(TRAIN[:300], TRAIN, held_out)
    assert (exact.median_ratio, exact.farther, exact.authenticity, exact.close_share) == (0, 0, 0, 1)
    assert exact.c_t < -5


@pytest.mark.parametrize("held_out", [HELD_OUT, None], ids=["held_out", "train"])
@pytest.mark.parametrize("seed", [3, 5, 6])
def test_fresh_images_are_not_called_copies(held_out, seed):
    """Bounds of four standard errors: sqrt(1 / 12 (1 / m + 1 / n)) for `farther`, binomial for the shares."""
    found = memorisation(blobs(500, seed), TRAIN, held_out)
    assert abs(found.c_t) < 2
    assert abs(found.z) < 4
    assert found.farther == pytest.approx(0.5, abs=0.07)
    assert found.close_share == pytest.approx(0.05, abs=0.05)
    assert found.median_ratio == pytest.approx(1, abs=0.3)
    assert found.authenticity == pytest.approx(found.authenticity_fresh, abs=0.12)
    assert found.baseline == ("train" if held_out is None else "held_out")


def test_a_generator_that_copies_a_part_is_found():
    half = np.concatenate([near_copies(150, 4), FRESH[:350]])
    found = memorisation(half, TRAIN, HELD_OUT)
    assert found.close_share == pytest.approx(0.3 + 0.7 * 0.05, abs=0.05)
    assert found.z < -3


def test_cells_find_copying_here_that_is_offset_by_errors_there():
    """Copies in two clusters, and in the other two what is too far: a single test sees neither."""
    generator = np.random.default_rng(0)
    centres = 30 * np.eye(2, 8)
    train = np.concatenate([c + generator.standard_normal((500, 8)) for c in centres])
    fresh = np.concatenate([c + generator.standard_normal((300, 8)) for c in centres])
    copied = train[:250] + 0.01 * generator.standard_normal((250, 8))
    off = centres[1] + 1.2 * generator.standard_normal((250, 8))
    fake = np.concatenate([copied, off])
    one_cell = memorisation(np.concatenate([copied, off]), train, fresh, num_cells=1)
    assert one_cell.c_t == one_cell.z
    two = memorisation(fake, train, fresh, num_cells=2)
    assert two.num_cells == 2
    here = memorisation(copied, train[:500], fresh[:300], num_cells=1).z
    there = memorisation(off, train[500:], fresh[300:], num_cells=1).z
    assert here < -15
    assert there > 3
    assert two.c_t == pytest.approx((here + there) / 2, abs=1e-9)


def test_cells_weigh_as_the_fresh_images_and_small_ones_are_left_out():
    generator = np.random.default_rng(0)
    centres = 100 * np.eye(3, 4)

    def cloud(*sizes):
        parts = [c + generator.standard_normal((n, 4)) for c, n in zip(centres, sizes, strict=True)]
        return np.concatenate(parts)

    train, fresh, fake = cloud(100, 100, 100), cloud(300, 60, 90), cloud(50, 80, 19)
    found = memorisation(fake, train, fresh, num_cells=3, seed=1)
    assert found.num_cells == 2
    z = [
        memorisation(fake[a], train[b], fresh[c], num_cells=1).z
        for a, b, c in (
            (slice(0, 50), slice(0, 100), slice(0, 300)),
            (slice(50, 130), slice(100, 200), slice(300, 360)),
        )
    ]
    assert found.c_t == pytest.approx((300 * z[0] + 60 * z[1]) / 360, abs=1e-9)


@pytest.mark.parametrize(("dims", "expected"), [(1, 1 / 3), (2, 1 - 0.6215), (3, 1 - 16 / 27)])
def test_authenticity_of_fresh_images_is_that_of_reciprocal_neighbours(dims, expected):
    """Among n + 1 points of a Poisson process the share with a reciprocal nearest neighbour is known.

    2/3 in one dimension, 6 pi / (8 pi + 3 sqrt 3) in two, 16/27 in three (Pickard 1982).
    """
    generator = np.random.default_rng(0)
    train, fresh = generator.random((4000, dims)), generator.random((4000, dims))
    with_held_out = memorisation(fresh[:2000], train, fresh[2000:], num_cells=1)
    alone = memorisation(fresh[:2000], train, num_cells=1)
    for share in (with_held_out.authenticity, with_held_out.authenticity_fresh, alone.authenticity_fresh):
        assert share == pytest.approx(expected, abs=0.045)


def test_authenticity_counted_by_hand():
    """Training images at 0, 1, 5, 9 have the nearest others 1, 1, 4, 4 away. Four fakes, 5 times each."""
    train = np.array([[0.0], [1.0], [5.0], [9.0]])
    # To 0: 0.4 < 1. To 1: 1.5 > 1 (at 2.5). To 5: 1 < 4 (at 4). To 9: 5 > 4 (at 14).
    fake = np.tile([[0.4], [2.5], [4.0], [14.0]], (5, 1))
    held_out = np.tile([[14.0], [14.5]], (10, 1))
    found = memorisation(fake, train, held_out)
    assert (found.authenticity, found.authenticity_fresh) == (0.5, 1.0)
    # The fakes are 0.4, 1.5, 1 and 5 away, the held-out images 5 and 5.5.
    assert found.median_ratio == pytest.approx(1.25 / 5.25)
    # Of the pairs only those of 5 and 5 tie, and none is farther.
    assert found.farther == 1 / 4 * 1 / 2 * 1 / 2


def test_copies_within_the_training_set_count_as_the_nearest_other():
    train = np.repeat(np.linspace(0, 9, 10)[:, None], 2, axis=0)
    fake = np.tile([[0.5 - 1e-3], [3.25]], (10, 1))
    assert memorisation(fake, train, np.tile([[4.1], [5.2]], (10, 1))).authenticity == 1


def test_mann_whitney_is_scipys():
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    generator = np.random.default_rng(0)
    for fake, fresh in (
        (generator.standard_normal(40), generator.standard_normal(60) + 0.3),
        (generator.integers(0, 6, 50).astype(float), generator.integers(0, 5, 30).astype(float)),
    ):
        probability, z = mann_whitney(fake, fresh)
        expected = stats.mannwhitneyu(fake, fresh, use_continuity=False, method="asymptotic")
        assert probability == pytest.approx(expected.statistic / (len(fake) * len(fresh)), abs=1e-12)
        assert 2 * stats.norm.sf(abs(z)) == pytest.approx(expected.pvalue, rel=1e-9)
        assert (z > 0) == (probability > 0.5)
    assert mann_whitney(np.zeros(5), np.zeros(7)) == (0.5, 0.0)
    assert mann_whitney(np.array([1.0, 2.0]), np.array([3.0]))[0] == 0


def test_c_t_without_cells_is_that_of_the_authors_code():
    """Their Z_U, from its definition: U as scipy counts it, the mean with their continuity correction."""
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    found = memorisation(FRESH, TRAIN, HELD_OUT, num_cells=1)
    ours, fresh = (nearest_training(rows, TRAIN)[1][:, 0] for rows in (FRESH, HELD_OUT))
    m, n = len(ours), len(fresh)
    u = stats.mannwhitneyu(ours, fresh, alternative="less").statistic
    theirs = (u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12)
    assert found.c_t == pytest.approx(theirs, abs=1e-3)


def test_k_means_finds_clusters_apart():
    generator = np.random.default_rng(0)
    places = 50 * np.eye(3, 5)
    rows = np.concatenate([p + generator.standard_normal((80, 5)) for p in places])
    centres = cell_centres(rows, 3, seed=1)
    expected = np.stack([rows[i * 80 : (i + 1) * 80].mean(0) for i in range(3)])
    found = centres[np.lexsort(centres.T[:3])][::-1]
    np.testing.assert_allclose(found[np.argsort(found.argmax(1))], expected, atol=1e-9)
    np.testing.assert_array_equal(centres, cell_centres(rows, 3, seed=1))


def test_nearest_training_gives_indices_to_look_at():
    index, distance = nearest_training(TRAIN[[7, 90]] + np.float32(1e-3), TRAIN, k=2)
    assert index[:, 0].tolist() == [7, 90]
    np.testing.assert_allclose(distance[:, 0], 1e-3 * np.sqrt(8), rtol=1e-3)
    assert (distance[:, 1] > distance[:, 0]).all()


def test_what_will_not_do():
    with pytest.raises(UserError, match="generated features: 19 samples are too few; at least 20"):
        memorisation(FRESH[:19], TRAIN)
    with pytest.raises(UserError, match="held-out features: 3 samples"):
        memorisation(FRESH, TRAIN, HELD_OUT[:3])
    with pytest.raises(UserError, match="training features: 1 of 1500 samples have NaN"):
        memorisation(FRESH, np.where(np.arange(1500)[:, None] == 4, np.nan, TRAIN))
    with pytest.raises(UserError, match="100% of the held-out images are in the training set"):
        memorisation(FRESH, TRAIN, TRAIN[:50])
    with pytest.raises(UserError, match="exact copy among the others: give held-out"):
        memorisation(FRESH, np.repeat(TRAIN, 2, axis=0))
    with pytest.raises(UserError, match="none of the 40 cells holds 20 fakes"):
        memorisation(FRESH, TRAIN, HELD_OUT[:100], num_cells=40)
    with pytest.raises(ValueError, match="quantile=0"):
        memorisation(FRESH, TRAIN, quantile=0)
    with pytest.raises(ValueError, match="one network"):
        memorisation(FRESH[:, :3], TRAIN)
