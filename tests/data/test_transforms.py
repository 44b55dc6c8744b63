"""Flips and crops: aligned fields together, others by themselves, each example by its own key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.codecs import Lab, Pixels, Tiles
from gan_jax.data.spec import Field
from gan_jax.data.transforms import enlarge_and_crop, flip, random_flip

COUNT, HEIGHT, WIDTH = 64, 6, 8
FIELDS = {
    "image": Field((HEIGHT, WIDTH, 3)),
    "source": Field((HEIGHT, WIDTH, 1), Pixels()),
    "tiles": Field((HEIGHT, WIDTH, 2), Tiles(np.array([[0, 0, 0], [255, 0, 0]]))),
    "other": Field((HEIGHT, WIDTH, 3), Lab(), aligned=False),
    "third": Field((HEIGHT, WIDTH, 3), aligned=False),
}
KEYS = jax.random.split(jax.random.key(3), COUNT)


@pytest.fixture(scope="module")
def batch():
    """Every field shows the number of its column, so that all that moves can be seen."""
    columns = np.broadcast_to(np.arange(WIDTH, dtype=np.float32)[:, None], (COUNT, HEIGHT, WIDTH, 1))
    fields = {name: np.repeat(columns, field.shape[2], axis=3) for name, field in FIELDS.items()}
    return {**fields, "label": np.arange(COUNT, dtype=np.int32)}


def test_aligned_fields_are_mirrored_together_and_others_by_themselves(batch):
    found = jax.jit(flip(FIELDS))(batch, KEYS)
    assert found.keys() == batch.keys()
    np.testing.assert_array_equal(found["label"], batch["label"])
    mirrored = {name: np.asarray(found[name][:, 0, 0, 0] == WIDTH - 1) for name in FIELDS}
    for name in FIELDS:
        rows = np.where(mirrored[name][:, None, None, None], batch[name][:, :, ::-1], batch[name])
        np.testing.assert_array_equal(found[name], rows)
        assert 16 < mirrored[name].sum() < 48
    np.testing.assert_array_equal(mirrored["image"], mirrored["source"])
    np.testing.assert_array_equal(mirrored["image"], mirrored["tiles"])
    for one, another in (("image", "other"), ("image", "third"), ("other", "third")):
        assert 8 < (mirrored[one] != mirrored[another]).sum() < 56


def test_the_flips_of_aligned_fields_are_those_of_random_flip(batch):
    found = jax.jit(flip(FIELDS))(batch, KEYS)
    np.testing.assert_array_equal(found["image"], random_flip(jnp.asarray(batch["image"]), KEYS))


def test_a_field_of_its_own_does_not_depend_on_which_others_there_are(batch):
    alone = jax.jit(flip({"other": FIELDS["other"]}))(batch, KEYS)
    np.testing.assert_array_equal(alone["other"], jax.jit(flip(FIELDS))(batch, KEYS)["other"])
    np.testing.assert_array_equal(alone["image"], batch["image"])


@pytest.mark.parametrize("transform", [flip(FIELDS), enlarge_and_crop(FIELDS, 3)], ids=["flip", "crop"])
def test_an_example_depends_on_its_own_key_alone(batch, transform):
    whole = jax.jit(transform)(batch, KEYS)
    part = jax.jit(transform)(jax.tree.map(lambda x: x[10:20], batch), KEYS[10:20])
    for name in FIELDS:
        np.testing.assert_allclose(part[name], whole[name][10:20], atol=1e-6)


def test_a_crop_is_a_window_of_the_enlarged_image(batch):
    """The enlargement as Pillow's and PyTorch's, with half-pixel centres; every window is reached."""
    pixels = 2
    found = jax.jit(enlarge_and_crop(FIELDS, pixels))(batch, KEYS)
    wide = WIDTH + pixels
    enlarged = np.interp((np.arange(wide) + 0.5) * WIDTH / wide - 0.5, np.arange(WIDTH), np.arange(WIDTH))
    windows = np.stack([enlarged[left : left + WIDTH] for left in range(pixels + 1)])
    places = {}
    for name in FIELDS:
        assert found[name].shape == batch[name].shape
        rows = np.asarray(found[name])[:, 0, :, 0]
        np.testing.assert_allclose(
            found[name], np.broadcast_to(rows[:, None, :, None], found[name].shape), atol=1e-5
        )
        distance = np.abs(rows[:, None] - windows).max(axis=-1)
        assert distance.min(axis=1).max() < 1e-5
        places[name] = distance.argmin(axis=1)
        assert set(places[name]) == {0, 1, 2}
    np.testing.assert_array_equal(places["image"], places["source"])
    assert (places["image"] != places["other"]).any()


def test_height_and_width_are_cropped_by_themselves():
    images = np.broadcast_to(np.arange(9.0).reshape(1, 9, 1, 1), (COUNT, 9, 5, 1)).astype(np.float32)
    field = {"image": Field((9, 5, 1))}
    rows = jax.jit(enlarge_and_crop(field, 3))({"image": images}, KEYS)["image"][:, 4, 0, 0]
    turned = jax.jit(enlarge_and_crop({"image": Field((5, 9, 1))}, 3))(
        {"image": images.transpose(0, 2, 1, 3)}, KEYS
    )["image"][:, 0, 4, 0]
    assert len(np.unique(np.round(rows, 4))) == len(np.unique(np.round(turned, 4))) == 4
    assert (np.abs(rows - turned) > 1e-4).any()
