"""The networks of a work in PyTorch, as one writes them there: NCHW, symmetric padding.

With an odd total of padding TensorFlow and this package pad more at the far end, PyTorch's usual `padding=2`
more at the near end: a network here is ours seen in a mirror (images and kernels flipped in both directions),
at the same cost.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from experiments.speed.works import Work


def batch_norm(channels: int, momentum: float, epsilon: float = 1e-3) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=epsilon, momentum=1 - momentum)


class Reshape(nn.Module):
    """[B, h * w * C] -> [B, C, h, w]; laid out as channels_last without a copy where that is asked for."""

    def __init__(self, channels: int, size: tuple[int, int], channels_last: bool) -> None:
        super().__init__()
        self.channels, self.size, self.channels_last = channels, size, channels_last

    def forward(self, x: Tensor) -> Tensor:
        if self.channels_last:
            return x.view(-1, *self.size, self.channels).permute(0, 3, 1, 2)
        return x.view(-1, self.channels, *self.size)


def dcgan_generator(work: Work, channels_last: bool) -> nn.Module:
    """Latents [B, L] -> images [B, C, H, W]."""
    widths, momentum = work.generator_widths, work.momentum
    side = work.image_shape[0] >> len(widths)
    size = (side, work.image_shape[1] >> len(widths))
    activation = nn.SELU if work.activation == "selu" else nn.ReLU
    layers: list[nn.Module] = [
        nn.Linear(work.latent_size, size[0] * size[1] * widths[0], bias=not work.norm_first),
        Reshape(widths[0], size, channels_last),
        batch_norm(widths[0], momentum, work.norm_epsilon),
    ]
    if work.norm_first:
        layers.append(activation())
    for before, after in pairwise(widths):
        layers.append(
            nn.ConvTranspose2d(before, after, 5, 2, padding=2, output_padding=1, bias=not work.norm_first)
        )
        norm = batch_norm(after, momentum, work.norm_epsilon)
        layers += [norm, activation()] if work.norm_first else [activation(), norm]
    layers += [
        nn.ConvTranspose2d(widths[-1], work.image_shape[2], 5, 2, padding=2, output_padding=1),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)


def dcgan_discriminator(work: Work, channels_last: bool) -> nn.Module:
    """Images [B, C, H, W] -> logits [B, 1]."""
    del channels_last
    widths, momentum = work.discriminator_widths, work.momentum
    layers: list[nn.Module] = []
    before = work.image_shape[2]
    for index, after in enumerate(widths):
        normed = work.discriminator_norm == "batch" and index > 0
        layers.append(nn.Conv2d(before, after, 5, 2, padding=2, bias=not normed))
        if normed:
            layers.append(batch_norm(after, momentum, work.norm_epsilon))
        layers.append(nn.LeakyReLU(0.2))
        if work.dropout:
            layers.append(nn.Dropout(work.dropout))
        before = after
    area = (work.image_shape[0] >> len(widths)) * (work.image_shape[1] >> len(widths))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(area * before, 1))


class UpBlock(nn.Module):
    """The generator's residual block: see `gan_jax.models.layers.residual`."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(before, after, 1, bias=False)
        self.norm_0, self.norm_1 = batch_norm(before, 0.9), batch_norm(after, 0.9)
        self.conv_0 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv_1 = nn.Conv2d(after, after, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = nn.functional.interpolate(self.shortcut(x), scale_factor=2, mode="nearest")
        x = nn.functional.interpolate(torch.relu(self.norm_0(x)), scale_factor=2, mode="nearest")
        return shortcut + self.conv_1(torch.relu(self.norm_1(self.conv_0(x))))


class DownBlock(nn.Module):
    """The discriminator's residual block."""

    def __init__(self, before: int, after: int, first: bool, pool: bool) -> None:
        super().__init__()
        self.first, self.pool = first, pool
        changes = pool or before != after
        self.shortcut = spectral_norm(nn.Conv2d(before, after, 1)) if changes else None
        self.conv_0 = spectral_norm(nn.Conv2d(before, after, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(after, after, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = nn.functional.avg_pool2d(x, 2) if self.pool else x
        if self.shortcut is not None:
            shortcut = self.shortcut(shortcut)
        x = self.conv_0(x if self.first else torch.relu(x))
        x = self.conv_1(torch.relu(x))
        return shortcut + (nn.functional.avg_pool2d(x, 2) if self.pool else x)


def resnet_generator(work: Work, channels_last: bool) -> nn.Module:
    """Latents [B, L] -> images [B, C, H, W]."""
    widths = work.generator_widths
    doublings = len(widths) - 1
    size = (work.image_shape[0] >> doublings, work.image_shape[1] >> doublings)
    return nn.Sequential(
        nn.Linear(work.latent_size, size[0] * size[1] * widths[0]),
        Reshape(widths[0], size, channels_last),
        *[UpBlock(*pair) for pair in pairwise(widths)],
        batch_norm(widths[-1], 0.9),
        nn.ReLU(),
        nn.Conv2d(widths[-1], work.image_shape[2], 3, padding=1),
        nn.Tanh(),
    )


class ResNetDiscriminator(nn.Module):
    """Images [B, C, H, W] -> logits [B, 1]."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        befores = (work.image_shape[2], *work.discriminator_widths)
        self.blocks = nn.Sequential(
            *[
                DownBlock(before, after, index == 0, index < 2)
                for index, (before, after) in enumerate(pairwise(befores))
            ]
        )
        self.dense = spectral_norm(nn.Linear(befores[-1], 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(torch.relu(self.blocks(x)).sum((2, 3)))


def networks(work: Work, channels_last: bool) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator."""
    if work.family == "dcgan":
        pair = dcgan_generator(work, channels_last), dcgan_discriminator(work, channels_last)
    else:
        pair = resnet_generator(work, channels_last), ResNetDiscriminator(work)
    if not channels_last:
        return pair
    return pair[0].to(memory_format=torch.channels_last), pair[1].to(memory_format=torch.channels_last)
