"""VGG19's convolutions with weights that the user has: the features of SRGAN's content loss.

Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition",
arXiv:1409.1556, table 1, column E. The weights are not part of this library, and are never downloaded by it:
torchvision publishes them as vgg19-dcbb9e9d.pth (548 MB). Of the file only the convolutions are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.feature_networks.pth import read_pth
from gan_jax.models.layers import conv
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded
from gan_jax.utils.tree import PyTree

Array = jax.Array

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
WIDTHS = (64, 128, 256, 512, 512)  # of the stages, between which the resolution is halved
DEPTHS = (2, 2, 4, 4, 4)
# torchvision's preprocessing of pictures in [0, 1]
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

CONVOLUTIONS = tuple(
    f"{stage}_{index}" for stage, depth in enumerate(DEPTHS, 1) for index in range(1, depth + 1)
)
# Before and after the rectifier, named as in Caffe: relu5_4 is the paper's phi(5,4).
LAYERS = tuple(f"{kind}{name}" for name in CONVOLUTIONS for kind in ("conv", "relu"))


def vgg19_maps(params: PyTree, image: Array, layers: tuple[str, ...]) -> list[Array]:
    """Activations [B, h, w, c] of these layers, in their order.

    Args:
        params: as `read_vgg19` returns them.
        image: [B, H, W, 3] in [-1, 1]. One channel is repeated.
        layers: names in `LAYERS`; what comes after the last of them is not computed.

    Raises:
        ValueError: an unknown layer, other channels, or pictures too small for the layer.
    """
    unknown = [name for name in layers if name not in LAYERS]
    if unknown or not layers:
        raise ValueError(f"layers={layers!r}: choose some of {', '.join(LAYERS)}")
    if image.shape[3] not in (1, 3):
        raise ValueError(f"VGG19 takes pictures of 1 or 3 channels, not of {image.shape[3]}")
    x = ((image + 1.0) / 2.0 - MEAN) / DEVIATION
    found: dict[str, Array] = {}
    last = max(LAYERS.index(name) for name in layers)
    for name in CONVOLUTIONS[: last // 2 + 1]:
        if name != "1_1" and name.endswith("_1"):
            x = _halved(x)
        geometry = conv.geometry((x.shape[1], x.shape[2]), (3, 3), (1, 1), "SAME")
        layer = params[f"conv{name}"]
        x = found[f"conv{name}"] = conv.convolve(x, layer["kernel"], geometry) + layer["bias"]
        x = found[f"relu{name}"] = jax.nn.relu(x)
    if not x.size:
        least = 2 ** (int(CONVOLUTIONS[last // 2][0]) - 1)
        raise ValueError(
            f"VGG19 has no {LAYERS[last]} of {image.shape[1]}x{image.shape[2]} pictures: they must be at "
            f"least {least} pixels a side"
        )
    return [found[name] for name in layers]


def _halved(x: Array) -> Array:
    """Maxima of 2x2 pixels; an odd row or column at the end is left out."""
    count, height, width, channels = x.shape
    blocks = x[:, : height // 2 * 2, : width // 2 * 2].reshape(count, height // 2, 2, width // 2, 2, channels)
    return jnp.max(blocks, axis=(2, 4))


def read_vgg19(path: str | Path, option: str) -> dict[str, dict[str, np.ndarray]]:
    """The convolutions in a state dict with torchvision's names, as kernels [3, 3, in, out] and biases.

    Args:
        path: a .pth file, or an .npz of the same names.
        option: the field that names it, for messages.

    Raises:
        UserError: no file, or it is damaged, or holds something else.
    """
    where = f"VGG19's weights are looked for in {option}"
    get = f"get torchvision's vgg19-dcbb9e9d.pth from {URL}, and name the file there"
    if not str(path):
        raise UserError(f"{where}, which is empty: {get}")
    file = expanded(path)
    if not file.is_file():
        raise UserError(f"{where}, and there is no file {path}: {get}")
    state = read_pth(file)
    inputs, params, number = 3, {}, 0
    for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True), 1):
        for index in range(1, depth + 1):
            weight = _entry(state, f"features.{number}.weight", (width, inputs, 3, 3), path)
            bias = _entry(state, f"features.{number}.bias", (width,), path)
            kernel = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
            params[f"conv{stage}_{index}"] = {"kernel": kernel, "bias": np.ascontiguousarray(bias)}
            inputs, number = width, number + 2
        number += 1  # the pooling
    return params


def _entry(
    state: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], path: str | Path
) -> np.ndarray:
    """A tensor of this shape as float32."""
    if name not in state or state[name].shape != shape:
        found = f"has the shape {state[name].shape}" if name in state else "is absent"
        raise UserError(
            f"{path} is no VGG19 of torchvision: {name}, {shape} there, {found}; get it from {URL}"
        )
    return state[name].astype(np.float32)
