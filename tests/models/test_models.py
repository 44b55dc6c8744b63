"""The networks: parameters layer by layer, shapes and ranges, and forward passes written anew in NumPy."""

import functools
import runpy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.config.build import build_algorithm
from gan_jax.core.randomness import example_keys, latents
from gan_jax.data.spec import DataSpec, Field
from gan_jax.models import MODELS
from gan_jax.models.dcgan import DCGANDiscriminator, DCGANGenerator, halvings
from gan_jax.models.mlp import MLPDiscriminator, MLPGenerator
from tests.models.test_conv import same_pads, slide, stamp

KEY = jax.random.key(0)


def layer_sizes(variables):
    """Numbers of parameters, moving statistics included, by top-level layer."""
    sizes: dict[str, int] = {}
    for collection in variables.values():
        for layer, tree in collection.items():
            sizes[layer] = sizes.get(layer, 0) + sum(leaf.size for leaf in jax.tree.leaves(tree))
    return sizes


def shapes(module, *example):
    return jax.eval_shape(lambda: module.init(KEY, *example, None, train=False))


def start(module, example):
    """The variables that training starts from."""
    return jax.jit(lambda: module.init(KEY, example, None, train=False))()


def random_variables(variables):
    """The same tree with every leaf random, the variances positive: zeros would hide a missing bias."""
    numbers = np.random.default_rng(0)

    def draw(path, leaf):
        if "'var'" in jax.tree_util.keystr(path):
            return numbers.uniform(0.5, 2, leaf.shape).astype(np.float32)
        deviation = 0.5 if leaf.ndim < 2 else 2 * np.sqrt(leaf.shape[-1] / leaf.size)
        return (deviation * numbers.standard_normal(leaf.shape)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, variables)


# The thesis's DCGAN


@pytest.fixture(scope="module")
def thesis():
    path = Path(__file__).parents[2] / "configs" / "dcgan_fashion_mnist.py"
    return build_algorithm(
        runpy.run_path(str(path))["get_config"](), DataSpec({"image": Field((28, 28, 1))}, 10)
    )


def test_thesis_generator_layer_by_layer(thesis):
    found = layer_sizes(shapes(thesis.generator, jnp.zeros((1, 100))))
    assert found == {
        "dense": 633_472,
        "norm_0": 512,
        "up_1": 204_864,
        "norm_1": 256,
        "up_2": 1_601,
    }


def test_thesis_discriminator_layer_by_layer(thesis):
    found = layer_sizes(shapes(thesis.discriminator, jnp.zeros((1, 28, 28, 1))))
    assert found == {"conv_0": 1_664, "conv_1": 204_928, "dense": 6_273}


def selu(x):
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))


def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


def normalise(x, params, moments):
    return (x - moments["mean"]) / np.sqrt(moments["var"] + 1e-3) * params["scale"] + params["bias"]


def moments_of(x):
    axes = tuple(range(x.ndim - 1))
    return {"mean": x.mean(axes), "var": x.var(axes)}


def thesis_images(variables, latent, train):
    """The thesis's generator in NumPy: dense, norm, then twice: stamp at stride 2, activation, norm."""
    p, stats = variables["params"], variables["batch_stats"]

    def norm(x, name):
        return normalise(x, p[name]["norm"], moments_of(x) if train else stats[name]["norm"])

    def up(x, name, size):
        w = p[name]["transpose"]
        crop = (same_pads(size, 5, 2), same_pads(size, 5, 2))
        return stamp(x, w["kernel"], 2, (size, size), crop) + w["bias"]

    x = np.float64(latent) @ p["dense"]["kernel"] + p["dense"]["bias"]
    x = norm(x.reshape(-1, 7, 7, 128), "norm_0")
    x = norm(selu(up(x, "up_1", 14)), "norm_1")
    return np.tanh(up(x, "up_2", 28))


def thesis_logits(variables, image):
    p, x = variables["params"], np.asarray(image, np.float64)
    for name, size in (("conv_0", 28), ("conv_1", 14)):
        pads = (same_pads(size, 5, 2), same_pads(size, 5, 2))
        x = leaky_relu(slide(x, p[name]["kernel"], 2, pads) + p[name]["bias"])
    return (x.reshape(x.shape[0], -1) @ p["dense"]["kernel"] + p["dense"]["bias"])[:, 0]


def test_thesis_generator_is_its_formula(thesis):
    latent = np.asarray(latents(example_keys(KEY, 3), 100))
    variables = random_variables(shapes(thesis.generator, latent))
    found = np.asarray(thesis.generator.apply(variables, latent, None, train=False))
    assert found.shape == (3, 28, 28, 1)
    expected = thesis_images(variables, latent, train=False)
    assert 0.1 < np.abs(expected).mean() < 0.99  # not all at the ends of tanh, nor all grey
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    found, _ = thesis.generator.apply(variables, latent, None, train=True, mutable=["batch_stats"])
    expected = thesis_images(variables, latent, train=True)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_thesis_discriminator_is_its_formula(thesis):
    image = np.random.default_rng(0).uniform(-1, 1, (3, 28, 28, 1)).astype(np.float32)
    variables = random_variables(shapes(thesis.discriminator, image))
    found = np.asarray(thesis.discriminator.apply(variables, image, None, train=False))
    np.testing.assert_allclose(found, thesis_logits(variables, image), rtol=1e-4, atol=1e-4)


def test_thesis_networks_in_pytorch(thesis):
    """PyTorch's layers, weights permuted; SAME's uneven padding is done by hand there."""
    torch = pytest.importorskip("torch", reason="PyTorch is not a dependency; it is compared with if present")
    functional = torch.nn.functional

    def tensor(x, *order):
        return torch.from_numpy(np.array(np.transpose(x, order) if order else x))

    latent = np.asarray(latents(example_keys(KEY, 2), 100))
    g = random_variables(shapes(thesis.generator, latent))
    d = random_variables(shapes(thesis.discriminator, jnp.zeros((1, 28, 28, 1))))

    def norm(x, name):
        p, m = g["params"][name]["norm"], g["batch_stats"][name]["norm"]
        args = (tensor(v) for v in (m["mean"], m["var"], p["scale"], p["bias"]))
        return functional.batch_norm(x, *args, eps=1e-3)

    def up(x, name):
        p = g["params"][name]["transpose"]
        y = functional.conv_transpose2d(x, tensor(p["kernel"], 3, 2, 0, 1), tensor(p["bias"]), stride=2)
        return y[:, :, 1:-2, 1:-2]

    def down(x, name):
        p = d["params"][name]
        x = functional.pad(x, (1, 2, 1, 2))
        return functional.conv2d(x, tensor(p["kernel"], 3, 2, 0, 1), tensor(p["bias"]), stride=2)

    p = g["params"]["dense"]
    x = tensor(latent) @ tensor(p["kernel"]) + tensor(p["bias"])
    x = norm(x.reshape(-1, 7, 7, 128).permute(0, 3, 1, 2), "norm_0")
    image = torch.tanh(up(norm(functional.selu(up(x, "up_1")), "norm_1"), "up_2"))
    found = np.asarray(thesis.generator.apply(g, latent, None, train=False))
    np.testing.assert_allclose(found, image.permute(0, 2, 3, 1).numpy(), rtol=1e-3, atol=1e-4)

    x = functional.leaky_relu(down(functional.leaky_relu(down(image, "conv_0"), 0.2), "conv_1"), 0.2)
    p = d["params"]["dense"]
    logits = x.permute(0, 2, 3, 1).reshape(2, -1) @ tensor(p["kernel"]) + tensor(p["bias"])
    logits_found = thesis.discriminator.apply(d, found, None, train=False)
    np.testing.assert_allclose(logits_found, logits[:, 0].numpy(), rtol=1e-3, atol=1e-4)


# The others


def test_course_mlp_layer_by_layer():
    generator = shapes(MLPGenerator((28, 28, 1)), jnp.zeros((1, 100)))
    assert layer_sizes(generator) == {
        "dense_0": 100 * 256 + 256,
        "norm_0": 4 * 256,
        "dense_1": 256 * 512 + 512,
        "norm_1": 4 * 512,
        "dense_2": 512 * 1024 + 1024,
        "norm_2": 4 * 1024,
        "output": 1024 * 784 + 784,
    }
    discriminator = shapes(MLPDiscriminator(), jnp.zeros((1, 28, 28, 1)))
    assert layer_sizes(discriminator) == {
        "dense_0": 784 * 512 + 512,
        "dense_1": 512 * 256 + 256,
        "output": 256 + 1,
    }


def test_course_mlp_is_its_formula():
    """Each hidden layer: dense, LeakyReLU 0.2, BatchNorm; the image's pixels are in row-major order."""
    generator, discriminator = MLPGenerator((3, 4, 2), widths=(5, 6)), MLPDiscriminator(widths=(7, 4))
    latent = np.asarray(latents(example_keys(KEY, 4), 3))
    g = random_variables(shapes(generator, latent))
    x = np.float64(latent)
    for i in range(2):
        p = g["params"][f"dense_{i}"]
        x = leaky_relu(x @ p["kernel"] + p["bias"])
        x = normalise(x, g["params"][f"norm_{i}"]["norm"], g["batch_stats"][f"norm_{i}"]["norm"])
    p = g["params"]["output"]
    image = np.tanh(x @ p["kernel"] + p["bias"]).reshape(4, 3, 4, 2)
    found = np.asarray(generator.apply(g, latent, None, train=False))
    np.testing.assert_allclose(found, image, rtol=1e-4, atol=1e-5)
    linear = np.asarray(generator.clone(output="linear").apply(g, latent, None, train=False))
    np.testing.assert_allclose(np.tanh(linear), image, rtol=1e-4, atol=1e-5)
    assert np.abs(linear).max() > 1

    d = random_variables(shapes(discriminator, found))
    x = image.reshape(4, -1)
    for name in ("dense_0", "dense_1"):
        x = leaky_relu(x @ d["params"][name]["kernel"] + d["params"][name]["bias"])
    logits = x @ d["params"]["output"]["kernel"] + d["params"]["output"]["bias"]
    np.testing.assert_allclose(
        np.asarray(discriminator.apply(d, found, None, train=False)), logits[:, 0], rtol=1e-4, atol=1e-5
    )


def test_maxout_and_a_norm_before_the_activation_are_their_formulas():
    image = jax.random.normal(KEY, (6, 1, 1, 2))
    net: Any = MODELS["mlp_discriminator"](widths=(3, 4), maxout_pieces=5)
    variables = net.init(KEY, image, None, False)
    params = jax.tree.map(np.asarray, variables["params"])
    x = np.asarray(image).reshape(6, 2)
    for layer, width in (("dense_0", 3), ("dense_1", 4)):
        assert params[layer]["kernel"].shape[1] == 5 * width
        x = (x @ params[layer]["kernel"] + params[layer]["bias"]).reshape(6, width, 5).max(-1)
    expected = x @ params["output"]["kernel"][:, 0] + params["output"]["bias"]
    np.testing.assert_allclose(net.apply(variables, image, None, False), expected, rtol=1e-5, atol=1e-6)

    latent = jax.random.normal(KEY, (6, 2))
    net = MODELS["mlp_generator"]((1, 1, 2), widths=(7,), activation="relu", norm_first=True, output="linear")
    variables = net.init(KEY, latent, None, True)
    params = jax.tree.map(np.asarray, variables["params"])
    x = np.asarray(latent) @ params["dense_0"]["kernel"] + params["dense_0"]["bias"]
    x = np.maximum((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), 0)
    expected = (x @ params["output"]["kernel"] + params["output"]["bias"]).reshape(6, 1, 1, 2)
    made, _ = net.apply(variables, latent, None, True, mutable=["batch_stats"])
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)


def test_course_dcgan_layer_by_layer():
    """Dense 7x7x256, 4x4 doublings to 128 and 64, a 7x7 output; no bias right before BatchNorm."""
    generator = DCGANGenerator((28, 28, 1), widths=(256, 128, 64), kernel_size=4, output_kernel_size=7)
    assert layer_sizes(shapes(generator, jnp.zeros((1, 100)))) == {
        "dense": 100 * 7 * 7 * 256,
        "norm_0": 4 * 256,
        "up_1": 4 * 4 * 256 * 128,
        "norm_1": 4 * 128,
        "up_2": 4 * 4 * 128 * 64,
        "norm_2": 4 * 64,
        "output": 7 * 7 * 64 + 1,
    }
    discriminator = DCGANDiscriminator(widths=(64, 128, 256), kernel_size=3, norm="batch")
    assert layer_sizes(shapes(discriminator, jnp.zeros((1, 28, 28, 1)))) == {
        "conv_0": 3 * 3 * 1 * 64 + 64,
        "conv_1": 3 * 3 * 64 * 128,
        "norm_1": 4 * 128,
        "conv_2": 3 * 3 * 128 * 256,
        "norm_2": 4 * 256,
        "dense": 4 * 4 * 256 + 1,
    }


def test_radford_layer_by_layer():
    """Figure 1: 100 -> 4x4x1024 -> 8x8x512 -> 16x16x256 -> 32x32x128 -> 64x64x3."""
    generator = DCGANGenerator((64, 64, 3), widths=(1024, 512, 256, 128))
    assert layer_sizes(shapes(generator, jnp.zeros((1, 100)))) == {
        "dense": 100 * 4 * 4 * 1024,
        "norm_0": 4 * 1024,
        "up_1": 25 * 1024 * 512,
        "norm_1": 4 * 512,
        "up_2": 25 * 512 * 256,
        "norm_2": 4 * 256,
        "up_3": 25 * 256 * 128,
        "norm_3": 4 * 128,
        "up_4": 25 * 128 * 3 + 3,
    }
    assert halvings((64, 64), 4) == [(4, 4), (8, 8), (16, 16), (32, 32), (64, 64)]


def test_halvings_round_up():
    assert halvings((45, 30), 3) == [(6, 4), (12, 8), (23, 15), (45, 30)]
    assert halvings((5, 1), 0) == [(5, 1)]


def test_norm_everywhere_and_leak():
    """Metz et al. 2016's discriminator: every convolution without a bias, then a norm, then a leak of 0.3."""
    module = DCGANDiscriminator(
        widths=(3, 4), kernel_size=3, leak=0.3, norm="batch", norm_everywhere=True, initializer="normal"
    )
    image = np.random.default_rng(0).uniform(-1, 1, (3, 9, 6, 2)).astype(np.float32)
    variables = random_variables(shapes(module, image))
    p, stats, x = variables["params"], variables["batch_stats"], image.astype(np.float64)
    assert set(p["conv_0"]) == set(p["conv_1"]) == {"kernel"}
    for index, size in enumerate([(9, 6), (5, 3)]):
        pads = (same_pads(size[0], 3, 2), same_pads(size[1], 3, 2))
        x = slide(x, p[f"conv_{index}"]["kernel"], 2, pads)
        x = normalise(x, p[f"norm_{index}"]["norm"], stats[f"norm_{index}"]["norm"])
        x = np.where(x > 0, x, 0.3 * x)
    expected = x.reshape(3, -1) @ p["dense"]["kernel"] + p["dense"]["bias"]
    found = np.asarray(module.apply(variables, image, None, train=False))
    np.testing.assert_allclose(found, expected[:, 0], rtol=1e-4, atol=1e-4)


def test_wgan_critic_layer_by_layer():
    """The second course's WGAN: its critic is the plain 512-256 network, without any norm."""
    critic = shapes(MLPDiscriminator(widths=(512, 256)), jnp.zeros((1, 28, 28, 1)))
    assert set(critic) == {"params"}
    assert sum(layer_sizes(critic).values()) == 784 * 512 + 512 + 512 * 256 + 256 + 256 + 1


def test_layers_before_another_norm_keep_their_bias():
    generator = DCGANGenerator((8, 8, 1), widths=(4, 2), norm="layer")
    assert layer_sizes(shapes(generator, jnp.zeros((1, 5)))) == {
        "dense": 5 * 2 * 2 * 4 + 2 * 2 * 4,
        "norm_0": 2 * 4,
        "up_1": 25 * 4 * 2 + 2,
        "norm_1": 2 * 2,
        "up_2": 25 * 2 * 1 + 1,
    }


IMAGES = [(28, 28, 1), (45, 30, 3), (7, 20, 4), (1, 1, 1)]


@pytest.mark.parametrize("upsampling", ["transpose", "nearest", "bilinear"])
@pytest.mark.parametrize("output_kernel_size", [0, 3])
@pytest.mark.parametrize("image_shape", IMAGES)
def test_dcgan_draws_any_size(image_shape, output_kernel_size, upsampling):
    generator = DCGANGenerator(
        image_shape, widths=(4, 3, 2), output_kernel_size=output_kernel_size, upsampling=upsampling
    )
    discriminator = DCGANDiscriminator(widths=(2, 3, 4), dropout=0.2, norm="batch")

    def both(latent):
        image, variables = generator.init_with_output(KEY, latent, None, train=False)
        logits, _ = discriminator.init_with_output(KEY, image, None, train=False)
        trained, _ = generator.apply(variables, latent, None, train=True, mutable=["batch_stats"])
        return image, trained, logits

    image, trained, logits = jax.eval_shape(both, jax.ShapeDtypeStruct((5, 6), jnp.float32))
    assert image.shape == trained.shape == (5, *image_shape)
    assert logits.shape == (5,)
    assert image.dtype == logits.dtype == jnp.float32


@pytest.mark.parametrize("latent", ["normal", "uniform"])
@pytest.mark.parametrize("name", ["dcgan_generator", "mlp_generator", "resnet_generator"])
def test_images_are_in_range_and_differ(name, latent):
    generator = MODELS[name]((9, 6, 3), widths=(8, 4))
    z = latents(example_keys(KEY, 6), 5, latent)

    @jax.jit
    def images(z):
        return generator.init_with_output(KEY, z, None, train=False)[0]

    found = np.asarray(images(z))
    assert found.shape == (6, 9, 6, 3)
    assert (np.abs(found) < 1).all()
    assert len({image.tobytes() for image in found}) == 6
    assert (np.abs(np.asarray(images(z * 1e6))) <= 1).all()


@pytest.mark.parametrize("kind", ["dcgan", "mlp", "resnet"])
def test_a_mapped_axis_changes_no_parameter(kind):
    """`axis` is how a network runs, not what it is: checkpoints fit both."""
    generator, discriminator = MODELS[f"{kind}_generator"], MODELS[f"{kind}_discriminator"]
    image = jnp.zeros((1, 8, 8, 1))
    more = dict(widths=(4, 4), minibatch="stddev", auxiliary=2)

    @functools.partial(jax.jit, static_argnums=0)
    def both(axis_name):
        g = generator((8, 8, 1), widths=(4, 4), axis_name=axis_name).init(
            KEY, jnp.zeros((1, 5)), None, train=False
        )
        return g, discriminator(**more, axis_name=axis_name).init(KEY, image, None, train=False)

    jax.tree.map(np.testing.assert_array_equal, both(None), both("batch"))


def test_initializers():
    """Radford et al., section 4: N(0, 0.02^2); Keras's default: uniform to sqrt(6 / (in + out))."""
    z = jnp.zeros((1, 50))
    normal, glorot = DCGANGenerator((8, 8, 1), initializer="normal"), MLPGenerator((8, 8, 1))
    values = np.asarray(start(normal, z)["params"]["dense"]["kernel"])
    assert abs(values.std() / 0.02 - 1) < 5 / np.sqrt(2 * values.size)
    assert abs(values.mean()) < 5 * 0.02 / np.sqrt(values.size)
    values = np.asarray(start(glorot, z)["params"]["dense_0"]["kernel"])
    limit = np.sqrt(6 / (50 + 256))
    assert 0.99 * limit < np.abs(values).max() <= limit
    assert abs(values.std() / (limit / np.sqrt(3)) - 1) < 5 / np.sqrt(values.size)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("dcgan_generator", dict(widths=()), "widths="),
        ("dcgan_generator", dict(widths=(8, 0)), "widths="),
        ("dcgan_discriminator", dict(widths=(8, 2.5)), "widths="),
        ("mlp_generator", dict(widths=5), "widths=5"),
        ("mlp_discriminator", dict(widths=("8",)), "widths="),
        ("dcgan_generator", dict(kernel_size=0), "kernel_size=0: it must be a positive integer"),
        ("dcgan_generator", dict(output_kernel_size=-1), "output_kernel_size=-1"),
        ("dcgan_discriminator", dict(kernel_size=2.5), "kernel_size=2.5"),
        ("dcgan_generator", dict(momentum=1.0), "momentum=1.0"),
        ("dcgan_discriminator", dict(dropout=1.0), "dropout rate 1.0"),
        ("dcgan_discriminator", dict(leak=1.5), "leak=1.5"),
        ("dcgan_discriminator", dict(activation="relu", leak=0.3), "leak=0.3: activation='relu' has none"),
        ("dcgan_discriminator", dict(norm_everywhere=True), "norm_everywhere=True, norm='none'"),
        ("mlp_discriminator", dict(dropout=-0.5), "dropout rate -0.5"),
        ("resnet_generator", dict(widths=(8, -1)), "widths="),
        (
            "resnet_generator",
            dict(attention_size=3),
            "attention_size=3: there are maps of height 1, 2, 4, 8;",
        ),
        ("resnet_discriminator", dict(attention_size=8), "attention_size=8: there are maps of height 4, 2;"),
        ("resnet_discriminator", dict(downsamplings=5), "downsamplings=5: .* from 0 to .* 4"),
        ("resnet_discriminator", dict(downsamplings=1.5), "downsamplings=1.5"),
        ("resnet_discriminator", dict(norm="spectral"), "norm='spectral' is not one of none, batch"),
        ("dcgan_generator", dict(norm="bath"), "norm='bath' is not one of none, batch, instance"),
        ("mlp_generator", dict(norm="group"), "norm='group' is not one of none, batch, layer"),
        ("mlp_discriminator", dict(widths=(), norm="group"), "widths="),
        ("mlp_discriminator", dict(norm="instance"), "norm='instance' is not one of none, batch, layer"),
        ("dcgan_discriminator", dict(auxiliary=-1), "auxiliary=-1"),
        ("mlp_discriminator", dict(auxiliary=2.0), "auxiliary=2.0"),
        ("dcgan_discriminator", dict(minibatch="std"), "minibatch='std' is not one of none, discrim"),
        ("mlp_discriminator", dict(minibatch="discrimination", minibatch_kernels=0), "kernels=0"),
        ("dcgan_generator", dict(upsampling="cubic"), "upsampling='cubic' is not one of"),
        ("mlp_generator", dict(output="sigmoid"), "output='sigmoid' is not one of linear, relu"),
        ("mlp_generator", dict(activation="reul"), "activation='reul' is not one of"),
        ("mlp_discriminator", dict(initializer="he"), "initializer='he' is not one of"),
    ],
)
def test_impossible_fields_are_refused(name, fields, message):
    generates = "generator" in name
    module = MODELS[name](**({"image_shape": (8, 8, 1)} if generates else {}), **fields)
    with pytest.raises(ValueError, match=message):
        shapes(module, jnp.zeros((1, 5)) if generates else jnp.zeros((1, 8, 8, 1)))


def test_a_softmax_head_gives_shares_of_the_kinds_of_tiles():
    generator = DCGANGenerator(image_shape=(7, 14, 5), widths=(8, 4), kernel_size=4, output="softmax")
    shares, _ = generator.init_with_output(jax.random.key(0), jnp.ones((2, 3)), None, False)
    assert shares.shape == (2, 7, 14, 5)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, rtol=1e-5)
    assert (shares > 0).all()
    with pytest.raises(ValueError, match="output='sigmoid' is not one of linear, relu, softmax, tanh"):
        generator.clone(output="sigmoid").init(jax.random.key(0), jnp.ones((2, 3)), None, False)


def test_the_networks_of_volz_et_al_have_their_numbers_of_parameters():
    """Theirs, with 10 kinds of tiles at 32x32, have 797,568 and 670,464; ours biases that theirs lack."""
    generator = DCGANGenerator(image_shape=(32, 32, 10), widths=(256, 128, 64), kernel_size=4, output="relu")
    critic = DCGANDiscriminator(widths=(64, 128, 256), kernel_size=4, norm="batch")
    inputs = (jnp.zeros((2, 32)), jnp.zeros((2, 32, 32, 10)))
    counts = []
    for network, given in zip((generator, critic), inputs, strict=True):
        params = jax.eval_shape(lambda x, network=network: network.init(KEY, x, None, True), given)["params"]
        counts.append(sum(leaf.size for leaf in jax.tree.leaves(params)))
    assert counts == [797_568 + 10, 670_464 + 64 + 1]
