"""SRGAN as it is shipped, in small: three phases, a frozen network, resumed at the phases' ends."""

import json

import numpy as np
import pytest

from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from tests.toys.common import Toy, ToyData, check_alone, toy_config

TOY = Toy(
    config=toy_config(
        {"name": "translator", "adversarial_weight": 0.0, "paired": False},
        {"name": "srresnet_generator", "scale": 2, "width": 4, "blocks": 1},
        discriminator={"name": "sr_discriminator", "width": 2},
        source={"name": "downscale", "factor": 2},
        contents={
            "mse": {"weight": 1.0},
            "features": {"weight": 0.0, "network": "random", "layers": ("relu_1",)},
        },
        num_steps=6,
        phases=[
            dict(name="mse", num_steps=2),
            dict(
                name="gan",
                num_steps=2,
                algorithm=dict(adversarial_weight=1e-3),
                contents=dict(mse=dict(weight=0.0), features=dict(weight=0.006)),
            ),
            dict(name="low", num_steps=2, generator_optimizer=dict(learning_rate=1e-5)),
        ],
    ),
    data=ToyData(
        {"image": Field((16, 16, 3), Pixels())},
        lambda count, rng: {"image": rng.integers(0, 256, (count, 16, 16, 3), np.uint8)},
    ),
)


@pytest.mark.slow
def test_three_phases_resume_with_the_same_bits(monkeypatch, tmp_path):
    check_alone(TOY, monkeypatch, tmp_path, [2, 3])
    record = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert list(record["frozen"]) == ["random"]
    losses = np.load(tmp_path / "whole" / "losses.npy")
    assert losses.shape[0] == 6
