"""Points of a known density through the one evaluator: never rounded, from a run, a data set or arrays."""

import dataclasses
import math
from datetime import datetime

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data
from gan_jax.config.build import base_config, build_algorithm, example_batch
from gan_jax.data.codecs import Pixels, Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.densities import ring
from gan_jax.evaluation import evaluate as evaluation
from gan_jax.evaluation import scores
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.extract import Extractor
from gan_jax.evaluation.generated import GeneratedSet, GeneratedSetMaker
from gan_jax.evaluation.networks import NETWORKS, open_network
from gan_jax.evaluation.protocol import from_row
from gan_jax.evaluation.sources.generated_images import generator_source
from gan_jax.evaluation.sources.image_source import array_source, subset
from gan_jax.evaluation.sources.sources import dataset_source
from gan_jax.feature_networks.simple_networks import point_network
from gan_jax.inference.sample import make_sampler
from gan_jax.main import main
from gan_jax.metrics.density_scores import density_scores, projected
from gan_jax.summaries.logs import read_rows
from gan_jax.utils.errors import UserError
from tests.metrics import toy
from tests.runs import run, tiny

SPEC = DataSpec({"image": Field((1, 1, 2), Points())}, None)
POINTS = 3 * np.random.default_rng(0).standard_normal((50, 1, 1, 2)).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))


def config_of(folder, **fields):
    """The tiny run on the ring."""
    config = tiny(folder)
    with config.unlocked():
        config.data = base_config().data
        config.data.update(name="ring", num_examples=300, dir=str(folder))
        config.generator.update(output="linear", norm="none")
        config.update(fields)
    return config


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """(algorithm, state) before the first step; its points lie well beyond 1."""
    algorithm = build_algorithm(config_of(tmp_path_factory.mktemp("unused")), SPEC)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example_batch(SPEC, 2))
    state = jax.jit(algorithm.init)(jax.random.key(1), zeros)
    return algorithm, state.replace(
        ema={**state.ema, "params": jax.tree.map(lambda x: 40 * x, state.ema["params"])}
    )


@pytest.fixture(scope="module")
def reals():
    return dataset_source(data.load("ring", num_examples=300))


def read(source, count, batch_size=16):
    return np.concatenate([images for images, _ in source.batches(count, batch_size)])


def test_generated_points_are_not_rounded(generator):
    algorithm, state = generator
    source = generator_source("run x", algorithm, SPEC, state, seed=5)
    assert (source.codec, source.image_shape) == (Points(), (1, 1, 2))
    found = read(source, 70)
    assert found.dtype == np.float32
    assert np.abs(found).max() > 2
    np.testing.assert_array_equal(found, make_sampler(algorithm, SPEC)(state, 70, jax.random.key(5)))


def test_generated_points_that_are_not_finite_are_refused(generator):
    algorithm, state = generator
    broken = state.replace(ema=jax.tree.map(lambda x: x * np.nan, state.ema))
    with pytest.raises(UserError, match="run x: 64 of the images 0 to 63 are not finite"):
        read(generator_source("run x", algorithm, SPEC, broken, seed=5), 70)


def test_the_points_of_a_data_set_are_as_they_are(reals):
    dataset = reals.dataset
    assert (reals.codec, reals.density) == (Points(ring()), ring())
    found = read(reals, 300)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, dataset.arrays()["image"])
    assert np.abs(found).max() > 1.5

    class Bytes:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return {"image": np.zeros((1, 1, 2), np.uint8)}

    with pytest.raises(UserError, match=r"ring should hold float32 and example \d+ is uint8"):
        read(dataset_source(dataclasses.replace(dataset, source=Bytes())), 2)


def test_points_in_an_array_are_a_source():
    source = array_source("mine", POINTS, codec=Points())
    np.testing.assert_array_equal(read(source, 30), POINTS[subset(50, 30)])
    assert (source.codec, source.density, source.size) == (Points(), None, 50)
    assert array_source("x", POINTS.copy(), codec=Points()).fingerprint == source.fingerprint
    assert array_source("x", POINTS[::-1], codec=Points()).fingerprint != source.fingerprint


@pytest.mark.parametrize(
    ("array", "codec"),
    [
        (POINTS, Pixels()),
        (POINTS.astype(np.float64), Points()),
        (POINTS[:, 0], Points()),
        (POINTS.reshape(-1, 2, 1, 1), Points()),
        (POINTS[:0], Points()),
        (np.zeros((4, 1, 1, 2), np.uint8), Points()),
    ],
)
def test_wrong_points(array, codec):
    with pytest.raises(ValueError, match="mine: expected "):
        array_source("mine", array, codec=codec)


def test_the_features_of_points_are_their_coordinates_and_points_are_kept(reals):
    network = open_network("auto", reals)
    assert (network.name, network.num_features, network.num_classes) == ("points", 2, None)
    assert network.digest == open_network("points", reals).digest != point_network(3).digest
    extract = Extractor(network, progress=False)
    for source in (array_source("mine", POINTS, codec=Points()), dataclasses.replace(reals, size=50)):
        for sample in (extract(source, 50, images=9), extract.cached(source, 50, images=9)):
            points = read(source, 50)
            np.testing.assert_array_equal(sample.features, points[:, 0, 0])
            assert sample.images.dtype == np.float32
            np.testing.assert_array_equal(sample.images, points[np.random.default_rng(0).permutation(50)[:9]])


def test_networks_of_images_do_not_take_points(reals):
    images = array_source("pictures", toy.images(4))
    of_images = [name for name in NETWORKS if name not in ("points", "spectral")]
    for name in (*of_images, "classifier:mnist", "inception:torchvision"):
        with pytest.raises(
            UserError, match=f"network={name}: it takes images, and ring:train holds points of 2"
        ):
            open_network(name, reals)
    with pytest.raises(UserError, match="network=spectral: it takes sounds, and ring:train holds points"):
        open_network("spectral", reals)
    with pytest.raises(UserError, match="network=points: it takes points, and pictures holds images: choose"):
        open_network("points", images)


def evaluator(real, *metrics, num_fakes=200):
    return Evaluator(metrics, real, open_network("auto", real), num_fakes=num_fakes, progress=False)


def test_the_evaluator_scores_points(generator, reals):
    algorithm, state = generator
    fake = GeneratedSetMaker("run x", algorithm, SPEC)(state, seed=3, which="last", averaged=True)
    measure = evaluator(reals, "density", "fid")
    record = measure(fake)
    points, real = read(fake.source, 200)[:, 0, 0], read(reals, 300)[:, 0, 0]
    expected = density_scores(points, ring(), projected(real, directions=33))
    found = {name: score.value for name, score in record.scores.items()}
    fid = found.pop("fid")
    assert found == dataclasses.asdict(expected)
    shift = real.mean(0) - points.mean(0)
    assert fid >= shift @ shift > 0
    assert (record.setting.network, record.setting.resizer) == ("points", "none")
    assert record.scores["reverse_kl"].better == "lower"


def test_draws_of_the_density_score_well(reals):
    held_out = dataset_source(data.load("ring", num_examples=2000, split="test"))
    found = evaluator(reals, "density")(GeneratedSet(source=held_out)).scores
    assert found["modes_reached"].value == 8
    assert found["high_quality"].value > 0.95
    assert found["reverse_kl"].value < 0.1


def test_the_reals_are_projected_once_and_git_is_asked_once(reals, monkeypatch):
    calls = []

    def environment():
        calls.append("git")
        return {"time": "then", "cpus": 2}

    def counted(points, *, directions):
        calls.append("projected")
        return projected(points, directions=directions)

    monkeypatch.setattr(evaluation, "describe_environment", environment)
    monkeypatch.setattr(scores, "projected", counted)
    measure = evaluator(reals, "density", num_fakes=50)
    records = [measure(GeneratedSet(source=array_source("mine", POINTS, codec=Points()))) for _ in range(3)]
    assert sorted(calls) == ["git", "projected"]
    assert records[0].scores == records[2].scores
    assert records[2].environment["cpus"] == 2
    age = datetime.now().astimezone() - datetime.fromisoformat(records[2].environment["time"])
    assert abs(age.total_seconds()) < 60


def test_what_points_are_not_measured_by(reals):
    for name in ("sliced_wasserstein", "ms_ssim", "inception_score", "modes", "path_length"):
        with pytest.raises(
            UserError, match=f"{name} is for images, and ring:train holds points: leave it out"
        ):
            evaluator(reals, name)
    with pytest.raises(
        UserError, match=r"density needs reals of a known density, and mine has none: .* ring, grid"
    ):
        evaluator(array_source("mine", POINTS, codec=Points()), "density", num_fakes=50)


def test_points_are_not_compared_with_images(reals):
    pictures = array_source("pictures", toy.images(40, shape=(1, 1, 2)))
    with pytest.raises(
        UserError, match="pictures holds images and ring:train points: they cannot be compared"
    ):
        evaluator(reals, "density", num_fakes=40)(GeneratedSet(source=pictures))


def test_a_run_is_measured_while_it_trains_and_afterwards_alike(tmp_path, monkeypatch, capsys):
    chosen = dict(metrics="density", every_steps=3, num=70, best="sliced_wasserstein_1")
    folder = tmp_path / "ring"
    run(config_of(tmp_path, num_steps=6, evaluation=chosen), folder)
    arguments = [f"--fake={folder}", "--metrics=density,fid,prdc", "--num=70"]
    assert main(["evaluate", *arguments]) == 0
    rows = [record for record in map(from_row, read_rows(folder / "metrics.jsonl")) if record is not None]
    trained = {record.step: record for record in rows if record.which == "while training"}
    assert list(trained) == [3, 6]
    last = next(record for record in rows if record.which.startswith("last"))
    assert (last.setting, last.step) == (trained[6].setting, 6)
    for name, score in trained[6].scores.items():
        assert last.scores[name].value == pytest.approx(score.value, rel=1e-6)
        assert not math.isnan(score.value)
    assert {"fid", "recall", "coverage"} < last.scores.keys()
    assert "70 fakes against 300 reals of ring:train" in capsys.readouterr().out
