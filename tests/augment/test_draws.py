"""How often each transform happens, and what it is then: statistics with known seeds, 5 sigma."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gan_jax.augment import ada, geometry
from gan_jax.augment.colour import colour_map
from gan_jax.augment.draws import NAMES, SLOTS, TRANSFORMS, draw
from tests.augment.cases import keys_of

COUNT = 40_000
KEYS = keys_of(COUNT, 7)


def draws_at(p, names=NAMES):
    return draw(KEYS, jnp.float32(p), frozenset(names))


def agrees(sample, distribution):
    """Kolmogorov and Smirnov's test."""
    assert stats.kstest(np.ravel(sample), distribution.cdf).pvalue > 1e-4


def test_every_name_has_slots_and_every_slot_a_name():
    assert {slot.split("/")[0] for slot in SLOTS} == set(NAMES)
    assert len(set(SLOTS)) == len(SLOTS)
    assert sum(map(len, TRANSFORMS.values())) == len(NAMES)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_each_transform_happens_with_probability_p_independently(p):
    draws = draws_at(p)
    happens = np.stack([draws.happens(slot) for slot in SLOTS], 1)
    for slot, share in zip(SLOTS, happens.mean(0), strict=True):
        expected = 1 - np.sqrt(1 - p) if slot.startswith("rotate/") else p
        assert abs(share - expected) <= 5 * np.sqrt(expected * (1 - expected) / COUNT), slot
    either = np.asarray(draws.any_happens("rotate")).mean()
    assert abs(either - p) <= 5 * np.sqrt(p * (1 - p) / COUNT)
    if 0 < p < 1:
        correlation = np.corrcoef(happens.T) - np.eye(len(SLOTS))
        assert np.abs(correlation).max() < 5 / np.sqrt(COUNT)


def test_values_have_their_distributions_and_do_not_depend_on_the_gates():
    draws = draws_at(0.5)
    values = np.concatenate(
        [np.asarray(v).reshape(COUNT, -1) for v in (draws.gates, draws.uniforms, draws.normals)], 1
    )
    correlation = np.corrcoef(values.T) - np.eye(values.shape[1])
    assert np.abs(correlation).max() < 5.5 / np.sqrt(COUNT)  # of 4,465 pairs
    agrees(draws.uniforms[:2000], stats.uniform)
    agrees(draws.normals[:2000], stats.norm)


def test_leaving_transforms_out_changes_no_other():
    some = draws_at(0.5, ["flip", "hue"])
    full = draws_at(0.5)
    for slot in ("flip", "hue"):
        np.testing.assert_array_equal(some.happens(slot), full.happens(slot))
    assert not some.happens("scale").any()
    assert not some.any_happens("rotate", "bands").any()


def geometry_of(name):
    """Inverse transforms with one alone, on 20 x 40: [COUNT, 3, 3]."""
    inverse = jax.jit(lambda: geometry.inverse_transform(draws_at(1.0, [name]), 20, 40))()
    return np.linalg.inv(np.float64(inverse))


def test_scales():
    found = geometry_of("scale")
    agrees(np.log2(found[:, 0, 0]), stats.norm(scale=0.2))
    np.testing.assert_allclose(found[:, 0, 0], found[:, 1, 1])


def test_stretches():
    found = geometry_of("stretch")
    agrees(np.log2(found[:, 0, 0]), stats.norm(scale=0.2))
    np.testing.assert_allclose(found[:, 0, 0] * found[:, 1, 1], 1, rtol=1e-5)


def test_rotations():
    """At p = 1 both happen, and their sum is uniform again."""
    found = geometry_of("rotate")
    agrees(np.arctan2(found[:, 1, 0], found[:, 0, 0]), stats.uniform(-np.pi, 2 * np.pi))
    np.testing.assert_allclose(np.linalg.det(found), 1, rtol=1e-5)


def test_translations():
    found = geometry_of("translate")
    agrees(found[:, 0, 2], stats.norm(scale=0.125 * 40))
    agrees(found[:, 1, 2], stats.norm(scale=0.125 * 20))


def test_shifts_are_whole_and_uniform_up_to_an_eighth():
    draws = draws_at(1.0)
    for part, size in enumerate([40, 28]):
        shift = np.asarray(ada._shift(draws, part, size))
        reach = int(np.ceil(size / 8 - 0.5))  # 3 of 28 pixels: 3.5 itself is never drawn
        assert (shift.min(), shift.max()) == (-reach, reach)
        edges = np.clip(np.arange(-reach - 0.5, reach + 1), -size / 8, size / 8)
        share = np.diff(edges) / (size / 4)
        counts = np.bincount(shift + reach, minlength=2 * reach + 1)
        assert stats.chisquare(counts, share * COUNT).pvalue > 1e-4


def test_flips_and_turns():
    """A picture of four different corners shows which of the eight happened: flips half, turns a quarter."""
    picture = jnp.arange(4.0).reshape(1, 2, 2, 1)
    draws = draw(KEYS[:4000], jnp.float32(1), frozenset(["flip", "quarter_turn"]))
    found = np.asarray(ada.transform_geometry(picture.repeat(4000, 0), draws))
    kinds, counts = np.unique(found.reshape(4000, 4), axis=0, return_counts=True)
    assert len(kinds) == 8
    assert stats.chisquare(counts).pvalue > 1e-4


def test_a_picture_that_is_no_square_has_only_half_turns():
    picture = jnp.arange(6.0).reshape(1, 2, 3, 1).repeat(4000, 0)
    found = ada.transform_geometry(picture, draw(KEYS[:4000], jnp.float32(1), frozenset(["quarter_turn"])))
    kinds, counts = np.unique(np.asarray(found).reshape(4000, 6), axis=0, return_counts=True)
    np.testing.assert_array_equal(kinds, [np.arange(6), np.arange(6)[::-1]])
    assert stats.chisquare(counts).pvalue > 1e-4


def test_colours():
    def of(name):
        return np.asarray(colour_map(draws_at(1.0, [name]), 3))

    agrees(of("brightness")[:, 0, 3], stats.norm(scale=0.2))
    agrees(np.log2(of("contrast")[:, 0, 0]), stats.norm(scale=0.5))
    flipped = of("luma_flip")[:, 0, 1] < -0.5
    assert abs(flipped.mean() - 0.5) < 2.5 / np.sqrt(COUNT)
    hue = of("hue")
    agrees(
        np.arctan2(np.sqrt(3) * (hue[:, 1, 0] - hue[:, 0, 1]) / 2, (3 * hue[:, 0, 0] - 1) / 2),
        stats.uniform(-np.pi, 2 * np.pi),
    )
    saturation = of("saturation")
    agrees(np.log2(saturation[:, 0, 0] - saturation[:, 0, 1]), stats.norm)
