"""The benchmark's Keras networks are ours: same images, logits, losses, gradients from the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.speed.jax_contender import algorithm_of
from experiments.speed.works import ON_CPU, WORKS
from gan_jax.config.build import example_batch
from gan_jax.core.algorithm import apply_network
from gan_jax.data.spec import DataSpec, Field
from gan_jax.losses.gradient_penalties import norm_penalty
from tests.speed.bench_weights import dcgan_layers, seeded, small

pytest.importorskip("keras", reason="the benchmark's peer Keras is not installed: gan-jax[speed]")
tf = pytest.importorskip(
    "tensorflow", reason="the benchmark's peer TensorFlow is not installed: gan-jax[speed]"
)
pytestmark = pytest.mark.filterwarnings("ignore")

from experiments.speed import keras_contender, keras_networks  # noqa: E402

BATCH = 3
ROLES = ("generator", "discriminator")


class Pair:
    """Ours and Keras's networks of a work, with the same weights."""

    def __init__(self, name):
        self.work = work = small(name)
        self.algorithm = algorithm_of(work, BATCH)
        example = example_batch(DataSpec({"image": Field(work.image_shape)}, None), BATCH)
        batch = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example)
        state = jax.jit(self.algorithm.init)(jax.random.key(0), batch)
        self.params = {r: seeded(getattr(state, r).params, i) for i, r in enumerate(ROLES)}
        self.stats = {r: getattr(state, r).stats for r in ROLES}
        pool = np.zeros((1, 1, BATCH, *work.image_shape), np.float32)
        self.keras = keras_contender.Function(work, pool, xla=False)
        for role in ROLES:
            slots = self.slots(role, self.params[role])
            assert len(slots) == len(getattr(self.keras, role).trainable_variables)
            for there, ours in slots:
                there.assign(np.asarray(ours))
        self.copy_vectors()
        numbers = np.random.default_rng(9)
        self.real, self.fake = numbers.uniform(-1, 1, (2, BATCH, *work.image_shape)).astype(np.float32)
        self.latent = numbers.standard_normal((BATCH, work.latent_size), np.float32)

    def slots(self, role, params):
        """(Keras's variable, our numbers), for every parameter."""
        model = getattr(self.keras, role)
        if self.work.family == "resnet":  # the layers have the names of ours
            theirs = {layer.name: layer for layer in model.layers if layer.weights}
            ours = named(params)
            assert theirs.keys() == ours.keys()
            pairs = [(getattr(theirs[name], "layer", theirs[name]), layer) for name, layer in ours.items()]
        else:
            ordered = dcgan_layers(params, dense_first=role == "generator")
            pairs = list(zip((layer for layer in model.layers if layer.weights), ordered, strict=True))
        names = (("gamma", "scale"), ("beta", "bias")), (("kernel", "kernel"), ("bias", "bias"))
        return [
            (getattr(there, a), layer[b])
            for there, layer in pairs
            for a, b in names["scale" not in layer]
            if b in layer
        ]

    def copy_vectors(self):
        """The estimates of the singular vectors."""
        if self.work.spectral_norm:
            for name, layer in named(self.stats["discriminator"]["spectral"]).items():
                self.keras.discriminator.get_layer(name).u.assign(np.asarray(layer["u"])[:, None])

    def ours(self, role, params, x):
        return apply_network(
            getattr(self.algorithm, role),
            params,
            self.stats[role],
            x,
            None,
            key=jax.random.key(1),
            train=True,
        )[0]

    def theirs(self, role, loss):
        """Keras's value of a loss, and its gradients by variable."""
        variables = [x.value for x in getattr(self.keras, role).trainable_variables]
        with tf.GradientTape() as tape:
            value = loss()
        return value, {id(x): g for x, g in zip(variables, tape.gradient(value, variables), strict=True)}

    def close(self, role, grads, theirs):
        largest = float(max(jnp.abs(x).max() for x in jax.tree.leaves(grads)))
        for there, ours in self.slots(role, grads):
            np.testing.assert_allclose(theirs[id(there.value)], ours, rtol=2e-3, atol=1e-3 * largest)


def named(tree):
    """The layers of a residual network by the names that Keras's have: "block_1.conv_0"."""
    found = {}
    for name, value in tree.items():
        parts = value if name.startswith("block") else {None: value}
        for part, layer in parts.items():
            layer = layer.get("norm", layer)
            found[name if part is None else f"{name}.{part}"] = layer
    return found


@pytest.fixture(scope="module", params=ON_CPU)
def pair(request):
    return Pair(request.param)


def test_the_same_images_and_logits(pair):
    pair.copy_vectors()  # a pass in training moves them
    image = jax.jit(lambda p, x: pair.ours("generator", p, x))(pair.params["generator"], pair.latent)
    logits = jax.jit(lambda p, x: pair.ours("discriminator", p, x))(pair.params["discriminator"], pair.real)
    np.testing.assert_allclose(pair.keras.generator(pair.latent, training=True), image, atol=2e-5)
    judged = pair.keras.discriminator(pair.real, training=True)[:, 0]
    np.testing.assert_allclose(judged, logits, rtol=2e-4, atol=2e-5)


def test_the_same_discriminator_loss_and_gradient(pair):
    def loss(params):
        # As in a step, the second batch is judged with the vectors that the first pass left.
        judge = lambda x, stats: apply_network(
            pair.algorithm.discriminator, params, stats, x, None, key=jax.random.key(1), train=True
        )
        real, stats = judge(pair.real, pair.stats["discriminator"])
        value = pair.algorithm.loss.discriminator(real, judge(pair.fake, stats)[0])
        if pair.work.penalty:
            between = 0.3 * pair.real + 0.7 * pair.fake
            value += pair.work.penalty * norm_penalty(
                lambda x: pair.ours("discriminator", params, x), between
            )
        return value

    pair.copy_vectors()
    value, grads = jax.jit(jax.value_and_grad(loss))(pair.params["discriminator"])
    pair.keras._penalty = lambda real, fake: pair.keras.penalty_at(tf.constant(0.3 * real + 0.7 * fake))
    theirs, slopes = pair.theirs("discriminator", lambda: pair.keras.discriminator_loss(pair.real, pair.fake))
    assert float(theirs) == pytest.approx(float(value), rel=1e-4)
    pair.close("discriminator", grads, slopes)


def test_the_same_generator_loss_and_gradient(pair):
    def loss(params):
        fake = pair.ours("generator", params, pair.latent)
        logits = pair.ours("discriminator", pair.params["discriminator"], fake)
        return pair.algorithm.loss.generator(logits, logits)

    pair.copy_vectors()
    value, grads = jax.jit(jax.value_and_grad(loss))(pair.params["generator"])
    theirs, slopes = pair.theirs("generator", lambda: pair.keras.generator_loss(pair.latent))
    assert float(theirs) == pytest.approx(float(value), rel=1e-4)
    pair.close("generator", grads, slopes)


@pytest.mark.parametrize("name", WORKS)
def test_as_many_parameters_at_full_width(name):
    work = WORKS[name]
    example = example_batch(DataSpec({"image": Field(work.image_shape)}, None), 2)
    state = jax.eval_shape(algorithm_of(work, 2).init, jax.random.key(0), example)
    for role, network in zip(ROLES, keras_networks.networks(work), strict=True):
        ours = sum(x.size for x in jax.tree.leaves(getattr(state, role).params))
        assert sum(int(np.prod(x.shape)) for x in network.trainable_variables) == ours


@pytest.mark.parametrize("name", ["tf-function", "keras-loop"])
def test_steps_train_both_players(name):
    work = small("dcgan28")
    images = np.random.default_rng(0).uniform(-1, 1, (2, 1, BATCH, *work.image_shape)).astype(np.float32)
    contender = keras_contender.make(name, work, images)
    before = {role: [x.numpy() for x in getattr(contender, role).variables] for role in ROLES}
    contender.discriminator.trainable = True
    contender.steps(2)
    for role in ROLES:
        now = [x.numpy() for x in getattr(contender, role).variables]
        assert all(
            (new != old).any() for new, old in zip(now, before[role], strict=True) if old.dtype == np.float32
        )


@pytest.mark.parametrize(
    ("loss", "value"),
    [("hinge", 0.25 + 0.25), ("wasserstein", -1.75 - 1.25), ("non_saturating", 0.300502 + 0.261332)],
)
def test_objectives_by_hand(loss, value):
    real, fake = tf.constant([0.5, 2.0]), tf.constant([-0.5, -3.0])
    assert float(keras_contender.discriminator_objective(loss, real, fake)) == pytest.approx(value, abs=1e-4)
