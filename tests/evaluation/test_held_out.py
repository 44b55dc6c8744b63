"""Errors of examples made again, in the units that the metric `reconstruction` names."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.codecs import Pixels, Points, Tiles
from gan_jax.data.spec import DataSpec, Field
from gan_jax.evaluation.held_out import errors_of


class MakesZeros:
    """Encodes everything as nothing, of which it makes zeros."""

    has_encoder = True

    def conditioning(self, batch: Any, state: Any) -> None:
        return None

    def encode(self, state: Any, image: Any, told: Any) -> Any:
        return image

    def draw(self, state: Any, latent: Any, told: Any) -> Any:
        return jnp.zeros_like(latent)


@pytest.mark.parametrize(
    ("codec", "shape", "stored", "expected"),
    [
        (Pixels(), (1, 2, 1), np.array([[[[255], [0]]]], np.uint8), (0.5, 0.25)),  # both half a range away
        (Points(), (1, 1, 2), np.array([[[[3.0, -1.0]]]], np.float32), (2.0, 5.0)),
        # One-hot values are in [0, 1] as they are: one of two is 1 from what it is.
        (Tiles(np.zeros((2, 3), np.uint8)), (1, 3, 2), np.array([[[0, 1, 1]]], np.uint8), (0.5, 0.5)),
    ],
)
def test_errors_are_of_values_in_0_to_1_and_of_points_in_their_units(codec, shape, stored, expected):
    spec = DataSpec({"image": Field(shape, codec)}, None)
    errors = errors_of(MakesZeros(), spec)  # type: ignore[arg-type]
    assert errors is not None
    found = errors(None, stored, jnp.zeros(1, jnp.int32), jax.random.key(0))  # type: ignore[arg-type]
    np.testing.assert_allclose(found, [expected], rtol=1e-6)
