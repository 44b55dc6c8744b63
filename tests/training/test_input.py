"""What a step is given, and a whole run on two unpaired data sets."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.config.build import build
from gan_jax.config.record import recorded_spec
from gan_jax.core.randomness import example_keys
from gan_jax.data import IndexSampler, make_feed, random_flip, to_float
from gan_jax.data.transforms import enlarge_and_crop, flip
from gan_jax.training.input import make_fetch
from gan_jax.utils.errors import UserError
from tests.runs import assert_same_bits, assert_same_records, recorded, run, tiny


@pytest.fixture(scope="module")
def feed(data_dir):
    dataset = data.load("shapes", data_dir=str(data_dir), num_examples=40, resolution=16)
    return make_feed(dataset, IndexSampler(40, 8, minibatches=3, seed=2), steps_per_call=1)


def test_mini_batch_r_is_flipped_with_the_keys_of_r(feed):
    item = jax.tree.map(lambda x: x[0], feed.get(4, 1))
    key = jax.random.key(6)
    batch = jax.jit(make_fetch(feed, (flip(feed.fields),)))(feed.constants, item, key)
    plain = jax.jit(make_fetch(feed, ()))(feed.constants, item, key)
    stored = feed.fetch(feed.constants, item)
    np.testing.assert_array_equal(plain["image"], to_float(jnp.asarray(stored["image"])))
    for number in range(3):
        keys = example_keys(jax.random.fold_in(key, number), 8)
        expected = random_flip(plain["image"][number], keys)
        np.testing.assert_array_equal(batch["image"][number], expected)
    np.testing.assert_array_equal(batch["label"], stored["label"])


def test_a_crop_changes_no_flip(feed):
    item, key = jax.tree.map(lambda x: x[0], feed.get(4, 1)), jax.random.key(6)
    crop = enlarge_and_crop(feed.fields, 2)
    cropped = jax.jit(make_fetch(feed, (crop,)))(feed.constants, item, key)["image"]
    both = jax.jit(make_fetch(feed, (crop, flip(feed.fields))))(feed.constants, item, key)["image"]
    for number in range(3):
        expected = random_flip(cropped[number], example_keys(jax.random.fold_in(key, number), 8))
        np.testing.assert_allclose(both[number], expected, atol=1e-6)


def zip_config(folder, **parts):
    config = tiny(folder)
    shapes = dict(name="shapes", resolution=16, num_examples=44)
    given = dict(
        image=dict(shapes, channels=1), source=dict(shapes, channels=3, num_examples=20, seed=7), **parts
    )
    with config.unlocked():
        for field in ("resolution", "channels", "num_examples", "seed"):
            del config.data[field]
        config.data.update(name="zip", parts=given, random_crop=2)
    return config


def test_a_run_on_unpaired_data_resumes_with_the_same_bits(tmp_path):
    config = zip_config(
        tmp_path / "data",
    )
    whole = run(config, tmp_path / "whole")
    with pytest.raises(RuntimeError):
        run(config, tmp_path / "parts", stop_at=16, by=RuntimeError)
    config.data.placement = "stream"
    assert_same_bits(run(config, tmp_path / "parts"), whole)
    assert_same_records(tmp_path / "whole", tmp_path / "parts")
    for name, mode in (("reals.png", "L"), ("reals_source.png", "RGB")):
        with Image.open(tmp_path / "whole" / name) as picture:
            assert picture.mode == mode
    record = json.loads(json.dumps(recorded(tmp_path / "whole")["data"]))
    assert recorded_spec(record) == build(config).spec
    config.data.parts.source.seed = 8
    with pytest.raises(UserError, match=r"data\.parts\.source\.seed: 7 -> 8; the data: zip of image: "):
        run(config, tmp_path / "parts")
