"""Latents of a generator, in both spaces and in files."""

import jax
import numpy as np
import pytest

from gan_jax.core.styles import Truncation
from gan_jax.data.codecs import Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.inference.sample import make_sampler
from gan_jax.latent_tools.generator import LatentGenerator, Latents
from gan_jax.latent_tools.latent_files import read_latents, save_latents
from gan_jax.utils.errors import UserError
from tests.latent_tools.toys import LATENT, LAYERS, SHAPE, SIZE, SPEC, Styled, opened, plain, styled


def test_a_seed_is_the_first_picture_of_sample_and_many_are_all_of_them():
    algorithm, spec, state = opened(Styled())
    generator = styled()
    sampler = make_sampler(algorithm, spec)
    for seed in (0, 7):
        wanted = sampler(state, 70, jax.random.key(seed))
        np.testing.assert_allclose(generator(generator.drawn([seed])), wanted[:1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(generator(generator.many(70, seed)), wanted, rtol=1e-5, atol=1e-6)


def test_styles_make_the_pictures_of_their_latents_and_lie_between_at_a_truncation():
    generator = styled()
    z = generator.drawn([1, 2])
    w = generator.in_space(z, "w")
    assert w.values.shape == (2, LAYERS, SIZE)
    np.testing.assert_allclose(generator(w), generator(z), rtol=1e-5, atol=1e-6)
    half = styled(Truncation(0.5, 2))
    moved = w.values.copy()
    moved[:, :2] = 0.25 + 0.5 * (moved[:, :2] - 0.25)
    for latents in (z, w):
        np.testing.assert_allclose(half(latents), generator(w.moved(moved)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: plain().chosen_space("w"), "space=w: MLPGenerator has no styles w"),
        (lambda: truncated_plain(), "has no mean style to truncate to"),
        (lambda: styled(Truncation(0.7, 9)), "cutoff=9: this generator has 4 layers"),
        (lambda: styled().in_space(styled().in_space(styled().drawn([0]), "w"), "z"), "no way leads back"),
        (
            lambda: LatentGenerator(
                opened(Styled())[0],
                DataSpec({"image": Field((1, 1, 2), Points())}, None),
                opened(Styled())[2],
            ),
            "makes points, which have no picture each",
        ),
    ],
)
def test_what_a_generator_lacks_is_said_in_a_line(make, words):
    with pytest.raises(UserError, match=words):
        make()


def truncated_plain():
    generator = plain()
    return LatentGenerator(generator.algorithm, generator.spec, generator.state, Truncation(0.7))


@pytest.mark.parametrize("space", ["z", "w"])
def test_files_hold_latents(space, tmp_path):
    generator = styled()
    latents = generator.in_space(generator.drawn([3, 4]), space)
    save_latents(tmp_path / "x.npz", latents)
    again = read_latents(tmp_path / "x.npz", generator)
    assert again.space == space
    assert again.labels is None
    np.testing.assert_array_equal(again.values, latents.values)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "holds nothing: expected one of the arrays z, w"),
        ({"z": np.zeros((2, 9))}, rf"z is float64 \[2, 9\], and the run's is \[N, {LATENT}\]"),
        ({"z": np.zeros((2, LATENT), int)}, "z is int64"),
        ({"z": np.full((2, LATENT), np.nan)}, "not finite"),
        ({"w": np.zeros((2, LAYERS, SIZE))}, "space=w: MLPGenerator has no styles w"),
    ],
)
def test_other_files_are_refused(arrays, words, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match=words):
        read_latents(tmp_path / "x.npz", plain())


def test_labels_of_a_file_are_those_of_a_conditional_generator(tmp_path):
    generator = plain(condition="one_hot")
    save_latents(tmp_path / "x.npz", Latents("z", np.zeros((2, LATENT), np.float32), np.array([2, 1])))
    np.testing.assert_array_equal(read_latents(tmp_path / "x.npz", generator).labels, [2, 1])
    save_latents(tmp_path / "x.npz", Latents("z", np.zeros((2, LATENT), np.float32), np.array([3, 1])))
    with pytest.raises(UserError, match=r"integers \[2\] from 0 to 2"):
        read_latents(tmp_path / "x.npz", generator)


def test_a_file_that_is_none_is_said(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_latents(tmp_path / "x.npz", plain())
    (tmp_path / "x.npz").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"is no \.npz file of latents"):
        read_latents(tmp_path / "x.npz", plain())


def test_the_spec_of_the_toys():
    assert SPEC.image_shape == SHAPE
