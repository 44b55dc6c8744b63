"""Whether the program that is traced is for devices on which each kernel costs a launch.

A small GAN's step on a GPU is a hundred kernels of a few microseconds, each of which waits for its launch.
What is arranged for fewer of them asks here, while it is traced: a CPU would gain nothing by it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_PLATFORM: ContextVar[str] = ContextVar("for what is traced", default="cpu")


@contextlib.contextmanager
def on(platform: str) -> Iterator[None]:
    """While it is open a program for devices of this platform is traced: "cpu", "gpu" or "tpu"."""
    token = _PLATFORM.set(platform)
    try:
        yield
    finally:
        _PLATFORM.reset(token)


def are_costly(*platforms: str) -> bool:
    """Whether fewer kernels are worth more work: on accelerators, or on those of them that are named."""
    return _PLATFORM.get() in (platforms or ("gpu", "tpu"))
