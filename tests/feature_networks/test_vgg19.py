"""VGG19 from a file: against PyTorch with random weights, and what a wrong file is told."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.feature_networks.vgg19 import CONVOLUTIONS, DEPTHS, LAYERS, WIDTHS, read_vgg19, vgg19_maps
from gan_jax.utils.errors import UserError


def random_state():
    """A state dict of torchvision's VGG19 without its dense layers, which nobody reads."""
    numbers = np.random.default_rng(0)
    state, inputs, number = {}, 3, 0
    for width, depth in zip(WIDTHS, DEPTHS, strict=True):
        for _ in range(depth):
            kernel = numbers.standard_normal((width, inputs, 3, 3), np.float32)
            state[f"features.{number}.weight"] = kernel * np.float32(np.sqrt(2 / (9 * inputs)))
            state[f"features.{number}.bias"] = 0.1 * numbers.standard_normal(width, np.float32)
            inputs, number = width, number + 2
        number += 1
    return state


def shapes_of_params():
    """Those of `read_vgg19`'s weights."""
    widths = [width for width, depth in zip(WIDTHS, DEPTHS, strict=True) for _ in range(depth)]
    shape = lambda *sizes: jax.ShapeDtypeStruct(sizes, jnp.float32)
    return {
        f"conv{name}": {"kernel": shape(3, 3, inputs, width), "bias": shape(width)}
        for name, inputs, width in zip(CONVOLUTIONS, [3, *widths], widths, strict=False)
    }


def test_the_layers_are_the_papers():
    assert len(CONVOLUTIONS) == 16
    assert LAYERS[0] == "conv1_1"
    assert LAYERS[-1] == "relu5_4"
    assert {"conv1_2", "relu2_2", "conv3_4", "relu4_4"} <= set(LAYERS)


def test_pytorch_agrees_on_every_layer(tmp_path):
    torch = pytest.importorskip("torch")
    state = {name: torch.from_numpy(value) for name, value in random_state().items()}
    torch.save(state, tmp_path / "vgg19.pth")
    params = read_vgg19(tmp_path / "vgg19.pth", "weights")
    image = np.random.default_rng(1).uniform(-1, 1, (1, 36, 33, 3)).astype(np.float32)

    x = (torch.from_numpy(image).permute(0, 3, 1, 2) + 1) / 2
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (x - mean[:, None, None]) / deviation[:, None, None]
    expected, number = [], 0
    for depth in DEPTHS:
        for _ in range(depth):
            weight, bias = state[f"features.{number}.weight"], state[f"features.{number}.bias"]
            x = torch.nn.functional.conv2d(x, weight, bias, padding=1)
            expected += [x, x.relu()]
            x, number = x.relu(), number + 2
        x, number = torch.nn.functional.max_pool2d(x, 2), number + 1
    found = jax.jit(vgg19_maps, static_argnums=2)(params, image, LAYERS)
    for name, a, b in zip(LAYERS, found, expected, strict=True):
        b = b.permute(0, 2, 3, 1).numpy()
        assert a.shape == b.shape, name
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max(), err_msg=name)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(
        UserError, match=r"contents\.features\.weights, which is empty: get torchvision's vgg19"
    ):
        read_vgg19("", "contents.features.weights")
    with pytest.raises(UserError, match=r"looked for in weights, and there is no file .*none.pth: get"):
        read_vgg19(tmp_path / "none.pth", "weights")
    first: dict[str, Any] = {"features.0.weight": np.zeros((64, 3, 3, 3), np.float32)}
    np.savez(tmp_path / "other.npz", **first)
    with pytest.raises(
        UserError, match=r"no VGG19 of torchvision: features\.0\.bias, \(64,\) there, is absent"
    ):
        read_vgg19(tmp_path / "other.npz", "weights")
    first["features.0.weight"] = first["features.0.weight"][:32]
    np.savez(tmp_path / "narrow.npz", **first)
    with pytest.raises(UserError, match=r"has the shape \(32, 3, 3, 3\)"):
        read_vgg19(tmp_path / "narrow.npz", "weights")


@pytest.mark.parametrize(
    ("layers", "channels", "message"),
    [
        (("relu6_1",), 3, "choose some of conv1_1"),
        ((), 3, "layers="),
        (("relu1_1",), 2, "1 or 3 channels"),
        (("relu5_4", "relu1_1"), 3, "no relu5_4 of 8x8 pictures: they must be at least 16 pixels"),
    ],
)
def test_impossible_requests_are_refused(layers, channels, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(
            lambda params, x: vgg19_maps(params, x, layers),
            shapes_of_params(),
            jnp.zeros((1, 8, 8, channels)),
        )
