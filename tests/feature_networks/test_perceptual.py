"""Contents in the features of frozen networks: by hand, their gradients, and their constants in a run."""

import copy
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.config.build import build
from gan_jax.config.components import complete, construct
from gan_jax.config.record import from_json, to_json
from gan_jax.config.tables import PENALTY_TABLES
from gan_jax.data.codecs import to_float
from gan_jax.feature_networks import content_networks
from gan_jax.feature_networks.classifier import Classifier, classifier_network
from gan_jax.feature_networks.content_networks import content_network
from gan_jax.feature_networks.lpips import maps_distance
from gan_jax.feature_networks.perceptual import LPIPS, Features, Gram, gram_matrix
from gan_jax.feature_networks.simple_networks import random_network
from gan_jax.losses.contents import ContentInputs
from gan_jax.study.study import digest
from gan_jax.utils.errors import UserError
from tests.shipped import dataset
from tests.variants import SGD, config_of

RANDOM: dict[str, Any] = dict(network="random", layers=("relu_0", "relu_2"))


def pictures(seed, *shape):
    return jax.random.uniform(jax.random.key(seed), shape or (2, 16, 12, 3), minval=-1.0)


def inputs(content, made, real, step=0):
    return ContentInputs(made, real, content.load(), jnp.int32(step))


def maps_of(image):
    network = random_network((64, 64, 3))
    assert network.maps is not None
    return [np.asarray(network.maps(network.params, (image + 1) * 127.5)[index]) for index in (0, 2)]


def test_features_are_the_mean_square_between_activations():
    """Ledig et al. 2017, equation 5."""
    content, made, real = Features(weight=1.0, **RANDOM), pictures(0), pictures(1)
    expected = sum(np.mean((a - b) ** 2) for a, b in zip(maps_of(made), maps_of(real), strict=True))
    np.testing.assert_allclose(content(inputs(content, made, real)), expected, rtol=1e-4)
    assert float(content(inputs(content, real, real))) == 0


def test_lpips_is_the_distance_of_the_network():
    content, made, real = LPIPS(weight=1.0, **RANDOM), pictures(0), pictures(1)
    expected = maps_distance(*([jnp.asarray(x) for x in maps_of(image)] for image in (made, real)))
    np.testing.assert_allclose(content(inputs(content, made, real)), np.mean(expected), rtol=1e-4)


@pytest.mark.parametrize(("kind", "roll"), [(Features, 2), (LPIPS, 3), (Gram, 2)])
def test_all_shifts_of_both_pictures_take_turns(kind, roll):
    """The pictures that a step compares are those of `np.roll`."""
    made, real = pictures(0, 1, 8, 8, 3), pictures(1, 1, 8, 8, 3)
    plain, content = kind(weight=1.0, **RANDOM), kind(weight=1.0, roll=roll, **RANDOM)
    value = jax.jit(lambda step: content(inputs(content, made, real, step)))
    found = [float(value(step)) for step in range(roll**2 + 1)]
    for step in range(roll**2):
        shift = (step % roll, step // roll)
        moved = [jnp.asarray(np.roll(x, shift, (1, 2))) for x in (made, real)]
        np.testing.assert_allclose(found[step], plain(inputs(plain, *moved)), rtol=1e-5)
    assert len({round(x, 7) for x in found}) == roll**2
    assert found[-1] == found[0]


@pytest.mark.parametrize("kind", [Features, LPIPS])
def test_without_roll_the_step_is_not_looked_at(kind):
    content, made, real = kind(weight=1.0, **RANDOM), pictures(0), pictures(1)
    given = inputs(content, made, real)
    with_nothing_to_roll_by = content(given._replace(step=None))
    assert float(with_nothing_to_roll_by) == float(content(given._replace(step=jnp.int32(5))))


def gram_by_hand(activations):
    """Johnson et al. 2016, equation 3, of one picture [h, w, C]."""
    height, width, channels = activations.shape
    found = np.zeros((channels, channels))
    for i in range(height):
        for j in range(width):
            found += np.outer(activations[i, j], activations[i, j])
    return found / (channels * height * width)


def test_gram_is_its_formula():
    """Equation 4, of the true pictures' styles."""
    content, made, real = Gram(weight=1.0, **RANDOM), pictures(0), pictures(1)
    expected = 0.0
    for a, b in zip(maps_of(made), maps_of(real), strict=True):
        pairs = zip(a.astype(np.float64), b.astype(np.float64), strict=True)
        expected += np.mean([np.sum((gram_by_hand(x) - gram_by_hand(y)) ** 2) for x, y in pairs])
    np.testing.assert_allclose(content(inputs(content, made, real)), expected, rtol=1e-3)
    np.testing.assert_allclose(gram_matrix(jnp.asarray(a))[0], gram_by_hand(a[0]), rtol=1e-4)


def test_a_style_is_that_of_a_picture_file_of_any_size(tmp_path):
    style = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(style).save(tmp_path / "style.png")
    content = Gram(weight=1.0, style=str(tmp_path / "style.png"), **RANDOM)
    of_style = jnp.asarray(style[None] / np.float32(127.5) - 1)
    assert float(content(inputs(content, of_style, pictures(1)))) < 1e-9
    assert float(content(inputs(content, pictures(1), of_style))) > 1e-3
    assert sorted(content.load()) == ["random", "style"]
    content = Gram(weight=1.0, style=str(tmp_path / "none.png"), **RANDOM)
    with pytest.raises(UserError, match=r"contents\.gram\.style='.*none.png' cannot be read"):
        content.load()


@pytest.mark.parametrize("kind", [Features, LPIPS, Gram])
def test_gradients_are_those_of_differences(kind):
    content, made, real = kind(weight=1.0, **RANDOM), pictures(0, 1, 8, 8, 3), pictures(1, 1, 8, 8, 3)
    given = inputs(content, made, real)
    value = jax.jit(lambda made: content(given._replace(made=made)))
    gradient = jax.grad(value)(made)
    direction = gradient / jnp.linalg.norm(gradient)
    step = 1e-2
    found = (value(made + step * direction) - value(made - step * direction)) / (2 * step)
    np.testing.assert_allclose(found, jnp.sum(gradient * direction), rtol=2e-2)
    assert float(jnp.linalg.norm(gradient)) > 0


def test_a_classifiers_maps_are_of_pictures_of_any_size():
    image = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), np.uint8)
    weights = Classifier(4).init(jax.random.key(0), jnp.zeros((1, 24, 24, 3)))
    whole = classifier_network(weights, (24, 24, 3), 4)
    assert whole.maps is not None
    maps = content_network("classifier:photos.npz", "", "contents.features").maps
    found = maps(weights, to_float(jnp.asarray(image)), ("relu_2", "relu_0"))
    of_all = whole.maps(weights, jnp.asarray(image))
    for a, b in zip(found, (of_all[2], of_all[0]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    (wide,) = maps(weights, pictures(0, 1, 40, 64, 3), ("relu_1",))
    assert wide.shape == (1, 10, 16, 64)
    with pytest.raises(ValueError, match=r"choose some of relu_0, relu_1, relu_2$"):
        maps(weights, pictures(0), ("conv_0",))
    with pytest.raises(ValueError, match="3 channels, not of 2"):
        maps(weights, pictures(0, 1, 8, 8, 2), ("relu_0",))


def test_a_file_of_vgg19_is_read_again_only_when_it_has_changed(tmp_path, monkeypatch):
    read: list[str] = []

    def read_vgg19(path, option):
        read.append(path.read_text())
        return {"conv1_1": {"kernel": np.full(2, len(read), np.float32)}}

    monkeypatch.setattr(content_networks, "read_vgg19", read_vgg19)
    file = tmp_path / "vgg19.pth"
    file.write_text("one")
    given: dict[str, Any] = dict(weight=1.0, network="vgg19", layers=("relu1_1",), weights=str(file))
    for content in (Features(**given), LPIPS(**given), Features(**given)):
        assert content.load()["vgg19 vgg19"]["conv1_1"]["kernel"].tolist() == [1, 1]
    assert read == ["one"]
    file.write_text("another")
    assert content.load()["vgg19 vgg19"]["conv1_1"]["kernel"].tolist() == [2, 2]
    assert read == ["one", "another"]


def test_names_say_what_the_networks_are():
    name = lambda text, weights="": content_network(text, weights, "contents.features").name
    assert name("vgg19", "weights/vgg19-dcbb9e9d.pth") == "vgg19 vgg19-dcbb9e9d"
    assert name("classifier:nets/photos.npz") == "classifier photos"
    assert name("classifier:mnist") == "classifier mnist"
    assert name("random") == "random"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(network="vgg16", layers=("a",)), "network='vgg16': choose one of vgg19, classifier:NAME"),
        (dict(network="classifier:", layers=("a",)), "network='classifier:'"),
        (dict(network="random", layers=("a",), weights="x.pth"), "weights='x.pth': network='random' has"),
        (dict(network="random"), "lacks layers"),
        (dict(network="random", layers=("a",), roll=0), r"contents\.features\.roll=0: it must be a positive"),
        (dict(network="random", layers=("a",), roll=1.5), r"contents\.features\.roll=1\.5: it must be"),
    ],
)
def test_impossible_fields_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        construct(PENALTY_TABLES["contents"], dict(name="features", weight=1.0, **fields), "contents")


def translator_config():
    config = config_of("dcgan")
    config.data.update(name="tiny")
    config.algorithm = dict(name="translator", adversarial_weight=0.0)
    config.source = dict(name="field", field="image")
    config.contents = dict(features=dict(weight=1.0, **RANDOM), gram=dict(weight=2.0, **RANDOM))
    config.generator = dict(name="unet_generator", width=4, downs=1)
    config.discriminator = dict(name="patchgan_discriminator", width=4, layers=0)
    config.generator_optimizer = config.discriminator_optimizer = SGD
    return config


def test_records_and_results_from_before_roll_mean_one():
    config = translator_config()
    old = to_json(config)
    assert complete(from_json(old)).contents.features.roll == 1
    assert digest(complete(config)) == digest(without_roll(complete(config)))
    config.contents.features.roll = 2
    assert digest(complete(config)) != digest(without_roll(complete(config)))


def without_roll(config):
    config = copy.deepcopy(config)
    del config.contents.features.roll
    return config


def test_constants_are_recorded_and_do_not_move():
    config = translator_config()
    plan = build(config, dataset(labelled=False))
    assert sorted(plan.frozen_digests) == ["random"]
    algorithm = plan.algorithm
    batch = {"image": pictures(0, 4, 12, 10, 3)}
    state = algorithm.init(jax.random.key(0), batch).replace(frozen=plan.frozen)
    after, metrics = jax.jit(algorithm.step)(state, jax.tree.map(lambda x: x[None], batch))
    jax.tree.map(np.testing.assert_array_equal, after.frozen, plan.frozen)
    np.testing.assert_allclose(
        metrics["generator_loss"], metrics["features"] + 2 * metrics["gram"], rtol=1e-5
    )


def test_an_unknown_layer_is_refused_before_anything_is_compiled():
    config = translator_config()
    config.contents.gram.layers = ("relu_9",)
    with pytest.raises(UserError, match=r"layers=\('relu_9',\): choose some of relu_0, relu_1"):
        build(config, dataset(labelled=False))


def test_two_styles_in_two_phases_are_no_one_constant(tmp_path):
    """Or the last would be that of all phases."""
    config = translator_config()
    for name in ("a", "b"):
        picture = np.random.default_rng(ord(name)).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    config.num_steps = 2
    style = lambda name: dict(gram=dict(style=str(tmp_path / f"{name}.png")))
    config.phases = [dict(name=name, num_steps=1, contents=style(name)) for name in ("a", "b")]
    with pytest.raises(UserError, match="phase b: two different frozen constants are called 'style'"):
        build(config, dataset(labelled=False))
    config.phases = [dict(name=name, num_steps=1, contents=style("a")) for name in ("a", "b")]
    assert sorted(build(config, dataset(labelled=False)).frozen_digests) == ["random", "style"]
