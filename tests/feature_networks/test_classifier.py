"""The classifier of small images: learns what can be learnt, the same way each time."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data
from gan_jax.feature_networks import classifier as module
from gan_jax.feature_networks import classifier_training as training
from gan_jax.feature_networks.classifier import Classifier, accuracy, classifier_network, layers_of, predict
from gan_jax.feature_networks.classifier_training import Recipe, num_steps, operations, train_classifier
from gan_jax.models.layers.layers import Conv
from gan_jax.utils.errors import UserError

SHAPE = (10, 12, 1)
train: Any = train_classifier  # mypy does not follow *bars()
RECIPE = Recipe(epochs=3, batch_size=32, shift=1)


def bars(seed, count, classes=3, shape=SHAPE) -> Any:
    """Noisy images with a bright bar whose row is the class."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % classes).astype(np.int32)
    images = rng.integers(0, 60, (count, *shape))
    for image, label in zip(images, labels, strict=True):
        image[2 + 3 * label : 4 + 3 * label, 2:-2] += 150
    return images.astype(np.uint8), labels


@pytest.fixture(scope="module")
def params():
    return train(*bars(0, 400), 3, recipe=RECIPE, progress=False)


@pytest.fixture(scope="module")
def network(params):
    return classifier_network(params, SHAPE, 3, "classifier:bars")


def test_it_learns_and_does_not_know_the_answers(network):
    images, labels = bars(1, 300)
    assert accuracy(network, images, labels) > 0.98
    assert accuracy(network, images, (labels + 1) % 3) < 0.02
    fresh = Classifier(3).init(jax.random.key(0), jnp.zeros((1, *SHAPE)))
    assert accuracy(classifier_network(fresh, SHAPE, 3), images, labels) < 0.7


def test_accuracy_is_the_share_of_right_answers(network):
    images, _ = bars(1, 30)
    found = predict(network, images)
    wrong = found.copy()
    wrong[:12] = (wrong[:12] + 1) % 3
    assert accuracy(network, images, wrong) == pytest.approx(18 / 30)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(params):
    again = train(*bars(0, 400), 3, recipe=RECIPE, progress=False)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    other = train(*bars(0, 400), 3, recipe=RECIPE, seed=1, progress=False)
    assert not np.array_equal(other["params"]["logits"]["kernel"], params["params"]["logits"]["kernel"])


def test_the_moving_statistics_are_those_of_the_final_weights():
    """Also after a training of 13 steps, in which alone a quarter of the first values would be left."""
    images, labels = bars(0, 400)
    recipe = Recipe(epochs=1, batch_size=32, shift=0)
    weights = train_classifier(images, labels, 3, recipe=recipe, progress=False)
    kernel = weights["params"]["conv_0"]["kernel"]
    y = np.asarray(Conv(32, 5, 2, use_bias=False).apply({"params": {"kernel": kernel}}, images / 127.5 - 1))
    moving = weights["batch_stats"]["norm_0"]["norm"]
    np.testing.assert_allclose(moving["var"], y.var(axis=(0, 1, 2)), rtol=0.1)
    assert (np.abs(moving["mean"] - y.mean(axis=(0, 1, 2))) < 0.1 * y.std(axis=(0, 1, 2))).all()


def test_features_logits_and_maps_belong_together(network):
    images, _ = bars(2, 5)
    features, logits = jax.jit(network.apply)(network.params, images)
    assert features.shape == (5, network.num_features) == (5, 128)
    assert logits.shape == (5, 3)
    weights = network.params["params"]["logits"]
    np.testing.assert_allclose(features @ weights["kernel"] + weights["bias"], logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(np.argmax(logits, axis=1), predict(network, images))
    maps = network.maps(network.params, images)
    assert [m.shape for m in maps] == [(5, 5, 6, 32), (5, 3, 3, 64), (5, 3, 3, 128)]
    layer = network.params["params"]["features"]
    hidden = maps[-1].reshape(5, -1) @ layer["kernel"] + layer["bias"]
    np.testing.assert_allclose(np.maximum(hidden, 0), features, rtol=1e-3, atol=1e-4)
    floats = network.apply(network.params, jnp.float32(images))  # 0 to 255 too
    np.testing.assert_allclose(floats.logits, logits, rtol=1e-4, atol=1e-5)


def test_predictions_do_not_depend_on_how_many_are_asked_for(network, monkeypatch):
    images, _ = bars(3, 23)
    whole = predict(network, images)
    monkeypatch.setattr(module, "_PREDICTED_AT_A_TIME", 10)
    np.testing.assert_array_equal(predict(network, images), whole)
    assert predict(network, images[:0]).shape == (0,)


def test_the_digest_is_of_weights_and_architecture(params, network):
    assert classifier_network(params, SHAPE, 3, "another name").digest == network.digest
    moved = jax.tree.map(lambda x: x, params)
    moved["batch_stats"] = jax.tree.map(lambda x: x + 1, params["batch_stats"])
    assert classifier_network(moved, SHAPE, 3).digest != network.digest
    assert classifier_network(params, (12, 10, 1), 3).digest != network.digest


@pytest.mark.parametrize(
    ("size", "last"),
    [((8, 8), 2), ((28, 28), 7), ((32, 32), 8), ((64, 64), 8), ((65, 20), 5), ((128, 128), 8)],
)
def test_every_size_is_halved_to_at_most_8(size, last):
    layers = layers_of(size)
    side = max(size)
    for _, _, stride in layers:
        side = -(-side // stride)
    assert side == last
    assert [stride for _, _, stride in layers[-2:]] == [2, 1]


def test_operations_are_those_that_xla_counts():
    """Of a forward pass; a training step has it once and twice more backwards."""
    model, shape = Classifier(10), (28, 28, 1)
    params = model.init(jax.random.key(0), jnp.zeros((1, *shape)))
    # For two images, since larger batches take forms with fewer operations (`conv_fourier`).
    compiled = jax.jit(lambda x: model.apply(params, x)).lower(jnp.zeros((2, *shape))).compile()
    analysis: Any = compiled.cost_analysis()
    counted = analysis["flops"]
    mine = operations(Recipe(epochs=1, batch_size=2), shape, 2) / 3
    assert 1.0 < mine / counted < 1.25  # XLA leaves out what meets the zeros of the padding


def test_the_rate_rises_in_a_line_falls_as_a_cosine_and_stays_0():
    recipe = Recipe(learning_rate=0.3, warmup=0.2)  # 20 of 100 steps
    rate = lambda step: float(training._rate(recipe, 100, jnp.asarray(step)))
    assert rate(0) == pytest.approx(0.3 / 21)
    assert rate(10) == pytest.approx(0.3 * 11 / 21)
    assert rate(20) == pytest.approx(0.3)
    assert rate(40) == pytest.approx(0.15 * (1 + np.cos(np.pi / 4)))
    assert rate(60) == pytest.approx(0.15)
    assert rate(100) == rate(149) == 0.0


def test_steps():
    assert num_steps(Recipe(epochs=2, batch_size=128), 60_000) == 938  # 937.5
    assert num_steps(Recipe(epochs=2, batch_size=128), 10) == 2  # of all ten


# Augmentation


def test_shifts_are_windows_of_the_image_with_a_repeated_border():
    """Every image comes out as one of the (2 s + 1)^2 windows, and all of them occur."""
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 2), dtype=np.uint8)
    rows, columns = [0, *range(6), 5], [0, *range(5), 4]
    padded = images[:, rows][:, :, columns]
    chosen = jnp.arange(300) % 3
    out = np.asarray(
        training._augmented(
            jnp.asarray(training._bordered(images, 1)), chosen, jax.random.key(0), Recipe(shift=1)
        )
    )
    windows = {
        padded[i, r : r + 6, c : c + 5].tobytes(): (i, r, c)
        for i in range(3)
        for r in range(3)
        for c in range(3)
    }
    found = [windows[image.tobytes()] for image in out]
    assert [place[0] for place in found] == list(np.asarray(chosen))
    assert len(set(found)) == 27


def test_flips_mirror_about_half():
    images = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 1), dtype=np.uint8)
    chosen, recipe = jnp.zeros(400, jnp.int32), Recipe(shift=0, flip=True)
    out = np.asarray(training._augmented(jnp.asarray(images), chosen, jax.random.key(0), recipe))
    mirrored = np.array([np.array_equal(image, images[0, :, ::-1]) for image in out])
    as_it_is = np.array([np.array_equal(image, images[0]) for image in out])
    assert (mirrored ^ as_it_is).all()
    assert 150 < mirrored.sum() < 250
    plain = training._augmented(jnp.asarray(images), chosen, jax.random.key(0), Recipe(shift=0))
    np.testing.assert_array_equal(plain, np.repeat(images, 400, axis=0))


# Errors


IMAGES, LABELS = bars(0, 12)


@pytest.mark.parametrize(
    ("images", "labels", "classes", "message"),
    [
        (IMAGES, LABELS, 4, "no images of the classes 3"),
        (IMAGES, LABELS, 2, "labels from 0 to 2"),
        (IMAGES, LABELS - 1, 3, "labels from -1"),
        (IMAGES[:2], LABELS[:2], 3, "2 images of 3 classes"),
        (IMAGES[:0], LABELS[:0], 3, "has no images"),
        (IMAGES, LABELS * 0, 1, "at least 2"),
        (IMAGES[:, :7], LABELS, 3, "7 x 12 pixels"),
    ],
)
def test_what_cannot_be_learnt_from(images, labels, classes, message):
    with pytest.raises(UserError, match=message):
        train_classifier(images, labels, classes, recipe=RECIPE, progress=False)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.float32(IMAGES), LABELS, "uint8"),
        (IMAGES[..., 0], LABELS, "uint8"),
        (IMAGES, LABELS[:5], "one for each image"),
        (IMAGES, np.float32(LABELS), "integers"),
        (IMAGES, np.eye(3, dtype=np.int32)[LABELS], "integers"),
    ],
)
def test_misuse(images, labels, message):
    with pytest.raises(ValueError, match=message):
        train_classifier(images, labels, 3, recipe=RECIPE, progress=False)


@pytest.mark.parametrize(
    "options", [{"epochs": 0}, {"batch_size": 2.5}, {"dropout": 1.0}, {"shift": 5}, {"learning_rate": -1.0}]
)
def test_impossible_recipes(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Recipe(**options)


def test_bad_seeds():
    with pytest.raises(UserError, match="seed is -1"):
        train_classifier(IMAGES, LABELS, 3, recipe=RECIPE, seed=-1, progress=False)


def test_a_training_that_diverges_says_so():
    recipe = Recipe(epochs=20, batch_size=4, learning_rate=1e30, warmup=0.0, shift=0)
    with pytest.raises(UserError, match="smaller learning_rate"):
        train_classifier(IMAGES, LABELS, 3, recipe=recipe, progress=False)


def test_images_of_another_shape_are_refused(network):
    with pytest.raises(UserError, match="10 x 12 x 1"):
        predict(network, IMAGES[:, :9])


def test_progress_is_plain_lines_without_a_terminal(capsys):
    train_classifier(IMAGES, LABELS, 3, recipe=Recipe(epochs=1, batch_size=4), progress=True)
    assert "step 53/53" in capsys.readouterr().err


def test_mnist_in_a_few_seconds():
    """A fiftieth of the training, and it is above a linear classifier of all images (92 %)."""
    try:
        images, held_out = (
            data.load("mnist", split=split).arrays() for split in ("train[:6000]", "test[:2000]")
        )
    except UserError as error:
        pytest.skip(f"needs MNIST, prepared: {error}")
    params = train_classifier(images["image"], images["label"], 10, recipe=Recipe(epochs=2), progress=False)
    network = classifier_network(params, (28, 28, 1), 10)
    assert accuracy(network, held_out["image"], held_out["label"]) > 0.92
