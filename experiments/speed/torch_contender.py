"""PyTorch: the same step in eager mode, with channels last, in bfloat16, compiled, and as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from experiments.speed.torch_networks import networks
from experiments.speed.works import Work


@dataclass(frozen=True)
class Variation:
    """How PyTorch is asked to run the step.

    Attributes:
        channels_last: the memory format of images and kernels.
        autocast: bfloat16 by `torch.autocast`.
        mode: of `torch.compile` for both losses; "" for eager.
        graph: the whole step, optimizers included, captured as one CUDA graph.
    """

    channels_last: bool = True
    autocast: bool = False
    mode: str = ""
    graph: bool = False


VARIATIONS = {
    "torch": Variation(channels_last=False),
    "torch-channels-last": Variation(),
    "torch-bf16": Variation(autocast=True),
    "torch-compile": Variation(mode="default"),
    "torch-compile-bf16": Variation(mode="default", autocast=True),
    "torch-reduce-overhead": Variation(mode="reduce-overhead"),
    "torch-max-autotune": Variation(mode="max-autotune"),
    "torch-graph": Variation(graph=True),
    "torch-compile-graph": Variation(mode="max-autotune-no-cudagraphs", graph=True),
    "torch-compile-graph-bf16": Variation(mode="max-autotune-no-cudagraphs", graph=True, autocast=True),
}


def discriminator_objective(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    if loss == "non_saturating":
        return softplus(-real).mean() + softplus(fake).mean()
    if loss == "hinge":
        return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()
    return fake.mean() - real.mean()


def generator_objective(loss: str, fake: Tensor) -> Tensor:
    return softplus(-fake).mean() if loss == "non_saturating" else -fake.mean()


class Torch:
    """A contender."""

    def __init__(self, work: Work, images: np.ndarray, variation: Variation) -> None:
        torch.manual_seed(0)
        torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as JAX and TensorFlow have it by default
        torch.backends.cudnn.benchmark = True
        self.work, self.variation = work, variation
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        pair = networks(work, variation.channels_last)
        self.generator, self.discriminator = (network.to(self.device).train() for network in pair)
        self.batches = self._place(images)
        # Both losses see one setting of `requires_grad` each, so that each is compiled once.
        wrap: Callable[[Any], Any] = (
            partial(torch.compile, mode=variation.mode) if variation.mode else lambda loss: loss
        )
        self.judged_loss = wrap(self._judged_loss)
        self.generator_loss = wrap(self._generator_loss)
        self.fakes = wrap(self._fakes)
        options: dict[str, Any] = dict(lr=work.learning_rate, betas=(work.b1, work.b2), fused=True)
        if variation.graph:
            options["capturable"] = True
        self.generator_tx = torch.optim.Adam(self.generator.parameters(), **options)
        self.discriminator_tx = torch.optim.Adam(self.discriminator.parameters(), **options)
        self.done = 0
        self.replay = self._captured() if variation.graph else None

    def _place(self, images: np.ndarray) -> list[list[Tensor]]:
        layout = torch.channels_last if self.variation.channels_last else torch.contiguous_format

        def one(image: np.ndarray) -> Tensor:
            x = torch.from_numpy(image).to(self.device).permute(0, 3, 1, 2)
            return x.contiguous(memory_format=layout)

        return [[one(image) for image in step] for step in images]

    def _precision(self) -> AbstractContextManager:
        on = self.variation.autocast
        return torch.autocast(self.device.type, torch.bfloat16) if on else nullcontext()

    def _noise(self, count: int) -> Tensor:
        return torch.randn(count, self.work.latent_size, device=self.device)

    def _fakes(self, latent: Tensor) -> Tensor:
        with torch.no_grad(), self._precision():
            return self.generator(latent).float()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """The loss with its penalty, which is eager: torch.compile has no second derivatives."""
        loss = self.judged_loss(real, fake)
        return loss + self.work.penalty * self._penalty(real, fake) if self.work.penalty else loss

    def _judged_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        with self._precision():
            logits = self.discriminator(real).float(), self.discriminator(fake).float()
        return discriminator_objective(self.work.loss, *logits)

    def _penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Gulrajani et al. 2017, arXiv:1704.00028, equation 3."""
        share = torch.rand(real.shape[0], 1, 1, 1, device=self.device)
        return self.penalty_at(share * real + (1 - share) * fake)

    def penalty_at(self, x: Tensor) -> Tensor:
        """Of the points x alone."""
        x = x.requires_grad_()
        with self._precision():
            logits = self.discriminator(x)
        slope = torch.autograd.grad(logits.float().sum(), x, create_graph=True)[0]
        return ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()

    def _generator_loss(self, latent: Tensor) -> Tensor:
        with self._precision():
            logits = self.discriminator(self.generator(latent))
        return generator_objective(self.work.loss, logits.float())

    def step(self, batches: list[Tensor]) -> None:
        """One train step."""
        if self.variation.mode in ("reduce-overhead", "max-autotune"):
            torch.compiler.cudagraph_mark_step_begin()  # what the last step's graphs wrote is used up
        for real in batches:
            self.discriminator_tx.zero_grad(set_to_none=True)
            fake = self.fakes(self._noise(len(real)))
            self.discriminator_loss(real, fake).backward()
            self.discriminator_tx.step()
        self.discriminator.requires_grad_(False)
        self.generator_tx.zero_grad(set_to_none=True)
        self.generator_loss(self._noise(len(batches[0]))).backward()
        self.generator_tx.step()
        self.discriminator.requires_grad_(True)

    def _captured(self) -> Callable[[list[Tensor]], None]:
        """The whole step as one CUDA graph: as docs.pytorch.org's notes on CUDA have it."""
        inputs = [x.clone() for x in self.batches[0]]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(5):
                self.step(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(inputs)

        def replay(batches: list[Tensor]) -> None:
            for there, new in zip(inputs, batches, strict=True):
                there.copy_(new)
            graph.replay()

        return replay

    def steps(self, count: int) -> None:
        """Trains so many steps, and returns when they are done."""
        run = self.replay or self.step
        for _ in range(count):
            run(self.batches[self.done % len(self.batches)])
            self.done += 1
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def parameters(self) -> dict[str, int]:
        """How many each player has."""

        def count(network: nn.Module) -> int:
            return sum(x.numel() for x in network.parameters())

        return {"generator": count(self.generator), "discriminator": count(self.discriminator)}

    def device_bytes(self) -> int | None:
        """The device's own count of the most memory in use."""
        return torch.cuda.max_memory_allocated() if self.device.type == "cuda" else None


def make(variation: str, work: Work, images: np.ndarray) -> Any:
    """The contender of that name."""
    return Torch(work, images, VARIATIONS[variation])
