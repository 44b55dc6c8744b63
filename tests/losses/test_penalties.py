"""Penalties on critics whose gradients are known, their second-order gradients, and split batches."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.randomness import example_keys
from gan_jax.losses.gradient_penalties import (
    consistency,
    dragan,
    gradient_norms,
    lecam,
    norm_penalty,
    r1,
    r2,
    transform,
    wgan_gp,
)
from gan_jax.losses.penalties import (
    DRAGAN,
    PENALTIES,
    R1,
    R2,
    WGANGP,
    Consistency,
    Drift,
    LeCam,
    PenaltyInputs,
)
from gan_jax.models.layers.layers import Conv
from gan_jax.optim.schedules import Constant, linear

KEY = jax.random.key(0)
B, SHAPE = 8, (6, 5, 2)
SIZE = 6 * 5 * 2
ZERO = jnp.int32(0)


def array(seed, *shape) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


REAL, FAKE = array(1, B, *SHAPE), array(2, B, *SHAPE) - 0.5
KEYS = example_keys(KEY, B)
W, A = array(3, SIZE), array(4, SIZE, SIZE) / 8


def linear_critic(w):
    return lambda x: x.reshape(len(x), -1) @ w + 0.7


def quadratic_critic(a):
    """x' A x / 2, with the gradient (A + A') x / 2."""
    return lambda x: jnp.sum((x.reshape(len(x), -1) @ a) * x.reshape(len(x), -1), axis=1) / 2


def inputs_of(critic, *others):
    """The inputs of a penalty without augmentation: one critic for reals and fakes."""
    return PenaltyInputs(critic, critic, *others)


def flat(x):
    return np.float64(x).reshape(len(x), -1)


# Known critics


def test_gradient_norms():
    np.testing.assert_allclose(gradient_norms(linear_critic(W), REAL), [np.float64(W) @ W] * B, rtol=1e-5)
    gradients = flat(REAL) @ (np.float64(A) + A.T) / 2
    np.testing.assert_allclose(gradient_norms(quadratic_critic(A), REAL), np.sum(gradients**2, 1), rtol=1e-4)


@pytest.mark.parametrize(("penalty", "x"), [(r1, REAL), (r2, FAKE)])
def test_zero_centred_penalties_and_their_gradients_in_closed_form(penalty, x):
    """Linear: |w|^2 / 2, gradient w. Quadratic with S = (A + A') / 2: mean |S x|^2 / 2, of which the
    gradient by A is the symmetric part of mean S x x'.
    """
    value, gradient = jax.value_and_grad(lambda w: penalty(linear_critic(w), x))(W)
    np.testing.assert_allclose(value, np.float64(W) @ W / 2, rtol=1e-5)
    np.testing.assert_allclose(gradient, W, rtol=1e-5)
    symmetric = (np.float64(A) + A.T) / 2
    value, gradient = jax.value_and_grad(lambda a: penalty(quadratic_critic(a), x))(A)
    np.testing.assert_allclose(value, np.mean(np.sum((flat(x) @ symmetric) ** 2, 1)) / 2, rtol=1e-5)
    outer = symmetric @ flat(x).T @ flat(x) / B
    np.testing.assert_allclose(gradient, (outer + outer.T) / 2, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("target", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("name", ["wgan_gp", "dragan"])
def test_norm_penalties_of_a_linear_critic(name, target):
    """(|w| - target)^2 wherever it looks, with the gradient 2 (|w| - target) w / |w|."""

    def penalty(w):
        if name == "wgan_gp":
            return wgan_gp(linear_critic(w), REAL, FAKE, KEYS, target)
        return dragan(linear_critic(w), REAL, KEYS, target=target)

    value, gradient = jax.jit(jax.value_and_grad(penalty))(W)
    norm = np.linalg.norm(np.float64(W))
    np.testing.assert_allclose(value, (norm - target) ** 2, rtol=1e-5)
    np.testing.assert_allclose(gradient, 2 * (norm - target) * W / norm, rtol=1e-4)


def test_norm_penalty_of_a_quadratic_critic_in_closed_form():
    """mean (n - 1)^2 with n = |S x|; its gradient by A is the symmetric part of mean 2 (1 - 1 / n) S x x'."""
    symmetric = (np.float64(A) + A.T) / 2
    gradients = flat(REAL) @ symmetric
    norms = np.linalg.norm(gradients, axis=1)
    value, found = jax.value_and_grad(lambda a: norm_penalty(quadratic_critic(a), REAL))(A)
    np.testing.assert_allclose(value, np.mean((norms - 1) ** 2), rtol=1e-4)
    outer = (gradients * (2 * (1 - 1 / norms))[:, None]).T @ flat(REAL) / B
    np.testing.assert_allclose(found, (outer + outer.T) / 2, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["wgan_gp", "dragan"])
def test_where_the_gradient_is_zero_the_norm_penalty_is_finite_and_flat(name):
    def penalty(w):
        if name == "wgan_gp":
            return wgan_gp(linear_critic(w), REAL, FAKE, KEYS)
        return dragan(linear_critic(w), REAL, KEYS)

    value, gradient = jax.jit(jax.value_and_grad(penalty))(jnp.zeros(SIZE))
    assert value == 1.0
    assert (gradient == 0).all()
    third = jax.jit(jax.grad(lambda w: jnp.sum(jax.grad(penalty)(w) ** 2)))(jnp.zeros(SIZE))
    assert np.isfinite(third).all()


def test_wgan_gp_looks_at_one_uniform_point_between_each_real_and_its_fake():
    count = 400
    real, fake = jnp.ones((count, *SHAPE)), jnp.zeros((count, *SHAPE))
    keys = example_keys(KEY, count)

    def spy(x):  # its squared gradient norm tells the sum of squares of where it looked
        return jnp.sum(x**2, axis=(1, 2, 3)) / 2

    @jax.jit
    def square(real, fake, keys):  # |grad| = share * sqrt(SIZE), and the target is 0
        return wgan_gp(spy, real, fake, keys, 0.0) / SIZE

    np.testing.assert_allclose(square(real, fake, keys), 1 / 3, rtol=0.1)
    singly = jax.jit(jax.vmap(lambda r, f, k: square(r[None], f[None], k[None])))
    shares = np.sort(np.sqrt(singly(real, fake, keys)))
    assert np.abs(shares - (np.arange(count) + 0.5) / count).max() < 0.08  # Kolmogorov's 1 % bound
    np.testing.assert_allclose(square(fake, real, keys), np.mean((1 - shares) ** 2), rtol=1e-4)


def test_dragan_looks_around_the_reals_at_uniform_noise_of_their_deviation():
    """The gradient of |x|^2 / 2 is x, so with target 0 the penalty tells the mean of (x + alpha noise)^2."""
    x = 0.3 + 2.0 * array(5, 64, *SHAPE)
    keys = example_keys(KEY, 64)

    def spy(image):
        return jnp.sum(image**2, axis=(1, 2, 3)) / 2

    value = jax.jit(lambda x: dragan(spy, x, keys, scale=0.8, target=0.0))(x)
    noise = 0.8 * np.std(np.float64(x))  # E (x + noise alpha u)^2 = x^2 + x noise / 2 + noise^2 / 9
    x = np.float64(x)
    expected = np.mean(np.sum(x**2 + x * noise / 2 + noise**2 / 9, axis=(1, 2, 3)))
    np.testing.assert_allclose(value, expected, rtol=0.01)


def test_dragans_noise_has_one_alpha_for_each_example():
    """Uniform on [0, 1): at ones in a batch of +-1 the mean of (1 + alpha u)^2 is 1 + alpha + alpha^2 / 3."""
    ones = jnp.ones((400, 20, 20, 1)) * jnp.where(jnp.arange(400) % 2, -1.0, 1.0)[:, None, None, None]
    squares = lambda x: jnp.sum(x**2, axis=(1, 2, 3)) / 2
    one = lambda x, key: dragan(squares, x[None], key[None], 1.0, 0.0, "batch") / 400
    found = jax.jit(jax.vmap(one, axis_name="batch"))(ones, example_keys(KEY, 400))[::2]
    alpha = np.sort(1.5 * (np.sqrt(1 + 4 / 3 * (np.float64(found) - 1)) - 1))
    assert np.abs(alpha - (np.arange(200) + 0.5) / 200).max() < 0.12  # Kolmogorov's 1 % bound


def test_dragan_without_noise_looks_at_the_reals():
    critic = quadratic_critic(A)
    found = dragan(critic, REAL, KEYS, scale=0.0, target=0.5)
    np.testing.assert_allclose(found, norm_penalty(critic, REAL, 0.5), rtol=1e-6)


def test_unequal_batches_make_no_pairs():
    with pytest.raises(ValueError, match=r"reals \(8, 6, 5, 2\) and fakes \(3, 6, 5, 2\) make no pairs"):
        wgan_gp(linear_critic(W), REAL, FAKE[:3], KEYS)


# Consistency


def shifted(image, down, right, mirrored):
    """By hand: zeros move in."""
    height, width, _ = image.shape
    image = image[:, ::-1] if mirrored else image
    out = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                out[y, x] = image[y - down, x - right]
    return out


@pytest.mark.parametrize("flip", [True, False])
def test_transformed_images_are_whole_pixel_shifts_of_mirror_images(flip):
    """Every shift up to the share comes, none beyond; height and width have limits of their own."""
    count = 300
    images = array(6, 1, 6, 4, 3)
    moved = jax.jit(lambda keys: transform(jnp.repeat(images, count, 0), keys, 0.3, flip))
    found = np.asarray(moved(example_keys(KEY, count)))
    down, right = round(0.3 * 6), round(0.3 * 4)
    assert (down, right) == (2, 1)
    kinds = {
        (y, x, mirrored): shifted(images[0], y, x, mirrored)
        for y in range(-down, down + 1)
        for x in range(-right, right + 1)
        for mirrored in ({False, True} if flip else {False})
    }
    met = [next(kind for kind, image in kinds.items() if (image == one).all()) for one in found]
    assert set(met) == set(kinds)
    share = np.mean([mirrored for _, _, mirrored in met])
    assert abs(share - flip / 2) < 0.12
    places = np.array([(y, x) for y, x, _ in met])
    assert np.abs(places.mean(0)).max() < 4 * 2 / np.sqrt(count)


def test_consistency_of_a_critic_that_does_not_see_the_transformation_is_zero():
    """The sum of all pixels, for images whose margin is as wide as the largest shift."""
    images = np.zeros((B, 8, 8, 1), np.float32)
    images[:, 2:-2, 2:-2] = np.round(4 * array(7, B, 4, 4, 1))  # whole numbers: sums have no rounding

    def critic(x):
        return jnp.sum(x, axis=(1, 2, 3))

    both = jax.jit(lambda real, fake: consistency((critic, critic), real, fake, KEYS, 0.25, True))
    assert both(images, -images) == 0.0
    assert both(images, np.roll(images, 3, axis=1)) > 0.0  # no longer with a margin


def test_consistency_under_flips_alone_in_closed_form():
    """A linear critic moves by w . (flip x - x) where the coin says so, and by 0 elsewhere."""
    critic = linear_critic(W)
    change = np.float64(critic(REAL[:, :, ::-1])) - np.float64(critic(REAL))
    other = np.float64(critic(FAKE[:, :, ::-1])) - np.float64(critic(FAKE))
    draws = jax.vmap(lambda key: consistency((critic, critic), REAL, FAKE, example_keys(key, B), 0.0, True))
    mean = jnp.mean(jax.jit(draws)(jax.random.split(KEY, 4000)))
    np.testing.assert_allclose(mean, (np.mean(change**2) + np.mean(other**2)) / 2, rtol=0.05)


def test_consistency_gradient_in_closed_form():
    """With moved images from `transform`: 2 mean (w . d) d, summed over reals and fakes."""
    both = jax.vmap(jax.random.split, out_axes=1)(KEYS)
    value, gradient = jax.value_and_grad(
        lambda w: consistency((linear_critic(w),) * 2, REAL, FAKE, KEYS, 0.3, True)
    )(W)
    expected, slope = 0.0, np.zeros(SIZE)
    for image, keys in ((REAL, both[0]), (FAKE, both[1])):
        d = flat(transform(image, keys, 0.3, True)) - flat(image)
        expected += np.mean((d @ W) ** 2)
        slope += 2 * np.mean((d @ W)[:, None] * d, axis=0)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=1e-3)


# LeCam


def logits_only(real, fake):
    return inputs_of(linear_critic(W), REAL, FAKE, KEYS, real, fake)


def test_lecam_pulls_each_side_to_the_others_average():
    real, fake = jnp.array([1.0, 2.0]), jnp.array([-1.0, 0.5])
    averages = {"real": jnp.float32(3.0), "fake": jnp.float32(-2.0)}
    assert lecam(real, fake, averages) == (9 + 16) / 2 + (16 + 6.25) / 2
    by_real, by_fake, by_average = jax.grad(lecam, (0, 1, 2))(real, fake, averages)
    np.testing.assert_allclose(by_real, [3, 4])  # 2 (D - a) / B
    np.testing.assert_allclose(by_fake, [-4, -2.5])
    assert by_average == {"real": 0, "fake": 0}


def test_lecam_over_several_steps_by_hand():
    penalty = LeCam(weight=0.3, decay=0.9, start_step=0)
    memory = penalty.init()
    averages: dict[str, float] = {}
    for seed in range(5):
        real, fake = array(seed, 4) + 1, array(seed + 50, 4) - 1
        means = {"real": np.float64(real).mean(), "fake": np.float64(fake).mean()}
        averages = {k: 0.9 * averages.get(k, m) + (1 - 0.9) * m for k, m in means.items()}
        value, memory = penalty(logits_only(real, fake), memory, jnp.int32(0))
        expected = np.mean((real - averages["fake"]) ** 2) + np.mean((fake - averages["real"]) ** 2)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        np.testing.assert_allclose(memory["real"], averages["real"], rtol=1e-5)
        np.testing.assert_allclose(memory["fake"], averages["fake"], rtol=1e-5)


def test_lecam_starts_later_and_its_averages_follow_the_batch_until_then():
    """As in the authors' BigGAN: after 1,000 steps, and decay 0 before."""
    assert LeCam(weight=1.0).start_step == 1_000
    penalty, logits = LeCam(weight=1.0, decay=0.5, start_step=2), [1.0, 3.0, 5.0, 9.0]
    memory, averages = penalty.init(), [1.0, 3.0, 5.0, 7.0]  # from step 2 on half of each
    for step, (real, average) in enumerate(zip(logits, averages, strict=True)):
        seen = logits_only(jnp.array([real]), jnp.array([0.0]))
        slope = jax.grad(
            lambda r, step=step, memory=memory: penalty(logits_only(r, r * 0), memory, jnp.int32(step))[0]
        )
        value, memory = penalty(seen, memory, jnp.int32(step))
        assert float(memory["real"]) == average
        assert float(value) == (0.0 if step < 2 else real**2 + average**2)
        assert (float(slope(jnp.array([real]))[0]) != 0.0) == (step >= 2)


@pytest.mark.parametrize("start", [-1, 1.5, 2**31, "0", True])
def test_impossible_starts_are_refused(start):
    with pytest.raises(ValueError, match="start_step="):
        LeCam(weight=1.0, start_step=start)


def test_lecams_averages_are_constants_to_the_gradient():
    """Also the part of this batch in them."""
    real, fake = jnp.asarray(array(1, 4)), jnp.asarray(array(2, 4))
    penalty = LeCam(weight=1.0, decay=0.5, start_step=0)
    memory = penalty.init()
    gradient = jax.grad(lambda r: penalty(logits_only(r, fake), memory, ZERO)[0])(real)
    np.testing.assert_allclose(gradient, (real - jnp.mean(fake)) / 2, rtol=1e-5)


def test_lecams_memory_keeps_its_shape_and_may_be_donated():
    penalty = LeCam(weight=1.0, start_step=0)
    logits = jnp.asarray(array(1, 4))

    def step(memory):
        return penalty(logits_only(logits, logits), memory, ZERO)[1]

    jitted, memory = jax.jit(step, donate_argnums=0), penalty.init()
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), memory)
    for _ in range(3):
        memory = jitted(memory)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), memory) == shapes
    np.testing.assert_allclose(memory["real"], np.mean(logits), rtol=1e-5)


def test_lecam_cannot_be_lazy():
    penalty = LeCam(weight=1.0, start_step=0)
    with pytest.raises(ValueError, match=r"needs the logits .* cannot be lazy"):
        penalty(inputs_of(linear_critic(W), REAL, FAKE, KEYS), penalty.init(), ZERO)
    assert penalty.every == 1
    with pytest.raises(TypeError, match="every"):
        PENALTIES["lecam"](weight=1.0, every=4)


# Through our convolutions


def small_net(image=REAL) -> Any:
    """Conv, leaky ReLU, Conv with stride 2, tanh, sum: (params, x) -> logits."""
    first, second = Conv(3, 3, stride=1), Conv(4, 3, stride=2)
    keys = jax.random.split(KEY, 2)
    params = {"a": first.init(keys[0], image)["params"]}
    params["b"] = second.init(keys[1], first.apply({"params": params["a"]}, image))["params"]

    def critic(params, x):
        y: Any = first.apply({"params": params["a"]}, x)
        y = second.apply({"params": params["b"]}, jax.nn.leaky_relu(y, 0.2))
        return jnp.sum(jnp.tanh(y), axis=(1, 2, 3))

    return params, critic


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_by_the_parameters_against_finite_differences_in_float64(name):
    if name == "lecam":
        pytest.skip("it looks at logits alone")
    with jax.enable_x64(True):
        real, fake = REAL[:3].astype(np.float64), FAKE[:3].astype(np.float64)
        params, critic = small_net(real)
        params = jax.tree.map(lambda p: np.float64(p) * 1.5, params)
        penalty = PENALTIES[name](weight=1.0)

        @jax.jit
        def value(params):
            inputs = inputs_of(lambda x: critic(params, x), real, fake, KEYS[:3])
            return penalty(inputs, penalty.init(), ZERO)[0]

        gradient = jax.jit(jax.grad(value))(params)
        for seed in range(3):
            rng = np.random.default_rng(seed)
            direction = jax.tree.map(lambda p, rng=rng: rng.standard_normal(p.shape), params)
            ends = [
                value(jax.tree.map(lambda p, d, h=h: p + h * d, params, direction)) for h in (1e-6, -1e-6)
            ]
            slope = sum(
                np.vdot(g, d) for g, d in zip(*map(jax.tree.leaves, (gradient, direction)), strict=True)
            )
            np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-4, atol=1e-6)


# A batch that is split over devices: vmap with an axis name stands in for pmap


@pytest.mark.parametrize("name", PENALTIES)
def test_a_split_batch_gives_the_same_value_and_gradient(name):
    params, critic = small_net()
    penalty = PENALTIES[name](weight=1.0)

    def whole(params):
        def judge(x):
            return critic(params, x)

        inputs = inputs_of(judge, REAL, FAKE, KEYS, judge(REAL), judge(FAKE))
        return penalty(inputs, penalty.init(), ZERO)

    def part(params, real, fake):
        def judge(x):
            return critic(params, x)

        of_real, of_fake = (jax.lax.all_gather(judge(x), "batch", tiled=True) for x in (real, fake))
        keys = example_keys(KEY, len(real), "batch")
        inputs = inputs_of(judge, real, fake, keys, of_real, of_fake, "batch")
        return penalty(inputs, penalty.init(), ZERO)

    def both(function):
        return jax.value_and_grad(function, has_aux=True)

    halves = [x.reshape(4, B // 4, *SHAPE) for x in (REAL, FAKE)]
    mapped = jax.vmap(both(part), in_axes=(None, 0, 0), axis_name="batch")
    (values, memories), gradients = jax.jit(mapped)(params, *halves)
    (value, memory), gradient = jax.jit(both(whole))(params)
    np.testing.assert_allclose(np.mean(values), value, rtol=1e-4)
    for found, expected in zip(jax.tree.leaves(gradients), jax.tree.leaves(gradient), strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(np.mean(found, 0), expected, rtol=1e-3, atol=1e-4 * scale)
    for found, expected in zip(jax.tree.leaves(memories), jax.tree.leaves(memory), strict=True):
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-4, atol=1e-6)


# What a config names


def test_the_table():
    names = {
        "r1": R1,
        "r2": R2,
        "wgan_gp": WGANGP,
        "dragan": DRAGAN,
        "lecam": LeCam,
        "consistency": Consistency,
        "drift": Drift,
    }
    assert names == PENALTIES
    of_gradient = {name for name, kind in PENALTIES.items() if kind.of_gradient}
    assert of_gradient == {"r1", "r2", "wgan_gp", "dragan"}


def test_each_named_penalty_is_its_function():
    critic = quadratic_critic(A)
    inputs = inputs_of(critic, REAL, FAKE, KEYS)

    def value(penalty):
        found, memory = penalty(inputs, penalty.init(), ZERO)
        assert found.shape == ()
        assert memory == {}
        return found

    def keys(name):
        return jax.vmap(lambda key: jax.random.fold_in(key, list(PENALTIES).index(name)))(KEYS)

    near = np.testing.assert_allclose
    near(value(R1(weight=2.0)), r1(critic, REAL), rtol=1e-6)
    near(value(R2(weight=2.0)), r2(critic, FAKE), rtol=1e-6)
    found = value(WGANGP(weight=2.0, target=0.5))
    near(found, wgan_gp(critic, REAL, FAKE, keys("wgan_gp"), 0.5), rtol=1e-6)
    found = value(DRAGAN(weight=2.0, scale=0.3, target=0.5))
    near(found, dragan(critic, REAL, keys("dragan"), 0.3, 0.5), rtol=1e-6)
    found = value(Consistency(weight=2.0, translation=0.4, flip=False))
    near(found, consistency((critic, critic), REAL, FAKE, keys("consistency"), 0.4, False), rtol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_weights_are_schedules_of_the_step_once_constructed(name):
    assert PENALTIES[name](weight=10).weight == Constant(10.0)
    ramp = linear(0.0, 1.0, 10)
    assert PENALTIES[name](weight=ramp).weight is ramp
    assert hash(PENALTIES[name](weight=10)) == hash(PENALTIES[name](weight=10.0))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), "1", None, True, {"name": "linear"}])
def test_impossible_weights_are_refused(name, weight):
    with pytest.raises(ValueError, match=r"^weight=.*it must be"):
        PENALTIES[name](weight=weight)


@pytest.mark.parametrize("name", PENALTIES)
def test_weights_that_turn_negative_are_refused(name):
    with pytest.raises(ValueError, match=r"^weight: its extremes are"):
        PENALTIES[name](weight=linear(1.0, -1.0, 10))


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_impossible_intervals_are_refused(every):
    with pytest.raises(ValueError, match=r"^every=.*positive integer"):
        R1(weight=1.0, every=every)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (kind, field, value)
        for kind, field in [
            (WGANGP, "target"),
            (DRAGAN, "target"),
            (DRAGAN, "scale"),
            (LeCam, "decay"),
            (Consistency, "translation"),
        ]
        for value in (-0.5, float("nan"), float("inf"), "1", None)
    ]
    + [(LeCam, "decay", 1.0), (Consistency, "translation", 1.0), (Consistency, "flip", 1)],
)
def test_impossible_fields_are_refused(kind, field, value):
    with pytest.raises(ValueError, match=rf"^{field}={value!r}: it must be"):
        kind(weight=1.0, **{field: value})


def test_a_consistency_that_compares_nothing_is_refused():
    with pytest.raises(ValueError, match="one must be on"):
        Consistency(weight=1.0, translation=0.0, flip=False)


# An independent implementation


def test_wgan_gp_parity_with_torch():
    torch = pytest.importorskip("torch")
    weights = [array(8, 16, SIZE) / 4, array(9, 16) / 2]
    x = array(10, B, SIZE)

    def critic(weights, x):
        return jnp.tanh(x.reshape(len(x), -1) @ weights[0].T) @ weights[1]

    image = x.reshape(B, *SHAPE)
    value, gradient = jax.value_and_grad(lambda w: norm_penalty(lambda x: critic(w, x), image))(weights)
    theirs = [torch.tensor(np.float64(w), requires_grad=True) for w in weights]
    inputs = torch.tensor(np.float64(x), requires_grad=True)
    out = torch.tanh(inputs @ theirs[0].T) @ theirs[1]
    (slopes,) = torch.autograd.grad(out.sum(), inputs, create_graph=True)
    expected = ((slopes.norm(dim=1) - 1) ** 2).mean()
    expected.backward()
    np.testing.assert_allclose(value, expected.item(), rtol=1e-5)
    for ours, other in zip(gradient, theirs, strict=True):
        np.testing.assert_allclose(ours, other.grad.numpy(), rtol=1e-3, atol=1e-5)
