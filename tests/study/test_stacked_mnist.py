"""Stacked-MNIST: published sizes by hand, a step of each kind traced, the floor's closed form."""

import json
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.config.build import build_algorithm, check_fields, trace_step
from gan_jax.config.components import complete
from gan_jax.data.spec import DataSpec, Field
from gan_jax.study.study import open_study, runs_of
from gan_jax.utils.errors import UserError
from tests.shipped import no_compiler

FOLDER = Path(__file__).parent.parent.parent / "experiments" / "stacked_mnist"
PROTOCOLS = runpy.run_path(str(FOLDER / "protocols.py"))
SUMMARY = runpy.run_path(str(FOLDER / "summary.py"))
FLOOR = runpy.run_path(str(FOLDER / "floor.py"))
SPEC = DataSpec({"image": Field((28, 28, 3))}, 1000)
# One of each kind; the others differ from it in a count.
KINDS = ["quarter/unrolled5", "quarter/pacgan3", "quarter/wgan_gp", "quarter/r3gan_loss", "veegan/dcgan"]
KINDS += ["veegan/wgan_gp", "veegan/r3gan_loss"]
# What PacGAN's published code trains, kernel by kernel; a bias right before a BatchNorm is not counted.
UNROLLED_GENERATOR = 256 * 4 * 4 * 64 + 9 * (64 * 32 + 32 * 16 + 16 * 8 + 8 * 3) + 3 + 2 * (64 + 32 + 16 + 8)
VEEGAN_GENERATOR = (
    100 * 2 * 2 * 512 + 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 3 + 2 * (512 + 256 + 128 + 64)
)


def unrolled_discriminator(a, b, c, pictures):
    return 9 * (3 * pictures * a + a * b + b * c) + 2 * (a + b + c) + 4 * 4 * c + 1


def veegan_discriminator(pictures):
    first = 25 * 3 * pictures * 64 + 64  # no norm, so with its bias
    return first + 25 * (64 * 128 + 128 * 256 + 256 * 512) + 2 * (128 + 256 + 512) + 2 * 2 * 512 + 1


def algorithm_of(argument):
    config = complete(PROTOCOLS["get_config"](argument))
    check_fields(config)
    return config, build_algorithm(config, SPEC)


def trained(module, *example):
    """How many numbers of a network are trained."""
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), *example, None, train=False))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    ("argument", "pictures", "discriminator"),
    [
        ("quarter", 1, unrolled_discriminator(2, 4, 8, 1)),
        ("quarter/unrolled5", 1, unrolled_discriminator(2, 4, 8, 1)),
        ("quarter/pacgan2", 2, unrolled_discriminator(2, 4, 8, 2)),
        ("half/dcgan", 1, unrolled_discriminator(4, 8, 16, 1)),
        ("half/pacgan4", 4, unrolled_discriminator(4, 8, 16, 4)),
        ("veegan/dcgan", 1, veegan_discriminator(1)),
        ("veegan/pacgan3", 3, veegan_discriminator(3)),
    ],
)
def test_networks_have_the_published_sizes(argument, pictures, discriminator):
    config, algorithm = algorithm_of(argument)
    veegan = argument.startswith("veegan")
    latent = jnp.zeros((2, 100 if veegan else 256))
    assert config.algorithm.latent_size == latent.shape[1]
    assert trained(algorithm.generator, latent) == (VEEGAN_GENERATOR if veegan else UNROLLED_GENERATOR)
    assert trained(algorithm.discriminator, jnp.zeros((2, 28, 28, 3 * pictures))) == discriminator
    assert config.batch_size == pictures * (64 if veegan else 128)  # as many packs as others have pictures


@pytest.mark.parametrize("argument", KINDS)
def test_every_kind_can_be_trained(argument):
    with no_compiler():
        config, algorithm = algorithm_of(argument)
        trace_step(algorithm, SPEC, config.batch_size)


def test_variants_are_what_they_are_called():
    for steps in (1, 5, 10):
        assert algorithm_of(f"half/unrolled{steps}")[1].unrolled_steps == steps
    for count in (2, 3, 4):
        assert algorithm_of(f"veegan/pacgan{count}")[1].packing == count
    _, gp = algorithm_of("quarter/wgan_gp")
    assert (gp.discriminator_steps, [p.name for p in gp.penalties]) == (5, ["wgan_gp"])
    _, r3 = algorithm_of("quarter/r3gan_loss")
    assert (r3.loss.relativistic, [p.name for p in r3.penalties]) == (True, ["r1", "r2"])
    assert r3.discriminator.norm == "none"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("third", "protocol 'third' is not one of quarter, half, veegan"),
        ("veegan/unrolled5", "veegan has no variant 'unrolled5'; it has dcgan, pacgan2"),
    ],
)
def test_unknown_names_are_refused_with_the_choices(argument, message):
    with pytest.raises(UserError, match=message):
        PROTOCOLS["get_config"](argument)


@pytest.mark.parametrize(("protocol", "judged"), [("quarter", 25_600), ("half", 25_600), ("veegan", 26_000)])
def test_each_study_is_the_full_design(protocol, judged):
    study = open_study(FOLDER / protocol)
    runs = runs_of(study)
    assert len(runs) == 50 * len(PROTOCOLS["VARIANTS"][protocol])
    assert {run.seed for run in runs} == set(range(50))
    assert {run.config.evaluation.num for run in runs} == {judged}
    assert len({run.digest for run in runs}) == len(study.variants)


def test_floor_of_a_perfect_judge_is_that_of_the_sample():
    """K equally likely modes and n samples: the divergence is (K - 1) / 2n on average, to first order."""
    digits = np.arange(10)
    found, right = FLOOR["floor"](digits, digits, 26_000, 0)
    assert (found.modes, found.num_samples, right) == (1000, 26_000, 1.0)
    expected = 999 / (2 * 26_000)
    assert abs(found.kl / expected - 1) < 6 * np.sqrt(2 / 999)


def test_floor_sees_what_the_judge_confuses():
    """Ones taken for sevens: 9^3 modes, 0.9^3 read right, and per channel 0.2 ln 2 of divergence."""
    digits = np.arange(10)
    found, right = FLOOR["floor"](digits, np.where(digits == 1, 7, digits), 26_000, 0)
    assert found.modes == 729
    assert abs(right - 0.9**3) < 6 * np.sqrt(0.9**3 * (1 - 0.9**3) / 26_000)
    deviation = np.sqrt(3 * 0.2 * 0.8 * np.log(2) ** 2 / 26_000)
    assert abs(found.kl - 3 * 0.2 * np.log(2) - 728 / (2 * 26_000)) < 6 * deviation


def write_run(folder, modes):
    """A run's scores as `gan-jax train` writes them: {step: modes}, with KL = 7 - modes / 1000."""
    setting = dict(num_fakes=25_600, num_reals=9, real="r", real_fingerprint="f", network="n")
    setting |= dict(network_digest="d", resizer="none", precision="float32")
    folder.mkdir()
    with (folder / "metrics.jsonl").open("w") as rows:
        for step, value in modes.items():
            score = dict(metric="modes", version=1, protocol="p", better="higher")
            scores = {"modes": {**score, "value": value}, "modes_kl": {**score, "value": 7 - value / 1000}}
            record = dict(
                fake=folder.name, fake_id="i", which="while training", averaged=False, labels="none"
            )
            record |= dict(seed=0, setting=setting, scores=scores, seconds=1.0, environment={})
            rows.write(json.dumps({"step": step, "steps_per_second": step / 10}) + "\n")
            rows.write(json.dumps({"step": step, "evaluation": record}) + "\n")


def test_summary_compares_seeds_at_their_last_common_step(tmp_path):
    write_run(tmp_path / "stacked_quarter_dcgan_s1", {10: 20.0})
    write_run(tmp_path / "stacked_quarter_dcgan_s0", {10: 30.0, 20: 40.0})
    write_run(tmp_path / "stacked_veegan_pacgan2_s0", {30: 1000.0})
    runs = [SUMMARY["read"](folder) for folder in sorted(tmp_path.iterdir(), reverse=True)]
    assert SUMMARY["table"](runs).splitlines()[2:] == [
        "| veegan | pacgan2 | 1 | 30 | 1000 | 6.00 | 3.0 to 3.0 |",
        "| quarter | dcgan | 2 | 10 | 30, 20 | 6.97, 6.98 | 1.0 to 2.0 |",
    ]


def test_summary_refuses_what_is_no_such_run(tmp_path):
    write_run(tmp_path / "stacked_half_dcgan_s0", {})
    with pytest.raises(UserError, match="holds no score 'modes'"):
        SUMMARY["read"](tmp_path / "stacked_half_dcgan_s0")
    with pytest.raises(UserError, match="must be named like stacked_quarter_dcgan_s0"):
        SUMMARY["read"](tmp_path / "dcgan")
