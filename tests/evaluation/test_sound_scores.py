"""Metrics of sounds through the evaluator, and networks that see waves and spectrograms alike."""

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.codecs import Spectrogram, Wave
from gan_jax.data.tones import draw, sample_factors
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.extract import Extractor
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.networks import open_network
from gan_jax.evaluation.sources.image_source import array_source, seen_by
from gan_jax.feature_networks import classifier_cache
from gan_jax.feature_networks.classifier_training import Recipe
from gan_jax.utils.errors import UserError
from tests.metrics import toy

RATE, LENGTH, COUNT = 8_000, 2_048, 40


def tones(seed=0, count=COUNT):
    return draw(sample_factors(count, seed), LENGTH, RATE)


def noise(seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-(2**15), 2**15, (COUNT, LENGTH, 1, 1), dtype=np.int16)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))


def source(stored, codec=None):
    return array_source("mine", stored, codec=codec or Wave(RATE))


def scores(metrics, fakes, codec=None):
    real = source(tones(), codec)
    evaluator = Evaluator(metrics, real, open_network("auto", real), num_fakes=COUNT, progress=False)
    return evaluator(GeneratedSet(source=source(fakes, codec))).scores


def test_what_is_usual_of_sounds():
    same = scores(("pitch", "clicks", "fid"), tones())
    assert same["pitched"].value == same["pitched_real"].value == 1
    assert same["pitch_error"].value == same["pitch_error_real"].value < 0.1
    assert same["pitch_distance"].value == pytest.approx(0)
    assert same["clicks_16"].value == same["clicks_16_real"].value
    assert same["fid"].value == pytest.approx(0, abs=1e-4)
    other, noisy = scores(("fid",), tones(1)), scores(("pitch", "fid"), noise())
    assert 0 < other["fid"].value < 0.2 * noisy["fid"].value
    assert noisy["pitched"].value == 0
    assert noisy["pitch_error"].value == 50
    assert "pitch_distance" not in noisy


def test_the_spectral_network_sees_the_mean_and_the_deviation_of_levels():
    given = source(np.stack([tones()[0], np.zeros((LENGTH, 1, 1), np.int16)]))
    features = Extractor(open_network("spectral", given), progress=False)(given, 2).features
    assert features.shape == (2, 256)
    assert not features[1].any()
    assert features[0, :128].max() > 0.7


def test_waves_and_spectrograms_are_seen_alike():
    codec = Spectrogram.of(tones(), RATE)
    waves, pictures = source(tones()), source(tones(), codec)
    assert pictures.image_shape == (128, 16, 1)
    network = open_network("auto", pictures)
    assert network.digest == open_network("auto", waves).digest
    extract = Extractor(network, progress=False)
    np.testing.assert_array_equal(
        extract(seen_by(pictures, network.codec), COUNT).features, extract(waves, COUNT).features
    )
    assert seen_by(waves, codec).image_shape == pictures.image_shape


def test_metrics_of_sounds_are_for_sounds():
    images = array_source("pictures", toy.images(60, shape=(8, 8, 3)))
    with pytest.raises(UserError, match="pitch is for sounds, and pictures is seen as images: leave it"):
        Evaluator(("pitch",), images, open_network("pixels", images), num_fakes=60)
    with pytest.raises(UserError, match="spectral: it takes sounds, and pictures holds images"):
        open_network("spectral", images)
    short = source(tones()[:, :256])
    evaluator = Evaluator(("clicks",), short, open_network("auto", short), num_fakes=COUNT, progress=False)
    with pytest.raises(UserError, match="at least 1024 samples, not 256: leave clicks out"):
        evaluator(GeneratedSet(source=short))


def test_a_classifier_of_timbres_sees_spectrograms(tmp_path, monkeypatch):
    options = {"length": 1_024, "num_examples": 64}
    recipe = Recipe(epochs=1, batch_size=4, shift=0)  # the settling steps are many
    monkeypatch.setattr(classifier_cache, "default_recipe", lambda name: recipe)
    stored = classifier_cache.prepare_classifier("tones", data_dir=tmp_path, options=options, progress=False)
    assert stored.about["sound"] == {"length": 1_024, "rate": 8_000}
    network = stored.network
    assert (network.codec, network.image_shape, network.num_classes) == (Wave(8_000), (1_024, 1, 1), 4)
    real = array_source("tones", tones(count=20)[:, :1_024], np.arange(20) % 4, 4, codec=Wave(RATE))
    evaluator = Evaluator(("label_accuracy",), real, network, num_fakes=20, progress=False)
    found = evaluator(GeneratedSet(source=real)).scores
    given = np.asarray(network.apply(network.params, jnp.asarray(tones(count=20)[:, :1_024])).logits)
    share = np.mean(given.argmax(axis=1) == np.arange(20) % 4)
    assert found["label_accuracy"].value == found["label_accuracy_real"].value == pytest.approx(share)
    assert given.shape == (20, 4)
    again = classifier_cache.prepare_classifier(
        "tones", data_dir=tmp_path, options={**options, "form": "spectrogram"}, progress=False
    )
    assert again.path == stored.path
