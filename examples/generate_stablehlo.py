"""Pictures from a generator that gan-jax exported, with JAX alone, on a CPU, GPU or TPU.

python examples/generate_stablehlo.py model pictures.png
"""

import json
import sys
from pathlib import Path

import numpy as np
from jax import export
from PIL import Image


def generate(folder: Path, *inputs: np.ndarray) -> np.ndarray:
    """Pictures [b, h, w, c] in [-1, 1] of the inputs that model.json lists: latents, labels."""
    return np.asarray(export.deserialize(bytearray((folder / "model.stablehlo").read_bytes())).call(*inputs))


if __name__ == "__main__":
    about = json.loads((Path(sys.argv[1]) / "model.json").read_text())
    inputs = [np.random.default_rng(0).normal(size=(64, about["inputs"][0]["shape"][1])).astype(np.float32)]
    if len(about["inputs"]) > 1:  # classes in turn
        inputs.append((np.arange(64) % (about["inputs"][1]["range"][1] + 1)).astype(np.int32))
    pictures = generate(Path(sys.argv[1]), *inputs)
    rows = pictures.reshape(8, 8, *pictures.shape[1:]).swapaxes(1, 2)
    grid = rows.reshape(rows.shape[0] * rows.shape[1], -1, pictures.shape[3])
    grid = np.rint(np.clip((grid + 1) * 127.5, 0, 255)).astype(np.uint8)
    Image.fromarray(grid.squeeze(-1) if grid.shape[2] == 1 else grid).save(sys.argv[2])
