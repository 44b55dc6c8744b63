"""What a run writes down of itself, and what may differ when it is continued."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
import pytest

from gan_jax import data
from gan_jax.config import build
from gan_jax.config.build import build_algorithm
from gan_jax.config.components import complete
from gan_jax.config.record import (
    FREE_FIELDS,
    describe_data,
    differences,
    from_json,
    located,
    recorded_spec,
    to_json,
)
from gan_jax.data.codecs import Lab, Points, Tiles, Wave
from gan_jax.data.spec import DataSpec, Field
from gan_jax.densities import ring
from tests.shipped import SPEC, config_with, dataset, get_config

RAMP = dict(name="linear", start=1.0, end=0.5, steps=9)


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
    for field in ("discriminator_steps", "latent_size", "latent", "packing", "penalties", "augment", "game"):
        assert getattr(one, field) == getattr(two, field)
    hash(two.generator), hash(two.discriminator)  # a list inside would make them unhashable
    batch = build.example_batch(SPEC, 2)
    first, second = (jax.eval_shape(a.init, jax.random.key(0), batch) for a in (one, two))
    assert first == second
    assert differences(record, to_json(again)) == []
    assert differences(to_json(config), to_json(again)) == []


@pytest.mark.parametrize("name", sorted(FREE_FIELDS))
def test_free_fields_may_differ(name):
    changes = {name.replace(".", "__"): 77 if "." not in name else "stream"}
    assert differences(to_json(config_with()), to_json(config_with(**changes))) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"batch_size": 16}, "batch_size: 32 -> 16"),
        ({"generator__widths": (128, 64)}, "generator.widths: [64, 32] -> [128, 64]"),
        ({"loss__name": "minimax"}, "loss.name: non_saturating -> minimax"),
        ({"loss__real_target": 0.9}, "loss.real_target: absent -> 0.9"),
        ({"penalties": {"lecam": {"weight": 2.0}}}, "penalties.lecam.weight: absent -> 2.0"),
        ({"ema__decay": 0.5}, "ema.decay: 0.99 -> 0.5"),
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


def test_where_pretrained_weights_and_styles_are_is_free():
    """Their digests are recorded; and a record has whole paths."""
    content = dict(weight=1.0, network="vgg19", layers=("relu1_1",), weights="vgg.pth", style="a/style.png")
    config = config_with(contents=dict(gram=content))
    moved = config_with(contents=dict(gram=dict(content, weights="~/vgg.pth", style="/b/style.png")))
    assert differences(to_json(config), to_json(moved)) == []
    found = located(config).contents.gram
    assert found.weights == str(Path("vgg.pth").absolute())
    assert found.style == str(Path("a/style.png").absolute())
    assert located(config_with(contents=dict(gram=dict(content, style="")))).contents.gram.style == ""

    def of(network):
        return config_with(contents=dict(lpips=dict(weight=1.0, network=network, layers=("relu_0",))))

    record = to_json(located(of("classifier:photos.npz")))
    assert record["contents"]["lpips"]["network"] == f"classifier:{Path('photos.npz').absolute()}"
    assert differences(record, to_json(of("classifier:/b/photos.npz"))) == []
    assert len(differences(record, to_json(of("classifier:/b/others.npz")))) == 1
    assert located(of("classifier:photos")).contents.lpips.network == "classifier:photos"


def test_every_interval_is_free_and_the_batch_size_is_not():
    assert {"num_steps", "steps_per_call", "data.dir", "data.placement"} <= FREE_FIELDS
    assert "batch_size" not in FREE_FIELDS


def test_described_data_give_the_spec_again():
    described = json.loads(json.dumps(describe_data(dataset())))
    assert recorded_spec(described) == dataset().spec
    assert described["examples"] == 64
    assert described["class_names"] == ["a", "b", "c", "d"]


def test_an_unlabelled_set_is_described_as_such():
    described = json.loads(json.dumps(describe_data(dataset(labelled=False))))
    assert recorded_spec(described) == DataSpec({"image": Field(SPEC.image_shape)}, None)


def test_points_are_described_as_such_and_old_records_are_of_images():
    described = json.loads(json.dumps(describe_data(data.load("ring", num_examples=10))))
    spec = DataSpec({"image": Field((1, 1, 2), Points(ring()))}, None)
    assert recorded_spec(described) == spec
    assert described["options"] == dict(modes=8, radius=2.0, std=0.02, num_examples=10, seed=0)
    del described["fields"]
    assert recorded_spec({**described, "points": True}) == spec
    assert recorded_spec(described) == DataSpec({"image": Field((1, 1, 2))}, None)


def test_a_density_with_lists_among_its_options_is_recorded():
    dataset = data.load("mixture", means=[0, 4], stds=(1.0, 2.0), weights=[1, 3])
    described = json.loads(json.dumps(describe_data(dataset)))
    assert recorded_spec(described) == dataset.spec
    del described["fields"]
    assert recorded_spec({**described, "points": True}) == dataset.spec


def test_fields_of_old_records_have_the_range_of_the_option():
    described = describe_data(replace(dataset(), options={"value_range": (0, 4095)}))
    assert recorded_spec(json.loads(json.dumps(described))).fields["image"].file_range == (0, 4095)


def test_fields_of_every_codec_are_recorded():
    fields = {
        "image": Field((4, 6, 2), Tiles(np.array([[0, 0, 0], [255, 9, 0]]))),
        "source": Field((8, 1, 1), Wave(16_000), aligned=False),
        "colour": Field((4, 6, 3), Lab()),
        "many": Field((4, 6, 5)),
    }
    described = json.loads(json.dumps(describe_data(replace(dataset(), fields=fields))))
    assert recorded_spec(described) == DataSpec(fields, 4, tuple("abcd"))


def test_every_component_survives_its_record():
    """Also what is nested: penalties, and schedules inside of them."""
    changes = dict(
        penalties=dict(r1=dict(weight=RAMP, every=4), lecam=dict(weight=0.1)),
        augment=dict(name="diffaugment", policy=("color",)),
        game=dict(name="alternating"),
        ema=dict(name="half_life", images=300),
        generator_optimizer=dict(name="adam", learning_rate=RAMP),
        algorithm__top_k=RAMP,
    )
    config = complete(config_with(**changes))
    record = json.loads(json.dumps(to_json(config)))
    again = from_json(record)
    assert to_json(complete(again)) == record
    one, two = read(config), read(again)
    for field in ("penalties", "augment", "game", "top_k"):
        assert getattr(one, field) == getattr(two, field)
    assert float(two.ema_decay(7)) == float(one.ema_decay(7))


def read(config) -> Any:
    build.check_fields(config)
    return build_algorithm(config, SPEC)


def test_the_order_of_fields_makes_no_difference():
    record = to_json(complete(config_with(penalties=dict(r1=dict(weight=1.0), r2=dict(weight=2.0)))))
    turned = json.loads(json.dumps(record, sort_keys=True))
    turned["penalties"] = dict(reversed(turned["penalties"].items()))
    assert differences(record, turned) == []
    assert [penalty.name for penalty in read(from_json(turned)).penalties] == ["r1", "r2"]


def test_what_follows_another_field_is_written_down_as_a_number():
    config = complete(get_config("dcgan_fashion_mnist"))
    config.batch_size = 60
    record = to_json(config)
    assert record["num_steps"] == 20_000
    assert isinstance(from_json(record), ml_collections.ConfigDict)
    assert from_json(record).num_steps == 20_000


def test_a_schedule_in_place_of_a_number_alters_the_mathematics():
    was, new = config_with(), config_with(generator_optimizer__learning_rate=RAMP)
    lines = differences(to_json(was), to_json(new))
    assert "generator_optimizer.learning_rate: 0.001 -> absent" in lines
    assert "generator_optimizer.learning_rate.steps: absent -> 9" in lines


def test_a_field_that_an_older_record_lacks_means_what_it_meant():
    """LeCam acted from the first step on before it had a start."""
    old = to_json(config_with(penalties={"lecam": {"weight": 0.3, "decay": 0.9}}))
    kept = json.dumps(old)
    before, now = (
        complete(from_json(old)),
        complete(config_with(penalties={"lecam": {"weight": 0.3, "decay": 0.9}})),
    )
    assert differences(to_json(before), to_json(now)) == ["penalties.lecam.start_step: 0 -> 1000"]
    assert json.dumps(old) == kept
    assert from_json(to_json(now)).penalties.lecam.start_step == 1000
    assert "lecam" not in from_json(to_json(get_config())).penalties
