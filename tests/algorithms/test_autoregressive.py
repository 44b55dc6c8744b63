"""Autoregressive models: what is drawn with rows kept is what is drawn without, and exact bits."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.autoregressive import Autoregressive
from gan_jax.core.execution import Execution
from gan_jax.data.codecs import Pixels, Points, Tiles
from gan_jax.data.spec import Field
from gan_jax.evaluation.protocol import from_row
from gan_jax.losses import mixtures
from gan_jax.models import MODELS
from gan_jax.models.pixelcnn import PixelCNN
from gan_jax.summaries.logs import read_metrics
from tests.models.test_pixelcnn import network
from tests.toys.common import Toy, ToyData, check_alone, check_many, squares, toy_config

KEY = jax.random.key(0)
COUNT, SHAPE, CLASSES = 3, (4, 5, 2), 3
TILES = Tiles(np.array([[0], [128], [255]]))


def autoregressive(generator=None, **changes):
    given = dict(
        generator=generator or network(image_shape=SHAPE),
        generator_tx=optax.sgd(0.1),
        ema_decay=lambda step: 0.0,
    )
    return Autoregressive(**{**given, **changes})


def state_of(algorithm, batch):
    """Far from where parameters start, so that what is said differs from pixel to pixel."""
    state = jax.jit(algorithm.init)(KEY, batch)
    params = jax.tree.map(
        lambda x: x + 0.3 * jax.random.normal(jax.random.key(x.size), x.shape), state.ema["params"]
    )
    return state.replace(ema={**state.ema, "params": params})


def drawn_without_keeping(algorithm, state, batch, key):
    """Pixel after pixel, each time with the whole network on the whole image."""
    image = jnp.zeros(batch["image"].shape)
    noise = algorithm.noise(key, batch)
    net, told = algorithm.generator, algorithm.conditioning(batch, state)

    def draw(number, image):
        row, column = number // image.shape[2], number % image.shape[2]
        said, _ = algorithm.apply(
            net, state.ema["params"], state.ema["stats"], image, told, key=None, train=False
        )
        pixel = algorithm.conditional.draw(said[:, row, column], *[x[:, row, column] for x in noise])
        return image.at[:, row, column].set(pixel)

    return jax.lax.fori_loop(0, image.shape[1] * image.shape[2], draw, image)


@pytest.mark.parametrize("condition", ["none", "embedding"])
def test_drawing_with_kept_rows_is_drawing_without(condition):
    net = network(image_shape=SHAPE, condition=condition, num_classes=CLASSES, layers=3)
    algorithm = autoregressive(net)
    batch = {"image": jnp.zeros((COUNT, *SHAPE)), "label": jnp.arange(COUNT)}
    state = state_of(algorithm, batch)
    kept = jax.jit(algorithm.sample)(state, batch, KEY)
    whole = jax.jit(partial(drawn_without_keeping, algorithm))(state, batch, KEY)
    np.testing.assert_allclose(kept, whole, atol=1e-6)
    assert len(np.unique(np.asarray(kept))) > 20
    levels = (np.asarray(kept) + 1) * 127.5
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)


def test_kinds_are_drawn_and_their_bits_are_exact():
    """Of all levels of 2x2 places of three kinds: probabilities sum to one, and what is drawn has them."""
    shape, count = (2, 2, 3), 20_000
    algorithm = autoregressive(network(image_shape=shape, categorical=True), image_codec=TILES)
    batch = {"image": jnp.zeros((count, *shape))}
    state = state_of(algorithm, {"image": batch["image"][:1]})
    numbers = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), -1).reshape(-1, 2, 2)
    every = jax.nn.one_hot(numbers, 3)
    bits = jax.jit(algorithm.bits)(state, {"image": every}, KEY)
    probabilities = 2.0 ** (-4 * np.asarray(bits))  # of 4 places
    assert probabilities.sum() == pytest.approx(1, abs=1e-4)
    drawn = np.asarray(jax.jit(algorithm.sample)(state, batch, KEY))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    chosen = np.ravel_multi_index(drawn.argmax(-1).reshape(count, 4).T, (3, 3, 3, 3))
    np.testing.assert_allclose(np.bincount(chosen, minlength=81) / count, probabilities, atol=0.012)


def test_bits_are_those_of_the_conditional_probabilities_of_single_pixels():
    """The chain rule: those of all pixels, each with the image cut off at it."""
    algorithm = autoregressive()
    image = mixtures.to_level(jax.random.uniform(KEY, (2, *SHAPE), minval=-1))
    state = state_of(algorithm, {"image": image})
    total = np.zeros(2)

    @jax.jit
    def said_of(image):
        return algorithm.apply(
            algorithm.generator, state.ema["params"], {}, image, None, key=None, train=False
        )[0]

    for row in range(SHAPE[0]):
        for column in range(SHAPE[1]):
            before = jnp.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE[:2]) < row * SHAPE[1] + column
            said = said_of(jnp.where(before[..., None], image, 0.77))[:, row, column]
            found = mixtures.mixture(said, algorithm.generator.components, SHAPE[2])
            total += np.asarray(mixtures.log_prob(found, image[:, row, column]))
    bits = jax.jit(algorithm.bits)(state, {"image": image}, KEY)
    np.testing.assert_allclose(bits, -total / (math.prod(SHAPE) * math.log(2)), rtol=1e-4)
    assert algorithm.bits_kind == "exact"


def test_in_bfloat16_it_draws_levels_too():
    algorithm = autoregressive(execution=Execution(precision="bfloat16"))
    batch = {"image": jnp.zeros((COUNT, *SHAPE))}
    drawn = jax.jit(algorithm.sample)(state_of(algorithm, batch), batch, KEY)
    assert drawn.dtype == jnp.float32
    levels = (np.asarray(drawn) + 1) * 127.5
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)


def test_what_it_is_not_made_for_is_refused():
    with pytest.raises(ValueError, match="autoregressive takes pixelcnn"):
        autoregressive(MODELS["mlp_generator"](SHAPE))
    with pytest.raises(ValueError, match="or of kinds of tiles, and the data are points"):
        autoregressive(image_codec=Points()).check_fields({"image": Field((1, 1, 2), Points())})
    with pytest.raises(ValueError, match=r"data are levels of tiles: set generator\.categorical=True"):
        autoregressive(image_codec=TILES).check_fields({"image": Field((2, 2, 3), TILES)})
    with pytest.raises(ValueError, match=r"data are images: set generator\.categorical=False"):
        autoregressive(network(categorical=True)).check_fields({"image": Field(SHAPE)})
    with pytest.raises(ValueError, match="have no latents"):
        autoregressive().draw(None, jnp.zeros((1, 2)), None)
    assert not autoregressive().has_latent_path
    assert isinstance(autoregressive().generator, PixelCNN)


TOY = Toy(
    config=toy_config(
        {"name": "autoregressive"},
        {"name": "pixelcnn", "width": 4, "layers": 2, "kernel_size": 3, "components": 2},
    ),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng)}),
)
TOY.config.evaluation.metrics = "bits_per_dim,fid"


@pytest.mark.slow
def test_it_trains_resumes_and_is_scored(monkeypatch, tmp_path):
    check_alone(TOY, monkeypatch, tmp_path, [1])
    (record,) = [record for record in map(from_row, read_metrics(tmp_path / "whole")) if record]
    assert record.scores["bits_per_dim"].protocol == "-log2 p / D, exact"
    assert 2 < record.scores["bits_per_dim"].value < 12


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
