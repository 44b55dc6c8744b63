"""Pictures of points: what is drawn where, and the runs that draw them."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax.config import build
from gan_jax.data.codecs import Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.densities import Mixture, gaussian, parallel_lines, ring
from gan_jax.summaries.point_pictures import limits, points_picture
from tests.runs import assert_same_bits, assert_same_records, run, tiny

BLUE = np.array([31, 119, 180])  # matplotlib's first colour


def blue(picture):
    """Where a picture is of the points' colour, as bool [H, W]; they are drawn a little transparent."""
    away = 255 - picture.astype(float)
    share = away @ (255 - BLUE) / ((255 - BLUE) ** 2).sum()
    return (np.abs(away - share[..., None] * (255 - BLUE)).max(axis=-1) < 12) & (share > 0.3)


def plot_area(picture):
    """The frame's rows and columns: the longest dark lines."""
    dark = (picture < 90).all(axis=-1)
    rows, columns = dark.sum(axis=1), dark.sum(axis=0)
    rows, columns = np.flatnonzero(rows > 0.6 * rows.max()), np.flatnonzero(columns > 0.6 * columns.max())
    return rows[0], rows[-1], columns[0], columns[-1]


def place(picture, density, point):
    """Row and column of a point of the plane."""
    low, high = limits(density)
    top, bottom, left, right = plot_area(picture)
    x, y = (np.asarray(point) - low) / (high - low)
    return round(bottom + (top - bottom) * y), round(left + (right - left) * x)


def test_points_are_where_they_are_and_nowhere_else():
    points = np.array([[-1.0, -2.0], [1.0, 0.5], [0.0, 1.0]], np.float32)
    picture = points_picture(points, ring())
    assert picture.shape == (600, 600, 3)
    assert picture.dtype == np.uint8
    seen = blue(picture)
    seen[:110, 400:] = False  # the legend
    for point in points:
        row, column = place(picture, ring(), point)
        assert seen[row - 2 : row + 3, column - 2 : column + 3].any()
        seen[row - 4 : row + 5, column - 4 : column + 5] = False
    assert not seen.any()


def test_the_density_is_drawn_behind():
    picture = points_picture(np.zeros((1, 2)), ring())
    for mean in ring().means:
        row, column = place(picture, ring(), mean)
        np.testing.assert_allclose(picture[row, column], 191, atol=2)
    covered = points_picture(np.repeat(np.array(ring().means), 50, axis=0), ring())
    for mean in ring().means:
        row, column = place(covered, ring(), mean)
        assert blue(covered)[row, column]


def test_the_limits_are_those_of_the_density_and_have_equal_sides():
    for density in (ring(), parallel_lines(3.0), gaussian(5.0, 2.0)):
        low, high = limits(density)
        assert np.ptp(high - low) < 1e-9
        drawn = np.asarray(jax.jit(density.sample, static_argnums=1)(jax.random.key(7), 500))
        assert ((low < drawn) & (drawn < high)).mean() > 0.99
    far = points_picture(np.full((5, 2), 50.0), ring())
    np.testing.assert_array_equal(plot_area(far), plot_area(points_picture(np.zeros((5, 2)), ring())))


def test_an_image_shape_is_a_point_and_the_picture_is_the_same_each_time():
    points = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    first = points_picture(points, ring())
    np.testing.assert_array_equal(first, points_picture(points.reshape(-1, 1, 1, 2), ring()))
    assert not np.array_equal(first, points_picture(points[:299], ring()))


def test_a_histogram_stands_under_its_curve():
    """All points in one place are one high bar there; the heights of draws are the density's."""
    density = gaussian()
    low, high = limits(density)
    picture = points_picture(np.zeros((50, 1)), density)
    top, bottom, left, right = plot_area(picture)
    columns = np.flatnonzero(blue(picture)[top + 80 : bottom - 5].sum(axis=0) > 100)
    middle = left + (right - left) * (0 - low[0]) / (high[0] - low[0])
    assert abs(columns.mean() - middle) < 6
    assert np.ptp(columns) < 8
    drawn = np.random.default_rng(0).normal(size=(400_000, 1))
    heights = blue(points_picture(drawn, density))[top + 2 : bottom - 1, round(middle) - 1].sum()
    assert heights == pytest.approx((bottom - top) / 1.6, rel=0.06)


@pytest.mark.parametrize(
    ("points", "density"),
    [
        (np.zeros((0, 2)), ring()),
        (np.zeros((4, 1)), ring()),
        (np.zeros((4, 2)), None),
        (np.zeros((4, 3)), Mixture(((0.0, 0.0, 0.0),), (1.0,))),
    ],
)
def test_what_cannot_be_drawn(points, density):
    with pytest.raises(ValueError, match="points"):
        points_picture(points, density)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A small run on the ring."""
    config = tiny(tmp_path_factory.mktemp("data"))
    del config.data
    config.data = dict(build.base_config().data, name="ring", std=0.1, num_examples=300)
    config.generator = dict(name="mlp_generator", widths=(8,), norm="none", output="linear")
    return config


def test_a_run_on_points_resumes_and_its_pictures_are_the_same(config, tmp_path):
    whole = run(config, tmp_path / "whole")
    with pytest.raises(RuntimeError):
        run(config, tmp_path / "parts", stop_at=20, by=RuntimeError)
    assert_same_bits(run(config, tmp_path / "parts"), whole)
    assert_same_records(tmp_path / "whole", tmp_path / "parts")
    for name in ("reals.png", "samples/step_0000030.png"):
        with Image.open(tmp_path / "whole" / name) as picture:
            assert picture.size == (600, 600)
    record = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert record["data"]["fields"]["image"]["codec"]["name"] == "points"
    assert record["data"]["options"]["std"] == 0.1


def test_the_plan_knows_that_the_data_are_points(config):
    assert build.build(config).spec == DataSpec({"image": Field((1, 1, 2), Points(ring(std=0.1)))}, None)
