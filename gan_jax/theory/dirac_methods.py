"""A catalogue of ways to train the Dirac-GAN, each with its eigenvalues in closed form.

The figures and tables of experiments/dirac_gan are made of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import optax

from gan_jax.algorithms.gan import GAN
from gan_jax.algorithms.unrolled import UnrolledGAN
from gan_jax.core.games import Consensus, Extragradient, Simultaneous
from gan_jax.losses.adversarial import AdversarialLoss, least_squares, minimax, non_saturating, wasserstein
from gan_jax.losses.penalties import DRAGAN, R1, WGANGP, LeCam
from gan_jax.optim.optimizers import adam, optimistic_adam, sgd
from gan_jax.theory import dirac_spectra as spectra
from gan_jax.theory.dirac import dirac_gan
from gan_jax.theory.dirac_spectra import LOSS_SLOPES, LinearGame

NS = LOSS_SLOPES["non_saturating"]
TURNING = LinearGame(NS.generator, NS.discriminator)
LOOSE = 0.25  # eps_root: Adam near the equilibrium divides by sqrt(0.25)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to train the Dirac-GAN: a row of the tables and a panel of the figures.

    Attributes:
        title: of its panel.
        algorithm: what is trained.
        closed: the eigenvalues of a step, those of mere memories left out; None where a step has no
            derivative at the equilibrium.
        settle_steps: see `gan_jax.theory.dirac.settled`.
        batch_size: large where noise has to average out.
        end: steps -> the largest |theta| around then, where the closed forms say it, for small rates.
    """

    title: str
    algorithm: GAN
    closed: np.ndarray | None
    settle_steps: int = 0
    batch_size: int = 2
    end: Callable[[int], float] | None = None


def methods(rate: float) -> list[Method]:
    """All methods, with this learning rate; non-saturating loss and alternating updates by default."""
    return [*_plain(rate), *_damped(rate), *_not_smooth(rate), *_with_memory(rate)]


def _plain(rate: float) -> list[Method]:
    squares = LOSS_SLOPES["least_squares"]
    targets = least_squares(a=-1.0, b=1.0, c=1.0)
    return [
        Method(
            title="simultaneous",
            algorithm=dirac_gan(rate, game=Simultaneous()),
            closed=spectra.simultaneous(TURNING, rate),
            end=lambda steps: spectra.bent_cycle(NS, rate),
        ),
        Method(
            title="alternating",
            algorithm=dirac_gan(rate),
            closed=spectra.alternating(TURNING, rate),
            end=partial(spectra.bent_decay, NS.bend, rate),
        ),
        Method(
            title="alternating, 5 D steps",
            algorithm=dirac_gan(rate, discriminator_steps=5),
            closed=spectra.alternating(TURNING, rate, 5),
        ),
        Method(
            title="minimax loss, alternating",
            algorithm=dirac_gan(rate, loss=minimax()),
            closed=spectra.alternating(TURNING, rate),
            end=lambda steps: 1.0,  # where it starts
        ),
        Method(
            title="LSGAN, targets -1 and 1",
            algorithm=dirac_gan(rate, loss=targets),
            closed=spectra.alternating(LinearGame(*squares[:2]), rate),
            end=partial(spectra.bent_decay, squares.bend, rate),
        ),
    ]


def _damped(rate: float) -> list[Method]:
    def damped(title: str, algorithm: GAN, game: LinearGame, batch_size: int = 2) -> Method:
        return Method(
            title=title,
            algorithm=algorithm,
            closed=spectra.alternating(game, rate),
            batch_size=batch_size,
        )

    return [
        damped("R1, weight 0.3", _penalised(rate, R1(weight=0.3)), spectra.gradient_penalty(NS, 0.3)),
        damped("R1, weight 1", _penalised(rate, R1(weight=1.0)), spectra.gradient_penalty(NS, 1.0)),
        damped(
            "instance noise, 0.7",
            dirac_gan(rate, instance_noise=0.7),
            spectra.instance_noise(NS, 0.7),
            batch_size=4096,
        ),
        damped(
            "unrolled, 5 steps",
            dirac_gan(rate, UnrolledGAN, unrolled_steps=5),
            spectra.unrolled(NS, 5, rate),
        ),
        Method(
            title="consensus, weight 1",
            algorithm=dirac_gan(rate, game=Consensus(weight=1.0)),
            closed=spectra.simultaneous(spectra.consensus(NS, 1.0), rate),
        ),
        Method(
            title="extragradient",
            algorithm=dirac_gan(rate, game=Extragradient()),
            closed=spectra.extragradient(TURNING, rate),
        ),
    ]


def _not_smooth(rate: float) -> list[Method]:
    critic, slopes = wasserstein(), LOSS_SLOPES["wasserstein"]
    return [
        Method(
            title="WGAN, clipped at 0.5",
            algorithm=dirac_gan(rate, loss=critic, discriminator_tx=sgd(rate, weight_clip=0.5)),
            closed=spectra.alternating(LinearGame(*slopes[:2]), rate),
            end=lambda steps: spectra.clipping_cycle(slopes, 0.5),
        ),
        Method(
            title="WGAN-GP, weight 0.3",
            algorithm=_penalised(rate, WGANGP(weight=0.3), critic),
            closed=None,
            end=lambda steps: spectra.norm_penalty_cycle(slopes, 0.3, 1.0),
        ),
        Method(
            title="DRAGAN, weight 1.2, W loss",
            algorithm=_penalised(rate, DRAGAN(weight=1.2), critic),
            closed=None,
            end=lambda steps: spectra.norm_penalty_cycle(slopes, 1.2, 1.0),
        ),
        Method(
            title="LeCam, weight 1",
            algorithm=_penalised(rate, LeCam(weight=1.0, decay=0.9, start_step=0)),
            closed=spectra.alternating(TURNING, rate),
            settle_steps=1,
            end=partial(spectra.bent_decay, NS.bend + 2.0, rate),
        ),
    ]


def _with_memory(rate: float) -> list[Method]:
    per_gradient = rate * 0.5 / np.sqrt(LOOSE)  # the h of `momentum`, with b1 = 0.5
    slow: dict[str, Any] = dict(b1=0.5, b2=0.9, eps_root=LOOSE)
    return [
        Method(
            title="momentum 0.5",
            algorithm=dirac_gan(rate, **_both(sgd(rate, 0.5))),
            closed=spectra.momentum(0.5, rate, 0.5, alternate=True),
        ),
        Method(
            title="Adam, b1 0.5, large epsilon",
            algorithm=dirac_gan(rate, **_both(adam(rate, **slow))),
            closed=spectra.momentum(0.5, per_gradient, 0.5, alternate=True),
            settle_steps=300,
        ),
        Method(
            title="optimistic Adam, simultaneous",
            algorithm=dirac_gan(
                rate, game=Simultaneous(), **_both(optimistic_adam(rate, **(slow | {"b1": 0.0})))
            ),
            closed=spectra.optimistic(0.5, rate / np.sqrt(LOOSE)),
            settle_steps=300,
        ),
        Method(
            title="Adam, b1 0.5, usual epsilon",
            algorithm=dirac_gan(rate, **_both(adam(rate / 4, b1=0.5, b2=0.9))),
            closed=None,
        ),
        Method(
            title="historical averaging, 0.25",
            algorithm=dirac_gan(rate, **_both(sgd(rate, historical_averaging=0.25))),
            closed=None,
        ),
    ]


def _penalised(
    rate: float, penalty: R1 | WGANGP | DRAGAN | LeCam, loss: AdversarialLoss | None = None
) -> GAN:
    return dirac_gan(rate, penalties=(penalty,), loss=loss or non_saturating())


def _both(tx: optax.GradientTransformation) -> dict[str, optax.GradientTransformation]:
    return {"generator_tx": tx, "discriminator_tx": tx}
