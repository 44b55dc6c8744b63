"""Many small games: what moves, and that a seed among others is the seed alone."""

import jax
import numpy as np
import pytest
from scipy.special import expit

from gan_jax.densities import Mixture, gaussian, mixture
from gan_jax.models import MODELS
from gan_jax.optim.optimizers import adam, no_average
from gan_jax.optim.schedules import cosine
from gan_jax.summaries.plotting import median_band, new_figure, save_figure
from gan_jax.theory.fixed import KnownGenerator
from gan_jax.theory.grid import box, log_density
from gan_jax.theory.optimal import optimal_discriminator, optimal_value, value
from gan_jax.theory.playing import begin, draw_points, logits_on, of_each_seed, play

DATA, FAKES = mixture((-1.0, 1.0), (0.5, 0.5)), gaussian(1.0, 1.0)
DRAW = draw_points(DATA, 128)


@pytest.fixture(scope="module")
def algorithm():
    return KnownGenerator(
        density=FAKES,
        generator=MODELS["mlp_generator"](image_shape=(1, 1, 1), widths=(1,)),
        discriminator=MODELS["mlp_discriminator"](widths=(32,), activation="tanh"),
        generator_tx=adam(1e-2),
        discriminator_tx=adam(cosine(2e-2, 0.0, 1500)),
        ema_decay=no_average(),
        latent_size=1,
    )


@pytest.fixture(scope="module")
def advance(algorithm):
    return play(algorithm, DRAW)


def leaves(tree):
    return [np.asarray(x) for x in jax.tree.leaves(tree)]


def test_only_the_discriminator_moves(algorithm, advance):
    before = begin(algorithm, [0, 1], DRAW)
    after = advance(before, 2)
    assert int(after.step) == 2
    for old, new in zip(leaves(before.generator), leaves(after.generator), strict=True):
        assert (old == new).all()
    moved = zip(leaves(before.discriminator.params), leaves(after.discriminator.params), strict=True)
    assert any((old != new).any() for old, new in moved)
    assert {update.role for update in algorithm.updates()} == {"discriminator"}


def test_a_seed_among_others_is_the_seed_alone_however_the_steps_are_grouped(algorithm, advance):
    three = advance(advance(begin(algorithm, [5, 6, 7], DRAW), 3), 4)
    alone = advance(begin(algorithm, [6], DRAW), 7)
    rows, whole = leaves(three.discriminator), leaves(alone.discriminator)
    for row, one in zip(rows, whole, strict=True):
        assert (row[1] == one[0]).all()
    assert any((row[0] != row[1]).any() for row in rows)


def test_the_fakes_are_draws_from_the_density(algorithm):
    fake = algorithm.fakes(None, np.zeros((4000, 1)), None, jax.random.key(0))
    assert fake.shape == (4000, 1, 1, 1)
    assert float(fake.mean()) == pytest.approx(1.0, abs=0.08)
    assert float(fake.std()) == pytest.approx(1.0, abs=0.06)


def test_the_discriminator_becomes_the_best_one(algorithm, advance):
    """The theory and the project's training meet: proposition 1 and theorem 1 of Goodfellow et al. 2014."""
    grid = box((-6.0, 7.0, 651))
    p, q = log_density(DATA, grid), log_density(FAKES, grid)
    best, most = expit(optimal_discriminator(p, q)), optimal_value(p, q, grid)
    judge = of_each_seed(logits_on(algorithm, grid.points))
    states = begin(algorithm, [0], DRAW)
    before = judge(states)[0]
    logits = judge(advance(states, 1500))[0]
    weight = (np.exp(p) + np.exp(q)) / 2
    assert grid.integral(weight * np.abs(expit(logits) - best)) < 0.03
    assert grid.integral(weight * np.abs(expit(before) - best)) > 0.1
    assert most - 0.01 < value(p, q, logits, grid) < most


def test_points_in_the_plane():
    batch = draw_points(Mixture(((3.0, -4.0),), (0.01,)), 6, minibatches=2)(jax.random.key(0))
    assert batch["image"].shape == (2, 6, 1, 1, 2)
    assert np.asarray(batch["image"]).reshape(-1, 2) == pytest.approx(np.tile([3.0, -4.0], (12, 1)), abs=0.1)


def test_a_figure_with_a_band(tmp_path):
    figure = new_figure(2, 2)
    axes = figure.subplots()
    rows = np.arange(22.0).reshape(2, 11)
    median_band(axes, [0, 1], rows, "a", "C0", share=0.8)
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == [5.0, 16.0]
    edges = np.asarray(axes.collections[0].get_paths()[0].vertices)[:, 1]
    assert (edges.min(), edges.max()) == pytest.approx((1.0, 20.0))
    save_figure(figure, tmp_path / "deep" / "figure.png")
    assert (tmp_path / "deep" / "figure.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(ValueError, match=r"in \(0, 1\]"):
        median_band(axes, [0, 1], rows, "a", "C0", share=0.0)
