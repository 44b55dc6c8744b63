"""ADA as a whole: the identity at p = 0, which p is used, and how p follows the overfitting."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.augment import ADA, AUGMENTS, Augment, DiffAugment, NoAugment
from gan_jax.optim.schedules import linear
from tests.augment.cases import EVERYTHING, SIZES, STEP, ada_at, compiled, keys_of, pictures

KODAK = Path(__file__).parents[3] / "shared" / "data" / "kodak"


# What comes out


@pytest.mark.parametrize("size", SIZES)
def test_at_p_0_everything_is_exactly_the_identity(size):
    x = pictures(4, *size)
    np.testing.assert_array_equal(ada_at(0.0, x, keys_of(4), EVERYTHING), x)


def test_photographs_at_p_0_and_1():
    if not KODAK.is_dir():
        pytest.skip("the Kodak photographs are not in ../shared/data/kodak")
    files = sorted(KODAK.glob("kodim0*.png"))
    photographs = [np.asarray(Image.open(file).resize((48, 48))) / np.float32(127.5) - 1 for file in files]
    x, keys = np.stack(photographs), keys_of(len(photographs))
    np.testing.assert_array_equal(ada_at(0.0, x, keys), x)
    y = np.asarray(ada_at(1.0, x, keys))
    assert np.isfinite(y).all()
    assert (np.abs(y - x).mean((1, 2, 3)) > 0.05).all()
    # Nothing blurs or rings: without colours the spread stays as it is.
    z = np.asarray(ada_at(1.0, x, keys, ("blit", "geometric")))
    assert abs(z.std() / x.std() - 1) < 0.1
    assert np.abs(z).max() < 1.3


def test_p_is_the_share_of_examples_that_are_touched():
    x = pictures(1, 8, 8, 3).repeat(2000, 0)
    augment = ADA(adjust_images=0, p=0.3, groups=("color",), without=("luma_flip",))
    touched = (np.asarray(compiled(augment)(x, keys_of(2000))) != x).any((1, 2, 3)).mean()
    expected = 1 - 0.7**4
    assert abs(touched - expected) < 5 * np.sqrt(expected * (1 - expected) / 2000)


def test_colours_may_happen_with_a_share_of_p():
    """R3GAN's half: each of the four with 0.3, and none of the others less often."""
    x = pictures(1, 8, 8, 3).repeat(2000, 0)
    make = functools.partial(ADA, adjust_images=0, p=0.6, color_share=0.5)
    augment = make(groups=("color",), without=("luma_flip",))
    touched = (np.asarray(compiled(augment)(x, keys_of(2000))) != x).any((1, 2, 3)).mean()
    expected = 1 - 0.7**4
    assert abs(touched - expected) < 5 * np.sqrt(expected * (1 - expected) / 2000)
    others = compiled(make(groups=("blit", "geometric")))(x[:8], keys_of(8))
    np.testing.assert_array_equal(others, ada_at(0.6, x[:8], keys_of(8), ("blit", "geometric")))


def test_compiled_or_not_is_the_same():
    x, keys = pictures(4, 20, 28, 4), keys_of(4)
    plain = ADA(adjust_images=0, p=0.7, groups=EVERYTHING)(x, keys, {}, STEP)
    np.testing.assert_allclose(ada_at(0.7, x, keys, EVERYTHING), plain, atol=2e-4)


def test_p_may_be_a_number_a_schedule_or_adaptive():
    x, keys = pictures(6, 20, 28, 3), keys_of(6)
    expected = ada_at(0.6, x, keys)
    assert not np.array_equal(expected, ada_at(0.5, x, keys))
    number = ADA(adjust_images=0, p=0.6)
    np.testing.assert_allclose(compiled(number)(x, keys), expected, atol=1e-5)
    adaptive = ADA(p=0.6)
    found = jax.jit(lambda memory: adaptive(x, keys, memory, STEP))(adaptive.init())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    schedule = ADA(adjust_images=0, p=linear(0.0, 1.0, steps=10))
    assert float(schedule.probability({}, jnp.int32(7))) == pytest.approx(0.7)


# How p moves


def follow(augment, memory, *batches):
    for logits in batches:
        memory = augment.update(memory, jnp.asarray(logits, jnp.float32), STEP)
    return memory


SURE, UNSURE = [3.0, 0.1, 2.0, 5.0], [3.0, -0.1, 2.0, -5.0]  # mean signs 1 and 0


def test_p_rises_when_the_reals_are_known_and_falls_when_they_are_not():
    """By hand: 4 descents of 4 images are 16 of 1000 images, 0.016."""
    augment = ADA(adjust_images=1000, p=0.5)
    memory = augment.init()
    assert float(memory["p"]) == 0.5
    memory = follow(augment, memory, SURE, SURE, SURE)
    assert float(memory["p"]) == 0.5  # not before the interval is over
    memory = follow(augment, memory, SURE)
    assert float(memory["p"]) == pytest.approx(0.516)
    assert float(memory["r"]) == 1.0
    memory = follow(augment, memory, SURE, SURE, UNSURE, UNSURE)
    assert float(memory["r"]) == 0.5  # below 0.6
    assert float(memory["p"]) == pytest.approx(0.5)
    memory = follow(augment, memory, SURE, SURE, SURE, UNSURE)
    assert float(memory["r"]) == 0.75
    assert float(memory["p"]) == pytest.approx(0.516)


def test_p_goes_from_0_to_1_in_adjust_images_and_stays_within():
    augment = ADA(adjust_images=160, interval_steps=1)
    memory = augment.init()
    seen = []
    for _ in range(45):
        memory = follow(augment, memory, SURE)
        seen.append(float(memory["p"]))
    np.testing.assert_allclose(seen, np.minimum(np.arange(1, 46) * 4 / 160, 1), atol=1e-5)
    assert seen[-1] == 1.0
    for _ in range(45):
        memory = follow(augment, memory, UNSURE)
    assert float(memory["p"]) == 0.0


def test_exactly_on_target_p_stays():
    """And a logit of 0 counts for neither side."""
    augment = ADA(target=0.5, p=0.25, interval_steps=1)
    assert float(follow(augment, augment.init(), [1.0, 1.0, 1.0, -1.0])["p"]) == 0.25
    assert float(follow(augment, augment.init(), [1.0, 1.0, 0.0, 0.0])["p"]) == 0.25


def test_the_defaults_are_the_papers():
    augment = ADA()
    assert augment.groups == ("blit", "geometric", "color")
    assert (augment.target, augment.interval_steps, augment.adjust_images) == (0.6, 4, 500_000)
    memory = follow(augment, augment.init(), *[np.ones(64)] * 4)
    assert float(memory["p"]) == pytest.approx(256 / 500_000)


def test_updates_compile_and_keep_the_states_form():
    augment = ADA()
    memory = augment.init()
    after = jax.jit(augment.update)(memory, jnp.ones(4), STEP)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, memory)
    assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, memory)


def test_a_fixed_p_has_no_state():
    augment = ADA(adjust_images=0, p=0.3)
    assert augment.init() == {}
    assert augment.update({}, jnp.ones(4), STEP) == {}


# What is refused, and the table


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(groups=("bgc",)), r"groups=\('bgc',\).*blit, geometric, color, filter, corrupt"),
        (dict(groups=()), r"groups=\(\)"),
        (dict(without=("rotation",)), r"without=\('rotation',\).*rotate"),
        (dict(groups=("filter",), without=("bands",)), "nothing is left"),
        (dict(target=1.5), r"target=1\.5.*\[-1, 1\]"),
        (dict(p=1.2), r"p=1\.2.*\[0, 1\]"),
        (dict(adjust_images=0, p=-0.1), r"p=-0\.1"),
        (dict(p=linear(0.0, 0.5, 10)), "p: a schedule.*adjust_images=0"),
        (dict(adjust_images=0, p=linear(0.0, 1.5, 10)), r"p.*\[0, 1\]"),
        (dict(interval_steps=0), "interval_steps=0.*positive"),
        (dict(adjust_images=0.5), r"adjust_images=0\.5.*positive integer"),
    ],
)
def test_bad_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ADA(**fields)


@pytest.mark.parametrize("augment", [ADA(), DiffAugment()])
def test_bad_batches_are_refused(augment):
    with pytest.raises(ValueError, match=r"image: its shape is \(8, 8, 3\)"):
        augment(jnp.zeros((8, 8, 3)), keys_of(8), {}, STEP)
    with pytest.raises(ValueError, match=r"keys: .*\[2\].*one typed key per image, \[3\]"):
        augment(jnp.zeros((3, 8, 8, 3)), keys_of(2), {}, STEP)
    with pytest.raises(ValueError, match=r"keys: uint32"):
        augment(jnp.zeros((3, 8, 8, 3)), jnp.zeros(3, jnp.uint32), {}, STEP)


def test_the_table():
    assert {"none": NoAugment, "diffaugment": DiffAugment, "ada": ADA} == AUGMENTS
    x = pictures(2, 8, 8, 1)
    for augment in (NoAugment(), DiffAugment()):
        memory = augment.init()
        assert augment.update(memory, jnp.ones(2), STEP) == memory == {}
    np.testing.assert_array_equal(NoAugment()(x, keys_of(2), {}, STEP), x)
    with pytest.raises(NotImplementedError, match="Augment must say"):
        Augment()(x, keys_of(2), {}, STEP)
