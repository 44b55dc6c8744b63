"""A diffusion model from the config to its scores, its pictures and its sampler's flags."""

import pytest

from gan_jax import main
from gan_jax.config.build import build
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.evaluation.protocol import WHILE_TRAINING, from_row
from gan_jax.summaries.logs import read_metrics
from gan_jax.training.train import train
from gan_jax.utils.errors import UserError
from tests.shipped import config_with
from tests.toys.common import Toy, ToyData, check_alone, check_many, register, squares, toy_config


def labelled(count, rng):
    return {"image": squares(count, rng), "label": (rng.uniform(size=count) < 0.5).astype("int32")}


TOY = Toy(
    config=toy_config(
        {"name": "diffusion"},
        {"name": "mlp_denoiser", "widths": (8,), "embedding_size": 4, "condition": "one_hot"},
        process={"name": "ddpm", "noise_steps": 10},
        sampler={"name": "ddim", "steps": 2},
    ),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, labelled, 2),
)


@pytest.mark.slow
def test_it_trains_resumes_is_scored_and_sampled(monkeypatch, tmp_path, capsys):
    state = check_alone(TOY, monkeypatch, tmp_path, [2])
    assert state.discriminator is None
    run, out = tmp_path / "whole", tmp_path / "few.png"
    (watched,) = filter(None, map(from_row, read_metrics(run)))
    assert watched.which == WHILE_TRAINING
    flags = ["--solver=heun", "--steps=3", "--guidance=2"]
    assert main.main(["sample", f"--workdir={run}", "--num=4", f"--out={out}", *flags]) == 0
    assert out.exists()
    options = ["--metrics=sampling,fid", "--network=random", "--num=64"]
    assert main.main(["evaluate", f"--fake={run}", *options, *flags]) == 0
    _, scored = filter(None, map(from_row, read_metrics(run)))
    assert scored.which.endswith(", heun, 3 steps, guidance 2")
    assert scored.scores["network_evaluations"].value == 10
    assert scored.fake_id != watched.fake_id
    capsys.readouterr()
    for wrong, message in (
        (["--solver=euler"], "--solver=euler: it is not one of ancestral, ddim, heun"),
        (["--solver=ddim", "--steps=11"], "steps=11: the process ddpm has noise_steps=10 at most"),
        (["--latents=z.npz", "--steps=3"], "--steps is of diffusion models, which do not take --latents"),
    ):
        assert main.main(["sample", f"--workdir={run}", f"--out={out}", *wrong]) != 0
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert main.main(["export", f"--workdir={run}", f"--out={tmp_path / 'made'}"]) == 1
    assert "Diffusion makes pictures neither of latents nor of pictures" in capsys.readouterr().err
    assert main.main(["interpolate", f"--workdir={run}", f"--out={tmp_path / 'made.png'}"]) == 1
    assert "Diffusion" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "fields", "message"),
    [
        ("process", dict(name="vp"), r"process\.name='vp' is not one of ddpm, edm"),
        ("sampler", dict(name="ddim", steps=11), "noise_steps=10 at most"),
        ("sampler", dict(name="ddim", eta=2.0), "eta=2.0"),
        ("sampler", dict(name="heun", eta=0.5), "has no field eta"),
        ("loss", dict(name="hinge"), "takes no loss"),
        ("discriminator", dict(name="mlp_discriminator"), "takes no discriminator"),
        ("generator", dict(name="mlp_denoiser", condition="embedding"), "condition='embedding'"),
    ],
)
def test_a_wrong_config_is_refused(monkeypatch, where, fields, message):
    register(monkeypatch, TOY)
    config = TOY.config.copy_and_resolve_references()
    with config.unlocked():
        if where in config:
            del config[where]
        config[where] = fields
    with pytest.raises(UserError, match=message):
        build(config)


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "sampler"),
    [(dict(name="ddpm"), dict(name="ddim", steps=50)), (dict(name="edm", data_std=1.4), dict(name="heun"))],
    ids=["ddpm", "edm"],
)
def test_it_learns_a_ring(process, sampler, tmp_path):
    """All eight modes, and most points near one."""
    config = config_with("ddpm_ring", process=process, sampler=sampler, num_steps=4000, batch_size=256)
    config.data.num_examples = 20_000
    config.checkpoint_every_steps = config.sample_every_steps = 4000
    config.evaluation.update(metrics="density", every_steps=4000, num=2000)
    train(config, tmp_path / "run", devices=1)
    (record,) = filter(None, map(from_row, read_metrics(tmp_path / "run")))
    assert record.scores["modes_reached"].value == 8
    assert record.scores["high_quality"].value > 0.5
