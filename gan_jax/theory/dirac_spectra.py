"""The Dirac-GAN's eigenvalues in closed form: what `gan_jax.theory.dirac` finds by differentiation.

With the fake logit t = psi theta, L_D the discriminator's loss and L_G the generator's, descent follows the
field v = (-dL_G/dtheta, -dL_D/dpsi). Near the equilibrium theta = psi = 0 it is linear,

    v = [[-g,  alpha],   (theta)        alpha = -L_G'(t),  beta = L_D'(t) at t = 0,
         [-beta,  -d ]]  ( psi )

and the remedies differ only in the dampings g and d that they add: the generator's and the discriminator's.
omega = sqrt(alpha beta) is the angular speed with which the undamped game turns.
Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406, sections 2 and 3, where alpha = beta = f'(0). What goes
beyond the paper says so and is derived where it stands. h is the learning rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Slopes(NamedTuple):
    """A loss at the equilibrium, where both logits are 0.

    Attributes:
        generator: alpha, minus the slope of the generator's loss in the fake logit.
        discriminator: beta, the slope of the discriminator's loss in the fake logit.
        curvature: the second derivative of the discriminator's loss in psi under noise of variance 1 on
            every real and fake: the sum of its second derivatives in the real and in the fake logit.
        bend: the sum of both players' second derivatives in the fake logit; 0 where one gains what the other
            loses.
    """

    generator: float
    discriminator: float
    curvature: float
    bend: float


# Derived by hand. The least squares are those with targets a = -1, b = c = 1: with the default a = 0 the
# discriminator is content with t = 0 and beta = 0, since without a bias the reals' logit is 0 too.
LOSS_SLOPES: dict[str, Slopes] = {
    "minimax": Slopes(0.5, 0.5, 0.5, 0.0),
    "non_saturating": Slopes(0.5, 0.5, 0.5, 0.5),
    "least_squares": Slopes(1.0, 1.0, 2.0, 2.0),
    "hinge": Slopes(1.0, 1.0, 0.0, 0.0),
    "wasserstein": Slopes(1.0, 1.0, 0.0, 0.0),
    "relativistic_average": Slopes(1.0, 1.0, 0.5, 1.0),  # the curvature in large batches
    "relativistic_paired": Slopes(0.5, 0.5, 0.5, 0.5),
}


@dataclass(frozen=True)
class LinearGame:
    """The field near the equilibrium.

    Attributes:
        alpha: how strongly psi moves theta.
        beta: how strongly theta moves psi.
        generator_damping: g.
        discriminator_damping: d.
    """

    alpha: float
    beta: float
    generator_damping: float = 0.0
    discriminator_damping: float = 0.0

    @property
    def omega(self) -> float:
        """The angular speed of the undamped game, in radians per unit of time."""
        return math.sqrt(self.alpha * self.beta)

    def eigenvalues(self) -> np.ndarray:
        """Of the field: -(g + d) / 2 +- sqrt((g - d)^2 / 4 - omega^2), complex [2].

        Undamped they are +- i omega (section 2 of Mescheder et al. 2018), and training turns for ever.
        """
        g, d = self.generator_damping, self.discriminator_damping
        return quadratic(-(g + d), g * d + self.omega**2)


def gradient_penalty(slopes: Slopes, gamma: float) -> LinearGame:
    """R1 or R2 with weight gamma, or both with the sum: the penalty is gamma psi^2 / 2, so d = gamma.

    Eigenvalues -gamma / 2 +- sqrt(gamma^2 / 4 - omega^2): section 3 of the paper. The fastest is
    gamma = 2 omega, where they meet.
    """
    return LinearGame(slopes.generator, slopes.discriminator, discriminator_damping=gamma)


def instance_noise(slopes: Slopes, deviation: float) -> LinearGame:
    """Normal noise of this standard deviation on all that the discriminator sees, in expectation.

    d = curvature * deviation^2: the paper's 2 f''(0) sigma^2. A loss without curvature, Wasserstein's or the
    hinge, is not helped.
    """
    return LinearGame(
        slopes.generator, slopes.discriminator, discriminator_damping=slopes.curvature * deviation**2
    )


def consensus(slopes: Slopes, weight: float) -> LinearGame:
    """Consensus optimisation adds weight |v|^2 / 2 to both losses: g = weight beta^2, d = weight alpha^2.

    Mescheder et al. 2017, arXiv:1705.10461. With alpha = beta: eigenvalues -weight omega^2 +- i omega.
    """
    alpha, beta = slopes[:2]
    return LinearGame(alpha, beta, weight * beta**2, weight * alpha**2)


def unrolled(slopes: Slopes, steps: int, rate: float) -> LinearGame:
    """The generator looks `steps` discriminator steps of this rate ahead: g = 2 steps rate alpha beta.

    Ahead, psi is psi - steps rate beta theta; half of the damping is that, and half the gradient through it
    (Metz et al. 2017, arXiv:1611.02163; the eigenvalue is derived here).
    """
    alpha, beta = slopes[:2]
    return LinearGame(alpha, beta, generator_damping=2.0 * steps * rate * alpha * beta)


# One step of training: the eigenvalues of the players' map, complex [2].


def simultaneous(game: LinearGame, rate: float) -> np.ndarray:
    """1 + h lambda. Undamped |1 +- i h omega| > 1: it diverges at any rate."""
    return 1.0 + rate * game.eigenvalues()


def alternating(game: LinearGame, rate: float, discriminator_steps: int = 1) -> np.ndarray:
    """k discriminator steps, then one of the generator.

    Undamped the determinant is 1: the eigenvalues 1 - a^2 / 2 +- sqrt((1 - a^2 / 2)^2 - 1) with
    a = sqrt(k) h omega are on the unit circle for a <= 2 (section 2 of Mescheder et al. 2018).
    """
    kept = 1.0 - rate * game.discriminator_damping  # of psi in one of its steps
    stays = 1.0 - rate * game.generator_damping
    pushes = sum(kept**i for i in range(discriminator_steps))
    trace = stays + kept**discriminator_steps - rate**2 * game.omega**2 * pushes
    return quadratic(trace, stays * kept**discriminator_steps)


def extragradient(game: LinearGame, rate: float) -> np.ndarray:
    """1 + h lambda + (h lambda)^2: undamped it converges for h omega < 1."""
    step = rate * game.eigenvalues()
    return 1.0 + step + step**2


# With memory, complex [4]: an undamped game only.


def momentum(omega: float, rate: float, decay: float, alternate: bool = False) -> np.ndarray:
    """Heavy ball: the roots of ((mu - 1) (mu - decay))^2 = -(h omega)^2 mu^2, or mu^3 if players alternate.

    Adam near the equilibrium, where its eps and eps_root are far above its gradients, is this with
    decay = b1 and h = learning_rate (1 - b1) / (eps + sqrt(eps_root)).
    """
    right = [1.0, 0.0, 0.0, 0.0] if alternate else [1.0, 0.0, 0.0]
    return _two_players(decay, (rate * omega) ** 2 * np.array(right))


def optimistic(omega: float, rate: float, decay: float = 0.0, alternate: bool = False) -> np.ndarray:
    """Twice the direction less the one before: as `momentum`, with (2 mu - 1)^2 or mu (2 mu - 1)^2.

    Daskalakis et al. 2018, arXiv:1711.00141. Optimistic Adam is this with `momentum`'s h.
    """
    right = np.polymul([2.0, -1.0], [2.0, -1.0])
    return _two_players(decay, (rate * omega) ** 2 * (np.polymul(right, [1.0, 0.0]) if alternate else right))


# Where no eigenvalue tells. If alpha = beta, the distance r obeys to the next order, averaged over a turn,
# d(r^2)/dt = -bend r^4 / 4: the undamped game is drawn in, but ever more slowly. Derived here.


def bent_decay(bend: float, rate: float, steps: int) -> float:
    """r after so many alternating steps from a far start: 2 / sqrt(bend h steps).

    Infinite for bend = 0: how far it is then the start says. A penalty that adds to the bend adds to its
    argument: LeCam's (Tseng et al. 2021, arXiv:2104.03310) adds twice its weight.
    """
    return 2.0 / math.sqrt(bend * rate * steps) if bend > 0.0 else math.inf


def bent_cycle(slopes: Slopes, rate: float) -> float:
    """r of the cycle of simultaneous descent, which is driven out by h^2 omega^2 r^2 in a step.

    2 omega sqrt(h / bend); infinite for bend = 0. For small rates.
    """
    omega = math.sqrt(slopes.generator * slopes.discriminator)
    return 2.0 * omega * math.sqrt(rate / slopes.bend) if slopes.bend > 0.0 else math.inf


def norm_penalty_cycle(slopes: Slopes, weight: float, target: float) -> float:
    """The largest |theta| under WGAN-GP or DRAGAN and the Wasserstein loss: weight (|psi| - target)^2.

    On either side of psi = 0 the field is linear about (+- c, 0), c = 2 weight target / beta, with
    d = 2 weight. Overdamped (weight >= omega) training comes to rest in the wrong place, |theta| = c. Else
    half a turn brings it nearer to that centre by r = exp(-pi weight / sqrt(omega^2 - weight^2)), then it
    changes sides: the cycle has the amplitude c (1 + r) / (1 - r). That it does not converge is in section 3
    of Mescheder et al. 2018; the amplitude is derived here.
    """
    omega = math.sqrt(slopes.generator * slopes.discriminator)
    centre = 2.0 * weight * target / slopes.discriminator
    if weight >= omega:
        return centre
    kept = math.exp(-math.pi * weight / math.sqrt(omega**2 - weight**2))
    return centre * (1.0 + kept) / (1.0 - kept)


def clipping_cycle(slopes: Slopes, limit: float) -> float:
    """The largest |theta| of WGAN with |psi| <= limit, after a start outside: the ellipse that touches it."""
    return limit * math.sqrt(slopes.generator / slopes.discriminator)


def quadratic(trace: float, determinant: float) -> np.ndarray:
    """The roots of mu^2 - trace mu + determinant, complex [2]."""
    root = np.sqrt(complex(trace**2 / 4.0 - determinant))
    return np.array([trace / 2.0 + root, trace / 2.0 - root])


def _two_players(decay: float, right: np.ndarray) -> np.ndarray:
    """The roots of ((mu - 1) (mu - decay))^2 + right(mu)."""
    one = np.polymul([1.0, -1.0], [1.0, -decay])
    return np.roots(np.polyadd(np.polymul(one, one), right)).astype(complex)
