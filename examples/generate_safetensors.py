"""Pictures from the weights of the MLP GAN of configs/gan_shapes.py, with NumPy alone.

Every framework reads safetensors; here a few lines do (`safetensors.numpy.load_file` is the same).

    python examples/generate_safetensors.py model pictures.png
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a file of float32, and its metadata: {"config": ..., ...} as JSON texts."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata, arrays = header.pop("__metadata__"), {}
    for name, about in header.items():
        first, last = (start + offset for offset in about["data_offsets"])
        arrays[name] = np.frombuffer(content[first:last], np.float32).reshape(about["shape"])
    return arrays, metadata


def generate(folder: Path, latent: np.ndarray, *label: np.ndarray) -> np.ndarray:
    """Pictures [b, h * w * c] in [-1, 1]: dense layers, each with its activation and its BatchNorm."""
    arrays, metadata = load(folder / "model.safetensors")
    slope = {"relu": 0.0, "leaky_relu": 0.2}[json.loads(metadata["config"])["generator"]["activation"]]
    x, layer = latent, 0
    if label:  # a learned vector of the class stands behind the latent
        x = np.concatenate([latent, arrays["params.label.embedding.embedding"][label[0]]], axis=1)
    while f"params.dense_{layer}.kernel" in arrays:
        x = x @ arrays[f"params.dense_{layer}.kernel"] + arrays[f"params.dense_{layer}.bias"]
        x = np.where(x > 0, x, slope * x)
        mean, var = (arrays[f"stats.batch_stats.norm_{layer}.norm.{name}"] for name in ("mean", "var"))
        gain, bias = (arrays[f"params.norm_{layer}.norm.{name}"] for name in ("scale", "bias"))
        x, layer = (x - mean) / np.sqrt(var + 1e-3) * gain + bias, layer + 1
    return np.tanh(x @ arrays["params.output.kernel"] + arrays["params.output.bias"])


if __name__ == "__main__":
    latent = np.random.default_rng(0).normal(size=(8, 100)).astype(np.float32)
    pictures = generate(Path(sys.argv[1]), latent, np.arange(8)).reshape(8, 28, 28)  # one of each class
    Image.fromarray(np.rint((np.hstack(pictures) + 1) * 127.5).astype(np.uint8)).save(sys.argv[2])
