"""Pictures of the page: those of the tools about latents, whose points and ways they are."""

import numpy as np
import pytest

from gan_jax.core.styles import Truncation
from gan_jax.explorer.pictures import Pictures, Point, View
from gan_jax.utils.errors import UserError
from tests.latent_tools.toys import LATENT, SIZE, plain, styled


@pytest.fixture(scope="module")
def of_w():
    return Pictures(styled())


@pytest.fixture(scope="module")
def of_z():
    return Pictures(plain(condition="one_hot"))


def picture(pictures, latents):
    return pictures.generator.codec.picture(pictures.generator(latents))[0]


def test_what_there_is(of_w, of_z):
    assert (of_w.num_classes, of_w.method, of_w.truncates) == (None, "ganspace", True)
    assert of_w.bands == ("coarse", "middle", "fine")
    assert of_w.directions.vectors.shape == (SIZE, SIZE)
    assert (of_z.num_classes, of_z.method, of_z.truncates, of_z.bands) == (3, "sefa", False, ())
    assert of_z.directions.vectors.shape == (LATENT, LATENT)


def test_a_seed_is_the_first_picture_of_sample(of_w, of_z):
    np.testing.assert_array_equal(of_w(View(Point(3))), picture(of_w, of_w.generator.drawn([3])))
    drawn = picture(of_z, of_z.generator.drawn([3], [2]))
    np.testing.assert_array_equal(of_z(View(Point(3, 2))), drawn)
    assert (of_z(View(Point(3, 1))) != drawn).any()


def test_moves_are_standard_deviations_along_the_directions(of_w, of_z):
    found = of_z.directions
    start = of_z.generator.drawn([0], [1])
    moved = start.moved(start.values - 1.5 * found.spread[1] * found.vectors[1])
    np.testing.assert_array_equal(of_z(View(Point(0, 1, (0.0, -1.5)))), picture(of_z, moved))
    found, start = of_w.directions, of_w.generator.in_space(of_w.generator.drawn([0]), "w")
    values = start.values.astype(np.float64)
    values[:, 2:] += 2 * found.spread[0] * found.vectors[0]
    fine = View(Point(0, moves=(2.0,), layers="fine"))
    np.testing.assert_array_equal(of_w(fine), picture(of_w, start.moved(values)))


def test_a_way_begins_and_ends_at_its_points_and_has_the_nearer_ones_class(of_w, of_z, monkeypatch):
    a, b = Point(0, 1, (1.0,)), Point(7, 2)
    for pictures, start, end in ((of_z, a, b), (of_w, Point(0, moves=(0, 1.0)), Point(7))):
        np.testing.assert_allclose(pictures(View(start, end, 0.0)), pictures(View(start)), atol=1)
        np.testing.assert_allclose(pictures(View(start, end, 1.0)), pictures(View(end)), atol=1)
    values = [of_z.generator.drawn([seed], [1]).values for seed in (0, 7)]
    norms = [np.linalg.norm(value) for value in values]
    seen: list[tuple[list[int], np.floating]] = []

    def spied(latents, psi):
        assert latents.labels is not None
        seen.append((latents.labels.tolist(), np.linalg.norm(latents.values)))
        return latents

    monkeypatch.setattr(of_z, "_truncated", spied)
    for t in (0.4, 0.6):
        of_z(View(Point(0, 1), Point(7, 2), t))
    assert [labels for labels, _ in seen] == [[1], [2]]
    for (_, norm), t in zip(seen, (0.4, 0.6), strict=True):  # on the sphere
        np.testing.assert_allclose(norm, (1 - t) * norms[0] + t * norms[1], rtol=1e-5)


def test_truncation_is_that_of_sample(of_w, of_z):
    truncated = styled(Truncation(0.3))
    wanted = truncated.codec.picture(truncated(truncated.drawn([5])))[0]
    np.testing.assert_allclose(of_w(View(Point(5), psi=0.3)), wanted, atol=1)
    with pytest.raises(UserError, match="no mean style"):
        of_z(View(Point(0, 0), psi=0.5))


def test_a_network_without_a_dense_layer_of_z_moves_along_its_axes(monkeypatch):
    monkeypatch.setattr(
        "gan_jax.latent_tools.directions.first_weights", lambda *_: (_ for _ in ()).throw(UserError("none"))
    )
    pictures = Pictures(plain())
    assert pictures.method is None
    np.testing.assert_array_equal(pictures.directions.vectors, np.eye(LATENT))
    np.testing.assert_allclose(pictures.directions.spread, 1.0, atol=0.05)
