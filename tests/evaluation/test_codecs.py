"""Tiles, sounds and L*a*b* through the one evaluator: what is stored is compared, decoded or as pictures."""

import dataclasses
import math

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.data import Field
from gan_jax.data.builder import LocalBuilder
from gan_jax.data.codecs import Lab, Pixels, Points, Tiles, Wave
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.extract import Extractor
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.names import METRICS, USUAL_METRICS, USUAL_NETWORKS
from gan_jax.evaluation.neighbours import neighbours_picture
from gan_jax.evaluation.networks import NETWORKS, open_network
from gan_jax.evaluation.protocol import from_row
from gan_jax.evaluation.sources.image_source import array_source, pictured
from gan_jax.evaluation.sources.sources import dataset_source
from gan_jax.feature_networks.simple_networks import pixel_network, random_network
from gan_jax.main import main
from gan_jax.summaries.logs import read_rows
from gan_jax.utils.errors import UserError
from tests.metrics import toy
from tests.runs import run, tiny

PALETTE = np.array([[0, 0, 0], [255, 0, 0], [0, 9, 255]])
TILES, WAVE, LAB = Tiles(PALETTE), Wave(8_000), Lab()


def levels(count, seed=0):
    return np.random.default_rng(seed).integers(0, 3, (count, 4, 5), dtype=np.uint8)


def stored(codec, count=60, seed=0):
    rng = np.random.default_rng(seed)
    if codec == TILES:
        return levels(count, seed)
    if codec == WAVE:
        return rng.integers(-(2**15), 2**15, (count, 24, 1, 1), dtype=np.int16)
    return rng.integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)


def source(codec, count=60, seed=0, name="mine"):
    return array_source(name, stored(codec, count, seed), codec=codec)


def decoded(codec, count=60, seed=0):
    return np.asarray(jax.jit(codec.decode)(stored(codec, count, seed)))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("codec", [TILES, WAVE, LAB], ids=lambda x: x.name)
def test_networks_see_what_is_decoded(codec):
    given, seen = source(codec), decoded(codec)
    assert given.image_shape == seen.shape[1:]
    pixels = Extractor(open_network("pixels", given), progress=False)(given, 60, images=7)
    np.testing.assert_allclose(pixels.features, (seen.reshape(60, -1) + 1) / 2, atol=1e-6)
    assert pixels.images.dtype == codec.dtype
    assert pixels.images.shape[1:] == stored(codec).shape[1:]
    network = open_network("random", given)
    features = Extractor(network, progress=False)(given, 60).features
    plain = random_network(given.image_shape)
    np.testing.assert_allclose(features, plain.apply(plain.params, (seen + 1) * 127.5).features, atol=1e-4)
    assert (network.maps is None) == (not codec.is_image)
    given = source(codec, 30)
    pca = Extractor(open_network("pca", given), progress=False)(given, 30).features
    flat = (decoded(codec, 30).reshape(30, -1) + 1) / 2
    flat = flat - flat.mean(axis=0)
    whole = flat @ np.linalg.svd(flat, full_matrices=False)[2][: pca.shape[1]].T
    np.testing.assert_allclose(np.abs(pca[:, :5]), np.abs(whole[:, :5]), atol=1e-4)


def test_protocols_tell_codecs_and_their_parts_apart():
    digests = [open_network("pixels", source(codec)).digest for codec in (TILES, LAB)]
    digests += [open_network("pixels", array_source("x", toy.images(60, shape=(4, 5, 3)))).digest]
    other = dataclasses.replace(source(TILES), codec=Tiles(PALETTE[::-1]))
    digests += [open_network("pixels", other).digest]
    assert len(set(digests)) == 4
    assert digests[2] == pixel_network((4, 5, 3)).digest


def test_what_is_usual():
    assert set(USUAL_METRICS) == set(USUAL_NETWORKS) == {"points", "tiles", "wave", "spectrogram"}
    for codec, network in ((TILES, "random (seed 0)"), (WAVE, "spectral")):
        assert open_network("auto", source(codec)).name == network
        assert set(USUAL_METRICS[codec.name].split(",")) <= set(METRICS)
        assert USUAL_NETWORKS[codec.name] in NETWORKS
        lacking = "mine has no labels" if codec == WAVE else f"it takes images, and mine holds {codec.noun}"
        with pytest.raises(UserError, match=f"network=classifier: {lacking}"):
            open_network("classifier", source(codec))
        with pytest.raises(UserError, match=f"it takes points, and mine holds {codec.noun}"):
            open_network("points", source(codec))


@pytest.mark.parametrize("codec", [TILES, WAVE, LAB], ids=lambda x: x.name)
def test_scores_of_equal_sets_are_those_of_equal_sets(codec):
    real = source(codec)
    evaluator = Evaluator(("fid", "prdc"), real, open_network("random", real), num_fakes=60, progress=False)
    same = evaluator(GeneratedSet(source=source(codec, name="copy")))
    other = evaluator(GeneratedSet(source=source(codec, seed=1)))
    assert same.scores["fid"].value == pytest.approx(0, abs=1e-4)
    assert same.scores["coverage"].value == 1
    assert other.scores["fid"].value > 0.01
    assert same.setting == other.setting


def test_metrics_of_images_are_refused_where_the_network_sees_none():
    real = source(TILES)
    for metric in ("ms_ssim", "sliced_wasserstein", "inception_score", "path_length"):
        with pytest.raises(
            UserError, match=f"{metric} is for images, and mine holds levels of tiles: leave it"
        ):
            Evaluator((metric,), real, open_network("pixels", real), num_fakes=60)


def picture_network():
    """As Inception: it takes pictures of any size."""
    return dataclasses.replace(toy.network(classes=None), image_shape=(None, None, None))


def test_a_network_of_pictures_sees_pictures_and_takes_them_from_anywhere():
    shown = PALETTE.astype(np.uint8)[levels(60)]
    real, pictures = source(TILES), array_source("pictures", shown)
    seen = pictured(real)
    assert (seen.codec, seen.image_shape) == (Pixels(), (4, 5, 3))
    np.testing.assert_array_equal(next(seen.batches(60, 60))[0], shown)
    evaluator = Evaluator(("fid", "prdc"), real, picture_network(), num_fakes=60, progress=False)
    np.testing.assert_array_equal(evaluator.real.features, shown.reshape(60, -1).astype(np.float32) / 2)
    for fake in (pictures, source(TILES)):
        assert evaluator(GeneratedSet(source=fake)).scores["coverage"].value == 1
    turned = Evaluator(("fid",), pictures, picture_network(), num_fakes=60, progress=False)
    assert turned(GeneratedSet(source=source(TILES))).scores["fid"].value == pytest.approx(0, abs=1e-2)


def test_pictures_by_another_palette_are_not_taken_from_the_cache():
    extract = Extractor(picture_network(), progress=False)
    one, other = (pictured(array_source("x", levels(9), codec=Tiles(p))) for p in (PALETTE, PALETTE[::-1]))
    assert (extract.cached(one, 9).features != extract.cached(other, 9).features).any()


def test_pictures_of_pixels_are_the_pixels_and_points_have_none():
    given = array_source("x", toy.images(5, shape=(4, 5, 3)))
    assert pictured(given) is given
    two = pictured(array_source("x", toy.images(5, shape=(4, 5, 2))))
    assert two.image_shape == (4, 10, 1)
    with pytest.raises(UserError, match="x holds points, which are no pictures"):
        pictured(array_source("x", np.zeros((5, 1, 1, 2), np.float32), codec=Points()))


@pytest.mark.parametrize("codec", [TILES, WAVE], ids=lambda x: x.name)
def test_other_kinds_cannot_be_compared(codec):
    real = source(codec)
    evaluator = Evaluator(("fid",), real, open_network("pixels", real), num_fakes=60, progress=False)
    images = array_source("pictures", toy.images(60, shape=real.image_shape))
    with pytest.raises(
        UserError, match=f"pictures holds images and mine {codec.noun}: they cannot be compared"
    ):
        evaluator(GeneratedSet(source=images))


def test_neighbours_of_tiles_are_shown_as_pictures():
    real, fakes = source(TILES), dataclasses.replace(source(TILES, seed=3), size=None)
    evaluator = Evaluator(("fid",), real, open_network("pixels", real), num_fakes=60, progress=False)
    found = neighbours_picture(evaluator, GeneratedSet(source=fakes), rows=2, k=3)
    scale = len(found) // 10
    cells = found[::scale, ::scale]
    for row, fake in enumerate(levels(60, 3)[:2]):
        pictures = [cells[6 * row : 6 * row + 4, 7 * column : 7 * column + 5] for column in range(4)]
        shown = np.stack(
            [(picture[:, :, None] == PALETTE).all(axis=-1).argmax(axis=-1) for picture in pictures]
        )
        np.testing.assert_array_equal(PALETTE[shown], np.stack(pictures))
        np.testing.assert_array_equal(shown[0], fake)
        distances = np.sort((fake != levels(60)).sum(axis=(1, 2)))
        np.testing.assert_array_equal((fake != shown[1:]).sum(axis=(1, 2)), distances[:3])


@pytest.mark.parametrize(
    ("images", "codec"),
    [
        (levels(5)[..., None], TILES),
        (levels(5).astype(np.int16), TILES),
        (stored(WAVE)[:, :, 0], WAVE),
        (stored(WAVE).astype(np.float32), WAVE),
        (stored(LAB)[..., :1], LAB),
        (stored(LAB)[:0], LAB),
    ],
)
def test_arrays_that_a_codec_does_not_store(images, codec):
    with pytest.raises(ValueError, match=f"mine: expected {codec.noun.replace('*', '.')}, {codec.dtype}"):
        array_source("mine", images, codec=codec)


class Levels(LocalBuilder):
    """As a later builder makes them: three kinds of tiles."""

    def fields(self):
        return {"image": Field((4, 5, 3), TILES)}

    def num_examples(self, split):
        return 44 if split == "train" else 10

    def records(self, split):
        for level in levels(self.num_examples(split), seed=len(split)):
            yield {"image": level}


def test_a_run_on_tiles_from_training_to_scores_and_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(data.DATASETS, "levels", Levels)
    config = tiny(tmp_path / "data", num_steps=6)
    with config.unlocked():
        for field in ("resolution", "channels", "num_examples", "seed"):
            del config.data[field]
        config.data.name = "levels"
        config.evaluation = dict(metrics="fid", every_steps=6, num=70)
    folder = tmp_path / "levels"
    run(config, folder)
    assert main(["evaluate", f"--fake={folder}", "--num=70"]) == 0
    assert "recall" in capsys.readouterr().out
    rows = [record for record in map(from_row, read_rows(folder / "metrics.jsonl")) if record is not None]
    assert rows[0].which == "while training"
    assert {"fid", "coverage"} <= rows[-1].scores.keys()
    assert math.isfinite(rows[-1].scores["fid"].value)
    assert rows[-1].setting.network == "random (seed 0)"
    assert main(["sample", f"--workdir={folder}", "--num=9", f"--out={tmp_path / 'nine.png'}"]) == 0
    assert "9 levels of tiles from step 6" in capsys.readouterr().out
    colours = {tuple(colour) for colour in PALETTE.tolist()} | {(255, 255, 255)}
    for path in (tmp_path / "nine.png", folder / "reals.png", folder / "samples" / "step_0000006.png"):
        with Image.open(path) as picture:
            assert {tuple(colour) for colour in np.asarray(picture).reshape(-1, 3).tolist()} <= colours
    reals = dataset_source(data.load("levels", data_dir=str(tmp_path / "data")))
    assert (reals.codec, reals.image_shape) == (TILES, (4, 5, 3))
