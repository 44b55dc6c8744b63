"""Pictures of any size through a translation: what comes out is what the network makes of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.core.algorithm import Algorithm, Geometry
from gan_jax.core.randomness import example_keys
from gan_jax.data.codecs import Lab, Pixels, Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.inference import translate as module
from gan_jax.inference.translate import PictureTranslator, padded_side, reflected
from gan_jax.models.srresnet import SRResNet
from gan_jax.models.unet import UNetGenerator
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree


class Network(nn.Module):
    """Two convolutions that see three pixels to each side; enlarged `scale` times, halved and doubled."""

    channels: int = 3
    scale: int = 1
    multiple: int = 1

    @nn.compact
    def __call__(self, image: jax.Array, told: PyTree, train: bool) -> jax.Array:
        scaled = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
        x = nn.Conv(6, (5, 5), kernel_init=scaled)(image)
        x = jnp.tanh(nn.Conv(self.channels, (3, 3), kernel_init=scaled)(x))
        shape = (x.shape[0], x.shape[1] * self.scale, x.shape[2] * self.scale, self.channels)
        if any(side % self.multiple for side in image.shape[1:3]):
            raise ValueError(f"sides {image.shape[1:3]} are no multiples of {self.multiple}")
        return jax.image.resize(x, shape, "nearest")


@dataclass(frozen=True, kw_only=True)
class Toy(Algorithm):
    """Translates one way, with noise of a given strength."""

    roles = ("generator",)
    noise: float = 0.0
    holes: bool = False
    ways: tuple[str, ...] = ("a_to_b",)

    def examples(self, batch: Any) -> Any:
        return {"generator": (batch["source"], None)}

    @property
    def directions(self) -> tuple[str, ...]:
        return self.ways

    @property
    def reads_alpha(self) -> bool:
        return self.holes

    def input_field(self, direction: str) -> str:
        return "source" if direction == "a_to_b" else "image"

    def geometry(self, direction: str) -> Geometry:
        return Geometry(self.generator.multiple, self.generator.scale)

    def translate(self, state: Any, picture: jax.Array, key: jax.Array, direction: str) -> jax.Array:
        if self.holes:
            alpha = picture[..., -1:]
            return picture[..., :-1] * alpha + (1 - alpha) * 0.5
        params, stats = state.ema["params"], state.ema["stats"]
        made = self.apply(self.generator, params, stats, picture, None, key=None, train=False)[0]
        keys = example_keys(key, picture.shape[0])
        return made + self.noise * jax.vmap(lambda k: jax.random.normal(k, made.shape[1:]))(keys)


def spec(source: Field | None = None, image: Field | None = None) -> DataSpec:
    field = Field((32, 32, 3))
    return DataSpec({"source": source or field, "image": image or field}, None)


def toy(data: DataSpec | None = None, network: Any = None, **fields: Any) -> tuple[Toy, DataSpec, Any]:
    data = data or spec()
    algorithm = Toy(
        generator=network or Network(data.image_shape[-1]),
        generator_tx=optax.sgd(0.1),
        ema_decay=lambda step: 0.0,
        **fields,
    )
    batch = {name: jnp.zeros((1, *field.shape)) for name, field in data.fields.items()}
    return algorithm, data, algorithm.init(jax.random.key(0), batch)


def translator(*made: Any, **options: Any) -> PictureTranslator:
    return PictureTranslator(*made, **{"direction": "a_to_b", **options})


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(height * width)
    return rng.integers(0, 256, (height, width, channels), np.uint8)


def whole(made: Any, given: np.ndarray) -> np.ndarray:
    """What the network makes of all of a picture of pixels, as it is."""
    algorithm, data, state = made
    decoded = data.fields["source"].codec.decode(jnp.asarray(given))[None]
    out = algorithm.translate(state, decoded, jax.random.key(0), "a_to_b")
    return data.fields["image"].codec.picture(np.asarray(out))[0]


@pytest.mark.parametrize("scale", [1, 2])
def test_a_size_on_the_grid_is_what_the_network_makes_of_it(scale):
    made = toy(network=Network(3, scale, 4))
    given = picture(48, 72)
    np.testing.assert_array_equal(translator(*made)(given), whole(made, given))


def test_another_size_is_it_but_for_the_edges():
    made = toy(network=Network(3, 2, 4))
    given = picture(70, 45)
    found, wanted = translator(*made)(given), whole(toy(network=Network(3, 2)), given)
    assert found.shape == (140, 90, 3)
    inner = np.s_[6:-6, 6:-6]  # three pixels that the network sees beyond the edge, twice as large
    np.testing.assert_array_equal(found[inner], wanted[inner])
    assert (found != wanted).any()


@pytest.mark.parametrize("sides", [(1, 1), (2, 30), (5, 3)])
def test_a_picture_that_is_smaller_than_its_margin(sides):
    assert translator(*toy(network=Network(3, 1, 8)))(picture(*sides)).shape == (*sides, 3)


def test_tiles_give_the_whole_where_the_network_sees_less_than_their_overlap():
    made = toy(network=Network(3, 2, 4))
    given = picture(150, 91)
    np.testing.assert_array_equal(translator(*made, tile=50)(given), translator(*made)(given))
    assert translator(*made, tile=50).tile == 48
    assert translator(*made, tile=50).is_tiled(150, 91)
    assert not translator(*made, tile=160).is_tiled(150, 91)


def test_few_sizes_are_compiled():
    made = translator(*toy(network=Network(3, 1, 4)))
    for side in range(65, 73):
        made(picture(side, 64))
    assert len(made._programs) == 1
    grid = {padded_side(side, 4) for side in range(1024, 2049)}
    assert len(grid) == 9
    assert all(side <= padded_side(side, 4) <= max(1.125 * side, side + 4) for side in range(16, 3000))
    assert [padded_side(side, 4) for side in (28, 64, 256, 286)] == [28, 64, 256, 288]


def test_noise_is_the_seeds_and_the_same_for_all_pictures():
    made = toy(noise=0.3)
    one, other = translator(*made, seed=1), translator(*made, seed=2)
    given = picture(32, 32)
    first = one(given)
    one(picture(40, 40))
    np.testing.assert_array_equal(one(given), first)
    np.testing.assert_array_equal(translator(*made, seed=1)(given), first)
    assert (other(given) != first).any()


def test_codecs_of_both_fields_and_directions():
    colours, grey = Field((32, 32, 3), Lab()), Field((32, 32, 1), Pixels())
    made = toy(spec(grey, colours))
    assert translator(*made).channels == 1
    found = translator(*made)(picture(32, 32, 1))
    np.testing.assert_array_equal(found, whole(made, picture(32, 32, 1)))
    back = toy(spec(grey, colours), ways=("a_to_b", "b_to_a"))
    assert PictureTranslator(*back, direction="b_to_a").channels == 3


def test_alpha_goes_to_a_method_that_fills_holes():
    given = picture(32, 40, 4)
    given[..., 3] = 255
    given[8:16, 8:16, 3] = 0
    fills = translator(*toy(holes=True))
    assert fills.channels == 4
    found = fills(given)
    assert found.shape == (32, 40, 3)
    np.testing.assert_array_equal(found[8:16, 8:16], 191)
    np.testing.assert_array_equal(found[16:], given[16:, :, :3])
    grey = Field((32, 32, 1))
    in_grey = translator(*toy(spec(grey, grey), holes=True))(given)
    assert in_grey.shape == (32, 40, 1)


def test_the_tile_is_what_the_memory_is_enough_for(monkeypatch):
    made = translator(*toy())
    [side] = {padded_side(module.UNTILED, 1)}
    monkeypatch.setattr(module, "device_free_bytes", lambda mesh: 0)
    assert made.largest_tile() == side
    each = sum(made._needed(made._program(side, side)).values()) / side**2
    monkeypatch.setattr(module, "device_free_bytes", lambda mesh: 2 * each * 1000**2)
    assert made.largest_tile() == 1000


def test_the_least_tile_of_a_network_of_large_steps_overlaps_with_the_next(monkeypatch):
    field = Field((module.UNTILED, module.UNTILED, 3))
    made = translator(*toy(spec(field, field), Network(multiple=module.UNTILED)))
    monkeypatch.setattr(module, "device_free_bytes", lambda mesh: 0)
    made.tile = made.largest_tile()
    assert made.tile == 2 * module.UNTILED
    assert made(picture(8, 600)).shape == (8, 600, 3)


@pytest.mark.parametrize(
    ("fields", "options", "message"),
    [
        ({"ways": ()}, {}, "Toy makes no pictures of pictures"),
        ({}, {"direction": "b_to_a"}, "b_to_a: Toy translates a_to_b"),
        ({}, {"tile": 8}, "tile=8: .* at least 16 pixels"),
        ({"data": spec(source=Field((1, 1, 2), Points()))}, {}, "translates points"),
    ],
)
def test_what_cannot_be_done_is_said(fields, options, message):
    with pytest.raises(UserError, match=message):
        translator(*toy(**fields), **options)


def test_a_size_that_the_network_does_not_take():
    made = translator(*toy())
    made._geometry = Geometry(1, 3)
    with pytest.raises(UserError, match="makes 32 x 32 of 32 x 32, and its geometry says 3 times"):
        made(picture(32, 32))
    field = Field((30, 30, 3))
    refuses = translator(*toy(spec(field, field), Network(3, 1, 5)))
    refuses._geometry = Geometry(1, 1)
    with pytest.raises(UserError, match=r"takes no pictures of 32 x 32: .* no multiples of 5"):
        refuses(picture(32, 32))


def test_reflection_is_even():
    padded, top, left = reflected(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), 4, 5)
    assert (top, left) == (1, 1)
    np.testing.assert_array_equal(padded[..., 0], [[3, 2, 3, 2, 3], [1, 0, 1, 0, 1]] * 2)


def test_tiles_of_srresnet_give_the_whole():
    """Its norms are fixed after training, and it sees 12 pixels to each side: a third of 40 is more."""
    algorithm, data, state = toy(network=SRResNet((64, 64, 3), width=8, blocks=2, scale=2))
    given = picture(200, 170)
    found = translator(algorithm, data, state, tile=160)(given)
    assert found.shape == (400, 340, 3)
    wanted = translator(algorithm, data, state)(given)
    assert np.abs(found.astype(int) - wanted).max() <= 1  # sums in another order
    assert (found != wanted).mean() < 1e-3
    small = translator(algorithm, data, state, tile=64)(given)
    assert (small != wanted).any()


def test_instance_norms_see_the_tile_alone():
    algorithm, data, state = toy(network=UNetGenerator((64, 64, 3), width=4, downs=2, dropout=0.0))
    given = picture(96, 96)
    whole_picture = translator(algorithm, data, state)(given)
    tiled = translator(algorithm, data, state, tile=64)(given)
    assert tiled.shape == whole_picture.shape
    assert (tiled != whole_picture).any()
