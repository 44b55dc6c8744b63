"""Every remedy of the toolbox on one small GAN: the base config and what each remedy changes of it.

All have the same two networks, batch, latents, number of generator steps and data. A remedy changes what its
paper changes, with the paper's own settings where they do not hang on images; nothing was tuned on the
results but the base's learning rate (see README.md).
"""

from typing import Any

import ml_collections

from gan_jax.config.build import base_config
from gan_jax.study import Study

STEPS = 10_000


def base(rate: float, **data: Any) -> ml_collections.ConfigDict:
    """A plain GAN of two hidden layers each on a known density.

    Args:
        rate: Adam's, of both players.
        **data: fields of config.data.
    """
    config = base_config()
    config.batch_size = 60  # 2, 3 and 4 divide it
    config.num_steps = STEPS
    config.steps_per_call = 250
    config.log_every_steps = 1_000
    config.checkpoint_every_steps = 5_000
    config.data.update(**data)
    config.algorithm = dict(name="gan", latent_size=16)
    config.generator = dict(
        name="mlp_generator", widths=(64, 64), activation="relu", norm="none", output="linear"
    )
    config.discriminator = dict(name="mlp_discriminator", widths=(64, 64), activation="relu")
    config.generator_optimizer = dict(name="adam", learning_rate=rate, b1=0.5, b2=0.999)
    config.discriminator_optimizer = dict(name="adam", learning_rate=rate, b1=0.5, b2=0.999)
    config.evaluation.update(metrics="density", every_steps=1_000, num=2_500)
    return config


def both_optimizers(**fields: Any) -> dict[str, Any]:
    """The same fields for both players."""
    return {
        f"{player}_optimizer.{name}": value
        for player in ("generator", "discriminator")
        for name, value in fields.items()
    }


def unrolled(steps: int) -> dict[str, Any]:
    """Differentiating through Adam needs an epsilon under its root."""
    return {
        "algorithm.name": "unrolled",
        "algorithm.unrolled_steps": steps,
        "discriminator_optimizer.eps_root": 1e-8,
    }


def remedies(rate: float) -> dict[str, dict[str, Any]]:
    """What each remedy changes of `base(rate)`."""
    fast_generator = {"generator_optimizer.learning_rate": 4 * rate}
    return {
        "plain": {},
        "minimax": {"loss.name": "minimax"},
        # The objective
        "least_squares": {"loss.name": "least_squares"},
        "hinge": {"loss.name": "hinge"},
        "wgan": {
            "loss.name": "wasserstein",
            "algorithm.discriminator_steps": 5,
            "generator_optimizer.name": "rmsprop",
            "discriminator_optimizer.name": "rmsprop",
            "discriminator_optimizer.weight_clip": 0.1,
        },
        "wgan_gp": {
            "loss.name": "wasserstein",
            "algorithm.discriminator_steps": 5,
            "penalties.wgan_gp.weight": 10.0,
            **both_optimizers(b1=0.0, b2=0.9),
        },
        "relativistic_average": {"loss.name": "relativistic_average"},
        "relativistic_paired": {"loss.name": "relativistic_paired"},
        # The discriminator's smoothness
        "r1": {"penalties.r1.weight": 0.1},
        "r1_r2": {"penalties.r1.weight": 0.1, "penalties.r2.weight": 0.1},
        "r3gan": {
            "loss.name": "relativistic_paired",
            "penalties.r1.weight": 0.1,
            "penalties.r2.weight": 0.1,
            **both_optimizers(b1=0.0, b2=0.99),
        },
        "dragan": {"penalties.dragan.weight": 10.0},
        "lecam": {"penalties.lecam.weight": 0.3, "penalties.lecam.start_step": 0},
        "spectral_norm": {"discriminator.spectral_norm": True},
        "spectral_norm_hinge": {"discriminator.spectral_norm": True, "loss.name": "hinge"},
        "instance_noise": {
            "algorithm.instance_noise": dict(name="linear", start=0.5, end=0.0, steps=STEPS),
        },
        "label_smoothing": {"loss.real_target": 0.9},
        "label_flipping": {"algorithm.label_flipping": 0.05},
        # What the discriminator sees
        "minibatch_discrimination": {  # with 100 kernels, the default, a step takes five times as long
            "discriminator.minibatch": "discrimination",
            "discriminator.minibatch_kernels": 16,
        },
        "minibatch_stddev": {"discriminator.minibatch": "stddev"},
        "pacgan_2": {"algorithm.packing": 2},
        "pacgan_3": {"algorithm.packing": 3},
        "pacgan_4": {"algorithm.packing": 4},
        "replay_pool": {"algorithm.pool_size": 1200},
        # The generator's objective
        "feature_matching": {"algorithm.name": "feature_matching"},
        "top_k": {"algorithm.top_k": dict(name="linear", start=1.0, end=0.5, steps=STEPS)},
        "unrolled_1": unrolled(1),
        "unrolled_5": unrolled(5),
        "unrolled_10": unrolled(10),
        # The game
        "discriminator_steps_5": {"algorithm.discriminator_steps": 5},
        "ttur": {"discriminator_optimizer.learning_rate": 4 * rate},
        "fast_generator": fast_generator,
        "fast_generator_minimax": {**fast_generator, "loss.name": "minimax"},
        "fast_generator_unrolled_1": {**fast_generator, **unrolled(1)},
        "no_momentum": both_optimizers(b1=0.0),
        "simultaneous": {"game.name": "simultaneous"},
        "extragradient": {"game.name": "extragradient"},
        "optimistic_adam": both_optimizers(name="optimistic_adam"),
        "consensus": {"game.name": "consensus", "game.weight": 1.0},
        "historical_averaging": both_optimizers(historical_averaging=1e-3),
        "ema": {"ema.name": "decay", "ema.decay": 0.999},
    }


def study(question: str, rate: float, **data: Any) -> Study:
    """All remedies on one density; `rate` and `data` as for `base`."""
    return Study(
        question=question,
        base=base(rate, **data),
        variants=remedies(rate),
        seeds=20,
        ranked_by=("modes_reached", "high_quality", "reverse_kl", "sliced_wasserstein_1"),
        compare_to="plain",
    )
