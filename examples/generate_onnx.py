"""Pictures from a generator that gan-jax exported, with ONNX Runtime: no JAX.

gan-jax export --workdir runs/shapes --out model --formats onnx
python examples/generate_onnx.py model pictures.png
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def generate(folder: Path, *inputs: np.ndarray) -> np.ndarray:
    """Pictures [b, h, w, c] in [-1, 1] of the inputs that model.json lists: latents, labels."""
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))[0]


if __name__ == "__main__":
    model = onnxruntime.InferenceSession(Path(sys.argv[1]) / "model.onnx", providers=["CPUExecutionProvider"])
    inputs = [np.random.default_rng(0).normal(size=(8, model.get_inputs()[0].shape[1])).astype(np.float32)]
    inputs += [np.arange(8, dtype=np.int32) for _ in model.get_inputs()[1:]]  # a picture of each of 8 classes
    pictures = np.concatenate(generate(Path(sys.argv[1]), *inputs), axis=1)
    pictures = np.rint(np.clip((pictures + 1) * 127.5, 0, 255)).astype(np.uint8)
    Image.fromarray(pictures.squeeze(-1) if pictures.shape[2] == 1 else pictures).save(sys.argv[2])
