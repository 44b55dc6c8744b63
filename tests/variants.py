"""Every option that a config can name, on networks so small that a test can afford them all.

A variant is what its config changes of `BASE`. Several options share one where they do not hide each other;
`test_parallel.py` asserts that none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from gan_jax.config.build import base_config, build_algorithm
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.spec import DataSpec, Field
from gan_jax.distributed import parallel

BATCH, CLASSES = 16, 3
CALL = 4  # steps in one call
OF_SOUNDS = {"wavegan_generator", "wavegan_discriminator"}  # see tests/models/test_wavegan.py
SHAPE = (8, 12, 1)  # which four divides, and halves once to sides of at least four
KEY = jax.random.key(0)
MINI = {
    "image": jax.ShapeDtypeStruct((BATCH, *SHAPE), jnp.float32),
    "source": jax.ShapeDtypeStruct((BATCH, *SHAPE), jnp.float32),
    "label": jax.ShapeDtypeStruct((BATCH,), jnp.int32),
}
# Networks of methods that make pictures of pictures.
FROM_IMAGES = {
    "unet_generator",
    "unet_generator_pair",
    "resnet_translator",
    "resnet_translator_pair",
    "patchgan_discriminator",
    "patchgan_discriminator_pair",
    "srresnet_generator",
    "sr_discriminator",
}
# SGD shows a wrong scale of a gradient, which Adam hides.
SGD = dict(name="sgd", learning_rate=0.05)
ADAM = dict(name="adam", learning_rate=1e-3, b1=0.5)
BASE: dict[str, dict[str, Any]] = dict(
    algorithm=dict(name="gan", latent_size=5),
    loss=dict(name="non_saturating"),
    penalties={},
    augment=dict(name="none"),
    game=dict(name="alternating"),
    ema=dict(name="decay", decay=0.9),
    generator=dict(name="mlp_generator", widths=(6, 4)),
    discriminator=dict(name="mlp_discriminator", widths=(6, 4), dropout=0.4),
    generator_optimizer=SGD,
    discriminator_optimizer=SGD,
)


def linear(start: float, end: float) -> dict[str, Any]:
    """A schedule that moves in the first steps."""
    return dict(name="linear", start=start, end=end, steps=4)


def plain(**changes: dict[str, Any]) -> dict[str, Any]:
    """A component's changes, where no new name throws away the fields of BASE."""
    return {where: {**BASE[where], **fields} for where, fields in changes.items()}


def both(generator: dict[str, Any], discriminator: dict[str, Any] | None = None) -> dict[str, Any]:
    """The optimizers; the discriminator's is the generator's by default."""
    return dict(generator_optimizer=generator, discriminator_optimizer=discriminator or generator)


CONFIGS: dict[str, dict[str, Any]] = {
    # Dropout and BatchNorm: what differs if a device sees only its own part of the batch.
    "dcgan": dict(
        **plain(algorithm=dict(discriminator_steps=2)),
        generator=dict(name="dcgan_generator", widths=(6, 4)),
        discriminator=dict(name="dcgan_discriminator", widths=(4, 6), dropout=0.4, norm="batch"),
    ),
    "ada": dict(
        loss=dict(name="minimax", real_target=0.9, fake_target=0.1),
        augment=dict(
            name="ada",
            groups=("blit", "geometric", "color", "filter", "corrupt"),
            p=0.5,
            interval_steps=2,
            adjust_images=200,
        ),
        ema=dict(name="half_life", images=100.0),
        **both(dict(ADAM, learning_rate=dict(name="cosine", start=1e-3, end=0.0, steps=4)), ADAM),
    ),
    "noise": dict(
        **plain(
            algorithm=dict(instance_noise=linear(0.2, 0.0), label_flipping=0.2, latent="uniform"),
            generator=dict(condition="embedding", embedding_size=3, spectral_norm=True),
            discriminator=dict(condition="embedding", embedding_size=3, spectral_norm=True),
        ),
        loss=dict(name="least_squares"),
        penalties=dict(r1=dict(weight=1.0, every=2)),
        ema=dict(name="none"),
    ),
    "wgan": dict(
        **plain(
            algorithm=dict(discriminator_steps=2),
            generator=dict(condition="one_hot", norm="layer"),
            discriminator=dict(condition="one_hot"),
        ),
        loss=dict(name="wasserstein"),
        **both(
            dict(name="rmsprop", learning_rate=1e-3, eps_in_root=True),
            dict(
                name="rmsprop",
                learning_rate=dict(name="exponential", start=5e-3, end=1e-3, steps=4),
                weight_clip=0.2,
            ),
        ),
    ),
    "wgan_gp": dict(
        loss=dict(name="wasserstein"),
        penalties=dict(wgan_gp=dict(weight=1.0), dragan=dict(weight=1.0, every=2)),
        **both(dict(SGD, learning_rate=dict(name="constant", value=0.02))),
    ),
    "r3gan": dict(
        loss=dict(name="relativistic_paired"),
        penalties=dict(r1=dict(weight=linear(0.1, 0.01)), r2=dict(weight=0.1)),
        augment=dict(name="ada", p=linear(0.0, 0.5), adjust_images=0, color_share=0.5),
        ema=dict(name="half_life", images=linear(0.0, 100.0)),
        algorithm=dict(name="gan", latent_size=5, separate_batches=True),
        generator=dict(
            name="r3gan_generator", widths=(6, 4), cardinality=(2, 2), blocks=1, condition="embedding"
        ),
        discriminator=dict(
            name="r3gan_discriminator", widths=(4, 6), cardinality=(2, 2), blocks=1, condition="projection"
        ),
    ),
    "relativistic": dict(
        loss=dict(name="relativistic_average", kind="hinge"),
        penalties=dict(
            r2=dict(weight=1.0, every=2),
            dragan=dict(weight=1.0),
            wgan_gp=dict(weight=1.0, every=2),
            consistency=dict(weight=1.0, every=2),
            drift=dict(weight=0.1, every=2),
        ),
    ),
    "lecam": dict(
        loss=dict(name="hinge"),
        penalties=dict(lecam=dict(weight=1.0, decay=0.5, start_step=1), consistency=dict(weight=1.0)),
        augment=dict(name="diffaugment"),
    ),
    "simultaneous": dict(
        game=dict(name="simultaneous"),
        **plain(algorithm=dict(packing=2)),
        penalties=dict(r1=dict(weight=1.0, every=2)),
        **both(dict(name="sgd", learning_rate=0.05, momentum=0.9, historical_averaging=0.1)),
    ),
    "extragradient": dict(
        game=dict(name="extragradient"),
        **plain(algorithm=dict(pool_size=16), discriminator=dict(minibatch="stddev", minibatch_group=4)),
        **both(dict(name="sgd", learning_rate=0.05, momentum=0.5)),
    ),
    "consensus": dict(
        game=dict(name="consensus", weight=linear(0.1, 0.01)),
        **plain(algorithm=dict(top_k=linear(1.0, 0.5))),
    ),
    "dcgan_labels": dict(
        generator=dict(name="dcgan_generator", widths=(6, 4), kernel_size=3, condition="batch_norm"),
        discriminator=dict(
            name="dcgan_discriminator",
            widths=(4, 6),
            kernel_size=3,
            condition="embedding",
            embedding_size=3,
            spectral_norm=True,
            minibatch="stddev",
        ),
    ),
    "dcgan_one_hot": dict(
        generator=dict(
            name="dcgan_generator",
            widths=(6, 4),
            output_kernel_size=3,
            norm="group",
            norm_first=False,
            upsampling="bilinear",
            condition="one_hot",
        ),
        discriminator=dict(
            name="dcgan_discriminator", widths=(4, 6), kernel_size=3, norm="instance", condition="one_hot"
        ),
        penalties=dict(r1=dict(weight=1.0)),
    ),
    "sagan": dict(
        loss=dict(name="hinge"),
        generator=dict(
            name="resnet_generator",
            widths=(6, 4),
            spectral_norm=True,
            attention_size=8,
            condition="batch_norm",
        ),
        discriminator=dict(
            name="resnet_discriminator",
            widths=(4,),
            downsamplings=1,
            attention_size=4,
            condition="projection",
        ),
    ),
    "growing": dict(
        algorithm=dict(name="growing", latent_size=5, fade_steps=3),
        loss=dict(name="wasserstein"),
        penalties=dict(wgan_gp=dict(weight=1.0), drift=dict(weight=0.1)),
        generator=dict(name="progan_generator", width_base=16, width_max=4, condition="one_hot"),
        discriminator=dict(
            name="progan_discriminator", width_base=16, width_max=4, minibatch="stddev_strided"
        ),
    ),
    "stylegan2": dict(
        generator=dict(
            name="stylegan2_generator",
            width_base=16,
            width_max=3,
            style_size=4,
            mapping_layers=1,
            embedding_size=3,
            condition="embedding",
        ),
        discriminator=dict(
            name="stylegan2_discriminator",
            width_base=16,
            width_max=3,
            mapping_layers=1,
            condition="projection",
            minibatch="stddev_strided",
        ),
        penalties=dict(r1=dict(weight=0.1, every=2)),
        generator_penalties=dict(path_length=dict(every=2)),
        ema=dict(name="half_life", images=100.0),
        **both(dict(SGD, finite_gradients=True)),
    ),
    "stylegan": dict(
        algorithm=dict(name="growing", latent_size=5, fade_steps=3),
        penalties=dict(r1=dict(weight=0.1)),
        generator=dict(name="stylegan_generator", width_base=16, width_max=4, style_size=4, mapping_layers=1),
        discriminator=dict(name="progan_discriminator", width_base=16, width_max=4, blur=True),
    ),
    # Other methods
    "acgan": dict(
        **plain(
            algorithm=dict(name="acgan", class_weight=0.5),
            generator=dict(condition="one_hot"),
            discriminator=dict(auxiliary=CLASSES, minibatch="discrimination", minibatch_kernels=3),
        ),
    ),
    "infogan": dict(
        **plain(
            algorithm=dict(
                name="infogan",
                categories=3,
                continuous=2,
                categorical_weight=0.5,
                continuous_weight=0.2,
            ),
            discriminator=dict(auxiliary=5, auxiliary_hidden=4, norm="batch"),
        ),
    ),
    "unrolled": dict(
        **plain(algorithm=dict(name="unrolled", unrolled_steps=2), discriminator=dict(norm="batch")),
        # So large an eps_root that a wrong scale of a gradient shows.
        **both(SGD, dict(ADAM, learning_rate=0.02, eps_root=0.1)),
    ),
    "feature_matching": dict(
        **plain(
            algorithm=dict(
                name="feature_matching",
                layers=("dropout_0", "dropout_1"),
                adversarial_weight=0.5,
                pool_size=32,
                top_k=0.5,
            ),
        ),
        **both(dict(name="optimistic_adam", learning_rate=1e-3, b1=0.5, historical_averaging=0.1)),
    ),
    # Without a discriminator
    "ddpm": dict(
        algorithm=dict(name="diffusion", label_dropout=0.3),
        process=dict(name="ddpm", noise_steps=20),
        sampler=dict(name="ancestral", steps=3, guidance=2.0),
        generator=dict(
            name="diffusion_unet",
            width=4,
            multipliers=(1, 2),
            depth=1,
            attention_sizes=(4,),
            dropout=0.2,
            condition="one_hot",
        ),
        **both(ADAM),
    ),
    "edm": dict(
        algorithm=dict(name="diffusion"),
        process=dict(name="edm"),
        sampler=dict(name="heun", steps=3),
        generator=dict(name="mlp_denoiser", widths=(6, 5, 4, 4), embedding_size=8),
    ),
    "ddim": dict(
        algorithm=dict(name="diffusion"),
        sampler=dict(name="ddim", steps=3, eta=0.5),
        generator=dict(
            name="diffusion_unet", width=4, multipliers=(1, 2), depth=1, attention_sizes=(), block="ddpm++"
        ),
    ),
    "vae": dict(
        algorithm=dict(name="vae", latent_size=5, beta=linear(0.1, 1.0)),
        likelihood=dict(name="discretised_logistic"),
        generator=dict(name="conv_autoencoder", widths=(4, 6), hidden=8, condition="one_hot"),
    ),
    "vae_of_densities": dict(
        algorithm=dict(name="vae", latent_size=5),
        likelihood=dict(name="gaussian"),
        generator=dict(name="mlp_autoencoder", widths=(8,)),
    ),
    "vae_gan": dict(
        algorithm=dict(
            name="vae_gan",
            latent_size=5,
            layer="dropout_0",
            feature_weight=0.5,
            beta=linear(0.1, 1.0),
        ),
        generator=dict(name="conv_autoencoder", widths=(4, 6), hidden=8, condition="embedding"),
    ),
    "glow": dict(
        algorithm=dict(name="flow", latent_size=96),
        generator=dict(name="glow", levels=2, steps=1, width=4),
    ),
    "flow_of_densities": dict(
        algorithm=dict(name="flow", latent_size=96),
        generator=dict(name="mlp_flow", steps=1, widths=(4,)),
    ),
    "pixelcnn": dict(
        algorithm=dict(name="autoregressive"),
        generator=dict(
            name="pixelcnn", width=4, layers=2, kernel_size=3, components=2, condition="embedding"
        ),
    ),
    # Pictures of pictures
    "pix2pix": dict(
        algorithm=dict(name="translator", paired=True),
        source=dict(name="field"),
        contents=dict(l1=dict(weight=linear(10.0, 1.0)), tv=dict(weight=0.1)),
        generator=dict(name="unet_generator", width=4, downs=1),
        discriminator=dict(name="patchgan_discriminator", width=4, layers=1, norm="instance"),
    ),
    "inpainting": dict(
        algorithm=dict(name="translator", label_flipping=0.2, top_k=0.5),
        source=dict(name="masked", hole=0.4),
        contents=dict(l1=dict(weight=1.0)),
        generator=dict(name="unet_generator", width=4, downs=1),
        discriminator=dict(name="patchgan_discriminator", width=4, layers=0),
        penalties=dict(r1=dict(weight=0.1, every=2)),
    ),
    "cyclegan": dict(
        algorithm=dict(name="cyclegan", cycle=5.0, identity=0.2, pool_size=16, adversarial_weight=2.0),
        loss=dict(name="least_squares"),
        augment=dict(name="diffaugment", policy=("color", "translation")),
        generator=dict(name="unet_generator_pair", width=4, downs=1),
        discriminator=dict(name="patchgan_discriminator_pair", width=4, layers=1),
    ),
    "super_resolution": dict(
        algorithm=dict(name="translator", pool_size=16, paired=False),
        source=dict(name="downscale", factor=2),
        contents=dict(mse=dict(weight=1.0)),
        generator=dict(name="srresnet_generator", width=4, blocks=1, scale=2),
        discriminator=dict(name="sr_discriminator", width=2),
    ),
}


def config_of(name: str) -> ml_collections.ConfigDict:
    """The whole config of a variant."""
    config = base_config()
    config.batch_size = BATCH
    for where, fields in {**BASE, **CONFIGS[name]}.items():
        config[where] = ml_collections.ConfigDict(fields)
    return config


@cache
def _build(name: str) -> Algorithm:
    return build_algorithm(
        config_of(name), DataSpec({"image": Field(SHAPE), "source": Field(SHAPE)}, CLASSES)
    )


VARIANTS: dict[str, Callable[[], Algorithm]] = {name: partial(_build, name) for name in CONFIGS}


def slow_but(*fast: Any, among: Iterable[Any] = VARIANTS) -> list[Any]:
    """All variants, or others, as parameters of a test; those that are not named here are slow."""
    return [
        pytest.param(
            *(one if isinstance(one, tuple) else (one,)), marks=() if one in fast else pytest.mark.slow
        )
        for one in among
    ]


def fetch(constants: Any, item: Any, key: jax.Array) -> Any:
    """Batches as they are given."""
    return item


@cache
def first_state(name: str) -> TrainState:
    """The variant's state before the first step, on one device; not to be donated."""
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), MINI)
    return jax.jit(VARIANTS[name]().init)(KEY, zeros)


@cache
def one_device_call(name: str) -> parallel.Call:
    """`compile_step` of up to CALL steps on one device, compiled once for all test files."""
    algorithm, mesh = VARIANTS[name](), one_device()
    call: Any = parallel.compile_step(algorithm, fetch, mesh, CALL)
    state = parallel.abstract_state(algorithm, MINI, mesh)
    return call.lower(state, {}, steps_of(algorithm), jax.ShapeDtypeStruct((), jnp.int32)).compile()


def one_device() -> jax.sharding.Mesh:
    """The mesh of the first device."""
    return parallel.make_mesh(jax.devices()[:1])


def steps_of(algorithm: Algorithm, seed: int = 0) -> dict[str, np.ndarray]:
    """Other batches in every step: leaves [CALL, minibatches, B, ...]."""
    numbers = np.random.default_rng(seed)
    lead = (CALL, algorithm.minibatches, BATCH)
    return {
        "image": numbers.uniform(-1, 1, (*lead, *SHAPE)).astype(np.float32),
        "label": numbers.integers(0, CLASSES, lead).astype(np.int32),
        "source": numbers.uniform(-1, 1, (*lead, *SHAPE)).astype(np.float32),
    }
