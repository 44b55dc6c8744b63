"""The residual networks: SNGAN's parameters layer by layer, forward passes in NumPy, sizes, attention."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.layers.attention import SelfAttention
from gan_jax.models.layers.norms import Norm
from gan_jax.models.layers.resample import average_pool, nearest
from gan_jax.models.layers.residual import DownBlock, UpBlock
from gan_jax.models.resnet import ResNetDiscriminator, ResNetGenerator
from tests.models.test_conv import same_pads, slide

KEY = jax.random.key(0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def shapes(module, *example):
    return jax.eval_shape(lambda: module.init(KEY, *example, None, train=False))


def sizes_of(tree):
    """Numbers of parameters by layer, {"block_1/conv_0": ...}; a norm is one layer."""
    sizes: dict[str, int] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        names = [key.key for key in path[:-1]]
        name = "/".join(names[:2] if names and names[0].startswith("block") else names[:1])
        sizes[name] = sizes.get(name, 0) + leaf.size
    return sizes


def random_variables(variables):
    numbers = np.random.default_rng(0)

    def draw(path, leaf):
        if "'var'" in jax.tree_util.keystr(path):
            return numbers.uniform(0.5, 2, leaf.shape).astype(np.float32)
        deviation = 0.5 if leaf.ndim < 2 else np.sqrt(leaf.shape[-1] / leaf.size)
        return (deviation * numbers.standard_normal(leaf.shape)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, variables)


# SNGAN's networks for CIFAR-10: table 4


def test_sngan_generator_layer_by_layer():
    """Dense 4x4x256, three blocks of 256 channels, BN, 3x3 convolution.

    The official network has 768 biases more in each block, which change nothing (`models.residual`).
    """
    variables = shapes(ResNetGenerator((32, 32, 3)), jnp.zeros((1, 128)))
    block = {
        "norm_0": 2 * 256,
        "conv_0": 9 * 256 * 256,
        "norm_1": 2 * 256,
        "conv_1": 9 * 256 * 256,
        "shortcut": 256 * 256,
    }
    found = sizes_of(variables["params"])
    assert found == {
        "dense": 128 * 4 * 4 * 256 + 4 * 4 * 256,
        **{f"block_{i}/{name}": size for i in (1, 2, 3) for name, size in block.items()},
        "norm": 2 * 256,
        "output": 9 * 256 * 3 + 3,
    }
    assert sum(found.values()) == 4_276_739 - 3 * 768
    assert sizes_of(variables["batch_stats"]) == {
        **{f"block_{i}/norm_{j}": 2 * 256 for i in (1, 2, 3) for j in (0, 1)},
        "norm": 2 * 256,
    }


def test_sngan_discriminator_layer_by_layer():
    """Blocks of 128 channels, two down and two flat, sum over the pixels, dense."""
    variables = shapes(ResNetDiscriminator(), jnp.zeros((1, 32, 32, 3)))
    conv = 9 * 128 * 128 + 128
    found = sizes_of(variables["params"])
    assert found == {
        "block_0/conv_0": 9 * 3 * 128 + 128,
        "block_0/conv_1": conv,
        "block_0/shortcut": 3 * 128 + 128,
        "block_1/conv_0": conv,
        "block_1/conv_1": conv,
        "block_1/shortcut": 128 * 128 + 128,
        "block_2/conv_0": conv,
        "block_2/conv_1": conv,
        "block_3/conv_0": conv,
        "block_3/conv_1": conv,
        "dense": 128 + 1,
    }
    assert sum(found.values()) == 1_053_825
    # One singular vector, as long as the outputs, for each of the 10 convolutions and the dense layer.
    estimates = [leaf.size for leaf in jax.tree.leaves(variables["spectral"])]
    assert sorted(estimates) == [1] + [128] * 10


def test_conditional_generator_has_gains_by_class_but_in_the_last_norm():
    module = ResNetGenerator((32, 32, 3), condition="batch_norm", num_classes=10)
    label = jnp.zeros(1, jnp.int32)
    variables = jax.eval_shape(lambda: module.init(KEY, jnp.zeros((1, 128)), label, train=False))
    found = sizes_of(variables["params"])
    assert {name: size for name, size in found.items() if "norm" in name} == {
        **{f"block_{i}/norm_{j}": 10 * 2 * 256 for i in (1, 2, 3) for j in (0, 1)},
        "norm": 2 * 256,
    }


def test_projection_adds_one_vector_per_class():
    module = ResNetDiscriminator(condition="projection", num_classes=10)
    label = jnp.zeros(1, jnp.int32)
    variables = jax.eval_shape(lambda: module.init(KEY, jnp.zeros((1, 32, 32, 3)), label, train=False))
    found = sizes_of(variables["params"])
    assert found.pop("projection") == 10 * 128
    assert sum(found.values()) == 1_053_825


def test_attention_layer_by_layer():
    """SAGAN: queries and keys of C/8, values of C/2 channels, and the scale gamma."""
    module = ResNetGenerator((32, 32, 3), attention_size=16, spectral_norm=True)
    variables = shapes(module, jnp.zeros((1, 128)))
    assert sizes_of(variables["params"]["attention"]) == {
        "": 1,
        "query": 256 * 32,
        "key": 256 * 32,
        "value": 256 * 128,
        "output": 128 * 256,
    }
    kernels = [
        p for p, _ in jax.tree_util.tree_leaves_with_path(variables["params"]) if p[-1].key == "kernel"
    ]
    estimates = [p for p, _ in jax.tree_util.tree_leaves_with_path(variables["spectral"])]
    assert [p[:-1] for p in kernels] == [p[:-1] for p in estimates]


# Forward passes in NumPy, in the official order: up before the shortcut's convolution, pool after it


def conv(x, p):
    k = p["kernel"].shape[0]
    pads = (same_pads(x.shape[1], k, 1), same_pads(x.shape[2], k, 1))
    return slide(x, p["kernel"], 1, pads) + p.get("bias", 0)


def relu(x):
    return np.maximum(x, 0)


def up(x, size):
    return np.stack([np.stack([x[:, i // 2, j // 2] for j in range(size[1])], 1) for i in range(size[0])], 1)


def down(x):
    """Means over the pixels that there are."""
    rows, columns = -(-x.shape[1] // 2), -(-x.shape[2] // 2)
    y = np.zeros((x.shape[0], rows, columns, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            y[:, i, j] = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2))
    return y


def batch_norm(x, p, stats):
    p, stats = p["norm"], stats["norm"]
    return (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-3) * p["scale"] + p["bias"]


def attended(x, p):
    return np.asarray(SelfAttention().apply({"params": p}, x.astype(np.float32)), np.float64)


@pytest.mark.parametrize("attention_size", [0, 3, 5])
def test_generator_is_its_formula(attention_size):
    module = ResNetGenerator((9, 6, 2), widths=(9, 8, 10), attention_size=attention_size)
    z = array(1, 3, 4)
    variables = random_variables(shapes(module, z))
    p, stats = variables["params"], variables["batch_stats"]
    x = (np.float64(z) @ p["dense"]["kernel"] + p["dense"]["bias"]).reshape(3, 3, 2, 9)
    for name, size in (("block_1", (5, 3)), ("block_2", (9, 6))):
        if attention_size == x.shape[1]:
            x = attended(x, p["attention"])
        q, s = p[name], stats[name]
        h = conv(up(relu(batch_norm(x, q["norm_0"], s["norm_0"])), size), q["conv_0"])
        h = conv(relu(batch_norm(h, q["norm_1"], s["norm_1"])), q["conv_1"])
        x = conv(up(x, size), q["shortcut"]) + h
    image = np.tanh(conv(relu(batch_norm(x, p["norm"], stats["norm"])), p["output"]))
    assert 0.1 < np.abs(image).mean() < 0.95
    found = jax.jit(lambda z: module.apply(variables, z, None, train=False))(z)
    np.testing.assert_allclose(found, image, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("attention_size", [0, 5, 3])
def test_discriminator_is_its_formula(attention_size):
    """Two blocks down, one wider, one of the same width whose shortcut is the identity."""
    module = ResNetDiscriminator(widths=(8, 9, 10, 10), attention_size=attention_size, spectral_norm=False)
    image = array(1, 3, 9, 6, 2)
    variables = random_variables(shapes(module, image))
    p = variables["params"]
    q = p["block_0"]
    x = down(conv(relu(conv(np.float64(image), q["conv_0"])), q["conv_1"])) + conv(down(image), q["shortcut"])
    assert x.shape[1] == 5
    if attention_size == 5:
        x = attended(x, p["attention"])
    q = p["block_1"]
    x = down(conv(relu(conv(relu(x), q["conv_0"])), q["conv_1"])) + down(conv(x, q["shortcut"]))
    if attention_size == 3:  # also the height of the two maps after it
        x = attended(x, p["attention"])
    q = p["block_2"]
    x = conv(relu(conv(relu(x), q["conv_0"])), q["conv_1"]) + conv(x, q["shortcut"])
    q = p["block_3"]
    assert set(q) == {"conv_0", "conv_1"}
    x = conv(relu(conv(relu(x), q["conv_0"])), q["conv_1"]) + x
    logits = relu(x).sum((1, 2)) @ p["dense"]["kernel"] + p["dense"]["bias"]
    found = jax.jit(lambda image: module.apply(variables, image, None, train=False))(image)
    np.testing.assert_allclose(found, logits[:, 0], rtol=1e-3, atol=1e-3)


def test_attention_starts_as_no_attention():
    """gamma is 0, and the other parameters start with the same bits."""
    image = array(1, 2, 8, 8, 1)
    plain, module = (ResNetDiscriminator(widths=(8, 8), attention_size=size) for size in (0, 4))

    @jax.jit
    def both():
        return tuple(m.init_with_output(KEY, image, None, train=False) for m in (plain, module))

    (expected, old), (found, new) = both()
    jax.tree.map(np.testing.assert_array_equal, old["params"], {n: new["params"][n] for n in old["params"]})
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# Pieces


@pytest.mark.parametrize("size", [(6, 4), (5, 3), (1, 7), (1, 1)])
def test_average_pool_is_the_mean_of_the_pixels_there_are(size):
    x = array(0, 2, *size, 3)
    np.testing.assert_allclose(average_pool(x), down(np.float64(x)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(6, 8), (5, 8), (6, 7), (5, 7)])
def test_nearest(size):
    x = array(0, 2, 3, 4, 5)
    np.testing.assert_array_equal(nearest(x, size), up(x, size))
    if size == (6, 8):
        np.testing.assert_array_equal(nearest(x, size), jax.image.resize(x, (2, 6, 8, 5), "nearest"))


@pytest.mark.parametrize("size", [(6, 8), (5, 8), (5, 7), (2, 2), (1, 1)])
def test_pooling_undoes_nearest(size):
    x = array(0, 2, -(-size[0] // 2), -(-size[1] // 2), 3)
    np.testing.assert_allclose(average_pool(nearest(x, size)), x, rtol=1e-6)


def up_block(norm, size):
    return UpBlock(4, size, "relu", norm, None, 0.9, False, jax.nn.initializers.glorot_uniform(), None)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_constant_per_channel_would_never_reach_the_image(norm):
    """Why the generator's blocks need no biases: after the next block and a norm nothing of it is left."""
    block, last = up_block(norm, (8, 6)), Norm(norm)
    x, offset = array(0, 3, 4, 3, 5), array(1, 5)

    @jax.jit
    def after(x):
        """The block's output, and what the next norm makes of it, in training."""
        y, _ = block.apply(block.init(KEY, x, None, False), x, None, True, mutable=["batch_stats"])
        return y, last.apply(last.init(KEY, y, None, False), y, None, True, mutable=["batch_stats"])[0]

    (y, z), (moved, same) = after(x), after(x + offset)
    assert np.abs(moved - y).max() > 0.1
    np.testing.assert_allclose(same, z, atol=1e-4)


def test_residual_convolutions_start_sqrt_2_stronger():
    """Variances at the start: Glorot's 2 / (in + out), doubled after a ReLU."""
    module = ResNetDiscriminator(widths=(64, 64), spectral_norm=False)
    params = jax.jit(lambda: module.init(KEY, jnp.zeros((1, 4, 4, 1)), None, train=False))()["params"]
    for name, fan, expected in (("conv_0", 9 * 128, 2), ("conv_1", 9 * 128, 2), ("shortcut", 128, 1)):
        kernel = np.asarray(params["block_1"][name]["kernel"])
        found = kernel.var() / (2 / fan)
        assert abs(found / expected - 1) < 5 * np.sqrt(0.8 / kernel.size), name  # of a uniform's variance
        assert np.abs(kernel).max() <= np.sqrt(expected * 6 / fan)


# Sizes and ranges


@pytest.mark.parametrize(
    ("image_shape", "levels"),
    [((28, 28, 1), 4), ((20, 28, 3), 4), ((32, 32, 1), 3), ((45, 30, 3), 5), ((1, 1, 1), 2)],
)
def test_any_image_size(image_shape, levels):
    generator = ResNetGenerator(image_shape, widths=(4,) * levels, attention_size=image_shape[0])
    discriminator = ResNetDiscriminator(widths=(4,) * levels, downsamplings=levels - 1, norm="layer")

    def both(z):
        image, variables = generator.init_with_output(KEY, z, None, train=False)
        trained, _ = generator.apply(variables, z, None, train=True, mutable=["batch_stats"])
        return image, trained, discriminator.init_with_output(KEY, image, None, train=False)[0]

    image, trained, logits = jax.eval_shape(both, jax.ShapeDtypeStruct((5, 6), jnp.float32))
    assert image.shape == trained.shape == (5, *image_shape)
    assert logits.shape == (5,)
    assert image.dtype == logits.dtype == jnp.float32


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (20, 28, 3)])
def test_statistics_at_the_start(image_shape):
    """Neither grey nor saturated, nor the same image for every latent; logits of order 1, and unequal."""
    generator = ResNetGenerator(image_shape, widths=(16, 16, 16))
    discriminator = ResNetDiscriminator(widths=(16, 16, 16))

    @jax.jit
    def play(z):
        _, variables = generator.init_with_output(KEY, z, None, train=False)
        image, _ = generator.apply(variables, z, None, train=True, mutable=["batch_stats"])
        return image, discriminator.init_with_output(KEY, image, None, train=False)[0]

    image, logits = map(np.asarray, play(array(0, 8, 10)))
    assert 0.1 < image.std() < 0.9
    assert image.std(0).mean() > 0.1
    assert 0.01 < logits.std() < 100


def test_norm_in_the_discriminator_spares_the_image():
    """The first block normalises between its convolutions only, and no layer right before has a bias."""
    variables = shapes(ResNetDiscriminator(widths=(4, 4), norm="batch"), jnp.zeros((1, 8, 8, 1)))
    assert set(variables["params"]["block_0"]) == {"conv_0", "norm_1", "conv_1", "shortcut"}
    assert set(variables["params"]["block_1"]) == {"norm_0", "conv_0", "norm_1", "conv_1", "shortcut"}
    for block in ("block_0", "block_1"):
        assert set(variables["params"][block]["conv_0"]) == {"kernel"}
        assert set(variables["params"][block]["conv_1"]) == {"kernel", "bias"}


def test_a_flat_block_of_the_same_width_starts_with_the_identity():
    block = DownBlock(3, False, False, "relu", "none", 0.9, False, jax.nn.initializers.zeros, None)
    x = array(0, 2, 4, 3, 3)
    np.testing.assert_array_equal(block.apply(block.init(KEY, x, False), x, False), x)
