"""Feature networks by their names, opened for a real set."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import Field
from gan_jax.evaluation import networks
from gan_jax.evaluation.extract import Extractor
from gan_jax.evaluation.networks import COMPONENTS, FITTED, NETWORKS, open_network
from gan_jax.evaluation.sources.image_source import array_source, subset
from gan_jax.evaluation.sources.sources import dataset_source, folder_source
from gan_jax.feature_networks import classifier_cache
from gan_jax.feature_networks.classifier_cache import prepare_classifier
from gan_jax.feature_networks.classifier_training import Recipe
from gan_jax.feature_networks.inception import VARIANTS
from gan_jax.feature_networks.inception_weights import PUBLISHED, Published
from gan_jax.feature_networks.simple_networks import pca_network, pixel_network, random_network
from gan_jax.feature_networks.stacked import stacked
from gan_jax.summaries.pictures import save_png
from gan_jax.utils.errors import UserError
from tests.feature_networks.inception_references import random_params, torch_state
from tests.metrics import toy

OPTIONS: dict[str, Any] = {"resolution": 16, "channels": 1, "num_examples": 90}
QUICK = Recipe(epochs=1, batch_size=32, shift=0)


@pytest.fixture(autouse=True)
def folders(data_dir, tmp_path, monkeypatch):
    """A cache of the test's own, and no address that leads anywhere."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "unused"))
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))
    for variant, published in PUBLISHED.items():
        nowhere = (f"file://{tmp_path}/nowhere/{published.file_name}",)
        monkeypatch.setitem(PUBLISHED, variant, Published(published.file_name, published.sha256, nowhere))
    monkeypatch.setattr(classifier_cache, "default_recipe", lambda name: QUICK)


@pytest.fixture(scope="module")
def shapes(data_dir):
    return dataset_source(data.load("shapes", data_dir=str(data_dir), **OPTIONS))


@pytest.fixture(scope="module")
def stored(data_dir, tmp_path_factory):
    """The real set's classifier, in a file."""
    folder = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_JAX_CACHE", str(folder / "cache"))
        return prepare_classifier(
            "shapes",
            data_dir=str(data_dir),
            options=OPTIONS,
            recipe=QUICK,
            out=folder / "shapes.npz",
            progress=False,
        )


@pytest.fixture
def asked(stored, monkeypatch):
    """The classifiers that are asked for; each is `stored`'s network."""
    calls = []

    def classifier(name, *, data_dir=None, options=None):
        calls.append((name, data_dir, options or {}))
        return stored.network

    monkeypatch.setattr(networks, "classifier", classifier)
    return calls


@pytest.fixture
def inceptions(monkeypatch):
    """The Inceptions that are asked for."""
    calls = []

    def inception(path, *, variant, resizer):
        calls.append((path, variant, resizer))
        return replace(toy.network(), name="inception", image_shape=(None, None, None))

    monkeypatch.setattr(networks, "inception", inception)
    return calls


def grey(count=90, shape=(16, 16, 1), labelled=True):
    labels = np.arange(count) % 3 if labelled else None
    return array_source("arrays", toy.images(count, shape=shape), labels, 3 if labelled else None)


def as_dataset(source, name="some", **changes):
    """A source that says that it is a data set."""
    dataset = data.Dataset(
        name,
        "train",
        [],
        {"image": Field(source.image_shape)},
        source.num_classes,
        (),
        "fingerprint",
        {"option": 1},
    )
    return replace(source, dataset=dataset, **changes)


# One by one


@pytest.mark.parametrize("shape", [(16, 16, 1), (9, 12, 3)])
def test_networks_without_weights_take_the_real_images_as_they_are(shape):
    reals = grey(shape=shape)
    assert open_network("random", reals).digest == random_network(shape).digest
    assert open_network("pixels", reals).digest == pixel_network(shape).digest
    fitted = open_network("pca", reals)
    assert fitted.digest == pca_network(toy.images(90, shape=shape), components=64).digest
    assert fitted.num_features == COMPONENTS == 64


@pytest.mark.parametrize(("size", "taken"), [(100, range(100)), (150, subset(150, 110)), (None, range(110))])
def test_pca_is_fitted_to_some_reals(size, taken, monkeypatch):
    """A generator has no end."""
    assert FITTED <= 4096  # what can be decomposed
    monkeypatch.setattr(networks, "FITTED", 110)
    images = toy.images(150, shape=(9, 9, 1))
    reals = replace(toy.source(images), size=size)
    assert open_network("pca", reals).digest == pca_network(images[list(taken)], components=64).digest


def test_the_classifier_is_that_of_the_real_set_with_its_options(shapes, stored, data_dir):
    """And of its train split, whichever is the real side."""
    network = open_network("classifier", shapes, data_dir=str(data_dir))
    assert (network.name, network.digest) == (stored.network.name, stored.network.digest)
    test = dataset_source(data.load("shapes", data_dir=str(data_dir), split="test", **OPTIONS))
    assert open_network("classifier", test, data_dir=str(data_dir)).digest == stored.network.digest
    found = Extractor(network, progress=False)(shapes, 20)
    assert found.logits is not None
    assert found.logits.shape == (20, shapes.num_classes)


def test_the_classifier_of_another_set_by_its_name(asked, data_dir, monkeypatch):
    """With the options of that set, and not of the reals; none is trained in vain."""
    sixteen = data.load("shapes", data_dir=str(data_dir), **OPTIONS)
    loaded = []

    def load(name, **rest):
        loaded.append((name, rest))
        return sixteen

    monkeypatch.setattr(networks, "load", load)
    open_network("classifier:shapes", as_dataset(grey()), data_dir=str(data_dir))
    open_network("classifier:shapes", grey(), data_dir=str(data_dir))
    assert asked == [("shapes", str(data_dir), {})] * 2
    assert loaded == [("shapes", {"data_dir": str(data_dir), "split": "train"})] * 2
    with pytest.raises(
        UserError, match="classifier:shapes: it takes images 16 x 16 x 1, and those of arrays are 9 x 9 x 3"
    ):
        open_network("classifier:shapes", grey(shape=(9, 9, 3)), data_dir=str(data_dir))
    assert len(asked) == 2


def test_the_real_set_by_its_name_keeps_its_options(shapes, asked, data_dir):
    for text in ("classifier:shapes", "classifier", "auto"):
        open_network(text, shapes, data_dir=str(data_dir))
    options = data.load("shapes", data_dir=str(data_dir), **OPTIONS).options
    assert options["resolution"] == 16
    assert asked == [("shapes", str(data_dir), options)] * 3


def test_a_classifier_in_a_file(stored, tmp_path, monkeypatch):
    """With the usual ending or without, and in the home folder."""
    (tmp_path / "mine").write_bytes(stored.path.read_bytes())
    monkeypatch.setenv("HOME", str(stored.path.parent))
    for path in (stored.path, tmp_path / "mine", "~/shapes.npz"):
        assert open_network(f"classifier:{path}", grey()).digest == stored.network.digest
    with pytest.raises(UserError, match=r"there is no classifier .*none\.npz"):
        open_network(f"classifier:{tmp_path / 'none.npz'}", grey())


def test_a_network_that_does_not_take_the_images(stored):
    with pytest.raises(
        UserError, match=r"classifier:shapes.* takes images 16 x 16 x 1, and these are 9 x 9 x 3"
    ):
        open_network(f"classifier:{stored.path}", grey(shape=(9, 9, 3)))


def test_there_is_no_classifier_of_what_is_no_labelled_data_set(tmp_path, asked):
    for number, image in enumerate(toy.images(4, shape=(16, 16, 1))):
        save_png(tmp_path / "pictures" / "some" / f"{number}.png", image)
    for reals in (
        folder_source(tmp_path / "pictures"),
        grey(),
        as_dataset(grey(labelled=False)),
    ):
        with pytest.raises(UserError, match=f"{reals.name} (has no|is no data set).*random, pixels, pca"):
            open_network("classifier", reals)
    assert not asked


def test_stacked_digits_are_judged_by_the_classifier_of_one(stored, asked, monkeypatch):
    reals = as_dataset(grey(shape=(16, 16, 3)), "stacked_mnist")
    for text in ("auto", "classifier", "classifier:stacked_mnist"):
        network = open_network(text, reals, data_dir="there")
        assert network.digest == stacked(stored.network).digest
        assert network.num_classes == stored.network.num_classes**3
    assert asked == [("mnist", "there", {})] * 3


# Inception


def test_without_weights_it_says_how_to_get_them(tmp_path):
    for text in ("inception", "auto"):
        with pytest.raises(UserError, match=r"inception_weights.*the network classifier"):
            open_network(text, grey(shape=(16, 16, 3)))
    missing = tmp_path / "none.pth"
    with pytest.raises(UserError, match=r"inception_weights=.*none\.pth: there is no such file"):
        open_network("inception", grey(), inception_weights=str(missing))


def test_weights_and_resizer_are_passed_on(inceptions):
    open_network("inception", grey(), resizer="clean", inception_weights="mine.pth")
    open_network("auto", grey(), resizer="clean")
    open_network("inception", grey())
    open_network("inception:torchvision", grey(), resizer="legacy_tf")
    assert inceptions == [
        ("mine.pth", "fid", "clean"),
        (None, "fid", "clean"),
        (None, "fid", "legacy"),
        (None, "torchvision", "legacy_tf"),
    ]


def test_inception_with_a_file_of_weights(tmp_path):
    state: Any = torch_state(random_params(VARIANTS["fid"], seed=0))
    np.savez(tmp_path / "some.npz", allow_pickle=False, **state)
    found = [
        open_network("inception", grey(), resizer=resizer, inception_weights=str(tmp_path / "some.npz"))
        for resizer in ("legacy", "clean")
    ]
    assert [network.resizer for network in found] == ["legacy", "clean"]
    assert found[0].digest != found[1].digest
    assert jnp.shape(found[0].params["fc"]["kernel"]) == (2048, 1008)


# Which is chosen


@pytest.mark.parametrize(
    ("shape", "changes", "chosen"),
    [
        ((28, 28, 1), {}, "classifier"),
        ((64, 64, 1), {}, "classifier"),
        ((65, 64, 1), {}, "inception"),
        ((64, 65, 1), {}, "inception"),
        ((28, 28, 3), {}, "inception"),
        ((28, 28, 1), {"num_classes": None}, "inception"),
        ((28, 28, 1), {"dataset": None}, "inception"),
    ],
)
def test_auto_takes_the_classifier_for_small_grey_labelled_sets(
    shape, changes, chosen, asked, inceptions, stored, monkeypatch
):
    any_size = replace(stored.network, image_shape=(None, None, None))
    monkeypatch.setattr(networks, "classifier", lambda name, **rest: asked.append((name, rest)) or any_size)
    reals = replace(as_dataset(grey(shape=shape)), **changes)
    open_network("auto", reals, data_dir="there")
    assert (len(asked), len(inceptions)) == ((1, 0) if chosen == "classifier" else (0, 1))
    if asked:
        assert asked == [("some", {"data_dir": "there", "options": {"option": 1}})]


@pytest.mark.parametrize(
    "text", ["", "resnet", "Random", "random:3", "inception:clean", "auto:mnist", "classifier:", "pca:"]
)
def test_unknown_names(text, asked, inceptions):
    with pytest.raises(UserError) as caught:
        open_network(text, as_dataset(grey()))
    assert str(caught.value).startswith(f"network={text}: choose one of {', '.join(('auto', *NETWORKS))}, ")
    assert not asked
    assert not inceptions


def test_a_classifier_of_no_data_set(data_dir):
    with pytest.raises(UserError, match="nonsense"):
        open_network("classifier:nonsense", grey(), data_dir=str(data_dir))


def test_weights_of_inception_are_refused_where_they_are_of_no_use():
    with pytest.raises(UserError, match="of no use to network=random"):
        open_network("random", array_source("a", np.zeros((4, 8, 8, 3), np.uint8)), inception_weights="x.pth")


def test_pca_of_few_images_has_fewer_components():
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8)
    assert open_network("pca", array_source("few", images)).num_features == 11
