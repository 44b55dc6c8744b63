"""Networks exported for any number of examples (`jax.export` with a symbolic batch), for each platform."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from gan_jax.algorithms.packing import pack
from gan_jax.feature_networks.classifier import Classifier
from gan_jax.models import MODELS

LATENT, IMAGE = jnp.zeros((1, 12)), jnp.zeros((1, 8, 8, 3))
SOUND = jnp.zeros((1, 64, 1, 1))
SHAPE, CLASSES = (8, 8, 3), 5
LABELS = dict(num_classes=CLASSES)
# Widths at which the CPU transforms maps, and at which it does not.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("mlp_generator", {}),
    "mlp critic": ("mlp_discriminator", dict(condition="one_hot", **LABELS)),
    "dcgan": ("dcgan_generator", dict(widths=(64, 32), condition="batch_norm", **LABELS)),
    "dcgan nearest": ("dcgan_generator", dict(widths=(16, 8), upsampling="nearest", spectral_norm=True)),
    "dcgan bilinear": ("dcgan_generator", dict(widths=(64, 32), upsampling="bilinear", output_kernel_size=3)),
    "dcgan critic": ("dcgan_discriminator", dict(widths=(64, 128), norm="batch", dropout=0.3, auxiliary=2)),
    "discrimination": ("dcgan_discriminator", dict(widths=(8, 8), minibatch="discrimination")),
    "resnet": ("resnet_generator", dict(widths=(64, 64), attention_size=8)),
    "resnet critic": (
        "resnet_discriminator",
        dict(widths=(64, 64), downsamplings=1, attention_size=4, condition="projection", **LABELS),
    ),
    "progan": ("progan_generator", dict(width_base=32)),
    "stylegan": ("stylegan_generator", dict(width_base=32, style_size=8)),
    "progan critic": ("progan_discriminator", dict(width_base=32, minibatch="none")),
    "stylegan2": ("stylegan2_generator", dict(width_max=8, condition="embedding", **LABELS)),
    "stylegan2 critic": (
        "stylegan2_discriminator",
        dict(width_max=8, minibatch="none", condition="projection", **LABELS),
    ),
    "r3gan": (
        "r3gan_generator",
        dict(widths=(8, 4), cardinality=(2, 1), blocks=1, condition="embedding", **LABELS),
    ),
    "r3gan critic": ("r3gan_discriminator", dict(widths=(8, 8), cardinality=(2, 4), blocks=1)),
    "unet": ("unet_generator", dict(width=32, downs=3)),
    "unet nearest": ("unet_generator", dict(width=8, downs=2, upsampling="nearest", norm="batch")),
    "patchgan": ("patchgan_discriminator", dict(width=32, layers=1)),
    "translator": ("resnet_translator", dict(width=16, blocks=1)),
    "unets": ("unet_generator_pair", dict(width=4, downs=2)),
    "translators": ("resnet_translator_pair", dict(width=4, blocks=1)),
    "patchgans": ("patchgan_discriminator_pair", dict(width=4, layers=1)),
    "srresnet": ("srresnet_generator", dict(width=16, blocks=1, scale=2, skip="bicubic")),
    "sr critic": ("sr_discriminator", dict(width=4)),
    "denoiser": ("diffusion_unet", dict(width=4, multipliers=(1, 2), depth=1, attention_sizes=(4,))),
    "mlp denoiser": ("mlp_denoiser", dict(widths=(6, 4), embedding_size=8)),
    "autoencoder": (
        "conv_autoencoder",
        dict(widths=(4, 6), hidden=8, code_size=3, condition="one_hot", **LABELS),
    ),
    "mlp autoencoder": ("mlp_autoencoder", dict(widths=(8,), code_size=3)),
    "glow": ("glow", dict(levels=2, steps=2, width=4)),
    "mlp flow": ("mlp_flow", dict(steps=1, widths=(4,))),
    "pixelcnn": ("pixelcnn", dict(width=4, layers=2, condition="embedding", **LABELS)),
    "wavegan": ("wavegan_generator", dict(image_shape=SOUND.shape[1:], dim=2, layers=2)),
    "wavegan critic": ("wavegan_discriminator", dict(dim=2, layers=2)),
}
DENOISERS = ("diffusion_unet", "mlp_denoiser")  # which are told a time besides
TRANSLATORS = (
    *("unet_generator", "resnet_translator", "srresnet_generator", "conv_autoencoder", "mlp_autoencoder"),
    *("glow", "mlp_flow", "pixelcnn", *DENOISERS),
)


def build(name: str, **more: Any) -> Any:
    """A network of the table, an example of its input (of a pair two), and labels if it looks at them."""
    kind, fields = NETWORKS.get(name, (name, {}))
    makes_images = "discriminator" not in kind
    network = MODELS[kind](**{**({"image_shape": SHAPE} if makes_images else {}), **fields, **more})
    x: Any = LATENT if makes_images and not kind.startswith(TRANSLATORS) else IMAGE
    x = SOUND if kind == "wavegan_discriminator" else x
    x = (x, jnp.zeros(1)) if kind in DENOISERS else x
    return network, (x, x) if "pair" in kind else x, jnp.zeros(1, jnp.int32) if network.conditional else None


def exported(network: Any, x: Any, label: Any, train: bool, size: str, platform: str) -> Any:
    """The network for batches of this symbolic size, and the shapes of its variables."""
    inputs = x if isinstance(x, tuple) else (x,)
    variables = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, label, train=False))
    (count,) = export.symbolic_shape(size)
    many = lambda tree: jax.tree.map(lambda a: jax.ShapeDtypeStruct((count, *a.shape[1:]), a.dtype), tree)

    @jax.jit
    def apply(variables, *inputs):
        moving = [name for name in variables if name != "params"] if train else False
        rngs = {"dropout": jax.random.key(1)}
        return network.apply(variables, *inputs, train=train, mutable=moving, rngs=rngs)

    return export.export(apply, platforms=(platform,))(variables, *many((*inputs, label))), variables


@pytest.mark.parametrize(("train", "platform"), [(False, "cuda"), (True, "cpu")])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_exported_for_any_batch(name, train, platform):
    network, x, label = build(name)
    found, _ = exported(network, x, label, train, "n", platform)
    assert found.platforms == (platform,)


def test_all_networks_are_tried():
    assert {kind for kind, _ in NETWORKS.values()} == set(MODELS)


def test_gradients_of_any_batch_can_be_exported():
    """With respect to the weights and, as penalties have it, of a gradient with respect to the images."""
    network, x, _ = build("dcgan critic", auxiliary_hidden=3)
    variables = jax.eval_shape(lambda: network.init(jax.random.key(0), x, None, train=False))
    (count,) = export.symbolic_shape("n")

    @jax.jit
    @jax.grad
    def slope(variables, x):
        logits = lambda x: jnp.sum(network.apply(variables, x, None, train=False)[0])
        return jnp.mean(jax.grad(logits)(x) ** 2)

    export.export(slope)(variables, jax.ShapeDtypeStruct((count, *x.shape[1:]), jnp.float32))


@pytest.mark.parametrize("name", ["dcgan", "dcgan critic"])
def test_an_exported_network_gives_the_same_numbers(name):
    network, x, label = build(name)
    found, shapes = exported(network, x, label, False, "n", "cpu")
    numbers = np.random.default_rng(0)
    variables = jax.tree.map(lambda s: jnp.asarray(0.1 * numbers.random(s.shape), s.dtype), shapes)
    for count in (1, 6):
        x = jnp.asarray(numbers.normal(size=(count, *x.shape[1:])), jnp.float32)
        label = None if label is None else jnp.arange(count) % CLASSES
        expected = jax.jit(lambda v, x, label: network.apply(v, x, label, train=False))(variables, x, label)
        near = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        jax.tree.map(near, found.call(variables, x, label), expected)


def test_a_classifier_can_be_exported_for_any_batch():
    network, x = Classifier(CLASSES), jnp.zeros((1, 12, 12, 1))
    variables = jax.eval_shape(lambda: network.init(jax.random.key(0), x))
    (count,) = export.symbolic_shape("n")
    many = jax.ShapeDtypeStruct((count, *x.shape[1:]), x.dtype)
    features, logits, _ = jax.tree.leaves(export.export(jax.jit(network.apply))(variables, many).out_avals)[
        :3
    ]
    assert (features.shape[1:], logits.shape[1:]) == ((128,), (CLASSES,))


def test_packs_of_any_batch_can_be_exported():
    (count,) = export.symbolic_shape("2*n")
    many = jax.ShapeDtypeStruct((count, *IMAGE.shape[1:]), jnp.float32)
    (packed,) = export.export(jax.jit(lambda image: pack(image, 2)))(many).out_avals
    assert packed.shape[1:] == (8, 8, 6)


def test_groups_of_examples_need_a_batch_of_whole_groups():
    network, x, _ = build("dcgan_discriminator", minibatch="stddev", minibatch_group=4)
    exported(network, x, None, False, "4*n", "cpu")
    with pytest.raises(ValueError, match=r"group_size=4 does not divide the batch of n: .* batch of '4\*n'"):
        exported(network, x, None, False, "n", "cpu")
