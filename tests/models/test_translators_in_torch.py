"""The U-Net, PatchGANs and the residual translator written anew in PyTorch: the same outputs and gradients.

The PyTorch sides follow the official code's modules; weights are ours, permuted.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.patchgan import PatchGANDiscriminator
from gan_jax.models.resnet_translator import ResNetTranslator
from gan_jax.models.unet import UNetGenerator
from tests.models.test_models import random_variables, shapes

torch: Any = pytest.importorskip("torch", reason="PyTorch is compared with if present")
F: Any = torch.nn.functional


def unet(x, p, downs):
    """UnetSkipConnectionBlock, with the Lua code's order of channels: what comes from below is first."""

    def block(x, index):
        outermost, innermost = index == 0, index == downs - 1
        down = conv(x if outermost else F.leaky_relu(x, 0.2), p[f"down_{index}"], stride=2, padding=1)
        if not (outermost or innermost):
            down = norm(down, p[f"down_norm_{index}"])
        up = F.relu(down if innermost else block(down, index + 1))
        layer = p[f"up_{index}"]["transpose"]
        up = F.conv_transpose2d(up, layer["kernel"], layer.get("bias"), stride=2, padding=1)
        return torch.tanh(up) if outermost else torch.cat([norm(up, p[f"up_norm_{index}"]), x], 1)

    return block(x, 0)


def patchgan(x, p, layers):
    """NLayerDiscriminator."""
    x = F.leaky_relu(conv(x, p["conv_0"], stride=2, padding=1), 0.2)
    for index in range(1, layers + 1):
        x = conv(x, p[f"conv_{index}"], stride=2 if index < layers else 1, padding=1)
        x = F.leaky_relu(norm(x, p[f"norm_{index}"]), 0.2)
    return conv(x, p["output"], padding=1)[:, 0]


def translator(x, p, blocks):
    """ResnetGenerator."""
    reflected = lambda x, pad: F.pad(x, (pad, pad, pad, pad), mode="reflect")
    x = F.relu(norm(conv(reflected(x, 3), p["input"]), p["input_norm"]))
    for index in range(2):
        x = F.relu(norm(conv(x, p[f"down_{index}"], stride=2, padding=1), p[f"down_norm_{index}"]))
    for index in range(blocks):
        name = f"block_{index}"
        y = F.relu(norm(conv(reflected(x, 1), p[f"{name}_conv_0"]), p[f"{name}_norm_0"]))
        x = x + norm(conv(reflected(y, 1), p[f"{name}_conv_1"]), p[f"{name}_norm_1"])
    for index in range(2):
        kernel = p[f"up_{index}"]["kernel"]
        x = F.conv_transpose2d(x, kernel, stride=2, padding=1, output_padding=1)
        x = F.relu(norm(x, p[f"up_norm_{index}"]))
    return torch.tanh(conv(reflected(x, 3), p["output"]))


def conv(x, layer, **options):
    return F.conv2d(x, layer["kernel"], layer.get("bias"), **options)


def norm(x, layer):
    return F.instance_norm(x, weight=layer["norm"]["scale"], bias=layer["norm"]["bias"], eps=1e-5)


def in_torch(leaf):
    """Kernels [h, w, i, o] -> [o, i, h, w]; of transposed ones [h, w, o, i] -> [i, o, h, w], the same."""
    leaf = np.transpose(leaf, (3, 2, 0, 1)) if leaf.ndim == 4 else leaf
    return torch.from_numpy(np.array(leaf, np.float64)).requires_grad_()


def back(tensor):
    gradient = tensor.grad.numpy()
    return np.transpose(gradient, (2, 3, 1, 0)) if gradient.ndim == 4 else gradient


SHAPE = (16, 24, 3)
NETWORKS: dict[str, tuple[Any, Any, int]] = {  # ours, PyTorch's, channels of the input
    "unet": (UNetGenerator(SHAPE, width=3, downs=3, dropout=0.0), functools.partial(unet, downs=3), 2),
    "patchgan 34": (PatchGANDiscriminator(width=3, layers=2), functools.partial(patchgan, layers=2), 6),
    "patchgan 70": (PatchGANDiscriminator(width=3, layers=3), functools.partial(patchgan, layers=3), 6),
    "translator": (ResNetTranslator(SHAPE, width=3, blocks=2), functools.partial(translator, blocks=2), 3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_pytorchs(name):
    network, other, channels = NETWORKS[name]
    numbers = np.random.default_rng(0)
    size = (24, 32) if name.startswith("patchgan") else SHAPE[:2]
    x = numbers.uniform(-1, 1, (2, *size, channels)).astype(np.float32)
    params = random_variables(shapes(network, x))["params"]
    made = jax.eval_shape(lambda p: network.apply({"params": p}, x, None, train=True), params)
    target = numbers.uniform(-1, 1, made.shape).astype(np.float32)

    @jax.jit
    def step(params, x):
        def loss(params, x):
            y = network.apply({"params": params}, x, None, train=True)
            return jnp.mean((y - target) ** 2), y

        grads, y = jax.grad(loss, (0, 1), has_aux=True)(params, x)
        return y, grads

    y, grads = step(params, x)
    there = jax.tree.map(in_torch, params)
    picture = torch.from_numpy(np.float64(np.transpose(x, (0, 3, 1, 2)))).requires_grad_()
    expected = other(picture, there)
    expected = expected.permute(0, 2, 3, 1) if expected.ndim == 4 else expected
    ((expected - torch.from_numpy(np.float64(target))) ** 2).mean().backward()
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-4, atol=1e-4)
    gradients: Any = {
        **jax.tree.map(back, there),
        "picture": np.transpose(picture.grad.numpy(), (0, 2, 3, 1)),
    }
    found: Any = {**grads[0], "picture": grads[1]}
    assert found.keys() == gradients.keys()
    for path, a in jax.tree_util.tree_leaves_with_path(found):
        b = np.asarray(functools.reduce(lambda tree, key: tree[key.key], list[Any](path), gradients))
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max(), err_msg=str(path))
