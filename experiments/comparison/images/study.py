"""Families of generative models on Fashion-MNIST, at two budgets.

    gan-jax data prepare fashion_mnist
    gan-jax study experiments/comparison/images --out runs/comparison/images

Budgets: 74,112 images seen, and the 40 TFLOP that diffusion models need for them (as `gan-jax info` counts a
step). Those of the diffusion models and of the VAE-GAN are one run.
"""

from __future__ import annotations

from typing import Any

from gan_jax.study import Study

STEPS = {  # name -> (config, train steps)
    "edm": ("edm_fashion_mnist", 1_158),  # 74,112 images, 40.1 TFLOP
    "vae_gan": ("vae_gan_fashion_mnist", 1_212),  # 77,568 images, 40.0 TFLOP
    "vae operations": ("vae_fashion_mnist", 8_493),
    "flow operations": ("flow_fashion_mnist", 6_163),
    "pixelcnn operations": ("pixelcnn_fashion_mnist", 1_569),
    "dcgan operations": ("dcgan_fashion_mnist", 5_848),
    "r3gan_loss operations": ("r3gan_mnist", 6_536),
    "stylegan2 operations": ("stylegan2_fashion_mnist", 2_051),
    "ddpm": ("ddpm_fashion_mnist", 1_158),
    "pixelcnn images": ("pixelcnn_fashion_mnist", 2_316),
    "flow images": ("flow_fashion_mnist", 1_158),
    "vae images": ("vae_fashion_mnist", 579),
    "dcgan images": ("dcgan_fashion_mnist", 2_316),
    "r3gan_loss images": ("r3gan_mnist", 1_158),
    "stylegan2 images": ("stylegan2_fashion_mnist", 4_632),
}


def variant(config: str, steps: int) -> dict[str, Any]:
    """A shipped config, cut to so many steps, without labels; its schedules end with them.

    The average of a run so short must forget where it began: it is that of EDM and StyleGAN2 for all.
    """
    changes: dict[str, Any] = {
        "config": config,
        "data.name": "fashion_mnist",
        "num_steps": steps,
        "evaluation.metrics": "fid,kid,prdc,memorisation",
        "evaluation.num": 2_000,
        "evaluation.every_steps": steps,
    }
    if config in ("edm_fashion_mnist", "pixelcnn_fashion_mnist"):
        changes["generator.condition"] = "none"
    if config == "ddpm_fashion_mnist":
        changes |= {"sampler.name": "ddim", "sampler.steps": 50}  # measure.py has the config's
    if config == "dcgan_fashion_mnist":
        changes |= {"ema.name": "half_life", "ema.images": 20_000}
    return changes


def get_study() -> Study:
    return Study(
        question="At equal images seen and at equal operations, which family makes the best pictures?",
        variants={name: variant(*entry) for name, entry in STEPS.items()},
        seeds=3,
        ranked_by=("fid", "kid", "precision", "recall"),
        keep=True,
    )
