"""Values of losses and outputs where a discriminator cannot tell fakes from reals."""

import math

import pytest

from gan_jax.config.build import build_algorithm
from gan_jax.training.baselines import baselines
from tests.inference.test_translate import toy
from tests.shipped import SPEC, config_with

LOG = math.log(2)


@pytest.mark.parametrize(
    ("changes", "discriminator", "generator", "output"),
    [
        ({"loss": {"name": "non_saturating"}}, 2 * LOG, LOG, 0.5),
        ({"loss": {"name": "minimax"}}, 2 * LOG, -LOG, 0.5),
        ({"loss": {"name": "non_saturating", "real_target": 0.9}}, None, None, 0.45),
        ({"loss": {"name": "least_squares"}}, 0.25, 0.125, 0.5),
        ({"loss": {"name": "hinge"}}, 2.0, 0.0, 0.0),
        ({"loss": {"name": "wasserstein"}}, 0.0, None, None),
        ({"loss": {"name": "relativistic_paired"}}, LOG, LOG, None),
        ({"algorithm": {"name": "acgan"}, "generator__condition": "embedding"}, None, None, 0.5),
        ({"algorithm__adversarial_weight": 0.1}, 2 * LOG, None, 0.5),
        ({"algorithm": {"name": "feature_matching", "adversarial_weight": 1.0}}, 2 * LOG, None, 0.5),
    ],
    ids=str,
)
def test_by_loss_and_method(changes, discriminator, generator, output):
    found = baselines(build_algorithm(config_with(**changes), SPEC))
    expected = {
        "discriminator_loss": discriminator,
        "generator_loss": generator,
        "discriminator_real": output,
        "discriminator_fake": output,
    }
    for name, value in expected.items():
        if value is not None:
            assert found[name] == pytest.approx(value, abs=1e-5), name
        elif "real_target" not in str(changes):
            assert name not in found


def test_the_best_of_smoothed_labels():
    loss = {"name": "non_saturating", "real_target": 0.9}
    best = baselines(build_algorithm(config_with(loss=loss), SPEC))["discriminator_loss"]
    entropy = -(0.45 * math.log(0.45) + 0.55 * math.log(0.55))
    assert best == pytest.approx(2 * entropy, abs=1e-5)


def test_a_method_without_a_discriminator_has_none():
    assert baselines(toy()[0]) == {}
