"""A variational autoencoder from the config to its scores: no discriminator, one module of two networks."""

import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import main
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.evaluation.protocol import from_row
from gan_jax.latent_tools.latent_files import SUFFIX
from gan_jax.summaries.logs import read_metrics
from gan_jax.training.train import train
from gan_jax.utils.errors import UserError
from gan_jax.utils.untrusted import read_npz
from tests.toys.common import Toy, ToyData, check_alone, check_many, register, squares, toy_config


class Bare(nn.Module):
    """An autoencoder that marks no blocks to compute again."""

    image_shape: tuple[int, ...]

    @nn.compact
    def __call__(self, image, told, train):
        return image + self.param("unused", nn.initializers.zeros, ())

    def encode(self, image, told, train):
        return jnp.zeros((image.shape[0], 3)), jnp.zeros((image.shape[0], 3))

    def decode(self, latent, told, train):
        return jnp.zeros((latent.shape[0], *self.image_shape)), jnp.zeros(())


TOY = Toy(
    config=toy_config(
        {"name": "vae", "latent_size": 3},
        {"name": "conv_autoencoder", "widths": (4,), "hidden": 8},
        likelihood={"name": "discretised_logistic"},
    ),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng)}),
    models={"bare": Bare},
)
TOY.config.evaluation.metrics = "bits_per_dim,reconstruction,fid"


@pytest.mark.slow
def test_it_trains_resumes_is_scored_and_encodes(monkeypatch, tmp_path, capsys):
    state = check_alone(TOY, monkeypatch, tmp_path, [1])
    assert state.discriminator is None
    (record,) = [record for record in map(from_row, read_metrics(tmp_path / "whole")) if record]
    setting = record.setting_of("bits_per_dim")
    assert (setting.num_fakes, setting.num_reals, setting.real) == (0, 16, "toy:test")
    assert "16 held-out examples of toy:test" in str(setting)
    assert record.setting.num_fakes == 64  # of fid
    assert record.scores["bits_per_dim"].protocol == (
        "-log2 p / D, an upper bound of those of levels, by one latent of each"
    )
    assert 2 < record.scores["bits_per_dim"].value < 10
    assert 0 < record.scores["reconstruction_mse"].value < record.scores["reconstruction_l1"].value < 1
    samples = sorted((tmp_path / "whole" / "samples").glob("*.png"))
    out = tmp_path / "projected"
    capsys.readouterr()
    command = ["project", f"--workdir={tmp_path / 'whole'}", f"--input={samples[0]}", f"--out={out}"]
    assert main.main(command) == 0
    assert "1 picture encoded: the distance in pixels and random is" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"projected.png", "latents.npz"}
    with (out / f"latents{SUFFIX}").open("rb") as file:
        assert read_npz(file)["z"].shape == (1, 3)


@pytest.mark.parametrize("component", ["loss", "augment", "penalties", "discriminator"])
def test_what_it_does_not_take_is_refused(monkeypatch, tmp_path, component):
    register(monkeypatch, TOY)
    config = TOY.config.copy_and_resolve_references()
    chosen = {
        "loss": dict(name="hinge"),
        "augment": dict(name="ada"),
        "penalties": dict(r1=dict(weight=1.0)),
        "discriminator": dict(name="mlp_discriminator"),
    }
    with config.unlocked():
        if component in config:
            del config[component]
        config[component] = chosen[component]
    with pytest.raises(UserError, match=f"takes no {component}"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_without_blocks_cannot_compute_them_again(monkeypatch, tmp_path):
    register(monkeypatch, TOY)
    config = TOY.config.copy_and_resolve_references()
    with config.unlocked():
        config.generator = dict(name="bare")
        config.execution.remat = True
    with pytest.raises(UserError, match=r"execution.remat=True: the generator \(bare\)"):
        train(config, tmp_path / "run")


def test_a_gan_has_no_bits_and_encodes_nothing(monkeypatch, tmp_path):
    register(monkeypatch, TOY)
    for metric, message in (("bits_per_dim", "a method with a likelihood"), ("reconstruction", "encodes")):
        config = toy_config(
            {"name": "gan", "latent_size": 3},
            {"name": "mlp_generator", "widths": (4,), "norm": "none"},
            discriminator={"name": "mlp_discriminator", "widths": (4,)},
        )
        config.evaluation.metrics = metric
        with pytest.raises(UserError, match=f"{metric} needs a method (with a likelihood|that encodes), and"):
            train(config, tmp_path / metric)
        assert message


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)


@pytest.mark.slow
def test_it_learns_what_is_there(monkeypatch, tmp_path):
    """Squares of one level each: far fewer bits than the 8 of no model."""
    register(monkeypatch, TOY)
    config = TOY.config.copy_and_resolve_references()
    config.num_steps = 300
    config.steps_per_call = 50
    config.log_every_steps = 50
    config.evaluation.every_steps = 300
    train(config, tmp_path / "run", devices=1)
    (record,) = [record for record in map(from_row, read_metrics(tmp_path / "run")) if record]
    assert record.scores["bits_per_dim"].value < 5.5
    assert math.isfinite(record.scores["fid"].value)
    assert np.isfinite(record.scores["reconstruction_l1"].value)
