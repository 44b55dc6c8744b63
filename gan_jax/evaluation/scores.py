"""Metrics by name, with their versions, scores and requirements.

A metric's version is raised whenever its numbers change; it is part of every score's protocol.
"""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np

from gan_jax.data.classes import plain_names
from gan_jax.densities.density import NEAR as MODE
from gan_jax.evaluation.extract import ExtractedSet
from gan_jax.evaluation.level_scores import LEVEL_METRICS
from gan_jax.evaluation.metric import ALL, Better, Comparison, Metric
from gan_jax.evaluation.pair_scores import CYCLE_ERROR, pair_metrics
from gan_jax.evaluation.sampling_cost import SAMPLING as SAMPLING_COST
from gan_jax.evaluation.sound_scores import SOUND_METRICS
from gan_jax.evaluation.sources.image_source import subset
from gan_jax.feature_networks.classifier import VERSION
from gan_jax.feature_networks.classifier_cache import MIRRORED, default_recipe
from gan_jax.feature_networks.classifier_training import Recipe
from gan_jax.metrics.classification_accuracy import classification_accuracy
from gan_jax.metrics.colourfulness import colourfulness
from gan_jax.metrics.density_scores import density_scores, projected
from gan_jax.metrics.duplicates import duplicate_threshold, duplicates
from gan_jax.metrics.frechet import fid, intra_class_fid
from gan_jax.metrics.inception_score import inception_score
from gan_jax.metrics.kernel_distance import kid
from gan_jax.metrics.modes import mode_coverage
from gan_jax.metrics.ms_ssim import ms_ssim_diversity
from gan_jax.metrics.nearest import memorisation
from gan_jax.metrics.path_length import EPSILON, Sampling, path_length
from gan_jax.metrics.prdc import prdc, squared_neighbours
from gan_jax.metrics.sliced_wasserstein import sliced_wasserstein_pyramid
from gan_jax.utils.errors import UserError
from gan_jax.utils.tables import Table

SUBSETS, SUBSET = 100, 1000  # of KID
SPLITS = 10  # of the Inception Score
MANIFOLD, DENSITY = 3, 5  # neighbours
CLOSE = 0.05  # quantile of the held-out images' distances below which a fake is close to the reals
BATCH = 500  # of the birthday paradox
NEAR = 0.01  # quantile of the reals' nearest distances below which two fakes are the same
PYRAMIDS = 8_192  # images of the sliced Wasserstein distance
PATCHES, PROJECTIONS = 128, 512  # of each image and level, and directions
PAIRS, PAIRED = 5_000, 10_000  # pairs and images of MS-SSIM
COLOURED = 10_000  # images whose colourfulness is measured
PATHS = 10_000
SAMPLING: Sampling = "full"  # of the paths
# Directions, and reals projected on them. An odd number has few symmetries in common with a ring or a grid:
# 33 directions came within 0.3 % of the mean over a thousand, where 32 were up to 4 % away.
DIRECTIONS, PROJECTED = 33, 50_000


def _fid(given: Comparison) -> dict[str, float]:
    return {"fid": fid(given.real.features, given.fake.features)}


def kid_of_subsets(size: int) -> Metric:
    """KID over subsets of so many images; papers take 1000."""

    def compute(given: Comparison) -> dict[str, float]:
        found = kid(
            given.real.features, given.fake.features, subsets=SUBSETS, subset_size=size, seed=given.seed
        )
        return {"kid": found.mean, "kid_std": found.std}

    scores: dict[str, Better] = {"kid": "lower", "kid_std": "neither"}
    return Metric(1, f"{SUBSETS} subsets of {size}", scores, compute, least=size)


def _inception_score(given: Comparison) -> dict[str, float]:
    found = inception_score(_logits(given.fake), SPLITS)
    return {
        "inception_score": found.whole,
        "inception_score_splits": found.mean,
        "inception_score_splits_std": found.std,
    }


def _prdc(given: Comparison) -> dict[str, float]:
    real, k = given.real.features, max(MANIFOLD, DENSITY)
    known = given.of_reals(f"squared_neighbours_{k}", lambda: squared_neighbours(real, k))
    found = prdc(real, given.fake.features, manifold_k=MANIFOLD, density_k=DENSITY, real_squared=known)
    return asdict(found)


def _intra_class_fid(given: Comparison) -> dict[str, float]:
    assert given.real.num_classes is not None
    found = intra_class_fid(
        given.real.features,
        _labels(given.real),
        given.fake.features,
        _labels(given.fake),
        given.real.num_classes,
    )
    names = plain_names(given.real.class_names or tuple(map(str, range(given.real.num_classes))))
    each = {f"intra_class_fid_{name}": value for name, value in zip(names, found.per_class, strict=True)}
    return {"intra_class_fid": found.mean, **each}


def _modes(given: Comparison) -> dict[str, float]:
    classes = given.network.num_classes
    assert classes is not None
    reference = np.bincount(_logits(given.real).argmax(axis=1), minlength=classes)
    found = mode_coverage(_logits(given.fake).argmax(axis=1), classes, reference)
    return {"modes": float(found.modes), "modes_kl": found.kl}


def _label_accuracy(given: Comparison) -> dict[str, float]:
    known, there = given.network.num_classes, given.real.num_classes
    if known != there:
        raise UserError(
            f"label_accuracy: the network {given.network.name} knows {known} classes, and {given.real.name} "
            f"has {there}: choose the classifier of the reals"
        )
    sides = {"label_accuracy": given.fake, "label_accuracy_real": given.real}
    return {name: float((_logits(s).argmax(axis=1) == _labels(s)).mean()) for name, s in sides.items()}


def _memorisation(given: Comparison) -> dict[str, float]:
    assert given.held_out is not None
    found = memorisation(
        given.fake.features,
        given.real.features,
        given.held_out.features,
        quantile=CLOSE,
        seed=given.seed,
    )
    return {
        "copying_c_t": found.c_t,
        "nearest_median_ratio": found.median_ratio,
        "nearest_close_share": found.close_share,
        "authenticity": found.authenticity,
        "authenticity_fresh": found.authenticity_fresh,
    }


def _duplicates(given: Comparison) -> dict[str, float]:
    threshold = duplicate_threshold(given.real.features, NEAR)
    if threshold == 0:
        raise UserError(
            f"duplicates: {NEAR:.1%} of the reals of {given.real.name} have an exact copy among them, so no "
            "distance tells duplicates from neighbours"
        )
    found = duplicates(given.fake.features, batch=BATCH, threshold=threshold)
    return {
        "support": float(found.support),
        "support_at_least": float(found.support_at_least),
        "collision_share": found.collision_share,
    }


def _sliced_wasserstein(given: Comparison) -> dict[str, float]:
    real, fake = given.real.images[:PYRAMIDS], given.fake.images[:PYRAMIDS]
    found = sliced_wasserstein_pyramid(real, fake, seed=given.seed, patches=PATCHES, projections=PROJECTIONS)
    return {"swd": found.mean, **{f"swd_{level}": value for level, value in found.levels.items()}}


def _ms_ssim(given: Comparison) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, side in (("ms_ssim", given.fake), ("ms_ssim_real", given.real)):
        images = side.images[:PAIRED]
        whole = ms_ssim_diversity(images, seed=given.seed, pairs=PAIRS)
        found |= {name: whole.mean, f"{name}_error": whole.standard_error}
        labels = None if side.image_labels is None else side.image_labels[:PAIRED]
        if labels is not None and _pairs_in_all_classes(labels, side.num_classes):  # as arXiv:1610.09585
            within = ms_ssim_diversity(images, seed=given.seed, pairs=PAIRS, labels=labels)
            found[f"{name}_within_classes"] = within.mean
    return found


def _pairs_in_all_classes(labels: np.ndarray, num_classes: int | None) -> bool:
    """Whether each class has two images, and there are two pairs for each."""
    counts = np.bincount(labels, minlength=num_classes or 1)
    return bool(counts.min() >= 2) and 2 * len(counts) <= PAIRS


def _path_length(given: Comparison) -> dict[str, float]:
    assert given.generate is not None
    assert given.latent is not None
    latent, size = given.latent
    # The fakes' labels, and again from the first where there are fewer: as many paths in any case.
    labels = None if given.fake.labels is None else np.resize(given.fake.labels, PATHS)
    found = path_length(
        given.generate,
        given.network,
        latent_size=size,
        num=PATHS,
        seed=given.seed,
        epsilon=EPSILON,
        latent=latent,
        labels=labels,
        sampling=SAMPLING,
    )
    return {"path_length": found.mean, "path_length_error": found.standard_error}


def _classification_accuracy(given: Comparison) -> dict[str, float]:
    assert given.held_out is not None
    assert given.real.num_classes is not None
    # Not with the network in the place of the classifier of the reals, though it may be one of the same data
    # set: nothing says that it was trained on the same images, or with this recipe.
    found = classification_accuracy(
        given.fake.images,
        _image_labels(given.fake),
        given.real.images,
        _image_labels(given.real),
        given.held_out.images,
        _image_labels(given.held_out),
        given.real.num_classes,
        recipe=default_recipe(given.real.name),
        seed=given.seed,
        progress=False,
    )
    return {"gan_train": found.gan_train, "gan_test": found.gan_test, "gan_train_of_reals": found.real}


def _density(given: Comparison) -> dict[str, float]:
    assert given.density is not None
    real = given.real.features
    reals = given.once(
        "projected",
        lambda: projected(real[subset(len(real), PROJECTED)], directions=DIRECTIONS),
    )
    found = density_scores(given.fake.features, given.density, reals)
    return {name: float(value) for name, value in asdict(found).items()}


def _colourfulness(given: Comparison) -> dict[str, float]:
    sides = {"colourfulness": given.fake, "colourfulness_real": given.real}
    return {name: float(colourfulness(side.images[:COLOURED]).mean()) for name, side in sides.items()}


def _bits_per_dim(given: Comparison) -> dict[str, float]:
    assert given.bits is not None
    assert given.held_out is not None
    bits = given.bits(given.seed, given.held_out.images, given.held_out.image_labels)
    error = bits.std(ddof=1) / math.sqrt(len(bits))
    return {"bits_per_dim": float(bits.mean()), "bits_per_dim_error": float(error)}


def _reconstruction(given: Comparison) -> dict[str, float]:
    assert given.errors is not None
    assert given.held_out is not None
    errors = given.errors(given.seed, given.held_out.images, given.held_out.image_labels)
    absolute, squared = errors.mean(axis=0)
    return {"reconstruction_l1": float(absolute), "reconstruction_mse": float(squared)}


def _recipe_in_words() -> str:
    """Describes the classifiers that `_classification_accuracy` trains."""
    fields = ", ".join(f"{name} {value}" for name, value in asdict(Recipe()).items() if name != "flip")
    return f"classifiers of version {VERSION}, {fields}, flip for {', '.join(MIRRORED)}"


def _logits(side: ExtractedSet) -> np.ndarray:
    assert side.logits is not None
    return side.logits


def _image_labels(side: ExtractedSet) -> np.ndarray:
    assert side.image_labels is not None
    return side.image_labels


def _labels(side: ExtractedSet) -> np.ndarray:
    assert side.labels is not None
    return side.labels


METRICS: Table[Metric] = Table(
    "metric",
    {
        "fid": Metric(1, "", {"fid": "lower"}, _fid),
        "kid": kid_of_subsets(SUBSET),
        "inception_score": Metric(
            1,
            f"whole, and {SPLITS} splits",
            {
                "inception_score": "higher",
                "inception_score_splits": "higher",
                "inception_score_splits_std": "neither",
            },
            _inception_score,
            least=SPLITS,
            needs=frozenset({"logits"}),
        ),
        "prdc": Metric(
            1,
            f"precision and recall k={MANIFOLD}, density and coverage k={DENSITY}",
            {"precision": "higher", "recall": "higher", "density": "higher", "coverage": "higher"},
            _prdc,
            least=max(MANIFOLD, DENSITY) + 1,
        ),
        "intra_class_fid": Metric(
            1, "", {"intra_class_fid": "lower"}, _intra_class_fid, needs=frozenset({"labels"})
        ),
        "classification_accuracy": Metric(
            1,
            _recipe_in_words(),
            {"gan_train": "higher", "gan_test": "higher", "gan_train_of_reals": "neither"},
            _classification_accuracy,
            images=ALL,
            needs=frozenset({"labels", "held_out"}),
        ),
        "modes": Metric(
            1,
            "classes of the network, KL in nats to the reals' classes",
            {"modes": "higher", "modes_kl": "lower"},
            _modes,
            needs=frozenset({"logits"}),
        ),
        "label_accuracy": Metric(
            1,
            "share that the network takes for their label",
            {"label_accuracy": "higher", "label_accuracy_real": "neither"},
            _label_accuracy,
            least=1,
            needs=frozenset({"logits", "labels"}),
            features=False,
        ),
        "sliced_wasserstein": Metric(
            1,
            f"at most {PYRAMIDS:,} images, {PATCHES} patches of each, {PROJECTIONS} directions",
            {"swd": "lower"},
            _sliced_wasserstein,
            images=PYRAMIDS,
        ),
        "ms_ssim": Metric(
            1,
            f"{PAIRS:,} pairs of at most {PAIRED:,} images",
            {"ms_ssim": "neither", "ms_ssim_real": "neither"},
            _ms_ssim,
            images=PAIRED,
        ),
        "path_length": Metric(
            1,
            f"{PATHS:,} paths, {SAMPLING}, steps of {EPSILON:g}",
            {"path_length": "lower", "path_length_error": "neither"},
            _path_length,
            needs=frozenset({"generator", "maps"}),
        ),
        "memorisation": Metric(
            1,
            f"close: nearer than {100 * CLOSE:g} % of the held-out images",
            {
                "copying_c_t": "neither",
                "nearest_median_ratio": "neither",
                "nearest_close_share": "neither",
                "authenticity": "neither",
                "authenticity_fresh": "neither",
            },
            _memorisation,
            least=20,
            needs=frozenset({"held_out"}),
        ),
        "duplicates": Metric(
            1,
            f"batches of {BATCH}, nearer than {100 * NEAR:g} % of the reals",
            {"support": "neither", "support_at_least": "neither", "collision_share": "neither"},
            _duplicates,
            least=max(BATCH, math.ceil(1 / NEAR)),
        ),
        "density": Metric(
            1,
            f"modes within {MODE:g} standard deviations, KL in nats to their weights, {DIRECTIONS} "
            f"directions, at most {PROJECTED:,} reals",
            {
                "modes_reached": "higher",
                "high_quality": "higher",
                "reverse_kl": "lower",
                "sliced_wasserstein_1": "lower",
            },
            _density,
            needs=frozenset({"density"}),
        ),
        **pair_metrics(),
        "cycle_error": CYCLE_ERROR,
        "colourfulness": Metric(
            1,
            f"at most {COLOURED:,} images",
            {"colourfulness": "neither", "colourfulness_real": "neither"},
            _colourfulness,
            least=1,
            images=COLOURED,
            needs=frozenset({"colour"}),
            features=False,
        ),
        "sampling": SAMPLING_COST,
        **LEVEL_METRICS,
        **SOUND_METRICS,
        "bits_per_dim": Metric(
            1,
            "-log2 p / D",
            {"bits_per_dim": "lower", "bits_per_dim_error": "neither"},
            _bits_per_dim,
            needs=frozenset({"held_out", "bits"}),
            features=False,
            of_sets=False,
            of_fakes=False,
        ),
        "reconstruction": Metric(
            1,
            "of the latents that the method finds; values in [0, 1], points in their units",
            {"reconstruction_l1": "lower", "reconstruction_mse": "lower"},
            _reconstruction,
            least=1,
            needs=frozenset({"held_out", "encoder"}),
            features=False,
            of_sets=False,
            of_fakes=False,
        ),
    },
)
