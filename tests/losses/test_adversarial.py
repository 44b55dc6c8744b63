"""The adversarial losses against their formulas in float64, and at the optima of small games."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from gan_jax.losses.adversarial import (
    LOSSES,
    RELATIVISTIC,
    discriminator_cross_entropy,
    discriminator_hinge,
    discriminator_least_squares,
    discriminator_wasserstein,
    generator_critic,
    generator_least_squares,
    generator_minimax,
    generator_non_saturating,
)


def floats(values):
    return jnp.asarray(values, jnp.float32)


REAL = floats([-2.0, 0.3, 1.5, 4.0])
FAKE = floats([-3.0, -0.1, 0.7, 2.2])
EXTREME = floats([-1e4, -200.0, 0.0, 200.0, 1e4])


def sigmoid(x):
    return 1 / (1 + np.exp(-np.float64(x)))


def mean(x):
    return np.mean(x)


def relu(x):
    return np.maximum(x, 0)


def against(logits, others):
    return logits - np.mean(others)


def smooth(real, fake, t, s):
    p, q = sigmoid(real), sigmoid(fake)
    return -mean(t * np.log(p) + (1 - t) * np.log(1 - p)) - mean(s * np.log(q) + (1 - s) * np.log(1 - q))


# (name, fields, the discriminator's loss, the generator's), in float64 probabilities or logits.
OBJECTIVES: list[Any] = [
    ("minimax", {}, lambda r, f: smooth(r, f, 1, 0), lambda r, f: mean(np.log(1 - sigmoid(f)))),
    ("non_saturating", {}, lambda r, f: smooth(r, f, 1, 0), lambda r, f: -mean(np.log(sigmoid(f)))),
    (
        "minimax",
        {"real_target": 0.9},
        lambda r, f: smooth(r, f, 0.9, 0),
        lambda r, f: mean(np.log(1 - sigmoid(f))),
    ),
    (
        "non_saturating",
        {"real_target": 0.9, "fake_target": 0.1},
        lambda r, f: smooth(r, f, 0.9, 0.1),
        lambda r, f: -mean(np.log(sigmoid(f))),
    ),
    (
        "least_squares",
        {},
        lambda r, f: mean((r - 1) ** 2) / 2 + mean(f**2) / 2,
        lambda r, f: mean((f - 1) ** 2) / 2,
    ),
    (
        "least_squares",
        {"a": -1.0, "b": 1.0, "c": 0.0},
        lambda r, f: mean((r - 1) ** 2) / 2 + mean((f + 1) ** 2) / 2,
        lambda r, f: mean(f**2) / 2,
    ),
    ("hinge", {}, lambda r, f: mean(relu(1 - r)) + mean(relu(1 + f)), lambda r, f: -mean(f)),
    ("wasserstein", {}, lambda r, f: mean(f) - mean(r), lambda r, f: -mean(f)),
    (
        "relativistic_average",
        {},
        lambda r, f: -mean(np.log(sigmoid(against(r, f)))) - mean(np.log(1 - sigmoid(against(f, r)))),
        lambda r, f: -mean(np.log(sigmoid(against(f, r)))) - mean(np.log(1 - sigmoid(against(r, f)))),
    ),
    (
        "relativistic_average",
        {"kind": "least_squares"},
        lambda r, f: mean((against(r, f) - 1) ** 2) + mean((against(f, r) + 1) ** 2),
        lambda r, f: mean((against(f, r) - 1) ** 2) + mean((against(r, f) + 1) ** 2),
    ),
    (
        "relativistic_average",
        {"kind": "hinge"},
        lambda r, f: mean(relu(1 - against(r, f))) + mean(relu(1 + against(f, r))),
        lambda r, f: mean(relu(1 - against(f, r))) + mean(relu(1 + against(r, f))),
    ),
    (
        "relativistic_paired",
        {},
        lambda r, f: mean(np.log1p(np.exp(f - r))),
        lambda r, f: mean(np.log1p(np.exp(r - f))),
    ),
]
IDS = ["-".join([name, *map(str, fields.values())]) for name, fields, _, _ in OBJECTIVES]


def slopes(function, real, fake):
    """Central differences in float64: the gradients by real and by fake logits."""
    both = np.concatenate([np.float64(real), np.float64(fake)])

    def at(x):
        return function(x[: len(real)], x[len(real) :])

    steps = 1e-6 * np.eye(both.size)
    gradient = np.array([(at(both + step) - at(both - step)) / 2e-6 for step in steps])
    return gradient[: len(real)], gradient[len(real) :]


@pytest.mark.parametrize(("name", "fields", "discriminator", "generator"), OBJECTIVES, ids=IDS)
def test_values_and_gradients_are_those_of_the_formulas(name, fields, discriminator, generator):
    loss = LOSSES[name](**fields)
    for found, expected in ((loss.discriminator, discriminator), (loss.generator, generator)):
        np.testing.assert_allclose(found(REAL, FAKE), expected(np.float64(REAL), np.float64(FAKE)), rtol=1e-6)
        gradients = jax.grad(found, (0, 1))(REAL, FAKE)
        for one, other in zip(gradients, slopes(expected, REAL, FAKE), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "fields", "discriminator", "generator"), OBJECTIVES, ids=IDS)
def test_every_loss_is_a_finite_scalar_with_a_finite_gradient_everywhere(
    name, fields, discriminator, generator
):
    loss = LOSSES[name](**fields)
    for function in (loss.discriminator, loss.generator):
        for fake in (EXTREME, EXTREME[::-1]):
            value, gradients = jax.jit(jax.value_and_grad(function, (0, 1)))(EXTREME, fake)
            assert value.shape == ()
            assert np.isfinite([value, *gradients[0], *gradients[1]]).all()


@pytest.mark.parametrize(("name", "fields", "discriminator", "generator"), OBJECTIVES, ids=IDS)
def test_relativistic_says_whether_the_generator_looks_at_the_reals(name, fields, discriminator, generator):
    """The caller passes the fakes twice where it does not."""
    loss = LOSSES[name](**fields)
    assert (loss.generator(REAL, FAKE) != loss.generator(FAKE, FAKE)) == loss.relativistic
    assert bool(jax.grad(loss.generator)(REAL, FAKE).any()) == loss.relativistic


@pytest.mark.parametrize(("name", "fields", "discriminator", "generator"), OBJECTIVES, ids=IDS)
def test_relativistic_losses_do_not_see_a_common_shift_and_the_others_do(
    name, fields, discriminator, generator
):
    loss = LOSSES[name](**fields)
    for function in (loss.discriminator, loss.generator):
        shifted = function(REAL + 2.0, FAKE + 2.0)
        critic = name == "wasserstein" and function is loss.discriminator
        assert np.isclose(shifted, function(REAL, FAKE), rtol=1e-5) == (loss.relativistic or critic)


def test_logged_outputs_are_probabilities_only_where_logits_are_log_odds():
    logits = floats([-30.0, 0.0, 2.0])
    for name, make in LOSSES.items():
        expected = sigmoid(logits) if name in ("minimax", "non_saturating") else logits
        np.testing.assert_allclose(make().output(logits), expected, rtol=1e-6)


def test_the_plain_functions():
    d_real, d_fake = sigmoid(REAL), sigmoid(FAKE)
    value = np.log(d_real).mean() + np.log(1 - d_fake).mean()
    np.testing.assert_allclose(discriminator_cross_entropy(REAL, FAKE), -value, rtol=1e-6)
    np.testing.assert_allclose(generator_minimax(FAKE), np.log(1 - d_fake).mean(), rtol=1e-6)
    np.testing.assert_allclose(generator_non_saturating(FAKE), -np.log(d_fake).mean(), rtol=1e-6)
    np.testing.assert_allclose(
        discriminator_wasserstein(REAL, FAKE), np.mean(FAKE) - np.mean(REAL), rtol=1e-6
    )
    np.testing.assert_allclose(generator_critic(FAKE), -np.mean(FAKE), rtol=1e-6)
    np.testing.assert_allclose(generator_least_squares(FAKE, 0.5), np.mean((FAKE - 0.5) ** 2) / 2, rtol=1e-6)


def test_gradients_in_closed_form():
    """d(-log D)/d logit = D - 1, d(-log(1 - D))/d logit = D, each over the size of the batch."""
    real, fake = jax.grad(discriminator_cross_entropy, (0, 1))(REAL, FAKE)
    np.testing.assert_allclose(real, (sigmoid(REAL) - 1) / 4, rtol=1e-6)
    np.testing.assert_allclose(fake, sigmoid(FAKE) / 4, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(generator_minimax)(FAKE), -sigmoid(FAKE) / 4, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(generator_non_saturating)(FAKE), (sigmoid(FAKE) - 1) / 4, rtol=1e-6)


def test_relativistic_average_gradient_in_closed_form():
    """With u = r - mean f and v = f - mean r: dr_i = (D(u_i) - 1) / B - mean(D(v)) / B, and so on.

    A gradient that is stopped at the other side's mean would lack the second terms.
    """
    real, fake = jax.grad(LOSSES["relativistic_average"]().discriminator, (0, 1))(REAL, FAKE)
    u, v = sigmoid(against(np.float64(REAL), FAKE)), sigmoid(against(np.float64(FAKE), REAL))
    np.testing.assert_allclose(real, (u - 1) / 4 - v.mean() / 4, rtol=1e-5)
    np.testing.assert_allclose(fake, v / 4 + (1 - u).mean() / 4, rtol=1e-5)


# What is known of equilibria and optima


@pytest.mark.parametrize(
    ("name", "fields", "discriminator", "generator"),
    [
        ("minimax", {}, np.log(4), -np.log(2)),
        ("non_saturating", {}, np.log(4), np.log(2)),
        ("least_squares", {}, 0.5, 0.5),
        ("hinge", {}, 2.0, 0.0),
        ("wasserstein", {}, 0.0, 0.0),
        ("relativistic_average", {}, np.log(4), np.log(4)),
        ("relativistic_average", {"kind": "least_squares"}, 2.0, 2.0),
        ("relativistic_average", {"kind": "hinge"}, 2.0, 2.0),
        ("relativistic_paired", {}, np.log(2), np.log(2)),
    ],
)
def test_where_the_discriminator_says_the_same_of_all(name, fields, discriminator, generator):
    loss, zeros = LOSSES[name](**fields), jnp.zeros(5)
    np.testing.assert_allclose(loss.discriminator(zeros, zeros), discriminator, rtol=1e-6)
    np.testing.assert_allclose(loss.generator(zeros, zeros), generator, rtol=1e-6)


# Two distributions over four outcomes, in tenths: a batch holds each outcome as often as they say.
P, Q = np.array([5, 3, 1, 1]), np.array([1, 2, 3, 4])


def game(loss, table):
    """The discriminator's loss where table[i] is the logit of outcome i."""
    table = floats(table)
    return loss.discriminator(jnp.repeat(table, P), jnp.repeat(table, Q))


def best(loss):
    """The table of logits that minimises the discriminator's loss, and its value."""
    both = jax.jit(jax.value_and_grad(lambda table: game(loss, table)))
    found = minimize(lambda x: [np.float64(v) for v in both(floats(x))], np.zeros(4), jac=True, tol=1e-7)
    return found.x, found.fun


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
@pytest.mark.parametrize(("t", "s"), [(1.0, 0.0), (0.9, 0.0), (0.9, 0.1)])
def test_best_discriminator_of_smoothed_labels(name, t, s):
    """D* = (t p + s q) / (p + q): Goodfellow's proposition 1, and Salimans et al. 2016, section 3.4."""
    table, _ = best(LOSSES[name](real_target=t, fake_target=s))
    np.testing.assert_allclose(sigmoid(table), (t * P + s * Q) / (P + Q), atol=2e-3)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (-1.0, 1.0), (2.0, -0.5)])
def test_best_least_squares_discriminator(a, b):
    """D* = (b p + a q) / (p + q): Mao et al. 2017, equation 5."""
    optimal = (b * P + a * Q) / (P + Q)
    gradient = jax.grad(lambda table: game(LOSSES["least_squares"](a=a, b=b), table))(floats(optimal))
    np.testing.assert_allclose(gradient, 0, atol=1e-6)
    np.testing.assert_allclose(best(LOSSES["least_squares"](a=a, b=b))[0], optimal, atol=2e-3)


def test_least_squares_game_is_pearsons_chi_square():
    """Mao et al. 2017: with b - c = 1 and b - a = 2, 2 C(G) = chi^2(p + q || 2 q).

    C(G) is the generator's loss with E_p[(D* - c)^2] / 2 added, which does not depend on G.
    """
    a, b, c = -1.0, 1.0, 0.0
    table = floats((b * P + a * Q) / (P + Q))
    loss = LOSSES["least_squares"](a=a, b=b, c=c)
    on_fakes = loss.generator(jnp.repeat(table, Q), jnp.repeat(table, Q))
    on_reals = loss.generator(jnp.repeat(table, P), jnp.repeat(table, P))
    p, q = P / 10, Q / 10
    chi_square = np.sum((2 * q - (p + q)) ** 2 / (p + q))
    np.testing.assert_allclose(2 * (on_fakes + on_reals), chi_square, rtol=1e-5)


def test_best_hinge_discriminator():
    """Its best answer is the sign of p - q, and its value 2 - 2 TV = 2 sum min(p, q)."""
    optimal = np.sign(P - Q)
    value = game(LOSSES["hinge"](), optimal)
    np.testing.assert_allclose(value, 2 * np.minimum(P, Q).sum() / 10, rtol=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(100):
        assert game(LOSSES["hinge"](), optimal + rng.normal(size=4)) >= value - 1e-6
    assert discriminator_hinge(floats([1.0]), floats([-1.0])) == 0.0


def test_best_paired_discriminator_orders_by_the_density_ratio():
    """RpGAN over all pairs: logits that differ by log(p q' / p' q) are a stationary point, by
    symmetry of E[softplus(f - r)] + E[softplus(r - f)] in exchanged pairs.
    """
    table = floats(np.log(P / Q))
    real, fake = np.repeat(np.arange(4), P), np.repeat(np.arange(4), Q)
    pairs = np.array([(i, j) for i in real for j in fake])  # the independent pairs that the mean stands for

    def loss(table):
        return LOSSES["relativistic_paired"]().discriminator(table[pairs[:, 0]], table[pairs[:, 1]])

    np.testing.assert_allclose(jax.grad(loss)(table), 0, atol=1e-6)
    assert loss(table) < np.log(2)


def test_critics_difference_is_the_wasserstein_distance_on_a_line():
    """Of two points at 0 and 3, the best 1-Lipschitz f is -x: the critic's loss is minus the distance."""
    assert discriminator_wasserstein(-jnp.zeros(4), -3 * jnp.ones(4)) == -3.0


def test_optimal_discriminator_leaves_the_jensen_shannon_divergence():
    """Goodfellow et al. 2014, theorem 1: V(D*, G) = -log 4 + 2 JS(p, q)."""
    optimal = np.log(P / Q)  # the logit of p / (p + q)
    p, q = P / 10, Q / 10
    middle = (p + q) / 2
    divergence = (np.sum(p * np.log(p / middle)) + np.sum(q * np.log(q / middle))) / 2
    value = -game(LOSSES["minimax"](), optimal)
    np.testing.assert_allclose(value, -np.log(4) + 2 * divergence, rtol=1e-6)
    for direction in np.eye(4):  # and no other discriminator does better
        for step in (-0.1, 0.1):
            assert -game(LOSSES["minimax"](), optimal + step * direction) < value


# Where float32 or a careless formula would fail


def test_extreme_logits_exactly():
    """Where probabilities would round to 0 and 1: softplus(x) is x far to the right and 0 to the left."""
    assert discriminator_cross_entropy(floats([1e4]), floats([-1e4])) == 0.0
    assert discriminator_cross_entropy(floats([-1e4]), floats([1e4])) == 2e4
    assert generator_minimax(floats([1e4])) == -1e4
    assert generator_non_saturating(floats([-1e4])) == 1e4
    paired = LOSSES["relativistic_paired"]()
    assert paired.discriminator(floats([1e4]), floats([-1e4])) == 0.0
    assert paired.discriminator(floats([-1e4]), floats([1e4])) == 2e4


def test_minimax_saturates_where_the_non_saturating_loss_does_not():
    """The discriminator rejects with certainty: the one gradient is gone, the other full."""
    rejected = floats([-50.0])
    assert abs(jax.grad(generator_minimax)(rejected)[0]) < 1e-20
    np.testing.assert_allclose(jax.grad(generator_non_saturating)(rejected), [-1.0], rtol=1e-6)


def test_both_generators_want_the_same():
    for logit in list(EXTREME):
        assert jax.grad(generator_minimax)(logit) <= 0
        assert jax.grad(generator_non_saturating)(logit) <= 0


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "relativistic_paired"])
def test_real_and_fake_batches_may_differ_in_size(name):
    loss = LOSSES[name]()
    doubled = jnp.concatenate([FAKE[:2], FAKE[:2]])
    for function in (loss.discriminator, loss.generator):
        np.testing.assert_allclose(function(REAL, FAKE[:2]), function(REAL, doubled), rtol=1e-6)


def test_pairs_need_as_many_reals_as_fakes():
    loss = LOSSES["relativistic_paired"]()
    for function in (loss.discriminator, loss.generator):
        with pytest.raises(ValueError, match=r"logits .* make no pairs"):
            function(REAL, FAKE[:1])


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
@pytest.mark.parametrize("field", ["real_target", "fake_target"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), "1", None, True])
def test_targets_that_are_no_probabilities_are_refused(name, field, value):
    with pytest.raises(ValueError, match=rf"^{field}={value!r}: it must be a finite number in \[0, 1\]"):
        LOSSES[name](**{field: value})


@pytest.mark.parametrize("targets", [(0.5, 0.5), (0.1, 0.9)])
def test_targets_that_do_not_tell_reals_from_fakes_are_refused(targets):
    with pytest.raises(ValueError, match=r"real_target=.*fake_target=.*must be below"):
        LOSSES["minimax"](*targets)


@pytest.mark.parametrize("field", ["a", "b", "c"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None])
def test_least_squares_targets_must_be_finite(field, value):
    with pytest.raises(ValueError, match=f"^{field}={value!r}: it must be a finite number"):
        LOSSES["least_squares"](**{field: value})


def test_least_squares_targets_of_reals_and_fakes_must_differ():
    with pytest.raises(ValueError, match=r"a=0.5, b=0.5: they must differ"):
        LOSSES["least_squares"](a=0.5, b=0.5)


def test_unknown_kinds_are_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"kind='wgan' is not one of cross_entropy, least_squares, hinge"):
        LOSSES["relativistic_average"](kind="wgan")


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (discriminator_least_squares, (0.0, 1.0)),
        (discriminator_cross_entropy, (1.0, 0.0)),
        (discriminator_cross_entropy, (0.9, 0.1)),
    ],
)
def test_parity_with_torch(loss, target):
    torch = pytest.importorskip("torch")
    real, fake = (torch.tensor(np.float64(x), requires_grad=True) for x in (REAL, FAKE))
    if loss is discriminator_least_squares:
        one = torch.nn.functional.mse_loss
        a, b = target
        theirs = (one(real, torch.full_like(real, b)) + one(fake, torch.full_like(fake, a))) / 2
    else:
        one = torch.nn.functional.binary_cross_entropy_with_logits
        t, s = target
        theirs = one(real, torch.full_like(real, t)) + one(fake, torch.full_like(fake, s))
    theirs.backward()
    ours, gradients = jax.value_and_grad(lambda r, f: loss(r, f, *target), (0, 1))(REAL, FAKE)
    np.testing.assert_allclose(ours, theirs.item(), rtol=1e-6)
    for found, expected in zip(gradients, (real, fake), strict=True):
        np.testing.assert_allclose(found, expected.grad.numpy(), rtol=1e-5)


# The logit of a draw


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("minimax", {}, 0.0),
        ("non_saturating", {}, 0.0),
        ("non_saturating", {"real_target": 0.9}, np.log(0.45 / 0.55)),
        ("minimax", {"real_target": 0.8, "fake_target": 0.3}, np.log(0.55 / 0.45)),
        ("least_squares", {}, 0.5),
        ("least_squares", {"a": -1.0, "b": 1.0, "c": 0.0}, 0.0),
        ("least_squares", {"a": 1.0, "b": 3.0}, 2.0),
        ("hinge", {}, 0.0),
        ("least_squares", {"a": 1.0, "b": 0.0}, None),
        ("wasserstein", {}, None),
        ("relativistic_paired", {}, None),
        *(("relativistic_average", {"kind": kind}, None) for kind in RELATIVISTIC),
    ],
)
def test_the_midpoint_is_the_best_logit_where_reals_and_fakes_are_as_likely(name, fields, expected):
    """There is none where the logits' common level does not matter, or where reals have the low ones."""
    loss = LOSSES[name](**fields)
    assert (loss.midpoint is None) == (expected is None)
    both = lambda level: float(loss.discriminator(REAL + level, FAKE + level))
    if expected is None:
        if name != "least_squares":
            np.testing.assert_allclose([both(-2.0), both(5.0)], both(0.0), atol=1e-5)
        return
    assert loss.midpoint == pytest.approx(expected)
    same = lambda logit: float(loss.discriminator(floats([logit]), floats([logit])))
    level = minimize(lambda x: same(x[0]), [0.3], method="Nelder-Mead").x[0]
    if name != "hinge":  # flat between -1 and 1
        np.testing.assert_allclose(level, expected, atol=2e-3)
    zero, grid = floats([0.0]), np.linspace(expected - 0.2, expected + 0.2, 5)
    for p, q in ((0.6, 0.4), (0.4, 0.6)):  # on this side of it if p of this example is larger
        costs = [
            p * loss.discriminator(floats([x]), zero) + q * loss.discriminator(zero, floats([x]))
            for x in grid
        ]
        assert np.sign(grid[np.argmin(costs)] - expected) == np.sign(p - q)
