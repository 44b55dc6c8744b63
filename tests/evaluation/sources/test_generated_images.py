"""A generator as a source: the pictures of `gan-jax sample`, in any batches, on any number of devices."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import DataSpec, Field
from gan_jax.evaluation.sources.generated_images import generator_source
from gan_jax.inference.sample import CHUNK, make_chunks, make_sampler
from gan_jax.summaries.pictures import grid
from gan_jax.utils.errors import UserError
from tests.runs import tiny

SPEC = DataSpec({"image": Field((16, 16, 1))}, 8)
COUNT = 2 * CHUNK + 10


def made(**fields):
    """(algorithm, state) before the first step; its generator is made to be less shy."""
    config = tiny(Path("unused"))
    with config.unlocked():
        for name, values in fields.items():
            config[name].update(values)
    algorithm = build_algorithm(config, SPEC)
    state = jax.jit(algorithm.init)(jax.random.key(1), zeros())
    louder = jax.tree.map(lambda x: 40 * x, state.ema["params"])
    return algorithm, state.replace(ema={**state.ema, "params": louder})


def zeros():
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example_batch(SPEC, 2))


@pytest.fixture(scope="module")
def plain():
    return made()


@pytest.fixture(scope="module")
def conditional():
    return made(generator={"condition": "embedding"})


def source_of(algorithm_and_state, **more):
    algorithm, state = algorithm_and_state
    return generator_source("run x", algorithm, SPEC, state, seed=5, **more)


@pytest.fixture(scope="module")
def source(plain):
    return source_of(plain)


def read(source, count=COUNT, batch_size=32):
    images, labels = zip(*source.batches(count, batch_size), strict=True)
    assert [len(batch) for batch in images[:-1]] == [batch_size] * (len(images) - 1)
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)


def pictures(algorithm_and_state, labels=None, count=COUNT):
    """The pixels of the PNGs of `gan-jax sample --seed 5`, without the enlargement."""
    algorithm, state = algorithm_and_state
    images = make_sampler(algorithm, SPEC)(state, count, jax.random.key(5), labels)
    assert np.abs(images).max() > 0.9
    return np.stack([grid(Pixels().encode(image[None]), scale=1) for image in images])


def test_the_images_are_those_that_are_drawn_as_pictures(plain, source):
    assert (source.name, source.fingerprint, source.image_shape) == ("run x", None, (16, 16, 1))
    assert (source.num_classes, source.size) == (None, None)
    images, labels = read(source)
    assert images.dtype == np.uint8
    assert labels is None
    np.testing.assert_array_equal(images, pictures(plain))
    assert len(np.unique(images.reshape(COUNT, -1), axis=0)) > 0.9 * COUNT


def test_neither_count_nor_batches_nor_devices_change_an_image(plain, source):
    expected = read(source)[0]
    for number in (1, 3):
        other = source_of(plain, devices=jax.devices()[:number])
        for count, batch_size in ((1, 7), (64, 64), (65, 50), (COUNT, 7), (COUNT, 1000)):
            np.testing.assert_array_equal(read(other, count, batch_size)[0], expected[:count])


def test_chunks_take_turns_on_the_devices(plain):
    algorithm, state = plain
    devices = jax.devices()[1:3]
    chunks = make_chunks(algorithm, SPEC)(state, 5 * CHUNK, jax.random.key(5), None, devices)
    assert [chunk.devices() for chunk in chunks] == [{devices[n % 2]} for n in range(5)]


def test_chunks_that_are_at_hand_are_used(plain):
    algorithm, state = plain
    ready = make_chunks(algorithm, SPEC)

    def negative(*arguments):
        return (-chunk for chunk in ready(*arguments))

    images, _ = read(source_of(plain, chunks=negative, devices=jax.devices()[:1]), 70)
    drawn = make_sampler(algorithm, SPEC)(state, 70, jax.random.key(5))
    np.testing.assert_array_equal(images, Pixels().encode(-drawn))


def test_another_seed_gives_other_images(plain, source):
    algorithm, state = plain
    other = generator_source("run x", algorithm, SPEC, state, seed=6)
    assert (read(other, 8)[0] != read(source, 8)[0]).any(axis=(1, 2, 3)).all()


def test_classes_go_round(conditional):
    source = source_of(conditional)
    assert (source.num_classes, source.size) == (8, None)
    images, labels = read(source)
    np.testing.assert_array_equal(labels, np.arange(COUNT) % 8)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(images, pictures(conditional, labels))
    assert (images[1:8] != pictures(conditional, count=8)[1:]).any(axis=(1, 2, 3)).all()  # not all of class 0
    alone = pictures(conditional, np.full(COUNT, 3))  # those of `gan-jax sample --label`
    np.testing.assert_array_equal(images[labels == 3], alone[labels == 3])


def test_categories_of_infogan_are_balanced_but_no_labels():
    config = {
        "algorithm": {"name": "infogan", "categories": 4, "continuous": 1},
        "discriminator": {"auxiliary": 5},
    }
    algorithm_and_state = made(**config)
    source = source_of(algorithm_and_state)
    assert source.num_classes is None
    images, labels = read(source, 70)
    assert labels is None
    np.testing.assert_array_equal(images, pictures(algorithm_and_state, np.arange(70) % 4, 70))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_finite_are_counted(value, plain):
    algorithm, state = plain

    class Broken(GAN):
        def sample(self, state, batch, key):
            """One pixel of every third image of the second chunk is broken."""
            images: Any = super().sample(state, batch, key)
            second = jax.random.fold_in(jax.random.key(5), 1)
            here = (jax.random.key_data(key) == jax.random.key_data(second)).all()
            bad = here & (jnp.arange(len(images)) % 3 == 0)
            return images.at[:, 2, 3, 0].set(jnp.where(bad, value, images[:, 2, 3, 0]))

    broken = Broken(**{field.name: getattr(algorithm, field.name) for field in dataclasses.fields(algorithm)})
    source = generator_source("run x", broken, SPEC, state, seed=5, devices=jax.devices()[:1])
    assert len(read(source, 64)[0]) == 64
    with pytest.raises(UserError, match="run x: 22 of the images 64 to 127 are not finite"):
        read(source)
    with pytest.raises(UserError, match="run x: 2 of the images 64 to 68 are not finite"):
        read(source, 69)
    assert len(read(source, 64, 1)[0]) == 64


def test_images_are_drawn_as_they_are_asked_for(source):
    """A set that would take days can be begun, and another time too."""
    for _ in range(2):
        first = next(source.batches(10**9, 100))[0]
        np.testing.assert_array_equal(first, read(source)[0][:100])
