"""The pictures of a run show what they say."""

import dataclasses
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.algorithms.gan import GAN
from gan_jax.config.build import build
from gan_jax.config.components import complete
from gan_jax.data.codecs import Pixels
from gan_jax.data.shapes import SHAPES
from gan_jax.inference.conditions import beside_truth, true_rows
from gan_jax.inference.sample import make_sampler
from gan_jax.training import pictures
from tests.algorithms.test_translator_runs import TOY, HandOn
from tests.runs import tiny
from tests.toys.common import register, toy_config


@pytest.fixture
def shown(monkeypatch):
    """The examples that pictures are made of, and their columns."""
    seen = []

    def keep(examples, codec, columns=None):
        seen.append((np.asarray(examples), columns))
        return np.zeros((8, 8, 1), np.uint8)

    monkeypatch.setattr(pictures, "examples_picture", keep)
    return seen


def test_reals_stand_in_the_rows_of_the_samples(shown, data_dir):
    plan = build(
        tiny(
            data_dir,
            **{
                "generator.condition": "embedding",
                "discriminator.condition": "embedding",
                "data.num_examples": 400,
            },
        )
    )
    pictures.reals_like_samples(plan)
    [(examples, columns)] = shown
    assert pictures.row_names(plan) == SHAPES
    assert columns == 8
    stored = plan.dataset.arrays()
    known = {
        image.tobytes(): int(label) for image, label in zip(stored["image"], stored["label"], strict=True)
    }
    images = np.rint((examples + 1) * 127.5).astype(np.uint8)
    assert [known[image.tobytes()] for image in images] == np.repeat(np.arange(8), 8).tolist()


def test_without_classes_the_first_that_are_drawn(shown, data_dir, tmp_path):
    plan = build(tiny(data_dir))
    pictures.reals_like_samples(plan)
    pictures.picture_of_reals(plan, tmp_path)
    (beside, columns), (alone, _) = shown
    assert columns is None
    assert pictures.row_names(plan) == ()
    np.testing.assert_array_equal(beside, alone)


@dataclass(frozen=True, kw_only=True)
class OfSources(GAN):
    """Makes images of sources, be they pairs or not, and shows nothing else."""

    conditions: ClassVar[tuple[str, ...]] = ("source",)

    def examples(self, batch):
        return {**super().examples(batch), "generator": (batch["source"], None)}

    def inputs(self, key, batch, state):
        return batch["source"], None

    def sample(self, state, batch, key):
        return self.draw(state, batch["source"], None)


@pytest.fixture
def translating(monkeypatch):
    """translating(aligned) -> the plan of a toy translator, and the rows of the test split."""

    def make(aligned: bool = True) -> Any:
        fields = {name: dataclasses.replace(f, aligned=aligned) for name, f in TOY.data.fields.items()}
        config = toy_config(
            {"name": "of_sources"}, {"name": "toy_translator"}, discriminator={"name": "toy_discriminator"}
        )
        toy = dataclasses.replace(
            TOY,
            config=config,
            data=dataclasses.replace(TOY.data, fields=fields),
            algorithms={"of_sources": OfSources},
        )
        register(monkeypatch, toy)
        return build(complete(toy.config)), toy.data.open("test", {}).arrays()

    return make


@pytest.mark.parametrize("aligned", [True, False])
def test_what_is_made_of_rows_stands_beside_the_truth(translating, aligned):
    plan, test = translating(aligned)
    algorithm = dataclasses.replace(plan.algorithm, generator=HandOn())
    rows = plan.conditions(plan.phases[0])
    state = algorithm.init(jax.random.key(0), rows.rows(0, 8) | {"image": rows.rows(0, 8)["source"]})
    sampler = make_sampler(algorithm, plan.spec, rows)
    [(kind, found)] = pictures.samples_pictures(plan, sampler, state, rows).items()
    assert kind == ""
    assert found.rows == ()
    names = ["made", "truth"] if aligned else ["made"]
    columns = len(found.columns) // len(names)
    assert found.columns == names * columns
    whole, scale = found.pixels, found.pixels.shape[1] // ((len(names) * 10 + 4) * columns - 6)
    for number in (0, 1, 15):
        top, left = number // columns * 14, number % columns * (len(names) * 10 + 4)
        for name, start in zip(names, (left, left + 10), strict=False):
            cell = whole[scale * top : scale * (top + 8) : scale, scale * start : scale * (start + 8) : scale]
            np.testing.assert_array_equal(cell, test["image" if name == "truth" else "source"][number])


@pytest.mark.parametrize("aligned", [True, False])
def test_fields_that_show_the_same_stand_beside_each_other(translating, aligned, tmp_path):
    plan, _ = translating(aligned)
    pictures.picture_of_reals(plan, tmp_path)
    beside = pictures.reals_like_samples(plan)
    if not aligned:
        assert {path.name for path in tmp_path.iterdir()} == {"reals.png", "reals_source.png"}
        assert beside.columns == ()
        return
    assert [path.name for path in tmp_path.iterdir()] == ["reals.png"]
    assert beside.columns[:2] == ["source", "image"]
    with Image.open(tmp_path / "reals.png") as image:
        assert image.size == (beside.pixels.shape[1], beside.pixels.shape[0] + 24)


@dataclass(frozen=True, kw_only=True)
class BothWays(OfSources):
    """Hands its source on, whichever side that is."""

    @property
    def directions(self):
        return ("a_to_b", "b_to_a")


def test_the_other_direction_has_a_picture_of_its_own(translating):
    plan, test = translating()
    given = {field.name: getattr(plan.algorithm, field.name) for field in fields(plan.algorithm)}
    algorithm = BothWays(**given | {"generator": HandOn()})
    phase = dataclasses.replace(plan.phases[0], algorithm=algorithm)
    state = algorithm.init(jax.random.key(0), {name: jnp.zeros((8, 8, 8, 1)) for name in test})
    found = pictures.picture_samplers(plan, phase)
    assert list(found) == ["", "b_to_a"]
    for (sampler, rows), made, truth in zip(
        found.values(), ("source", "image"), ("image", "source"), strict=True
    ):
        images = sampler(state, 16, jax.random.key(0))
        np.testing.assert_array_equal(Pixels().encode(images), test[made])
        true = true_rows(rows, 0, 16)
        assert true is not None
        np.testing.assert_array_equal(Pixels().encode(true), test[truth])


def test_a_truth_that_is_the_source_is_left_out():
    image, other = np.zeros((2, 4, 4, 1)), np.ones((2, 4, 4, 1))
    assert beside_truth(image, other).keys() == {"made", "truth"}
    kinds = {"image": image, "source": other, "cycle": image}
    assert beside_truth(kinds, None).keys() == {"made", "source", "cycle"}
    assert beside_truth({"image": image, "source": other}, other).keys() == {"made", "source"}
