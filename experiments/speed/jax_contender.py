"""Ours, and the same networks in plain JAX."""

from __future__ import annotations

import contextlib
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax import lax

from experiments.speed.works import Work
from gan_jax.algorithms import gan
from gan_jax.algorithms.gan import GAN
from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.data.spec import DataSpec, Field
from gan_jax.distributed import parallel
from gan_jax.models.layers import conv, layers, resample
from gan_jax.utils import compilation_cache

LAYOUT = ("NHWC", "HWIO", "NHWC")
CONFIGS = Path(__file__).parents[2] / "configs"


def config_of(work: Work, batch_size: int, precision: str = "float32") -> ml_collections.ConfigDict:
    """The shipped config with the work's fields; without an average of the weights, which no peer keeps."""
    config = runpy.run_path(str(CONFIGS / f"{work.config}.py"))["get_config"]()
    config.batch_size = batch_size
    config.steps_per_call = work.steps_per_call
    config.ema = dict(name="none")
    config.execution.precision = precision
    config.algorithm.update(
        latent_size=work.latent_size, latent="normal", discriminator_steps=work.critic_steps
    )
    config.loss = dict(name=work.loss)
    config.penalties = dict(wgan_gp=dict(weight=work.penalty)) if work.penalty else {}
    dcgan = work.family == "dcgan"
    config.generator.update(widths=work.generator_widths, momentum=work.momentum)
    config.generator.update(dict(activation=work.activation, norm_first=work.norm_first) if dcgan else {})
    config.discriminator.update(widths=work.discriminator_widths, spectral_norm=work.spectral_norm)
    config.discriminator.update(dict(norm=work.discriminator_norm, dropout=work.dropout) if dcgan else {})
    if dcgan:
        config.generator.norm_epsilon = config.discriminator.norm_epsilon = work.norm_epsilon
    for player in ("generator_optimizer", "discriminator_optimizer"):
        config[player].update(learning_rate=work.learning_rate, b1=work.b1, b2=work.b2)
    return config


def algorithm_of(work: Work, batch_size: int, precision: str = "float32") -> GAN:
    """What `gan-jax train` trains with that config."""
    algorithm = build_algorithm(
        config_of(work, batch_size, precision), DataSpec({"image": Field(work.image_shape)}, None)
    )
    assert isinstance(algorithm, GAN)
    return algorithm


def plain_convolve(x: jax.Array, w: jax.Array, g: Any) -> jax.Array:
    """As `nn.Conv` has it."""
    return lax.conv_general_dilated(x, w, g.stride, g.padding, dimension_numbers=LAYOUT)


def plain_convolve_transpose(y: jax.Array, w: jax.Array, g: Any) -> jax.Array:
    """As `nn.ConvTranspose(transpose_kernel=True)` has it; for outputs of `stride` times the input."""
    pads = [
        (k - 1 - low, n + k - 1 - ((m - 1) * s + 1) - (k - 1 - low))
        for n, m, k, s, (low, _) in zip(g.large, g.small, g.kernel, g.stride, g.padding, strict=True)
    ]
    return lax.conv_transpose(y, w, g.stride, pads, dimension_numbers=LAYOUT, transpose_kernel=True)


def plain_convolve_doubled(x: jax.Array, w: jax.Array, size: tuple[int, int]) -> jax.Array:
    """One after the other, as anybody writes it; and so the next."""
    return resample.same(resample.nearest(x, size), w)


def plain_convolve_halved(x: jax.Array, w: jax.Array) -> jax.Array:
    return resample.average_pool(resample.same(x, w))


def as_two_batches(**networks: Any) -> list[str]:
    """In the place of what keeps the discriminator's two batches apart."""
    return ["reals and fakes are judged one after the other"]


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """While it is open, networks and losses are traced without this package's own forms."""
    with (
        mock.patch.object(conv, "convolve", plain_convolve),
        mock.patch.object(conv, "convolve_transpose", plain_convolve_transpose),
        mock.patch.object(layers, "convolve_doubled", plain_convolve_doubled),
        mock.patch.object(layers, "convolve_halved", plain_convolve_halved),
        mock.patch.object(gan, "network_obstacles", as_two_batches),
    ):
        yield


class Ours:
    """The production path: `compile_step` of `gan_jax.distributed.parallel`, as the loop calls it."""

    def __init__(self, work: Work, images: np.ndarray, precision: str = "float32") -> None:
        self.algorithm = algorithm_of(work, images.shape[2], precision)
        mesh = parallel.make_mesh()
        batch = example_batch(DataSpec({"image": Field(work.image_shape)}, None), images.shape[2])
        self.items = parallel.place({"image": images}, parallel.split_on(mesh, 2))
        self.state = parallel.initial_state(self.algorithm, jax.random.key(0), batch, mesh)
        self.call = parallel.compile_step(self.algorithm, lambda _, item, key: item, mesh, len(images))
        self.most = len(images)

    def steps(self, count: int) -> None:
        """Trains so many steps, and returns when they are done."""
        while count > 0:
            now = min(count, self.most)
            self.state, _ = self.call(self.state, {}, self.items, jnp.int32(now))
            count -= now
        jax.block_until_ready(self.state)

    def parameters(self) -> dict[str, int]:
        """How many each player has."""
        return {
            role: sum(x.size for x in jax.tree.leaves(getattr(self.state, role).params))
            for role in ("generator", "discriminator")
        }

    def device_bytes(self) -> int | None:
        """The device's own count of the most memory in use."""
        stats = jax.local_devices()[0].memory_stats() or {}
        return stats.get("peak_bytes_in_use")


class Plain(Ours):
    """The convolutions as `lax` and autodiff have them, two batches, and a compiled call for each step."""

    def __init__(self, work: Work, images: np.ndarray) -> None:
        super().__init__(work, images)
        self.step = jax.jit(self.algorithm.step, donate_argnums=0)
        self.batches = [{"image": self.items["image"][index]} for index in range(len(images))]
        self.done = 0

    def steps(self, count: int) -> None:
        """Trains so many steps, and returns when they are done."""
        with plainly():
            for _ in range(count):
                self.state, _ = self.step(self.state, self.batches[self.done % len(self.batches)])
                self.done += 1
        jax.block_until_ready(self.state)


def make(variation: str, work: Work, images: np.ndarray) -> Any:
    """The contender of that name; ours keeps compiled programs, as `gan-jax` does."""
    if variation != "plain-jax":
        compilation_cache.enable()
    made: dict[str, Callable[[], Any]] = {
        "ours": lambda: Ours(work, images),
        "ours-bf16": lambda: Ours(work, images, "bfloat16"),
        "plain-jax": lambda: Plain(work, images),
    }
    return made[variation]()
