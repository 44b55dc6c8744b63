"""Options that are fine alone and make no sense together."""

from __future__ import annotations

from typing import Any

import ml_collections

from gan_jax.algorithms.gan import GAN
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.modules import has_field, trait
from gan_jax.data.codecs import Tiles
from gan_jax.data.spec import DataSpec


def check_contradictions(config: ml_collections.ConfigDict, algorithm: Algorithm, spec: DataSpec) -> None:
    """Raises a ValueError that names both sides, why they exclude each other, and a way out."""
    algorithm.game.minibatches(algorithm.updates())
    for reason in [*contradictions(config, algorithm), *of_codecs(config, algorithm, spec)]:
        raise ValueError(reason)


def of_codecs(config: ml_collections.ConfigDict, algorithm: Algorithm, spec: DataSpec) -> list[str]:
    """What is not made for the kind of data."""
    found = []
    name, image = config.data.name, spec.fields["image"].codec
    for codec in [one.codec for one in spec.fields.values()]:
        if config.data.flip and not codec.flips:
            found.append(f"data.flip mirrors images, and {name} holds {codec.noun}: set data.flip=False")
        if config.data.random_crop and not codec.is_image:
            found.append(
                f"data.random_crop enlarges images, and {name} holds {codec.noun}: set data.random_crop=0"
            )
    if field(config, "augment", "name", "none") != "none" and not image.is_image:
        found.append(
            f"augment={config.augment.name} is for images, and {name} holds {image.noun}: "
            "set augment.name=none"
        )
    if trait(algorithm.generator, "output") == "tanh" and not image.bounded:
        found.append(
            f"generator ({config.generator.name}) ends in tanh and reaches no point beyond 1, as those of "
            f"{name} can be: use mlp_generator with generator.output=linear"
        )
    if config.generator.get("output") == "softmax" and not isinstance(image, Tiles):
        found.append(
            f"generator.output=softmax gives shares of kinds of tiles, and {name} holds {image.noun}: set "
            "generator.output=tanh"
        )
    return found


def field(config: ml_collections.ConfigDict, where: str, name: str, default: Any = None) -> Any:
    """config[where][name]; `default` where one of them is absent."""
    return config.get(where, {}).get(name, default)


def contradictions(config: ml_collections.ConfigDict, algorithm: Algorithm) -> list[str]:
    """What excludes each other, a sentence each."""
    found = []
    clipped = field(config, "discriminator_optimizer", "weight_clip", 0.0)
    augment, loss = field(config, "augment", "name"), field(config, "loss", "name")
    gradient = [penalty.name for penalty in getattr(algorithm, "penalties", ()) if penalty.of_gradient]
    if clipped and gradient:
        found.append(
            f"discriminator_optimizer.weight_clip={clipped} and the penalty {gradient[0]} both bound the "
            "critic's slope, and clipping keeps it from where the penalty wants it: use one of them"
        )
    if clipped and trait(algorithm.discriminator, "spectral_norm"):
        found.append(
            f"discriminator_optimizer.weight_clip={clipped} and discriminator.spectral_norm both bound the "
            "critic's slope: use one of them"
        )
    if config.generator_optimizer.get("weight_clip", 0.0):
        found.append(
            "generator_optimizer.weight_clip: it is the critic that must be Lipschitz; "
            "set discriminator_optimizer.weight_clip instead"
        )
    if "wgan_gp" in config.get("penalties", {}) and trait(algorithm.discriminator, "norm") == "batch":
        found.append(
            "the penalty wgan_gp wants the slope at each image by itself, and discriminator.norm=batch mixes "
            "the images: set discriminator.norm=layer (arXiv:1704.00028, section 4)"
        )
    if isinstance(algorithm, GAN) and algorithm.augment.adaptive and algorithm.loss.midpoint is None:
        found.append(
            f"augment={augment} adapts to how many reals look real, and loss={loss} leaves open which logits "
            "do: keep a fixed augment.p with augment.adjust_images=0, or use another loss"
        )
    for role, network in algorithm.networks.items():
        if algorithm.execution.remat and not has_field(network, "remat"):
            found.append(
                f"execution.remat=True: the {role} ({config[role].name}) marks no blocks to compute again: "
                "set execution.remat=False"
            )
    packing, pool = getattr(algorithm, "packing", 1), getattr(algorithm, "pool_size", 0)
    if config.batch_size % packing:
        found.append(
            f"packing={packing} does not divide batch_size={config.batch_size}: choose a divisor of it"
        )
    if pool % config.batch_size:
        found.append(
            f"pool_size={pool} is not a multiple of batch_size={config.batch_size}: choose one, such as "
            f"{max(1, round(pool / config.batch_size)) * config.batch_size}"
        )
    return found + unrolling(config) + cutting(config.batch_size, algorithm)


def cutting(batch_size: int, algorithm: Algorithm) -> list[str]:
    """What needs a whole mini-batch that is to be computed in parts."""
    microbatches = algorithm.microbatches
    if microbatches.count == 1:
        return []
    field = f"execution.accumulation={microbatches.count}"
    found = [
        f"{field} computes a mini-batch part by part, but {obstacle}, or execution.accumulation=1"
        for obstacle in algorithm.obstacles()
    ]
    step = microbatches.count * microbatches.group
    if batch_size % step:
        packed = f" parts of packing={microbatches.group}" if microbatches.group > 1 else ""
        found.append(
            f"{field}{packed} does not divide batch_size={batch_size}: choose a multiple of {step}, such as "
            f"{max(1, round(batch_size / step)) * step}"
        )
    return found


def unrolling(config: ml_collections.ConfigDict) -> list[str]:
    """An optimizer that cannot be differentiated."""
    if config.algorithm.name != "unrolled" or not config.algorithm.get("unrolled_steps", 1):
        return []
    optimizer = config.discriminator_optimizer
    if optimizer.name == "sgd" or optimizer.get("eps_root", 0.0) > 0.0:
        return []
    return [
        f"algorithm=unrolled differentiates the discriminator's optimizer, and {optimizer.name}'s root "
        "has no derivative where a second moment is 0: use sgd, or adam with eps_root=1e-8"
    ]
