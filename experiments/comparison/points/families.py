"""Families of generative models on points of a known density: what each changes of a shipped config.

Every network is fully connected with three hidden layers of 64 units; every mini-batch has 64 points, and an
average of the generator's weights makes the samples. Each family trains for `OPERATIONS`, with a rate that
does not fall: what is measured on the way is what a shorter training gives, so that one training answers for
equal examples as for equal operations.
"""

from __future__ import annotations

from typing import Any

from gan_jax.study import Study

WIDTHS = (64, 64, 64)
BATCH = 64
OPERATIONS = 80e9  # floating-point operations of a training
EXAMPLES = 2_000 * BATCH  # points that are read between two measurements, and the other budget
MFLOP = {  # of a step, as `gan-jax info` counts them
    "gan": 14.1,
    "gan_r1_r2": 22.8,
    "wgan_gp": 68.0,
    "vae": 8.4,
    "vae_gan": 33.1,
    "edm": 6.8,
    "flow": 27.4,
}
RATES = dict.fromkeys(MFLOP, 2e-3) | {"flow": 1e-3}  # Adam's; see README.md


def common(density: str) -> dict[str, Any]:
    """What all change alike."""
    return {
        "data.name": density,
        "batch_size": BATCH,
        "log_every_steps": 1_000,
        "checkpoint_every_steps": 100_000,  # a training takes seconds
        "generator.widths": WIDTHS,
        "ema.name": "decay",
        "ema.decay": 0.995,
        "evaluation.metrics": "density",
        "evaluation.num": 2_500,
    }


def families() -> dict[str, dict[str, Any]]:
    """What each family is."""
    gan = {"config": "gan_ring", "discriminator.widths": WIDTHS, "algorithm.latent_size": 16}
    vae = {"generator.name": "mlp_autoencoder", "algorithm.latent_size": 16}
    likelihood = {"config": "ddpm_ring", "evaluation.metrics": "density,bits_per_dim"}
    return {
        "gan": gan,
        "gan_r1_r2": {**gan, "penalties.r1.weight": 0.1, "penalties.r2.weight": 0.1},
        "wgan_gp": {
            **gan,
            "loss.name": "wasserstein",
            "algorithm.discriminator_steps": 5,
            "penalties.wgan_gp.weight": 10.0,
            **both_optimizers(b1=0.0, b2=0.9),
        },
        "vae": {**likelihood, **vae, "algorithm.name": "vae"},
        "vae_gan": {**gan, **vae, "algorithm.name": "vae_gan", "algorithm.layer": "dropout_2"},
        "edm": {
            "config": "ddpm_ring",
            "process.name": "edm",
            # Scaled by the grid's deviation, 2.83, the modes are too near each other for the first
            # layer: after 9,000 steps the loss is still that of a network that says nothing.
            "process.data_std": 1.0,
            "process.mean": 0.0,
            "process.std": 1.5,
            "sampler.name": "heun",
            "sampler.steps": 18,
            "generator.embedding_size": 32,
        },
        "flow": {
            **likelihood,
            "algorithm.name": "flow",
            "algorithm.latent_size": 2,
            "generator.name": "mlp_flow",
            "generator.steps": 8,
        },
    }


def both_optimizers(**fields: Any) -> dict[str, Any]:
    """The same fields for both players."""
    return {
        f"{player}_optimizer.{name}": value
        for player in ("generator", "discriminator")
        for name, value in fields.items()
    }


def variant(
    density: str, family: str, own: dict[str, Any], rate: float, operations: float = OPERATIONS
) -> dict[str, Any]:
    """A family with its rate, for so many operations, measured whenever it has read `EXAMPLES`."""
    rates = both_optimizers(learning_rate=rate)
    if "discriminator.widths" not in own:
        rates = {"generator_optimizer.learning_rate": rate}
    return {
        **common(density),
        **own,
        **rates,
        "num_steps": round(operations / (1e6 * MFLOP[family]) / 100) * 100,
        "evaluation.every_steps": EXAMPLES // BATCH // own.get("algorithm.discriminator_steps", 1),
    }


def study(
    question: str, density: str, operations: float = OPERATIONS, only: tuple[str, ...] = tuple(MFLOP)
) -> Study:
    """These families on one density."""
    own = families()
    return Study(
        question=question,
        variants={
            family: variant(density, family, own[family], RATES[family], operations) for family in only
        },
        seeds=20,
        ranked_by=("sliced_wasserstein_1", "high_quality", "modes_reached", "reverse_kl"),
        compare_to=only[0],
        keep=True,
    )
