"""A run's networks as an ONNX file, by jax2onnx, which is optional.

Not everything that XLA runs can be said so. What was made is therefore run once, beside the function it was
made of, before anybody gets it.
"""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

import jax
import numpy as np

from gan_jax.inference.export import ExportedFunction, least_side
from gan_jax.models.layers import conv
from gan_jax.utils.errors import UserError

NEEDED = ("jax2onnx", "onnxruntime")
_CLOSE = 1e-4  # of pictures in [-1, 1]: other sums of float32 stay far below it
_EXAMPLES = 3


def check_installed() -> None:
    """Raises a UserError unless there is what makes an ONNX file and runs it."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        raise UserError(
            f"an ONNX file needs {' and '.join(absent)}, which docs/export.md says how to install; or leave "
            "onnx out of the formats"
        )


def onnx_file(exported: ExportedFunction) -> bytes:
    """The content of an ONNX file of a function, for any number of examples.

    Raises:
        UserError: jax2onnx is not installed, it cannot translate the function, or what it made of it gives
            other numbers.
    """
    check_installed()
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # it tells of every example of its own that lacks a package
    try:
        import jax2onnx
        import onnxruntime

        with conv.plain():
            model: Any = jax2onnx.to_onnx(
                exported.function,
                exported.shapes(),
                model_name="gan_jax",
                input_names=[value.name for value in exported.inputs],
                output_names=[exported.output.name],
            )
        content: bytes = model.SerializeToString()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        inputs = _some(exported)
        (found,) = session.run(None, dict(zip([v.name for v in exported.inputs], inputs, strict=True)))
    except Exception as error:  # jax2onnx and onnxruntime raise many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"this network cannot be said in ONNX by jax2onnx: {reason[:300]}; leave onnx out of the formats"
        ) from error
    finally:
        logging.disable(level)
    expected = np.asarray(jax.jit(exported.function)(*inputs))
    if found.shape != expected.shape or not np.allclose(found, expected, atol=_CLOSE, rtol=0):
        raise UserError(
            "what jax2onnx made of this network gives other pictures than it should, and was thrown away: "
            "leave onnx out of the formats"
        )
    return content


def _some(exported: ExportedFunction) -> list[np.ndarray]:
    """Inputs to try a program with."""
    numbers, made = np.random.default_rng(0), []
    for value in exported.inputs:
        shape = [n if isinstance(n, int) else _EXAMPLES if n == "b" else least_side(n) for n in value.shape]
        drawn = numbers.uniform(-1, 1, shape) if value.dtype == "float32" else np.zeros(shape)
        made.append(drawn.astype(value.dtype))
    return made
