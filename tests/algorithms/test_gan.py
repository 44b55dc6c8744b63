"""The GAN's options, each against a hand computation on the game of one pixel or against NumPy."""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.gan import FAKE_VIEW, FLIPS, GAN, POOL, REAL_VIEW, Fakes, Shown
from gan_jax.algorithms.packing import pack, unpack
from gan_jax.augment import ADA, Augment
from gan_jax.core.randomness import example_keys
from gan_jax.losses.adversarial import (
    LOSSES,
    least_squares,
    relativistic_average,
    relativistic_paired,
    wasserstein,
)
from gan_jax.losses.gradient_penalties import r1
from gan_jax.losses.penalties import DRAGAN, R1, R2, WGANGP, Consistency, LeCam
from gan_jax.models import MODELS
from gan_jax.optim.optimizers import adam, lazy_regularization_scale, rmsprop, sgd
from gan_jax.optim.schedules import linear as line
from tests.algorithms.linear import (
    KEY,
    RATES,
    START,
    GivenGAN,
    batches_of,
    discriminator_loss,
    generator_loss,
    gradient,
    linear,
    logits,
    slopes,
    softplus,
    start,
    values,
)

REAL = np.array([1.0, -0.5, 2.0, 0.3])
Z = np.arange(4)


def descent_key(algorithm, state, update=0):
    """The key of an update's first descent in this step."""
    step_key = jax.random.fold_in(state.key, state.step)
    return jax.random.fold_in(jax.random.fold_in(step_key, update), 0)


def moved(theta, in_discriminator, in_generator):
    """One alternating step down these losses of theta."""
    theta = theta - RATES * [0, 0, 1, 1] * gradient(in_discriminator, theta)
    return theta - RATES * [1, 1, 0, 0] * gradient(in_generator, theta)


# Instance noise


@pytest.mark.parametrize("noise", [0.3, line(0.4, 0.0, 8)])
def test_instance_noise_is_normal_with_the_deviation_of_the_step(noise):
    algorithm = linear(instance_noise=noise)
    state = start(algorithm, batches_of(REAL))
    view = jax.jit(algorithm.discriminator_view)
    image = jnp.full((500, 4, 5, 2), 0.25)
    for step in (0, 4, 8):
        expected = noise if isinstance(noise, float) else 0.4 * (1 - step / 8)
        seen = view(state.replace(step=jnp.int32(step)), image, jax.random.key(step))
        drawn = np.asarray(seen - image, np.float64)
        if expected == 0:
            np.testing.assert_array_equal(seen, image)
            continue
        deviation = expected / np.sqrt(drawn.size)
        assert abs(drawn.mean()) < 5 * deviation
        assert abs(drawn.std() - expected) < 5 * deviation
        kurtosis = np.mean((drawn / drawn.std()) ** 4)
        assert abs(kurtosis - 3) < 0.2
        assert len(np.unique(drawn[:, 0, 0, 0])) == 500  # each example its own
        assert abs(np.corrcoef(drawn[:, 0, 0, 0], drawn[:, 1, 2, 1])[0, 1]) < 0.2


def test_reals_fakes_and_steps_have_noise_of_their_own():
    algorithm = linear(instance_noise=1.0)
    state, image = start(algorithm, batches_of(REAL)), jnp.zeros((16, 2, 2, 1))
    fakes = Fakes(image, None, image)
    shown = [algorithm.shown(state, {"image": image}, fakes, jax.random.key(number)) for number in (0, 1)]
    views = [algorithm.discriminator_views(state, one) for one in shown]
    drawn = [np.asarray(view).ravel() for pair in views for view in pair]
    for i in range(4):
        for j in range(i):
            assert abs(np.corrcoef(drawn[i], drawn[j])[0, 1]) < 0.5


def test_without_noise_the_view_is_the_image():
    algorithm = linear()
    image = jnp.full((2, 3, 3, 1), 0.5)
    state = start(algorithm, batches_of(REAL))
    np.testing.assert_array_equal(algorithm.discriminator_view(state, image, jax.random.key(0)), image)


# Label flipping


def test_flips_exchange_a_share_of_the_pairs():
    algorithm = linear(label_flipping=0.2)
    real, fake = jnp.arange(5000.0), -1.0 - jnp.arange(5000.0)
    a, b = jax.jit(algorithm.flipped)(real, fake, jax.random.key(1))
    swapped = np.asarray(a) < 0
    np.testing.assert_array_equal(a, np.where(swapped, fake, real))
    np.testing.assert_array_equal(b, np.where(swapped, real, fake))  # the same pairs on both sides
    assert abs(swapped.mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 5000)
    again = np.asarray(jax.jit(algorithm.flipped)(real, fake, jax.random.key(2))[0]) < 0
    assert (again != swapped).mean() > 0.2
    assert linear().flipped(real, fake, jax.random.key(1)) == (real, fake)


def test_flips_in_the_discriminators_loss_by_hand():
    """In its loss alone: the metrics and the generator see the logits as they are."""
    algorithm = linear(label_flipping=0.5)
    batches = batches_of(REAL)
    state, step, theta, flips = start(algorithm, batches), jax.jit(algorithm.step), START, 0
    for _ in range(3):
        key = jax.random.fold_in(descent_key(algorithm, state), FLIPS)
        mask = np.asarray(jax.random.bernoulli(key, 0.5, (4,)))
        flips += mask.sum()

        def flipped(theta, mask=mask):
            real, fake = logits(theta, REAL)
            return softplus(-np.where(mask, fake, real)).mean() + softplus(np.where(mask, real, fake)).mean()

        before = theta
        theta = moved(theta, flipped, lambda t: generator_loss(t, REAL))
        state, metrics = step(state, batches)
        np.testing.assert_allclose(values(state), theta, rtol=1e-5)
        np.testing.assert_allclose(metrics["discriminator_loss"], flipped(before), rtol=1e-5)
        odds = 1 / (1 + np.exp(-logits(before, REAL)[0]))
        np.testing.assert_allclose(metrics["discriminator_real"], odds.mean(), rtol=1e-5)
    assert 0 < flips < 12


# Packing


def test_packed_are_neighbours_as_channels():
    image = jnp.arange(6 * 2 * 3 * 2.0).reshape(6, 2, 3, 2)
    packed = pack(image, 3)
    assert packed.shape == (2, 2, 3, 6)
    for example in range(2):
        for member in range(3):
            np.testing.assert_array_equal(
                packed[example, :, :, 2 * member : 2 * member + 2], image[3 * example + member]
            )
    assert pack(image, 1) is unpack(image, 1) is image
    np.testing.assert_array_equal(unpack(packed, 3), image)
    with pytest.raises(ValueError, match="packing=4 does not divide the batch, 6"):
        pack(image, 4)


class PairDiscriminator(nn.Module):
    """w x_0 + c x_1 of two packed pixels."""

    axis_name: str | None = None
    conditional = False

    @nn.compact
    def __call__(self, image, label, train):
        assert image.shape[1:] == (1, 1, 2)
        w, c = (self.param(name, lambda key, v=v: jnp.float32(v)) for name, v in (("w", 0.3), ("c", 0.1)))
        return w * image[:, 0, 0, 0] + c * image[:, 0, 0, 1]


def test_packing_by_hand():
    algorithm = linear(packing=2, discriminator=PairDiscriminator())
    batches = batches_of(REAL)
    state, metrics = jax.jit(algorithm.step)(start(algorithm, batches), batches)

    def judged(theta, x):
        return theta[2] * x[::2] + theta[3] * x[1::2]

    def d_loss(theta):
        return softplus(-judged(theta, REAL)).mean() + softplus(judged(theta, theta[0] * Z + theta[1])).mean()

    def g_loss(theta):
        return softplus(-judged(theta, theta[0] * Z + theta[1])).mean()

    np.testing.assert_allclose(metrics["discriminator_loss"], d_loss(START), rtol=1e-5)
    np.testing.assert_allclose(values(state), moved(START, d_loss, g_loss), rtol=1e-5)


# The pool


def test_pool_by_hand():
    """The discriminator learns from the images that the pool shows, the generator from its own."""
    algorithm = linear(pool_size=4)
    batches = batches_of(REAL)
    state, step, theta, pool, olds = start(algorithm, batches), jax.jit(algorithm.step), START, None, 0
    assert int(state.extra["pool"]["count"]) == 0
    for _ in range(4):
        slot_key, swap_key = jax.random.split(jax.random.fold_in(descent_key(algorithm, state), POOL))
        slots = np.asarray(jax.random.permutation(slot_key, 4))
        swapped = np.asarray(jax.random.bernoulli(swap_key, 0.5, (4, 1, 1, 1))).ravel()
        shown = theta[0] * Z + theta[1]
        if pool is None:
            pool = shown.copy()
        else:
            for index, slot in enumerate(slots):
                if swapped[index]:
                    shown[index], pool[slot] = pool[slot], shown[index]
            olds += swapped.sum()

        def d_loss(theta, shown=shown):
            w, c = theta[2:]
            return softplus(-(w * REAL + c)).mean() + softplus(w * shown + c).mean()

        theta = moved(theta, d_loss, lambda t: generator_loss(t, REAL))
        state, _ = step(state, batches)
        np.testing.assert_allclose(values(state), theta, rtol=1e-5)
        np.testing.assert_allclose(state.extra["pool"]["image"].ravel(), pool, rtol=1e-5, atol=1e-6)
        assert int(state.extra["pool"]["count"]) == 4
    assert 0 < olds < 12


# The best fakes


@pytest.mark.parametrize("top_k", [0.5, 0.3, line(1.0, 0.25, 4)])
@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"])
def test_top_k_is_the_mean_over_the_best_logits(loss, top_k):
    found = np.random.default_rng(0).normal(size=10).astype(np.float32)
    algorithm = linear(loss=LOSSES[loss](), top_k=top_k)
    by_hand = {
        "minimax": lambda x: -softplus(x),
        "non_saturating": lambda x: softplus(-x),
        "least_squares": lambda x: (x - 1) ** 2 / 2,
        "hinge": lambda x: -x,
        "wasserstein": lambda x: -x,
    }[loss]
    value_and_slope = jax.jit(jax.value_and_grad(lambda x, s: algorithm.objective(x, x, s)))
    for step in (0, 2, 4, 9):
        share = top_k if isinstance(top_k, float) else max(1 - 0.75 * step / 4, 0.25)
        count = int(np.ceil(share * 10 - 1e-6))
        best = np.argsort(-found)[:count]
        value, slope = value_and_slope(found, jnp.int32(step))
        np.testing.assert_allclose(value, by_hand(found[best].astype(np.float64)).mean(), rtol=1e-5)
        assert set(np.flatnonzero(slope)) == set(best)


def test_top_k_of_all_is_the_plain_loss():
    found = jnp.linspace(-2, 1, 7)
    plain, scheduled = linear(), linear(top_k=line(1.0, 0.5, 10))
    first = scheduled.objective(found, found, jnp.int32(0))
    np.testing.assert_allclose(first, plain.objective(found, found, jnp.int32(0)), rtol=1e-6)


def test_top_k_counts_equal_logits_once():
    found = jnp.zeros(8)
    value, slope = jax.value_and_grad(lambda x: linear(top_k=0.25).objective(x, x, jnp.int32(0)))(found)
    np.testing.assert_allclose(value, np.log(2), rtol=1e-6)
    assert np.count_nonzero(slope) == 2


def test_top_k_in_a_step_by_hand():
    """The fakes 0, 1, 2, 3 with rising logits: the two last are the best."""
    algorithm = linear(top_k=0.5)
    batches = batches_of(REAL)
    state, _ = jax.jit(algorithm.step)(start(algorithm, batches), batches)
    best = lambda theta: softplus(-logits(theta, REAL)[1][2:]).mean()
    theta = moved(START, lambda t: discriminator_loss(t, REAL), best)
    np.testing.assert_allclose(values(state), theta, rtol=1e-5)


# Losses that look at the reals for the generator


@pytest.mark.parametrize("kind", ["paired", "average"])
def test_relativistic_generators_use_the_reals(kind):
    loss = relativistic_paired() if kind == "paired" else relativistic_average("least_squares")
    algorithm, batches = linear(loss=loss), batches_of(REAL)
    assert loss.relativistic

    def better(winner, loser):
        if kind == "paired":
            return softplus(loser - winner).mean()
        return ((winner - loser.mean() - 1) ** 2).mean() + ((loser - winner.mean() + 1) ** 2).mean()

    def d_loss(theta):
        return better(*logits(theta, REAL))

    def g_loss(theta):
        return better(*logits(theta, REAL)[::-1])

    state, step, theta = start(algorithm, batches), jax.jit(algorithm.step), START
    for _ in range(3):
        state, metrics = step(state, batches)
        np.testing.assert_allclose(metrics["discriminator_loss"], d_loss(theta), rtol=1e-5)
        np.testing.assert_allclose(metrics["discriminator_real"], logits(theta, REAL)[0].mean(), rtol=1e-5)
        theta = moved(theta, d_loss, g_loss)
        np.testing.assert_allclose(values(state), theta, rtol=1e-5)


def test_critics_are_logged_as_they_are():
    for loss in (wasserstein(), least_squares()):
        algorithm, batches = linear(loss=loss), batches_of(REAL)
        _, metrics = jax.jit(algorithm.step)(start(algorithm, batches), batches)
        np.testing.assert_allclose(metrics["discriminator_real"], logits(START, REAL)[0].mean(), rtol=1e-5)


# Penalties


def test_eager_penalty_with_a_schedule_by_hand():
    """R1 of a linear critic is w^2 / 2; it is part of the loss and of its record."""
    algorithm, batches = linear(penalties=(R1(weight=line(0.6, 0.0, 2)),)), batches_of(REAL)
    state, step, theta = start(algorithm, batches), jax.jit(algorithm.step), START
    for weight in (0.6, 0.3, 0.0):

        def d_loss(theta, weight=weight):
            return discriminator_loss(theta, REAL) + weight * theta[2] ** 2 / 2

        state, metrics = step(state, batches)
        np.testing.assert_allclose(metrics["discriminator_loss"], d_loss(theta), rtol=1e-5)
        theta = moved(theta, d_loss, lambda t: generator_loss(t, REAL))
        np.testing.assert_allclose(values(state), theta, rtol=1e-5)


def test_lazy_penalty_by_hand():
    """`every` times the weight in a descent of its own where it is due, and else NaN in the records."""
    algorithm, batches = linear(penalties=(R1(weight=0.1, every=3),)), batches_of(REAL)
    state, step, theta = start(algorithm, batches), jax.jit(algorithm.step), START
    for number in range(5):
        state, metrics = step(state, batches)
        np.testing.assert_allclose(metrics["discriminator_loss"], discriminator_loss(theta, REAL), rtol=1e-5)
        theta = theta - RATES * [0, 0, 1, 1] * slopes(theta, REAL)
        due = number % 3 == 0
        np.testing.assert_allclose(metrics["r1"], theta[2] ** 2 / 2 if due else np.nan, rtol=1e-5)
        if due:
            theta = theta - 0.2 * 3 * 0.1 * theta[2] * np.array([0, 0, 1, 0])
        theta = theta - RATES * [1, 1, 0, 0] * slopes(theta, REAL)
        np.testing.assert_allclose(values(state), theta, rtol=1e-5)


def pull(make, rate, every, k, steps, shake=0.0):
    """How far R1 of weight 1 moves w = 2 in so many steps of k descents; optimizers made as configs do.

    Reals and fakes are alike but for `shake`, which moves w up in one descent and down in the next.
    """
    rows = np.stack([Z + shake * (-1) ** number for number in range(steps * k)])
    batches = jax.tree.map(lambda x: x.reshape(steps, k, *x.shape[1:]), batches_of(*rows))
    ends = []
    for weight in (0.0, 1.0):
        scale = lazy_regularization_scale([every * k])
        algorithm = linear(
            penalties=(R1(weight=weight, every=every),),
            loss=wasserstein(),
            generator_tx=optax.sgd(0.0),
            discriminator_tx=make(rate, lazy_regularization_scale=scale),
            discriminator_steps=k,
        )
        state = start(algorithm, jax.tree.map(lambda x: x[0], batches), [1.0, 0.0, 2.0, 0.0])
        play = jax.jit(lambda state, step=algorithm.step: jax.lax.scan(step, state, batches)[0])
        ends.append(values(play(state))[2])
    return ends[0] - ends[1]


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_lazy_penalty_pulls_as_much_as_an_eager_one_over_an_interval(momentum, k):
    """However often the discriminator descends in a step. For small rates the sums agree."""
    eager, lazy = (pull(partial(sgd, momentum=momentum), 1e-4, every, k, 80) for every in (1, 4))
    np.testing.assert_allclose(eager, 80 * k * 1e-4 * 2.0 / (1 - momentum), rtol=0.3)
    np.testing.assert_allclose(lazy, eager, rtol=0.03)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("make", [adam, partial(rmsprop, decay=0.99)])
def test_lazy_penalty_pulls_as_much_where_an_optimizer_divides_by_the_gradients_size(make, k):
    """Here that is 20, but 0 or another one in the lazy descents, which is the scheme's own error."""
    eager, lazy = (pull(make, 2e-4, every, k, 160, 20.0) for every in (1, 8))
    np.testing.assert_allclose(lazy / eager, 1.0, atol=0.1)


def test_penalties_memories_are_kept():
    """LeCam's averages: a half of the old and of the new mean, the first batch's at the start."""
    algorithm, batches = linear(penalties=(LeCam(weight=0.1, decay=0.5, start_step=0),)), batches_of(REAL)
    state, step, averages = start(algorithm, batches), jax.jit(algorithm.step), None
    for _ in range(3):
        means = np.array([side.mean() for side in logits(values(state), REAL)])
        averages = means if averages is None else (averages + means) / 2
        real, fake = logits(values(state), REAL)
        penalty = ((real - averages[1]) ** 2).mean() + ((fake - averages[0]) ** 2).mean()
        loss = discriminator_loss(values(state), REAL) + 0.1 * penalty
        state, metrics = step(state, batches)
        memory = state.extra["lecam"]
        np.testing.assert_allclose([memory["real"], memory["fake"]], averages, rtol=1e-5)
        np.testing.assert_allclose(metrics["discriminator_loss"], loss, rtol=1e-5)


# Penalties through an augmentation


@dataclass(frozen=True, kw_only=True)
class Stronger(Augment):
    """Each image times a number of its own."""

    def __call__(self, image, keys, memory, step):
        return image * stronger(keys)[:, None, None, None]


def stronger(keys):
    return jax.vmap(lambda key: jax.random.uniform(key, (), minval=0.5, maxval=3.0))(keys)


def drawn(key, view):
    """The numbers that a descent with this key draws for reals or fakes."""
    return np.asarray(stronger(example_keys(jax.random.split(jax.random.fold_in(key, view))[0], 4)))


@pytest.mark.parametrize("every", [1, 2])
def test_penalties_see_raw_images_through_the_augmentation_of_the_loss(every):
    """D(s x) = w s x + c has the slope w s at x, and w at s x; s is what the loss of this descent drew."""
    named = R1(weight=1.0, every=every), R2(weight=1.0, every=every)
    norms = WGANGP(weight=1.0, target=0.0, every=every), DRAGAN(weight=1.0, target=0.0, every=every)
    algorithm = linear(penalties=(*named, *norms), augment=Stronger(), discriminator_tx=optax.sgd(0.0))
    batches = batches_of(REAL)
    state = start(algorithm, batches)
    _, metrics = jax.jit(algorithm.step)(state, batches)
    for update, penalty in enumerate(algorithm.penalties):
        key = descent_key(algorithm, state, 0 if every == 1 else 1 + update)
        scale = drawn(key, FAKE_VIEW if penalty.name == "r2" else REAL_VIEW)
        half = 2 if penalty in named else 1
        expected = np.mean((scale * START[2]) ** 2) / half
        np.testing.assert_allclose(metrics[penalty.name], expected, rtol=1e-5, err_msg=penalty.name)
    key = descent_key(algorithm, state)
    real, fake = logits(START, REAL)
    real, fake = (
        (side - START[3]) * drawn(key, view) + START[3]
        for side, view in ((real, REAL_VIEW), (fake, FAKE_VIEW))
    )
    loss = softplus(-real).mean() + softplus(fake).mean()
    if every == 1:
        loss += sum(float(metrics[penalty.name]) for penalty in algorithm.penalties)
    np.testing.assert_allclose(metrics["discriminator_loss"], loss, rtol=1e-5)


def test_consistency_compares_under_the_same_augmentation():
    """A transformation that changes nothing, of which the loss's own augmentation is no part."""
    same = Consistency(weight=1.0, translation=0.5, flip=True)  # of one pixel
    algorithm = linear(penalties=(same,), augment=Stronger())
    _, metrics = jax.jit(algorithm.step)(start(algorithm, batches_of(REAL)), batches_of(REAL))
    assert float(metrics["consistency"]) == 0.0


def test_r1_through_ada_that_does_nothing_is_that_of_the_raw_images():
    """At p = 0, with all of its default transforms in the program."""
    image = jax.random.uniform(jax.random.key(3), (4, 6, 5, 1), minval=-1.0)
    network = MODELS["mlp_discriminator"](widths=(8,))
    algorithm = linear(discriminator=network, augment=ADA())
    params = network.init(jax.random.key(0), image, None, False)["params"]
    state = algorithm.init(jax.random.key(0), {"image": image})

    @jax.jit
    def through(params):
        shown = Shown(image, None, jax.random.key(5))
        inputs = algorithm.penalty_inputs(params, state, (shown, shown), KEY, KEY)
        return R1(weight=1.0).value(inputs)

    def raw(params):
        return r1(lambda x: algorithm.discriminate(params, {}, x, None, KEY)[0], image)

    found, expected = (jax.value_and_grad(value)(params) for value in (through, raw))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), found, expected)


def test_a_pack_is_one_example_to_a_penalty():
    """|(w, c)|^2 / 2 of a linear critic of two, whichever half of the pack is stronger."""
    algorithm = linear(
        packing=2, discriminator=PairDiscriminator(), penalties=(R1(weight=1.0), R2(weight=1.0))
    )
    batches = batches_of(REAL)
    _, metrics = jax.jit(algorithm.step)(start(algorithm, batches), batches)
    for name in ("r1", "r2"):
        np.testing.assert_allclose(metrics[name], (START[2] ** 2 + START[3] ** 2) / 2, rtol=1e-5)


# Augmentation


def trained(rate, reals, steps):
    """p after every step against a generator that stands still; `reals` (key) -> images [16, 4, 3, 1]."""
    algorithm = GAN(
        generator=MODELS["mlp_generator"]((4, 3, 1), widths=(4,)),
        discriminator=MODELS["mlp_discriminator"](widths=(32,)),
        generator_tx=optax.sgd(0.0),
        discriminator_tx=optax.adam(rate),
        ema_decay=optax.constant_schedule(0.0),
        latent_size=2,
        augment=ADA(groups=("blit",), adjust_images=4000, interval_steps=4),
    )
    state = algorithm.init(jax.random.key(0), {"image": jnp.zeros((16, 4, 3, 1))})

    def one(state, _):
        batch = {"image": reals(jax.random.fold_in(jax.random.key(5), state.step))[None]}
        return algorithm.step(state, batch)

    state, metrics = jax.jit(lambda s: jax.lax.scan(one, s, length=steps))(state)
    return np.asarray(metrics["augment_p"]), state


def test_augmentation_grows_where_the_discriminator_memorises():
    """16 images seen again and again; p rises by 64 / 4000 in four steps, once it knows them."""
    images = jax.random.uniform(jax.random.key(3), (16, 4, 3, 1), minval=-1.0)
    p, state = trained(0.01, lambda key: images, 120)
    assert p[0] == 0.0
    assert p[-1] > 0.1
    moves = np.diff(p)
    np.testing.assert_allclose(np.unique(np.abs(moves[moves != 0]).round(4)), [0.016])
    assert np.all(np.flatnonzero(moves) % 4 == 2)  # every fourth descent
    assert float(state.extra["augment"]["r"]) > 0.3


def test_augmentation_stays_off_where_it_does_not():
    """New reals in every step, and a discriminator that hardly moves from saying 1/2 to all."""
    p, state = trained(1e-6, lambda key: jax.random.uniform(key, (16, 4, 3, 1), minval=-1.0), 40)
    np.testing.assert_array_equal(p, 0.0)
    assert abs(float(state.extra["augment"]["r"])) < 0.6


class Reader(nn.Module):
    """An image that is its latent."""

    axis_name: str | None = None
    conditional = False
    num_classes = None

    @nn.compact
    def __call__(self, latent, label, train):
        self.param("unused", nn.initializers.zeros, (1,))
        return latent.reshape(-1, 4, 3, 1)


ADAPTIVE = [
    ("minimax", {}),
    ("non_saturating", {}),
    ("non_saturating", {"real_target": 0.9}),
    ("non_saturating", {"real_target": 0.9, "fake_target": 0.6}),
    ("least_squares", {}),
    ("least_squares", {"a": -1.0, "b": 1.0, "c": 0.0}),
    ("least_squares", {"a": 2.0, "b": 3.0}),
    ("hinge", {}),
]


@pytest.mark.parametrize(("loss", "fields"), ADAPTIVE)
def test_augmentation_goes_away_where_reals_equal_fakes(loss, fields):
    """With every loss that it is allowed with, whatever its logits' middle."""
    algorithm = GAN(
        generator=Reader(),
        discriminator=MODELS["mlp_discriminator"](widths=(32,)),
        generator_tx=optax.sgd(0.0),
        discriminator_tx=optax.adam(0.003),
        ema_decay=optax.constant_schedule(0.0),
        latent_size=12,
        latent="uniform",
        loss=LOSSES[loss](**fields),
        augment=ADA(groups=("blit",), adjust_images=2000, p=0.5),
    )
    state = algorithm.init(jax.random.key(0), {"image": jnp.zeros((16, 4, 3, 1))})

    def one(state, _):
        key = jax.random.fold_in(jax.random.key(5), state.step)
        real = jax.random.uniform(key, (1, 16, 4, 3, 1), minval=-1.0)
        return algorithm.step(state, {"image": real})

    _, metrics = jax.jit(lambda s: jax.lax.scan(one, s, length=250))(state)
    p = np.asarray(metrics["augment_p"])
    assert p[0] == 0.5
    assert p[-50:].max() < 0.1


def test_augmentation_cannot_adapt_to_a_loss_without_a_middle():
    assert {name for name, _ in ADAPTIVE} == {name for name in LOSSES if LOSSES[name]().midpoint is not None}
    algorithm = linear(loss=wasserstein(), augment=ADA(groups=("blit",)))
    with pytest.raises(ValueError, match="augment adapts to logits above the loss's midpoint"):
        algorithm.step(start(algorithm, batches_of(REAL)), batches_of(REAL))


# What cannot be


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"packing": 0}, "packing=0: it must be a positive integer"),
        ({"pool_size": -8}, "pool_size=-8: it must be a positive integer"),
        ({"label_flipping": 0.6}, "label_flipping=0.6"),
        ({"instance_noise": -0.1}, "instance_noise=-0.1"),
        ({"top_k": 0.0}, "top_k=0.0"),
        ({"top_k": 1.5}, "top_k=1.5"),
        ({"top_k": 0.5, "loss": relativistic_paired()}, "top_k .*relativistic"),
        ({"discriminator_steps": 0}, "discriminator_steps=0"),
    ],
)
def test_impossible_options_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        linear(GivenGAN, **fields)


@pytest.mark.parametrize("fields", [{"packing": 2}, {"pool_size": 8}])
def test_labels_and_mixing_fakes_of_several_are_refused(fields):
    told = MODELS["mlp_discriminator"](widths=(4,), condition="one_hot", num_classes=3)
    (name,) = fields
    with pytest.raises(ValueError, match=f"{name}=.* mixes fakes of several labels"):
        linear(discriminator=told, **fields)


def test_auxiliary_outputs_that_nobody_trains_are_refused():
    with pytest.raises(ValueError, match=r"discriminator.auxiliary=3: it must be 0"):
        linear(discriminator=MODELS["mlp_discriminator"](widths=(4,), auxiliary=3))
