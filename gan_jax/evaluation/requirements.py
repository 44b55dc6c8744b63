"""What metrics need, compared with what there is: before a network is trained, downloaded or run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from gan_jax.data.codecs import Tiles
from gan_jax.data.games import GAMES, MARIO, game_of
from gan_jax.data.sound_codecs import Sound
from gan_jax.densities import DENSITIES
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.level_scores import OF_LEVELS
from gan_jax.evaluation.metric import Metric, Need
from gan_jax.evaluation.names import BACK, BORDERED
from gan_jax.evaluation.pair_scores import pair_metrics
from gan_jax.evaluation.sampling_cost import sampling_here
from gan_jax.evaluation.scores import METRICS, kid_of_subsets
from gan_jax.evaluation.sound_scores import OF_SOUNDS
from gan_jax.evaluation.sources.image_source import ImageSource, class_numbers, spelled
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.utils import plugins
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import did_you_mean


@dataclass(frozen=True)
class Given:
    """What is known of a comparison before anything is computed.

    Attributes:
        real: the reals, as the network sees them once it is there.
        num_fakes, num_reals: images of each side.
        network: None where it has not been opened yet.
        fake: the fakes; None where they are made later.
        held_out: reals that the generator has not seen; None where there are none.
    """

    real: ImageSource
    num_fakes: int
    num_reals: int
    network: FeatureNetwork | None = None
    fake: GeneratedSet | None = None
    held_out: ImageSource | None = None


class Problem(NamedTuple):
    """What a metric lacks, and what can be done about it; both follow the metric's name."""

    what: str
    remedy: str


def chosen(
    names: tuple[str, ...],
    *,
    kid_subset_size: int | None = None,
    border: int | None = None,
    scale: int = 1,
) -> dict[str, Metric]:
    """The metrics with these names.

    Args:
        kid_subset_size: images in each of KID's subsets; None for 1000.
        border, scale: as `pair_metrics` takes them.

    Raises:
        UserError: none, or one that is not there; a size without KID, or a border without metrics of pairs.
    """
    if not set(names) <= METRICS.keys():
        plugins.load_installed()
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        similar = did_you_mean(unknown[0], METRICS) if unknown else ""
        what = f"unknown metric {unknown[0]!r}{similar}" if unknown else "no metric is named"
        for name, metric in METRICS.items():
            if unknown and unknown[0] in metric.scores:
                what += f", which is a score of {name}"
        if unknown and unknown[0].endswith(BACK) and unknown[0].removesuffix(BACK) in METRICS:
            what += f", which is {unknown[0].removesuffix(BACK)} with gan-jax evaluate --direction b_to_a"
        raise UserError(f"{what}; the metrics are {', '.join(METRICS)}")
    found = {name: METRICS[name] for name in dict.fromkeys(names)}
    if kid_subset_size is not None:
        if "kid" not in found:
            raise UserError(f"kid_subset_size={kid_subset_size} is of use to kid alone: leave it out")
        found["kid"] = kid_of_subsets(kid_subset_size)
    if "sampling" in found:
        found["sampling"] = sampling_here()
    if border is not None and not found.keys() & set(BORDERED):
        raise UserError(f"border={border} is of use to {', '.join(BORDERED)} alone: leave it out")
    return found | {name: metric for name, metric in pair_metrics(border, scale).items() if name in found}


def held_out_named(metrics: Mapping[str, Metric], held_out: ImageSource) -> dict[str, Metric]:
    """The metrics with these held-out images in the protocol of those that read them.

    Raises:
        UserError: none reads them.
    """
    readers = {name for name, metric in metrics.items() if "held_out" in metric.needs}
    if not readers:
        choices = ", ".join(name for name, metric in METRICS.items() if "held_out" in metric.needs)
        raise UserError(
            f"no metric of {', '.join(metrics)} reads the held-out images of {held_out.name}: name one of "
            f"{choices}, or leave them out"
        )
    note = f"held out {held_out.size:,} images of {held_out.name} ({held_out.fingerprint})"
    return {
        name: replace(metric, protocol=f"{metric.protocol}, {note}".lstrip(", "))
        if name in readers
        else metric
        for name, metric in metrics.items()
    }


def check(metrics: Mapping[str, Metric], given: Given) -> None:
    """Raises a UserError where one of the metrics lacks something."""
    for name, metric in metrics.items():
        if (found := problem(name, metric, given)) is not None:
            raise UserError(f"{name} {found.what}: {found.remedy}")


def possible(metrics: Mapping[str, Metric], given: Given) -> tuple[dict[str, Metric], list[str]]:
    """Those of the metrics that lack nothing; and what the others lack, in words.

    Raises:
        UserError: all lack something.
    """
    lacking = {name: found for name, metric in metrics.items() if (found := problem(name, metric, given))}
    left_out = [f"{name} {found.what}" for name, found in lacking.items()]
    if len(lacking) == len(metrics):
        raise UserError(f"nothing can be measured: {'; '.join(left_out)}")
    return {name: metric for name, metric in metrics.items() if name not in lacking}, left_out


def check_sides(given: Given) -> None:
    """Raises a UserError where the two sides, or the held-out images, cannot be compared at all."""
    real, held_out = given.real, given.held_out
    if real.size is not None and given.num_reals > real.size:
        raise UserError(
            f"{real.name} holds {real.size} images, and {given.num_reals} are asked for: ask for fewer"
        )
    if held_out is not None:
        _check_alike(held_out, real)
        if held_out.fingerprint is not None and held_out.fingerprint == real.fingerprint:
            raise UserError(
                f"the held-out images of {held_out.name} are the reals themselves: they must be images that "
                "the generator was not trained on"
            )
    if given.fake is None:
        return
    source = given.fake.source
    if source.size is not None and source.size < given.num_fakes:
        holds, rows = f"holds {source.size} images", given.fake.rows
        if rows is not None:
            holds = f"makes {source.size} images, one of each example of {rows.name}:{rows.split}"
        raise UserError(
            f"{source.name} {holds}, and {given.num_fakes} are asked for: ask for {source.size} or fewer"
        )
    _check_alike(source, real)


def _check_alike(source: ImageSource, real: ImageSource) -> None:
    if source.codec.name != real.codec.name:
        if source.codec.pictured and real.codec.pictured:
            return  # a network of pictures may see both
        raise UserError(
            f"{source.name} holds {source.codec.noun} and {real.name} {real.codec.noun}: they cannot be "
            "compared"
        )
    if source.image_shape != real.image_shape:
        raise UserError(
            f"the images of {source.name} are {spelled(source.image_shape)} and those of "
            f"{real.name} {spelled(real.image_shape)}: bring them to one size and number of channels"
        )


def problem(name: str, metric: Metric, given: Given) -> Problem | None:
    """The first thing that a metric lacks; None where it lacks nothing that is known yet."""
    for find in (_numbers, _reals, _network, _fakes):
        if (found := find(name, metric, given)) is not None:
            return found
    return None


def _numbers(name: str, metric: Metric, given: Given) -> Problem | None:
    smaller = ", take smaller subsets (gan-jax evaluate --kid_subset_size)" if name == "kid" else ""
    for what, count in (("fakes", given.num_fakes), ("reals", given.num_reals)):
        if count < metric.least:
            return Problem(
                f"needs at least {metric.least} {what}, and there are {count}",
                f"give more{smaller}, or leave {name} out",
            )
    held_out = given.held_out
    if "held_out" in metric.needs and held_out is not None and (held_out.size or 0) < metric.least:
        return Problem(
            f"needs at least {metric.least} held-out images, and {held_out.name} has {held_out.size}",
            f"give more, or leave {name} out",
        )
    return None


def _reals(name: str, metric: Metric, given: Given) -> Problem | None:
    real, held_out = given.real, given.held_out
    if "density" in metric.needs and real.density is None:
        return Problem(
            f"needs reals of a known density, and {real.name} has none",
            f"leave it out, or take one of {', '.join(DENSITIES)} as the reals",
        )
    if (lacking := _levels(metric, real) or _sounds(metric, real)) is not None:
        return lacking
    seen = given.network is not None or not real.codec.pictured  # a network of pictures may see it as such
    images_alone: set[Need] = (
        {"maps", "pairs"} if isinstance(real.codec, Sound) else {"logits", "maps", "pairs"}
    )
    of_images = (metric.images and not metric.needs & (OF_LEVELS | OF_SOUNDS)) or metric.needs & images_alone
    if seen and not real.codec.is_image and of_images:
        return Problem(f"is for images, and {real.name} holds {real.codec.noun}", "leave it out")
    if "colour" in metric.needs and real.image_shape[2] != 3:
        return Problem(
            f"is for pictures of red, green and blue, and those of {real.name} are "
            f"{spelled(real.image_shape)}",
            "leave it out",
        )
    if real.codec.is_image and min(real.image_shape[:2]) < metric.least_side:
        side = spelled((metric.least_side, metric.least_side))
        return Problem(
            f"needs pictures of at least {side}, and those of {real.name} are {spelled(real.image_shape)}",
            "leave it out",
        )
    if "labels" in metric.needs and real.num_classes is None:
        return Problem(f"needs labelled reals, and {real.name} has no labels", "leave it out")
    if "held_out" not in metric.needs:
        return None
    if held_out is None:
        return Problem(
            "needs reals that the generator was not trained on",
            "name some (held_out), take the training split of a data set that has a test split as the reals, "
            "or leave it out",
        )
    if "labels" in metric.needs and held_out.num_classes is None:
        return Problem(f"needs labelled held-out images, and {held_out.name} has no labels", "leave it out")
    return _classes(held_out, real) if "labels" in metric.needs else None


def _levels(metric: Metric, real: ImageSource) -> Problem | None:
    """What the reals lack that only levels of tiles have."""
    if not metric.needs & OF_LEVELS:
        return None
    game = game_of(real.codec)
    if not isinstance(real.codec, Tiles):
        what = f"is for levels of tiles, and {real.name} is seen as {real.codec.noun}"
    elif "pipes" in metric.needs and game is not MARIO:
        what = f"is for levels with the pipes of {MARIO.name}, and {real.name} has none"
    elif "game" in metric.needs and game is None:
        what = f"is for levels of {', '.join(GAMES)}, and the tiles of {real.name} are others"
    else:
        return None
    return Problem(what, "leave it out")


def _sounds(metric: Metric, real: ImageSource) -> Problem | None:
    """What the reals lack that only sounds have."""
    if not metric.needs & OF_SOUNDS or isinstance(real.codec, Sound):
        return None
    return Problem(f"is for sounds, and {real.name} is seen as {real.codec.noun}", "leave it out")


def _network(name: str, metric: Metric, given: Given) -> Problem | None:
    network = given.network
    if network is None:
        return None
    if "logits" in metric.needs and network.num_classes is None:
        return Problem(
            f"needs a network that classifies, and {network.name} does not",
            "choose the network classifier or inception",
        )
    if "maps" in metric.needs and network.maps is None:
        return Problem(
            f"needs a network with layers to compare, and {network.name} has none",
            "choose the network classifier or inception",
        )
    return None


def _fakes(name: str, metric: Metric, given: Given) -> Problem | None:
    fake, real = given.fake, given.real
    if fake is None:
        return None
    if "generator" in metric.needs and fake.generate is None:
        return Problem(
            f"needs a generator, and {fake.source.name} is not a run of one of images whose latents are all "
            "it takes",
            "leave it out",
        )
    if "pairs" in metric.needs and fake.truth is None:
        return Problem(f"needs pairs, and {fake.no_truth}", "leave it out")
    if "sampler" in metric.needs and fake.sampling_cost is None:
        return Problem(f"needs a run that draws images, and {fake.source.name} is none", "leave it out")
    if "cycle" in metric.needs and fake.cycle is None:
        return Problem(
            f"needs a method that translates there and back, and {fake.source.name} is no run of one",
            "leave it out",
        )
    if "bits" in metric.needs and fake.bits is None:
        return Problem(
            f"needs a method with a likelihood, and {fake.source.name} is no run of one", "leave it out"
        )
    if "encoder" in metric.needs and fake.errors is None:
        return Problem(
            f"needs a method that encodes, and {fake.source.name} is no run of one", "leave it out"
        )
    if "labels" not in metric.needs:
        return None
    if fake.source.num_classes is None:
        return Problem(
            f"needs labelled fakes, and {fake.source.name} has no labels",
            "use a conditional run, a folder with one sub-folder per class, or leave it out",
        )
    return None if real.num_classes is None else _classes(fake.source, real)


def _classes(source: ImageSource, real: ImageSource) -> Problem | None:
    """Classes that the two sides do not share."""
    try:
        class_numbers(source, real)
    except ValueError as error:
        return Problem(
            f"needs the same classes on both sides: {error}",
            "rename the sub-folders of one side, give it as an .npz with labels, which are numbers, or leave "
            "it out",
        )
    return None
