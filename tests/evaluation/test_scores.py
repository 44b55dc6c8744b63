"""The table of metrics: each is its plain function, on what it declares and with what its protocol says."""

import ast
import hashlib
import inspect
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.data.spec import DataSpec, Field
from gan_jax.densities import Mixture
from gan_jax.evaluation import scores
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.extract import ExtractedSet, Extractor
from gan_jax.evaluation.generated import GeneratedSet, GeneratedSetMaker
from gan_jax.evaluation.metric import ALL, Comparison
from gan_jax.evaluation.scores import METRICS
from gan_jax.evaluation.sources.image_source import array_source, subset
from gan_jax.feature_networks.classifier import Classifier, accuracy, classifier_network
from gan_jax.feature_networks.classifier_training import Recipe, train_classifier
from gan_jax.feature_networks.simple_networks import random_network
from gan_jax.feature_networks.stacked import stacked
from gan_jax.metrics import classification_accuracy as accuracies
from gan_jax.metrics.density_scores import density_scores, projected
from gan_jax.metrics.duplicates import duplicate_threshold, duplicates
from gan_jax.metrics.frechet import fid, intra_class_fid
from gan_jax.metrics.inception_score import inception_score
from gan_jax.metrics.kernel_distance import kid
from gan_jax.metrics.modes import mode_coverage
from gan_jax.metrics.ms_ssim import ms_ssim_diversity
from gan_jax.metrics.nearest import memorisation
from gan_jax.metrics.path_length import path_length
from gan_jax.metrics.prdc import prdc
from gan_jax.metrics.sliced_wasserstein import sliced_wasserstein_pyramid
from gan_jax.utils.errors import UserError
from tests.metrics import toy
from tests.runs import tiny

classification_accuracy: Any = accuracies.classification_accuracy  # mypy does not follow unpacking
CLASSES = 3
SHAPE = (16, 16, 1)
SPEC = DataSpec({"image": Field(SHAPE)}, CLASSES)
RECIPE = Recipe(epochs=1, batch_size=8, shift=0, dropout=0.0)
FEW = {"SUBSETS": 3, "PAIRS": 12, "PATHS": 10, "PATCHES": 5, "PROJECTIONS": 4}  # what costs time
SEED = 11
OF_FEATURES = [
    name for name, metric in METRICS.items() if metric.features
]  # for the others see test_pairs.py
MIXTURE = Mixture(means=((0.0,) * 4, (1.0,) * 4), stds=(0.5, 0.4), shares=(3.0, 1.0))  # of the toy features


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Of what costs time, and changes nothing else."""
    for name, value in FEW.items():
        monkeypatch.setattr(scores, name, value)
    monkeypatch.setattr(scores, "default_recipe", lambda name: RECIPE)


def noise_classifier(seed=b"", classes=CLASSES):
    """A classifier's weights, drawn from these bytes."""
    rng = np.random.default_rng(list(hashlib.sha256(seed).digest()))
    image = jax.ShapeDtypeStruct((1, *SHAPE), jnp.float32)
    shapes = jax.eval_shape(Classifier(classes).init, jax.random.key(0), image)

    def draw(path, leaf):
        weight = path[0].key == "params"  # or the moving statistics
        values = rng.normal(0, 0.2, leaf.shape) if weight else rng.uniform(1, 2, leaf.shape)
        return values.astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


@pytest.fixture(autouse=True)
def trained_at_once(monkeypatch):
    """Classifiers take no time: weights and accuracies are noise that depends on all that they are of."""

    def train(images, labels, num_classes, *, recipe, seed, progress):
        given = f"{images.shape} {num_classes} {recipe} {seed}".encode()
        return noise_classifier(given + images.tobytes() + labels.tobytes(), num_classes)

    def share(network, images, labels):
        given = network.digest.encode() + images.tobytes() + labels.tobytes()
        return int.from_bytes(hashlib.sha256(given).digest()[:4]) / 2**32

    monkeypatch.setattr(accuracies, "train_classifier", train)
    monkeypatch.setattr(accuracies, "accuracy", share)


def sample(count, seed, classes=CLASSES, name="toy:train", shape=SHAPE):
    """A side with all that a pass may keep; images have the class's brightness, so that some are alike."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % classes).astype(np.int32)
    image_labels = rng.permutation(labels)
    noise = rng.integers(0, 120, (count, *shape))
    return ExtractedSet(
        name=name,
        features=rng.standard_normal((count, 4)).astype(np.float32) + seed / 10,
        logits=rng.standard_normal((count, 5)).astype(np.float32),
        labels=labels,
        images=(noise + 40 * image_labels[:, None, None, None]).astype(np.uint8),
        image_labels=image_labels,
        num_classes=classes,
    )


def generate(latents, labels):
    """Images that follow a latent, and the label where there is one."""
    shift = 0.0 if labels is None else jnp.asarray(labels)[:, None]
    wave = jnp.sin(jnp.asarray(latents) @ jnp.linspace(-1, 1, 3 * 256).reshape(3, 256) * 3 + shift)
    return wave.reshape(-1, *SHAPE)


def comparison(real=60, fake=50, held_out=40, classes=CLASSES, **changes):
    fields: dict[str, Any] = {
        "real": sample(real, 1, classes),
        "fake": sample(fake, 2, classes),
        "network": replace(random_network(SHAPE), num_classes=5),
        "seed": SEED,
        "held_out": sample(held_out, 3, classes, "toy:test"),
        "generate": generate,
        "latent": ("normal", 3),
        "density": MIXTURE,
    }
    return Comparison(**(fields | changes))


def counts(name):
    """Images of both sides that the metric takes gladly."""
    least = METRICS[name].least
    return {"real": least + 60, "fake": least + 50}


def without_what_it_does_not_declare(name, given):
    """Exactly what a metric declares."""
    needs, images = METRICS[name].needs, METRICS[name].images

    def side(found):
        kept = slice(None if images == ALL else images)
        return replace(
            found,
            logits=found.logits if "logits" in needs else None,
            labels=found.labels if "labels" in needs else None,
            num_classes=found.num_classes if "labels" in needs else None,
            images=found.images[kept],
            image_labels=found.image_labels[kept] if "labels" in needs else None,
        )

    network = given.network
    return replace(
        given,
        real=side(given.real),
        fake=side(given.fake),
        network=replace(
            network,
            num_classes=network.num_classes if "logits" in needs else None,
            maps=network.maps if "maps" in needs else None,
        ),
        held_out=side(given.held_out) if "held_out" in needs else None,
        generate=given.generate if "generator" in needs else None,
        latent=given.latent if "generator" in needs else None,
        density=given.density if "density" in needs else None,
    )


def _modes(given):
    reference = np.bincount(given.real.logits.argmax(1), minlength=5)
    found = mode_coverage(given.fake.logits.argmax(1), 5, reference)
    return {"modes": found.modes, "modes_kl": found.kl}


def _inception_score(given):
    found = inception_score(given.fake.logits, 10)
    return {
        "inception_score": found.whole,
        "inception_score_splits": found.mean,
        "inception_score_splits_std": found.std,
    }


def _kid(given):
    found = kid(given.real.features, given.fake.features, subsets=3, subset_size=1000, seed=SEED)
    return {"kid": found.mean, "kid_std": found.std}


def _intra_class_fid(given):
    found = intra_class_fid(
        given.real.features, given.real.labels, given.fake.features, given.fake.labels, CLASSES
    )
    return {
        "intra_class_fid": found.mean,
        **{f"intra_class_fid_{k}": found.per_class[k] for k in range(CLASSES)},
    }


def _classification_accuracy(given):
    real, fake, held_out = given.real, given.fake, given.held_out
    sides = [part for side in (fake, real, held_out) for part in (side.images, side.image_labels)]
    found = classification_accuracy(*sides, CLASSES, recipe=RECIPE, seed=SEED)
    return {"gan_train": found.gan_train, "gan_test": found.gan_test, "gan_train_of_reals": found.real}


def _memorisation(given):
    found = memorisation(
        given.fake.features, given.real.features, given.held_out.features, quantile=0.05, seed=SEED
    )
    return {
        "copying_c_t": found.c_t,
        "nearest_median_ratio": found.median_ratio,
        "nearest_close_share": found.close_share,
        "authenticity": found.authenticity,
        "authenticity_fresh": found.authenticity_fresh,
    }


def _duplicates(given):
    found = duplicates(
        given.fake.features, batch=500, threshold=duplicate_threshold(given.real.features, 0.01)
    )
    return {
        "support": found.support,
        "support_at_least": found.support_at_least,
        "collision_share": found.collision_share,
    }


def _sliced_wasserstein(given):
    found = sliced_wasserstein_pyramid(
        given.real.images, given.fake.images, seed=SEED, patches=5, projections=4
    )
    return {"swd": found.mean, "swd_16x16": found.levels["16x16"]}


def _ms_ssim(given):
    expected: dict[str, float] = {}
    for name, side in (("ms_ssim", given.fake), ("ms_ssim_real", given.real)):
        whole = ms_ssim_diversity(side.images, seed=SEED, pairs=12)
        within = ms_ssim_diversity(side.images, seed=SEED, pairs=12, labels=side.image_labels)
        expected |= {name: whole.mean, f"{name}_error": whole.standard_error}
        expected |= {f"{name}_within_classes": within.mean}
    return expected


def _path_length(given):
    labels = np.resize(given.fake.labels, 10)
    found = path_length(
        generate,
        given.network,
        latent_size=3,
        num=10,
        seed=SEED,
        epsilon=1e-4,
        labels=labels,
        sampling="full",
    )
    return {"path_length": found.mean, "path_length_error": found.standard_error}


def _prdc(given):
    found = prdc(given.real.features, given.fake.features, manifold_k=3, density_k=5)
    return {
        "precision": found.precision,
        "recall": found.recall,
        "density": found.density,
        "coverage": found.coverage,
    }


def _density(given):
    reals = projected(given.real.features, directions=33)
    found = density_scores(given.fake.features, MIXTURE, reals)
    return {
        "modes_reached": found.modes_reached,
        "high_quality": found.high_quality,
        "reverse_kl": found.reverse_kl,
        "sliced_wasserstein_1": found.sliced_wasserstein_1,
    }


EXPECTED: dict[str, Any] = {
    "fid": lambda given: {"fid": fid(given.real.features, given.fake.features)},
    "kid": _kid,
    "inception_score": _inception_score,
    "prdc": _prdc,
    "intra_class_fid": _intra_class_fid,
    "classification_accuracy": _classification_accuracy,
    "modes": _modes,
    "sliced_wasserstein": _sliced_wasserstein,
    "ms_ssim": _ms_ssim,
    "path_length": _path_length,
    "memorisation": _memorisation,
    "duplicates": _duplicates,
    "density": _density,
}


@pytest.mark.parametrize("name", OF_FEATURES)
def test_scores_are_those_of_the_plain_function(name):
    given = comparison(**counts(name))
    found = METRICS[name].compute(given)
    expected = EXPECTED[name](given)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-12)
    assert METRICS[name].scores.keys() <= found.keys()
    assert {type(value) for value in found.values()} == {float}
    infinite = {score for score, value in found.items() if not np.isfinite(value)}
    assert infinite <= {"support"}  # where no pair was found


def test_no_two_metrics_yield_the_same_score():
    named = [score for name in OF_FEATURES for score in EXPECTED[name](comparison(**counts(name)))]
    named += [score for name in METRICS.keys() - set(OF_FEATURES) for score in METRICS[name].scores]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", OF_FEATURES)
def test_what_is_declared_is_enough_and_more_changes_nothing(name, monkeypatch):
    """Another metric may need more images, so more may have been kept."""
    for constant in ("PYRAMIDS", "PAIRED"):
        monkeypatch.setattr(scores, constant, 7)
    if METRICS[name].images not in (0, ALL):
        monkeypatch.setitem(METRICS, name, replace(METRICS[name], images=7))
    given = comparison(**counts(name))
    bare = without_what_it_does_not_declare(name, given)
    found = METRICS[name].compute(bare)
    if METRICS[name].images == 7:
        assert len(bare.fake.images) == 7
    unlabelled = (
        {} if "labels" in METRICS[name].needs else {"labels": None, "image_labels": None, "num_classes": None}
    )
    whole = replace(given, real=replace(given.real, **unlabelled), fake=replace(given.fake, **unlabelled))
    assert METRICS[name].compute(whole) == found


NEEDED = [(name, need) for name in OF_FEATURES for need in sorted(METRICS[name].needs)]


@pytest.mark.parametrize(("name", "need"), NEEDED)
def test_all_that_is_declared_is_needed(name, need):
    given = comparison(**counts(name))
    lacking = {
        "logits": {"fake": replace(given.fake, logits=None)},
        "labels": {"fake": replace(given.fake, labels=None, image_labels=None)},
        "held_out": {"held_out": None},
        "generator": {"generate": None},
        "maps": {"network": replace(given.network, maps=None)},
        "density": {"density": None},
    }
    METRICS[name].compute(given)
    with pytest.raises((AssertionError, UserError)):
        METRICS[name].compute(replace(given, **lacking[need]))


LEAST_OF_THE_FUNCTION = {"fid", "kid", "inception_score", "prdc", "memorisation", "duplicates", "ms_ssim"}


@pytest.mark.parametrize("name", OF_FEATURES)
def test_the_least_number_of_images_is_enough(name):
    """Of one class, or of two for a classifier: for more it takes more, and the function says so."""
    least = METRICS[name].least
    classes = {"intra_class_fid": 1, "classification_accuracy": 2}.get(name, CLASSES)
    given = comparison(real=least, fake=least, classes=classes)
    found = METRICS[name].compute(given)
    assert METRICS[name].scores.keys() <= found.keys()
    if name in LEAST_OF_THE_FUNCTION:
        with pytest.raises(UserError):
            METRICS[name].compute(comparison(real=least - 1, fake=least - 1))


@pytest.mark.parametrize("name", OF_FEATURES)
def test_the_seed_is_all_that_is_random(name):
    given = comparison(held_out=250, **counts(name))
    first = METRICS[name].compute(given)
    assert METRICS[name].compute(given) == first
    other = METRICS[name].compute(replace(given, seed=SEED + 1))
    draws = {"kid", "classification_accuracy", "sliced_wasserstein", "ms_ssim", "path_length", "memorisation"}
    assert (other != first) == (name in draws)


# Parameters

FUNCTIONS = {
    "fid": "fid",
    "kid": "kid",
    "inception_score": "inception_score",
    "prdc": "prdc",
    "intra_class_fid": "intra_class_fid",
    "classification_accuracy": "classification_accuracy",
    "modes": "mode_coverage",
    "sliced_wasserstein": "sliced_wasserstein_pyramid",
    "ms_ssim": "ms_ssim_diversity",
    "path_length": "path_length",
    "memorisation": "memorisation",
    "duplicates": "duplicates",
    "density": "density_scores",
}


class Called(Exception):
    pass


def seen_by(module, function, name, given):
    """The arguments that a metric of this module calls a function with first."""
    signature = inspect.signature(getattr(module, function))

    def record(*args, **kwargs):
        raise Called(signature.bind(*args, **kwargs).arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, function, record)
        with pytest.raises(Called) as caught:
            module.METRICS[name].compute(given)
    return caught.value.args[0]


def edited(monkeypatch, constant, value):
    """The module `scores` as it would be with another value of one of its constants."""
    tree: Any = ast.parse(Path(scores.__file__).read_text())
    places: list[Any] = [
        (node, index, isinstance(target, ast.Tuple))
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for index, part in enumerate(target.elts if isinstance(target, ast.Tuple) else [target])
        if isinstance(part, ast.Name) and part.id == constant
    ]
    ((node, index, several),) = places  # it stands once
    if several:
        node.value.elts[index] = ast.Constant(value)
    else:
        node.value = ast.Constant(value)
    module: Any = types.ModuleType("edited_scores")
    monkeypatch.setitem(sys.modules, "edited_scores", module)
    exec(compile(ast.fix_missing_locations(tree), scores.__file__, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(
    ("constant", "value", "name", "function", "argument"),
    [
        ("SUBSETS", 7, "kid", "kid", "subsets"),
        ("SUBSET", 999, "kid", "kid", "subset_size"),
        ("SPLITS", 4, "inception_score", "inception_score", "splits"),
        ("MANIFOLD", 4, "prdc", "prdc", "manifold_k"),
        ("DENSITY", 6, "prdc", "prdc", "density_k"),
        ("CLOSE", 0.052, "memorisation", "memorisation", "quantile"),
        ("BATCH", 501, "duplicates", "duplicates", "batch"),
        ("NEAR", 0.012, "duplicates", "duplicate_threshold", "quantile"),
        ("PATCHES", 9, "sliced_wasserstein", "sliced_wasserstein_pyramid", "patches"),
        ("PROJECTIONS", 9, "sliced_wasserstein", "sliced_wasserstein_pyramid", "projections"),
        ("PAIRS", 31, "ms_ssim", "ms_ssim_diversity", "pairs"),
        ("PATHS", 31, "path_length", "path_length", "num"),
        ("SAMPLING", "end", "path_length", "path_length", "sampling"),
        ("DIRECTIONS", 9, "density", "projected", "directions"),
    ],
)
def test_the_protocol_states_the_parameters_that_are_used(
    constant, value, name, function, argument, monkeypatch
):
    module = edited(monkeypatch, constant, value)
    assert module.METRICS[name].protocol != METRICS[name].protocol
    if isinstance(value, int | str):
        assert str(value) in module.METRICS[name].protocol
    assert seen_by(module, function, name, comparison(real=1100, fake=1100))[argument] == value
    others = {other for other in METRICS if module.METRICS[other].protocol != METRICS[other].protocol}
    assert others == {name}


@pytest.mark.parametrize(("constant", "name"), [("PYRAMIDS", "sliced_wasserstein"), ("PAIRED", "ms_ssim")])
def test_the_protocol_states_the_images_that_are_read(constant, name, monkeypatch):
    module = edited(monkeypatch, constant, 13)
    assert "at most 13 images" in module.METRICS[name].protocol
    assert module.METRICS[name].images == 13
    arguments = seen_by(module, FUNCTIONS[name], name, comparison())
    assert {len(arguments[side]) for side in ("images", "real", "fake") if side in arguments} == {13}


def test_the_protocol_states_the_reals_that_are_projected(monkeypatch):
    module = edited(monkeypatch, "PROJECTED", 13)
    assert "at most 13 reals" in module.METRICS["density"].protocol
    given = comparison(real=60)
    read = seen_by(module, "projected", "density", given)["points"]
    np.testing.assert_array_equal(read, given.real.features[subset(60, 13)])


@pytest.mark.parametrize(
    ("constant", "value", "name", "least"),
    [
        ("SUBSET", 900, "kid", 900),
        ("SPLITS", 4, "inception_score", 4),
        ("MANIFOLD", 8, "prdc", 9),
        ("DENSITY", 7, "prdc", 8),
        ("BATCH", 300, "duplicates", 300),
        ("NEAR", 0.001, "duplicates", 1000),
    ],
)
def test_the_least_number_follows_the_parameters(constant, value, name, least, monkeypatch):
    assert edited(monkeypatch, constant, value).METRICS[name].least == least


NOT_STATED = {
    "memorisation": {"num_cells"},  # follows from the number of held-out images
    "ms_ssim": {"labels"},  # the names of the scores say it
    "path_length": {"batch_size"},  # changes no number
    "classification_accuracy": {"real_classifier"},  # none is given
}


@pytest.mark.parametrize("name", OF_FEATURES)
def test_no_parameter_is_left_to_a_default_that_the_protocol_does_not_know(name):
    arguments = seen_by(scores, FUNCTIONS[name], name, comparison(**counts(name)))
    every = inspect.signature(getattr(scores, FUNCTIONS[name])).parameters
    assert every.keys() - arguments.keys() == NOT_STATED.get(name, set())
    assert arguments.get("seed", SEED) == SEED


def test_a_protocol_of_these_numbers_is_that_of_their_version():
    """Other numbers are another version: raise it with these."""
    recipe = "epochs 8, batch_size 128, learning_rate 0.002, warmup 0.1, dropout 0.25, shift 1"
    window = "11 x 11 Gaussian window of 1.5, valid region, K 0.01 and 0.03"
    luma = "luma of ITU-R BT.601 (16 to 235)"
    assert {name: (metric.version, metric.protocol) for name, metric in METRICS.items()} == {
        "fid": (1, ""),
        "kid": (1, "100 subsets of 1000"),
        "inception_score": (1, "whole, and 10 splits"),
        "prdc": (1, "precision and recall k=3, density and coverage k=5"),
        "intra_class_fid": (1, ""),
        "classification_accuracy": (
            1,
            f"classifiers of version 1, {recipe}, flip for fashion_mnist, cifar10, cifar100, shapes, photos",
        ),
        "modes": (1, "classes of the network, KL in nats to the reals' classes"),
        "label_accuracy": (1, "share that the network takes for their label"),
        "sliced_wasserstein": (1, "at most 8,192 images, 128 patches of each, 512 directions"),
        "ms_ssim": (1, "5,000 pairs of at most 10,000 images"),
        "path_length": (1, "10,000 paths, full, steps of 0.0001"),
        "memorisation": (1, "close: nearer than 5 % of the held-out images"),
        "duplicates": (1, "batches of 500, nearer than 1 % of the reals"),
        "density": (
            1,
            "modes within 3 standard deviations, KL in nats to their weights, 33 directions, "
            "at most 50,000 reals",
        ),
        "l1": (1, "values in [0, 1], all channels, border 0"),
        "psnr": (1, "dB, peak 255, all channels, border 0"),
        "ssim": (1, f"{window}, all channels, border 0"),
        "psnr_luma": (1, f"dB, peak 255, {luma}, border 0"),
        "ssim_luma": (1, f"{window}, {luma}, border 0"),
        "lpips_paired": (1, "unit weights"),
        "cycle_error": (
            1,
            "L1 of values in [0, 1] between the source and its translation there and back; of the "
            "translation as it is, rounded to 8 bits, and with noise of 2/255",
        ),
        "colourfulness": (1, "at most 10,000 images"),
        "bits_per_dim": (1, "-log2 p / D"),
        "reconstruction": (
            1,
            "of the latents that the method finds; values in [0, 1], points in their units",
        ),
        "sampling": (1, "medians of 5 calls for 64 images and 15 for one, after one that compiles"),
        "tile_patterns": (
            1,
            "all patterns of 2x2, 3x3 and 4x4 tiles, smoothed by 1e-06; the mean of both ways",
        ),
        "level_copies": (1, "equal in all tiles"),
        "broken_pipes": (1, "tiles <>[] without their other part"),
        "playable": (
            1,
            "mario: from the left edge to the right one, jumps of 4 rows and 8 columns; zelda: each door and "
            "stair from the others, without ladder; lode_runner: each heap of gold from the runner, holes "
            "stay open",
        ),
        "pitch": (
            1,
            "at most 2,000 sounds, 80 to 1000 Hz, autocorrelation of at least 0.8, cents from A440",
        ),
        "clicks": (1, "at most 2,000 sounds, rate / 4, 16, 64 over 3 to 7 bins aside, dB"),
    }


# Labels and classes


def labelled(side, labels):
    """With these labels of its features and of its images."""
    return replace(side, labels=np.asarray(labels, np.int32), image_labels=np.asarray(labels, np.int32))


def test_similarity_within_classes_is_left_out_where_a_class_is_not_there():
    given = comparison(fake=9, real=9)
    within = {"ms_ssim_within_classes", "ms_ssim_real_within_classes"}
    assert within < METRICS["ms_ssim"].compute(given).keys()
    for labels in ([0, 1] * 4 + [0], [0, 1] * 4 + [2], [1, 2] * 4 + [1]):
        lacking = replace(given, fake=labelled(given.fake, labels))
        found = METRICS["ms_ssim"].compute(lacking)
        assert within & found.keys() == {"ms_ssim_real_within_classes"}
        assert found["ms_ssim"] == METRICS["ms_ssim"].compute(given)["ms_ssim"]


def test_similarity_within_more_classes_than_pairs_can_be_drawn_in_is_left_out():
    for classes, there in ((6, True), (7, False)):  # 12 pairs, and two for each
        found = METRICS["ms_ssim"].compute(comparison(classes=classes))
        assert ("ms_ssim_within_classes" in found) == there


def test_the_labels_are_those_of_the_images_that_are_read(monkeypatch):
    """And not those of the features, which are in another order."""
    monkeypatch.setattr(scores, "PAIRED", 20)
    given = comparison()
    found = METRICS["ms_ssim"].compute(given)
    labels = given.fake.image_labels
    assert labels is not None
    expected = ms_ssim_diversity(given.fake.images[:20], seed=SEED, pairs=12, labels=labels[:20])
    assert found["ms_ssim_within_classes"] == expected.mean


def test_missing_classes_are_said_to_be_missing():
    given = comparison()
    lacking = replace(given, fake=labelled(given.fake, np.arange(50) % 2))
    with pytest.raises(UserError, match="the generated set has no images of the classes 2"):
        METRICS["classification_accuracy"].compute(lacking)
    with pytest.raises(UserError, match="class 2: 20 real, 0 fake"):
        METRICS["intra_class_fid"].compute(lacking)


@pytest.mark.parametrize(
    ("real", "flip"), [("shapes:train", True), ("cifar10:3.0.2:train[:9]", True), ("mnist:train", False)]
)
def test_classifiers_are_trained_as_that_of_the_data_set(real, flip, monkeypatch):
    monkeypatch.undo()
    given = comparison(real=9)
    given = replace(given, real=replace(given.real, name=real))
    arguments = seen_by(scores, "classification_accuracy", "classification_accuracy", given)
    assert arguments["recipe"] == Recipe(flip=flip)


def test_a_network_of_the_same_name_does_not_judge_for_the_reals():
    """It may have been trained on other images of that data set, or with another recipe."""
    given = comparison(**counts("classification_accuracy"))
    named = classifier_network(noise_classifier(), SHAPE, CLASSES, "classifier:toy")
    found = METRICS["classification_accuracy"].compute(replace(given, network=named))
    assert found == METRICS["classification_accuracy"].compute(given)


# Through the evaluator


def corners(count, seed):
    """Noisy images, class k with a bright block in corner k."""
    labels = (np.arange(count) % CLASSES).astype(np.int32)
    images = np.random.default_rng(seed).integers(0, 80, (count, *SHAPE))
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 150
    return images.astype(np.uint8), labels


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cache")
def test_classifiers_are_trained_and_tested_on_the_three_sets(monkeypatch):
    recipe = Recipe(epochs=12, batch_size=8, shift=0, dropout=0.0)
    monkeypatch.setattr(scores, "default_recipe", lambda name: recipe)
    monkeypatch.setattr(accuracies, "train_classifier", train_classifier)
    monkeypatch.setattr(accuracies, "accuracy", accuracy)
    train, test, (pixels, labels) = corners(60, 0), corners(40, 1), corners(60, 2)
    swapped = np.array([1, 0, 2], np.int32)[labels]  # two classes change places
    evaluator = Evaluator(
        ("classification_accuracy",),
        array_source("reals:train", train[0], train[1], CLASSES),
        random_network(SHAPE),
        num_fakes=60,
        held_out=array_source("reals:test", test[0], test[1], CLASSES),
        progress=False,
    )
    record = evaluator(GeneratedSet(source=array_source("fakes", pixels, swapped, CLASSES), seed=4))
    found = {name: score.value for name, score in record.scores.items()}
    assert found["gan_train_of_reals"] > 0.9
    assert max(found["gan_train"], found["gan_test"]) < 0.5


@pytest.mark.usefixtures("cache")
def test_memorisation_is_measured_with_the_held_out_reals():
    reals, held_out = toy.images(60, 1), toy.images(40, 3)
    fakes = np.concatenate([reals[:20], toy.images(30, 2)])
    evaluator = Evaluator(
        ("memorisation",),
        toy.source(reals),
        toy.network(),
        num_fakes=50,
        held_out=toy.source(held_out),
        progress=False,
    )
    found = evaluator(GeneratedSet(source=toy.source(fakes), seed=3)).scores
    seen = (images.reshape(len(images), -1).astype(np.float32) / 2 for images in (fakes, reals, held_out))
    expected = memorisation(*seen, seed=3)
    assert found["copying_c_t"].value == pytest.approx(expected.c_t, rel=1e-12)
    assert found["authenticity"].value == expected.authenticity < found["authenticity_fresh"].value
    assert found["nearest_close_share"].value == expected.close_share >= 0.4


@pytest.mark.usefixtures("cache")
def test_modes_of_stacked_digits_are_combinations():
    """The toy network takes the place of the brightest of the first pixels for the digit."""
    network = stacked(toy.network(classes=CLASSES))
    pixels = toy.images(80, 4, shape=(4, 4, 3))
    fakes = pixels[[0, 0, 0, 1, 2, 3, 4, 4]]
    real, fake = (Extractor(network, progress=False)(toy.source(x), len(x)) for x in (pixels, fakes))
    found = METRICS["modes"].compute(replace(comparison(network=network), real=real, fake=fake))
    digits = pixels.reshape(80, 16, 3)[:, :CLASSES].argmax(1)
    combined = digits @ np.array([9, 3, 1])
    reference = np.bincount(combined, minlength=27) / 80
    drawn = np.bincount(combined[[0, 0, 0, 1, 2, 3, 4, 4]], minlength=27) / 8
    occurring = drawn > 0
    assert 3 < occurring.sum() == found["modes"]
    kl = np.sum(drawn[occurring] * np.log(drawn[occurring] / reference[occurring]))
    assert found["modes_kl"] == pytest.approx(kl, rel=1e-9)


# Paths of real generators


def made(**changes):
    """A generator before the first step, made to be less shy, as fakes."""
    config = tiny(Path("unused"))
    with config.unlocked():
        config.generator.update(changes)
    algorithm = build_algorithm(config, SPEC)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example_batch(SPEC, 2))
    state = jax.jit(algorithm.init)(jax.random.key(1), zeros)
    louder = state.replace(ema={**state.ema, "params": jax.tree.map(lambda x: 5 * x, state.ema["params"])})
    return GeneratedSetMaker("run x", algorithm, SPEC)(louder, seed=6, which="last", averaged=True)


@pytest.fixture(scope="module")
def unconditional():
    return made()


@pytest.fixture(scope="module")
def conditional():
    return made(condition="embedding")


def networks():
    return {
        "random": random_network(SHAPE),
        "classifier": classifier_network(noise_classifier(), SHAPE, CLASSES),
    }


def measured(fake, network, num=7):
    real = toy.source(toy.images(8, shape=SHAPE))
    record = Evaluator(("path_length",), real, network, num_fakes=num, progress=False)(fake)
    return {name: score.value for name, score in record.scores.items()}


def lengths(fake, network, labels=None, seed=6):
    found = path_length(
        fake.generate, network, latent_size=4, num=10, seed=seed, latent="normal", labels=labels
    )
    return {"path_length": found.mean, "path_length_error": found.standard_error}


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("network", ["random", "classifier"])
def test_path_length_of_a_generator(network, unconditional):
    used = networks()[network]
    found = measured(unconditional, used)
    assert found == lengths(unconditional, used)
    assert found["path_length"] > 0
    assert found != lengths(unconditional, used, seed=0)


@pytest.mark.usefixtures("cache")
def test_path_length_of_a_conditional_generator_has_all_paths_whatever_the_number_of_fakes(conditional):
    """10 paths: of the labels 0 to 6 modulo 3, and again the first three of them."""
    network = random_network(SHAPE)
    found = measured(conditional, network, num=7)
    assert found == lengths(conditional, network, np.array([0, 1, 2, 0, 1, 2, 0, 0, 1, 2], np.int32))
    assert found != lengths(conditional, network, np.zeros(10, np.int32))
    more = measured(conditional, network, num=20)
    assert more == lengths(conditional, network, np.arange(10, dtype=np.int32) % 3)


def test_latents_are_of_the_generators_distribution():
    given = comparison(latent=("uniform", 3))
    found = METRICS["path_length"].compute(given)
    arguments = seen_by(scores, "path_length", "path_length", given)
    assert (arguments["latent"], arguments["latent_size"]) == ("uniform", 3)
    assert found != METRICS["path_length"].compute(comparison())
