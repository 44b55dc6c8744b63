"""Paths between latents, and styles of one with layers of another."""

import numpy as np
import pytest

from gan_jax.latent_tools.generator import Latents
from gan_jax.latent_tools.mixing import chosen_layers, layer_bands, mixed
from gan_jax.latent_tools.paths import latent_path
from gan_jax.utils.errors import UserError

RNG = np.random.default_rng(0)


def of_norm(rows, norm):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True) * norm).astype(np.float32)


def test_normal_z_turn_at_constant_speed_on_their_sphere():
    stations = Latents("z", of_norm(RNG.normal(size=(3, 8)), 2.0))
    path = latent_path(stations, "normal", 4).values
    assert path.shape == (9, 8)
    np.testing.assert_allclose(path[::4], stations.values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 2.0, rtol=1e-5)
    for leg in (path[:5], path[4:]):
        np.testing.assert_allclose(
            np.diff([angle(leg[0], z) for z in leg]), angle(leg[0], leg[-1]) / 4, rtol=1e-3
        )


def angle(a, b):
    return 2 * np.arcsin(np.linalg.norm(a - b) / 2 / 2.0)


@pytest.mark.parametrize(
    "stations", [Latents("z", RNG.uniform(-1, 1, (2, 1))), Latents("w", RNG.normal(size=(2, 3, 4)))]
)
def test_uniform_z_and_w_move_in_lines(stations):
    path = latent_path(stations, "uniform", 2).values
    a, b = stations.values
    np.testing.assert_allclose(path, [a, (a + b) / 2, b], rtol=1e-6)


def test_a_closed_path_ends_a_step_before_its_start():
    stations = Latents("w", RNG.normal(size=(3, 2, 2)), np.array([4, 5, 6]))
    path = latent_path(stations, "normal", 2, closed=True)
    assert len(path) == 6
    np.testing.assert_allclose(path.values[-1], (stations.values[2] + stations.values[0]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(path.labels, [4, 4, 5, 5, 6, 6])


def test_paths_that_are_none():
    with pytest.raises(UserError, match="1 is given: give at least two"):
        latent_path(Latents("z", np.zeros((1, 3))), "normal", 2)
    with pytest.raises(UserError, match="have a single entry"):
        latent_path(Latents("z", np.zeros((2, 1))), "normal", 2)


@pytest.mark.parametrize(
    ("layers", "bands"),
    [
        (18, {"coarse": range(6), "middle": range(6, 12), "fine": range(12, 18)}),
        (4, {"coarse": range(1), "middle": range(1, 2), "fine": range(2, 4)}),
        (2, {"middle": range(1), "fine": range(1, 2)}),
    ],
)
def test_bands_are_thirds(layers, bands):
    assert layer_bands(layers) == bands


@pytest.mark.parametrize(
    ("text", "layers"), [("coarse", [0, 1]), ("fine, 0", [0, 4, 5]), ("1-3", [1, 2, 3]), ("all", [*range(6)])]
)
def test_layers_by_name(text, layers):
    assert chosen_layers(text, 6) == layers


@pytest.mark.parametrize("text", ["6", "3-1", "finest", "", "1-", "-1"])
def test_layers_that_are_none(text):
    with pytest.raises(UserError, match=f"layers={text}"):
        chosen_layers(text, 6)


def test_mixed_styles_are_the_rows_but_in_the_layers():
    rows, columns = (Latents("w", RNG.normal(size=(n, 4, 2)).astype(np.float32)) for n in (2, 3))
    made = mixed(rows, columns, [1, 2]).values.reshape(2, 3, 4, 2)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_array_equal(made[i, j, [0, 3]], rows.values[i, [0, 3]])
        np.testing.assert_array_equal(made[i, j, [1, 2]], columns.values[j, [1, 2]])
