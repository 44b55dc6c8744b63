"""SRResNet and SRGAN's discriminator: counts, the start of a training, the same networks in PyTorch."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.models.layers.layers import INITIALIZERS
from gan_jax.models.layers.prelu import PReLU
from gan_jax.models.layers.subpixel import icnr, pixel_shuffle
from gan_jax.models.sr_discriminator import SRDiscriminator
from gan_jax.models.srresnet import SRResNet

KEY = jax.random.key(0)
SHAPE = (96, 96, 3)
LOW = jnp.zeros((1, 24, 24, 3))


def count(module, x):
    shapes = jax.eval_shape(lambda: module.init(KEY, x, None, train=False))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


@pytest.mark.parametrize(
    ("scale", "published"), [(4, 1_549_462), (2, 1_401_749)]
)  # with biases everywhere and one PReLU weight a layer
def test_parameters_are_the_papers(scale, published):
    before_norms = 33 * 64  # biases that BatchNorm removes
    norms = 33 * 2 * 64
    assert count(SRResNet(SHAPE, scale=scale), LOW) == published - before_norms
    assert count(SRResNet(SHAPE, scale=scale, norm="none"), LOW) == published - norms


def test_parameters_of_the_discriminator_are_the_papers():
    assert count(SRDiscriminator(), jnp.zeros((1, *SHAPE))) == 23_563_649


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_pictures_of_any_size_become_larger(scale):
    network = SRResNet((8, 8, 3), width=4, blocks=1, scale=scale)
    assert (network.scale, network.multiple) == (scale, 1)
    for height, width in ((5, 7), (8, 6)):
        low = jnp.zeros((2, height, width, 3))
        init = functools.partial(network.init_with_output, train=False)
        made, _ = jax.eval_shape(init, KEY, low, None)
        assert made.shape == (2, scale * height, scale * width, 3)
        assert made.dtype == jnp.float32


def test_pixel_shuffle_places_channels_in_blocks():
    x = np.arange(2 * 2 * 3 * 8, dtype=np.float32).reshape(2, 2, 3, 8)
    found = np.asarray(pixel_shuffle(jnp.asarray(x), 2))
    assert found.shape == (2, 4, 6, 2)
    for i in range(4):
        for j in range(6):
            first = 2 * (2 * (i % 2) + j % 2)
            np.testing.assert_array_equal(found[:, i, j], x[:, i // 2, j // 2, first : first + 2])
    with pytest.raises(ValueError, match="pixel_shuffle by 2: 6 channels"):
        pixel_shuffle(jnp.zeros((1, 2, 2, 6)), 2)


def test_icnr_starts_as_nearest_upsampling():
    """Every pixel of a block is the same; between blocks they differ."""
    kernel = icnr(INITIALIZERS["glorot_uniform"], 2)(KEY, (3, 3, 5, 16))
    x = jax.random.normal(KEY, (1, 6, 6, 5))
    made = pixel_shuffle(
        jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), 2
    )
    blocks = np.asarray(made).reshape(6, 2, 6, 2, 4)
    np.testing.assert_allclose(blocks, np.broadcast_to(blocks[:, :1, :, :1], blocks.shape), atol=1e-6)
    assert np.std(blocks[:, 0, :, 0], axis=(0, 1)).min() > 0.1
    with pytest.raises(ValueError, match="icnr by 2: 6 channels"):
        icnr(INITIALIZERS["normal"], 2)(KEY, (3, 3, 5, 6))


def test_prelu_is_its_formula_and_learns_its_slope():
    x = jnp.array([[-2.0, -1.0, 0.0, 3.0]])
    params = {"params": {"slope": jnp.float32(0.25)}}
    apply: Any = PReLU().apply
    np.testing.assert_allclose(apply(params, x), np.array([[-0.5, -0.25, 0.0, 3.0]]))
    gradient = jax.grad(lambda p: apply(p, x).sum())(params)
    assert float(gradient["params"]["slope"]) == -3.0
    assert apply(params, x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("skip", "filter"), [("bicubic", Image.Resampling.BICUBIC), ("bilinear", Image.Resampling.BILINEAR)]
)
def test_with_a_skip_the_untrained_network_is_the_interpolation(skip, filter):
    network = SRResNet((24, 20, 1), width=4, blocks=1, scale=2, skip=skip)
    low = np.random.default_rng(0).uniform(-1, 1, (12, 10)).astype(np.float32)
    made, _ = network.init_with_output(KEY, jnp.asarray(low)[None, :, :, None], None, train=False)
    expected = np.asarray(Image.fromarray(low).resize((20, 24), filter))
    np.testing.assert_allclose(made[0, :, :, 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(scale=3), "scale=3 is not one of 2, 4, 8"),
        (dict(skip="lanczos"), "skip='lanczos' is not one of none, bilinear, bicubic"),
        (dict(blocks=0), "blocks=0"),
        (dict(width=2.5), r"width=2\.5"),
        (dict(norm="spectral"), "norm='spectral' is not one of"),
        (dict(initializer="he"), "initializer='he' is not one of"),
    ],
)
def test_impossible_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        count(SRResNet(SHAPE, **fields), LOW)


# The same networks in PyTorch, with random weights


def random_variables(module, x):
    shapes = jax.eval_shape(lambda: module.init(KEY, x, None, train=False))
    numbers = np.random.default_rng(0)

    def draw(path, leaf):
        if "var" in jax.tree_util.keystr(path):
            return numbers.uniform(0.5, 2, leaf.shape).astype(np.float32)
        deviation = 0.3 if leaf.ndim < 2 else np.sqrt(2 * leaf.shape[-1] / leaf.size)
        return (deviation * numbers.standard_normal(leaf.shape)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def torch_layers(torch, variables):
    """Functions of a layer's name that compute it with PyTorch's own operations, NCHW."""
    nn = torch.nn.functional
    params, stats = variables["params"], variables.get("batch_stats", {})

    def leaf(tree, *path):
        for part in path:
            tree = tree.get(part) if tree else None
        return None if tree is None else torch.from_numpy(np.asarray(tree))

    def conv(x, *name, stride=1, shuffle=0):
        kernel = leaf(params, *name, "kernel").permute(3, 2, 0, 1)
        bias = leaf(params, *name, "bias")
        if shuffle:  # PyTorch's order of the channels
            order = torch.arange(len(kernel)).reshape(shuffle**2, -1).T.reshape(-1)
            kernel, bias = kernel[order], bias[order]
        x = nn.conv2d(x, kernel, bias, stride, kernel.shape[-1] // 2)
        return nn.pixel_shuffle(x, shuffle) if shuffle else x

    def norm(x, *name):
        mean, var = (leaf(stats, *name, "norm", part) for part in ("mean", "var"))
        gain, bias = (leaf(params, *name, "norm", part) for part in ("scale", "bias"))
        return x if gain is None else nn.batch_norm(x, mean, var, gain, bias, eps=1e-5)

    def prelu(x, *name):
        return nn.prelu(x, leaf(params, *name, "slope").reshape(1))

    def dense(x, name):
        return x @ leaf(params, name, "kernel") + leaf(params, name, "bias")

    return conv, norm, prelu, dense


@pytest.mark.parametrize("norm_name", ["batch", "none"])
def test_pytorch_agrees_on_srresnet(norm_name):
    torch = pytest.importorskip("torch")
    network = SRResNet((32, 24, 3), width=6, blocks=2, norm=norm_name, norm_epsilon=1e-5)
    low = np.random.default_rng(1).uniform(-1, 1, (2, 8, 6, 3)).astype(np.float32)
    variables = random_variables(network, low)
    conv, norm, prelu, _ = torch_layers(torch, variables)
    x = first = prelu(conv(torch.from_numpy(low).permute(0, 3, 1, 2), "input"), "prelu_input")
    for block in ("block_0", "block_1"):
        y = prelu(norm(conv(x, block, "conv_0"), block, "norm_0"), block, "prelu")
        x = x + norm(conv(y, block, "conv_1"), block, "norm_1")
    x = first + norm(conv(x, "body"), "norm_body")
    for index in range(2):
        x = prelu(conv(x, f"up_{index}", shuffle=2), f"prelu_up_{index}")
    expected = conv(x, "output").permute(0, 2, 3, 1).numpy()
    found: Any = network.apply(variables, low, None, train=False)
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def test_pytorch_agrees_on_the_discriminator():
    torch = pytest.importorskip("torch")
    network = SRDiscriminator(width=4, norm_epsilon=1e-5)
    image = np.random.default_rng(1).uniform(-1, 1, (2, 32, 48, 3)).astype(np.float32)
    variables = random_variables(network, image)
    conv, norm, _, dense = torch_layers(torch, variables)
    x = torch.from_numpy(image).permute(0, 3, 1, 2)
    for index in range(8):
        x = norm(conv(x, f"conv_{index}", stride=1 + index % 2), f"norm_{index}")
        x = torch.nn.functional.leaky_relu(x, 0.2)
    x = torch.nn.functional.leaky_relu(dense(x.permute(0, 2, 3, 1).flatten(1), "hidden"), 0.2)
    expected = dense(x, "dense")[:, 0].numpy()
    found: Any = network.apply(variables, image, None, train=False)
    assert found.shape == (2,)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
