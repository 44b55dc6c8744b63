"""Reading a config: what is wrong is said with the choices, before anything is compiled."""

import json
import runpy
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
import pytest

from gan_jax import build, data
from gan_jax.build import DataSpec, build_algorithm, differences, from_json, to_json
from gan_jax.errors import UserError

SPEC = DataSpec((12, 10, 3), 4)


def get_config(name="dcgan_shapes"):
    """A shipped config."""
    return runpy.run_path(str(Path(__file__).parent.parent / "configs" / f"{name}.py"))["get_config"]()


def config_with(**changes):
    """The embedded default with fields "a__b" set to new values; a missing field is made."""
    config = get_config()
    with config.unlocked():
        for name, value in changes.items():
            place, *path = name.split("__")
            if not path:
                config[place] = value
            else:
                fields = config[place].to_dict()
                fields[path[0]] = value
                config[place] = fields
    return config


@pytest.fixture
def no_compiler(monkeypatch):
    """Any compilation is a failure."""

    def refuse(*args, **kwargs):
        raise AssertionError("compiled before the config was checked")

    monkeypatch.setattr(jax.stages.Lowered, "compile", refuse)


def dataset():
    records = [{"image": np.zeros(SPEC.image_shape, np.uint8), "label": i % 4} for i in range(64)]
    return data.Dataset("tiny", "train", records, SPEC.image_shape, 4, tuple("abcd"), "none")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # names, with the choices
        ({"algorithm__name": "gna"}, "algorithm.name='gna' is not one of gan"),
        ({"generator__name": "unet"}, "generator.name='unet' is not one of dcgan_disc.*mlp_generator"),
        ({"generator_optimizer__name": "adamm"}, "generator_optimizer.name='adamm' is not one of adam, rms"),
        ({"discriminator": {"widths": (8, 8)}}, "discriminator.name=None is not one of"),
        # fields, with the choices
        (
            {"generator__width": (8,)},
            r"generator \(dcgan_generator\) has no field width; its fields are act.*wid",
        ),
        ({"discriminator__axis": "batch"}, "discriminator .* has no field axis"),
        ({"generator__image_shape": (8, 8, 1)}, "generator .* has no field image_shape"),
        ({"algorithm__penalty": 1.0}, r"algorithm \(gan\) has no field penalty; its fields are disc.*loss"),
        ({"discriminator_optimizer": {"name": "adam"}}, r"discriminator_optimizer \(adam\): .*learning_rate"),
        # values
        ({"algorithm__loss": "hinge?"}, "loss='hinge.' is not one of minimax, non_saturating"),
        ({"algorithm__latent": "gauss"}, "latent='gauss' is not one of normal, uniform"),
        ({"algorithm__latent_size": 0}, "latent_size=0: it must be a positive integer"),
        ({"algorithm__discriminator_steps": 0}, "discriminator_steps=0: it must be a positive integer"),
        ({"algorithm__discriminator_steps": 1.5}, "discriminator_steps=1.5: it must be a positive"),
        ({"algorithm__ema_decay": 1.0}, r"algorithm.ema_decay=1.0: it must be in \[0, 1\)"),
        ({"algorithm__ema_decay": -0.1}, "algorithm.ema_decay=-0.1"),
        ({"algorithm__ema_decay": "0.9"}, "algorithm.ema_decay='0.9'"),
        ({"generator__activation": "reul"}, "activation='reul' is not one of elu, leaky_relu, relu"),
        ({"discriminator__activation": "reul"}, "activation='reul' is not one of elu"),
        ({"generator__upsampling": "cubic"}, "upsampling='cubic' is not one of transpose, nearest, bil"),
        ({"generator__initializer": "he"}, "initializer='he' is not one of glorot_uniform, normal"),
        ({"generator__widths": ()}, "widths=.*: it must be a tuple of positive integers"),
        ({"generator__widths": (8, -1)}, "widths=.*: it must be a tuple of positive integers"),
        ({"discriminator__widths": 8}, "widths=8: it must be a tuple of positive integers"),
        ({"discriminator__widths": (8, 2.0)}, "widths=.*: it must be a tuple of positive integers"),
        ({"generator__kernel_size": 0}, "kernel_size=0: it must be a positive integer"),
        ({"generator__momentum": 1.5}, "momentum=1.5: it must be in"),
        ({"discriminator__dropout": 1.0}, "dropout rate 1.0: it must be at least 0 and below"),
        ({"discriminator__dropout": -0.1}, "dropout rate -0.1"),
        ({"generator_optimizer__learning_rate": 0.0}, "learning_rate=0.0: it must be positive"),
        ({"discriminator_optimizer__learning_rate": -1e-3}, "learning_rate=-0.001: it must be positive"),
        ({"discriminator_optimizer__learning_rate": "1e-3"}, "discriminator_optimizer .adam.: "),
        ({"generator_optimizer__b1": 1.0}, r"b1=1.0: it must be in \[0, 1\)"),
        # networks that do not fit
        ({"generator": {"name": "dcgan_discriminator"}}, "do not fit .*a convolution takes images"),
        (
            {"generator": {"name": "mlp_discriminator"}},
            r"generator \(mlp_discriminator\) makes arrays \(\)",
        ),
        ({"discriminator": {"name": "mlp_generator"}}, r"discriminator \(mlp_generator\): .*image_shape"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_components_are_refused_before_anything_is_compiled(changes, message, no_compiler):
    with pytest.raises(UserError, match=message) as caught:
        build_algorithm(config_with(**changes), SPEC)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_stepz": 3}, "has no use for num_stepz; its fields are algorithm, batch_size"),
        *(({name: 0}, f"{name}=0: it must be at least 1") for name in build.COUNTS),
        ({"batch_size": "64"}, "batch_size='64': it must be at least 1"),
        ({"num_steps": 1.5}, "num_steps=1.5: it must be at least 1"),
        ({"seed": -1}, "seed=-1: it must be from 0"),
        ({"seed": 2**32}, "seed=4294967296: it must be from 0"),
        ({"seed": "a"}, "seed='a': it must be from 0"),
        ({"generator": "dcgan_generator"}, "generator='dcgan_generator': it must be dict"),
        ({"data": {"name": "shapes"}}, "the config lacks data.dir, data.split"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_configs_are_refused_before_the_data_are_opened(changes, message, monkeypatch):
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: pytest.fail("opened the data"))
    config = ml_collections.ConfigDict(get_config().to_dict() | changes)
    with pytest.raises(UserError, match=message):
        build.build(config)


@pytest.mark.parametrize("name", ["seed", "num_steps", "data", "generator_optimizer"])
def test_missing_fields_are_named(name):
    fields = get_config().to_dict()
    del fields[name]
    with pytest.raises(UserError, match=f"the config lacks {name}; its fields are algorithm, batch_size"):
        build.check_fields(ml_collections.ConfigDict(fields))


def test_a_plan_is_what_the_config_says(monkeypatch):
    asked: dict[str, Any] = {}

    def load(name, **options):
        asked.update(options, name=name)
        return dataset()

    monkeypatch.setattr(data, "load", load)
    config = config_with(batch_size=16, num_steps=7, seed=5, algorithm__discriminator_steps=3)
    config.update(log_every_steps=50, checkpoint_every_steps=400, sample_every_steps=500)
    config.data.update(resolution=40, channels=3)
    plan = build.build(config)
    assert asked == dict(
        name="shapes", data_dir=None, split="train", resolution=40, channels=3, num_examples=20_000, seed=0
    )
    assert (plan.batch_size, plan.num_steps, plan.steps_per_call) == (16, 7, 25)
    assert (plan.log_every_steps, plan.checkpoint_every_steps, plan.sample_every_steps) == (50, 400, 500)
    assert plan.sampler.indices(0, 2).shape == (2, 3, 16)
    assert (plan.placement, plan.flip) == ("auto", False)
    assert jax.random.key_data(plan.key).tolist() == jax.random.key_data(jax.random.key(5)).tolist()
    assert float(plan.algorithm.ema_decay(10**6)) == pytest.approx(0.99)
    assert plan.algorithm.generator.image_shape == SPEC.image_shape


def test_a_batch_larger_than_the_data_is_refused(monkeypatch):
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: dataset())
    with pytest.raises(UserError, match=r"batch size is 65.* only 64 examples"):
        build.build(config_with(batch_size=65))


# Records


@pytest.mark.parametrize("name", ["dcgan_shapes", "dcgan_fashion_mnist"])
def test_a_recorded_config_builds_the_same_algorithm(name):
    """JSON has lists only: tuples must come back, or the networks would differ."""
    config = get_config(name)
    record = json.loads(json.dumps(to_json(config)))
    assert record["generator"]["widths"] == list(config.generator.widths)
    again = from_json(record)
    build.check_fields(again)
    one, two = build_algorithm(config, SPEC), build_algorithm(again, SPEC)
    assert one.generator == two.generator
    assert one.discriminator == two.discriminator
    for field in ("loss", "discriminator_steps", "latent_size", "latent"):
        assert getattr(one, field) == getattr(two, field)
    hash(two.generator), hash(two.discriminator)  # a list inside would make them unhashable
    batch = build.example_batch(SPEC, 2)
    first, second = (jax.eval_shape(a.init, jax.random.key(0), batch) for a in (one, two))
    assert first == second
    assert differences(record, to_json(again)) == []
    assert differences(to_json(config), to_json(again)) == []


@pytest.mark.parametrize("name", sorted(build.FREE_FIELDS))
def test_free_fields_may_differ(name):
    changes = {name.replace(".", "__"): 77 if "." not in name else "stream"}
    assert differences(to_json(config_with()), to_json(config_with(**changes))) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"batch_size": 16}, "batch_size: 32 -> 16"),
        ({"generator__widths": (128, 64)}, "generator.widths: [64, 32] -> [128, 64]"),
        ({"algorithm__loss": "minimax"}, "algorithm.loss: non_saturating -> minimax"),
        ({"generator_optimizer__learning_rate": 0.1}, "generator_optimizer.learning_rate: 0.001 -> 0.1"),
        ({"data__flip": True}, "data.flip: False -> True"),
        ({"data__height": 5}, "data.height: absent -> 5"),
    ],
)
def test_what_alters_the_mathematics_is_listed(changes, line):
    old, new = to_json(config_with()), to_json(config_with(**changes))
    assert differences(old, new) == [line]
    was, _, rest = line.partition(": ")
    before, _, after = rest.partition(" -> ")
    assert differences(new, old) == [f"{was}: {after} -> {before}"]


def test_every_interval_is_free_and_the_batch_size_is_not():
    assert {"num_steps", "steps_per_call", "data.dir", "data.placement"} <= build.FREE_FIELDS
    assert "batch_size" not in build.FREE_FIELDS


def test_described_data_give_the_spec_again():
    described = json.loads(json.dumps(build.describe_data(dataset())))
    assert build.recorded_spec(described) == SPEC
    assert described["examples"] == 64
    assert described["class_names"] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("classes", [None, 4])
def test_example_batch(classes):
    batch = build.example_batch(DataSpec((12, 10, 3), classes), 6)
    assert batch["image"].shape == (6, 12, 10, 3)
    assert ("label" in batch) == (classes is not None)
