"""StyleGAN2's networks written anew in PyTorch, in float64: the same images, logits and gradients.

The PyTorch side has a kernel for each example (a grouped convolution) and filters as two-dimensional
convolutions of images with zeros in between, where ours has factors of channels, slices and sums.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.layers.modulated import Noise
from gan_jax.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from tests.models.test_models import random_variables

torch: Any = pytest.importorskip("torch", reason="PyTorch is compared with if present")
F: Any = torch.nn.functional

KEY = jax.random.key(0)
COUNT, CLASSES, SIZE = 3, 2, 5
SMALL: dict[str, Any] = dict(width_base=64, width_max=6, num_classes=CLASSES, condition="auto")
LABEL = np.array([0, 1, 1])
NUMBERS = np.random.default_rng(1)
LATENT = NUMBERS.standard_normal((COUNT, 4)).astype(np.float32)
IMAGE = NUMBERS.uniform(-1, 1, (COUNT, 8, 12, 3)).astype(np.float32)
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8


def leaky(x):
    return F.leaky_relu(x, 0.2) * 2**0.5


def dense(x, layer, rate=1.0):
    return x @ (layer["kernel"] * (rate / layer["kernel"].shape[0] ** 0.5)) + rate * layer["bias"]


def filtered(x, pad, gain=1.0):
    kernel = gain * torch.outer(TAPS, TAPS)[None, None].repeat(x.shape[1], 1, 1, 1)
    return F.conv2d(F.pad(x, pad * 2), kernel, groups=x.shape[1])


def mapped(parts, p, layers):
    """normalize_2nd_moment of each part, and the dense layers."""
    normalised = [x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt() for x in parts]
    x = torch.cat(normalised, 1)
    for index in range(layers):
        x = leaky(dense(x, p[f"layer_{index}"], rate=0.01))
    return x


def modulated(x, layer, w, up=False, demodulate=True):
    """modulated_conv2d, fused: conv2d_resample is the transposed convolution, then the filter."""
    scale, kernel = dense(w, layer["style"]), layer["conv"]["kernel"]  # [N, I], [O, I, k, k]
    if not demodulate:
        scale = scale / kernel[0].numel() ** 0.5
    count, size = len(x), kernel.shape[-1]
    own = kernel[None] * scale[:, None, :, None, None]
    if demodulate:
        own = own * (own.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    grouped = x.reshape(1, -1, *x.shape[2:])
    if up:
        turned = own.transpose(1, 2).reshape(-1, own.shape[1], size, size)
        y = F.conv_transpose2d(grouped, turned, stride=2, groups=count)
    else:
        y = F.conv2d(grouped, own.flatten(0, 1), padding=size // 2, groups=count)
    y = y.reshape(count, own.shape[1], *y.shape[2:])
    return filtered(y, (1, 1), gain=4.0) if up else y


def synthesis(p, ws, noise):
    """SynthesisNetwork with architecture "skip"; `noise` are maps by the layer's name."""

    def layer(x, name, w, up=False):
        x = modulated(x, p[name], w, up)
        return leaky(x + p[name]["noise"]["weight"] * noise[name] + p[name]["bias"][:, None, None])

    x = p["constant"].permute(2, 0, 1).repeat(len(ws), 1, 1, 1)
    image = None
    for number, height in enumerate((4, 8)):
        if number:
            x = layer(x, f"up_{height}", ws[:, 2 * number - 1], up=True)
        x = layer(x, f"conv_{height}", ws[:, 2 * number])
        last = p[f"to_image_{height}"]
        y = modulated(x, last, ws[:, 2 * number + 1], demodulate=False) + last["bias"][:, None, None]
        image = y if image is None else upsampled(image) + y
    return image


def upsampled(x):
    """upfirdn2d.upsample2d: a zero behind each pixel, padding 2 and 1, gain 4."""
    spread = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3], dtype=x.dtype)
    spread[:, :, ::2, ::2] = x
    return filtered(spread, (2, 1), gain=4.0)


def discriminator(p, x, code, residual):
    def conv(x, name, pad=None, **options):
        kernel = p[name]["kernel"]
        x = x if pad is None else filtered(x, pad)
        x = F.conv2d(x, kernel / kernel[0].numel() ** 0.5, **options)
        return x + p[name]["bias"][:, None, None] if "bias" in p[name] else x

    x = leaky(conv(x, "from_image"))
    y = leaky(conv(x, "conv_8", padding=1))
    y = leaky(conv(y, "down_8", pad=(2, 2), stride=2))
    x = (conv(x, "skip_8", pad=(1, 1), stride=2) + y) / 2**0.5 if residual else y
    # MinibatchStdLayer of one group.
    deviation = (x - x.mean(0)).square().mean(0).add(1e-8).sqrt().mean()
    x = torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)
    x = leaky(conv(x, "last_conv", padding=1)).permute(0, 2, 3, 1).flatten(1)
    x = dense(leaky(dense(x, p["hidden"])), p["dense"])
    return (x * code).sum(1) / code.shape[1] ** 0.5


def in_torch(params):
    """float64; kernels [h, w, i, o] -> [o, i, h, w]."""

    def convert(leaf):
        leaf = np.transpose(leaf, (3, 2, 0, 1)) if np.ndim(leaf) == 4 else leaf
        return torch.from_numpy(np.array(leaf, np.float64)).requires_grad_()

    return jax.tree.map(convert, params)


def gradients(params):
    """Back to our layout."""

    def convert(tensor):
        found = tensor.grad.numpy()
        return np.transpose(found, (2, 3, 1, 0)) if found.ndim == 4 else found

    return jax.tree.map(convert, params)


def assert_near(found, expected):
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True
    ):
        scale = 1e-4 * max(np.abs(b).max(), 1e-3)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=scale, err_msg=jax.tree_util.keystr(path))


def test_the_generator():
    network = StyleGAN2Generator((8, 12, 3), **SMALL, style_size=SIZE, embedding_size=3, mapping_layers=2)
    shapes = jax.eval_shape(lambda: network.init(KEY, LATENT, LABEL, False))
    params = random_variables({"params": shapes["params"]})["params"]
    maps = {}

    def spy(layer, arguments, keywords, context):
        out = layer(*arguments, **keywords)
        if isinstance(context.module, Noise) and context.method_name == "__call__":
            weight: Any = context.module.get_variable("params", "weight")
            maps[context.module.path[-2]] = (out - arguments[0])[:1, :, :, :1] / weight
        return out

    weights = NUMBERS.standard_normal((COUNT, 8, 12, 3)).astype(np.float32)

    @jax.jit
    def run(params):
        def loss(params):
            with nn.intercept_methods(spy):
                variables = {"params": params, "styles": {"mean": jnp.zeros(SIZE)}}
                image: Any = network.apply(variables, LATENT, LABEL, False)
            return jnp.sum(image * weights), (image, dict(maps))

        return jax.grad(loss, has_aux=True)(params)

    slope, (image, noise) = run(params)
    noise = {name: torch.from_numpy(np.float64(x)).permute(0, 3, 1, 2) for name, x in noise.items()}
    assert set(noise) == {"conv_4", "up_8", "conv_8"}
    p = in_torch(params)
    coded = dense(F.one_hot(torch.from_numpy(LABEL), CLASSES).double(), p["mapping_network"]["embedding"])
    w = mapped([torch.from_numpy(LATENT).double(), coded], p["mapping_network"], 2)
    expected = synthesis(p["synthesis_network"], w[:, None].repeat(1, 4, 1), noise)
    expected = expected.permute(0, 2, 3, 1)
    (expected * torch.from_numpy(weights)).sum().backward()
    assert_near(image, expected.detach().numpy())
    assert_near(slope, gradients(p))


@pytest.mark.parametrize("residual", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_discriminator(residual):
    network = StyleGAN2Discriminator(**SMALL, residual=residual, mapping_layers=2)
    shapes = jax.eval_shape(lambda: network.init(KEY, IMAGE, LABEL, False))
    params = random_variables(shapes)["params"]
    weights = np.array([1.0, -0.5, 2.0])

    @jax.jit
    def run(params, image):
        def loss(params, image):
            logits: Any = network.apply({"params": params}, image, LABEL, False)
            return jnp.sum(logits * weights), logits

        return jax.grad(loss, (0, 1), has_aux=True)(params, image)

    slope, logits = run(params, IMAGE)
    p = in_torch(params)
    image = torch.from_numpy(IMAGE).double().requires_grad_()
    coded = dense(F.one_hot(torch.from_numpy(LABEL), CLASSES).double(), p["mapping"]["embedding"])
    expected = discriminator(p, image.permute(0, 3, 1, 2), mapped([coded], p["mapping"], 2), residual)
    (expected * torch.from_numpy(weights)).sum().backward()
    assert_near(logits, expected.detach().numpy())
    assert_near(slope, (gradients(p), image.grad.numpy()))
