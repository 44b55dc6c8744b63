"""Spectral normalisation against NumPy's singular values, and through gradients of both orders."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core import launches, spectral
from gan_jax.core.algorithm import apply_network
from gan_jax.models.layers.layers import Conv, ConvTranspose, Dense, Embed, Upsample
from gan_jax.models.layers.spectral import power_iteration, spectral_normalise
from tests.devices import WAYS, assert_close, split_run

KEY = jax.random.key(0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


X = array(0, 2, 6, 5, 3)
LAYERS: dict[
    str, tuple[Any, Any, dict[str, Any], Any]
] = {  # class, input, fields, how the kernel is a matrix
    "dense": (Dense, X[0, 0], {"features": 4}, lambda w: w),
    "conv": (Conv, X, {"features": 4, "kernel_size": 3, "stride": 2}, lambda w: w.reshape(-1, 4)),
    "transpose": (
        ConvTranspose,
        X,
        {"features": 4, "kernel_size": 3, "size": (12, 10)},
        lambda w: w.transpose(2, 0, 1, 3).reshape(4, -1),
    ),
    "embed": (Embed, np.array([1, 0, 4, 1], np.int32), {"num": 5, "features": 4}, lambda w: w),
}


def start(name, **fields):
    kind, x, own, matrix = LAYERS[name]
    layer = kind(**own, spectral_norm=True, **fields)
    return layer, kind(**own), x, layer.init(KEY, x), matrix


def passes(layer, variables, x, count):
    """The collection "spectral" after so many training passes."""
    spectral = {"spectral": variables["spectral"]}

    def body(_, spectral):
        return layer.apply({"params": variables["params"], **spectral}, x, True, mutable=["spectral"])[1]

    return {"params": variables["params"], **jax.lax.fori_loop(0, count, body, spectral)}


class Kernel(nn.Module):
    """Gives back its normalised kernel."""

    kernel: Any
    iterations: int = 1
    out_axis: int = -1

    @nn.compact
    def __call__(self, train, kernel=None):
        kernel = self.kernel if kernel is None else kernel
        return spectral_normalise(self, kernel, train, self.iterations, self.out_axis)


# The singular value


@pytest.mark.parametrize("name", LAYERS)
def test_after_many_passes_the_kernel_is_divided_by_its_largest_singular_value(name):
    layer, plain, x, variables, matrix = start(name)
    variables = passes(layer, variables, x, 300)
    weights = "embedding" if name == "embed" else "kernel"
    kernel = np.float64(variables["params"][weights])
    sigma = np.linalg.svd(matrix(kernel), compute_uv=False)[0]
    params = {**variables["params"], weights: np.float32(kernel / sigma)}
    found, expected = layer.apply(variables, x), plain.apply({"params": params}, x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert abs(sigma - 1) > 0.05


@pytest.mark.parametrize(
    ("shape", "out_axis"), [((7, 4), -1), ((3, 3, 2, 5), -1), ((3, 2, 5, 4), 2), ((1, 6), -1)]
)
def test_normalised_kernels_have_norm_1(shape, out_axis):
    layer: Any = Kernel(10 * array(1, *shape), out_axis=out_axis)
    variables = layer.init(KEY, False)
    for _ in range(300):
        _, variables = layer.apply(variables, True, mutable=["spectral"])
    matrix = np.moveaxis(layer.apply(variables, False), out_axis, -1).reshape(-1, shape[out_axis])
    np.testing.assert_allclose(np.linalg.norm(matrix, 2), 1, rtol=1e-4)


def iterate(w, u, count):
    """The paper's algorithm 1 for W = w^T: (u, v), float64."""
    w, u = np.float64(w), np.float64(u)
    for _ in range(count):
        v = w @ u / np.linalg.norm(w @ u)
        u = w.T @ v / np.linalg.norm(w.T @ v)
    return u, v


@pytest.mark.parametrize("iterations", [1, 3])
def test_a_training_pass_by_hand(iterations):
    w = array(1, 7, 4)
    layer = Kernel(w, iterations)
    variables = layer.init(KEY, False)
    u, v = iterate(w, variables["spectral"]["u"], iterations)
    y, changed = layer.apply(variables, True, mutable=["spectral"])
    np.testing.assert_allclose(changed["spectral"]["u"], u, rtol=1e-5)
    np.testing.assert_allclose(y, w / (v @ np.float64(w) @ u), rtol=1e-5)


def test_three_iterations_are_three_passes():
    w = array(1, 7, 4)
    three, once = Kernel(w, 3), Kernel(w)
    expected = once.init(KEY, False)
    _, found = three.apply(expected, True, mutable=["spectral"])
    for _ in range(3):
        _, expected = once.apply(expected, True, mutable=["spectral"])
    np.testing.assert_allclose(found["spectral"]["u"], expected["spectral"]["u"], rtol=1e-5)


def test_weights_are_pytorchs_after_many_passes():
    torch = pytest.importorskip("torch")
    from torch.nn.utils.parametrizations import spectral_norm

    x = array(2, 3, 7)
    layer: Any = Dense(4, spectral_norm=True)
    variables = passes(layer, layer.init(KEY, x), x, 200)
    module = torch.nn.Linear(7, 4)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.asarray(variables["params"]["kernel"]).T.copy()))
        module.bias.zero_()
    module = spectral_norm(module, n_power_iterations=200)
    module(torch.from_numpy(x))
    expected = module.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(layer.apply(variables, x), expected, rtol=1e-4, atol=1e-6)


# What a pass keeps


@pytest.mark.parametrize("name", LAYERS)
def test_parameters_start_as_without_it(name):
    layer, plain, x, variables, _ = start(name)
    expected = plain.init(KEY, x)
    assert set(expected) == {"params"}
    jax.tree.map(np.testing.assert_array_equal, variables["params"], expected["params"])
    u = variables["spectral"]["u"]
    assert u.shape == (4,)
    np.testing.assert_allclose(np.linalg.norm(u), 1, rtol=1e-6)
    assert not np.allclose(u, layer.init(jax.random.key(1), x)["spectral"]["u"])


@pytest.mark.parametrize("name", LAYERS)
def test_only_training_moves_the_estimate(name):
    layer, _, x, variables, _ = start(name)
    y, changed = layer.apply(variables, x, False, mutable=["spectral"])
    np.testing.assert_array_equal(changed["spectral"]["u"], variables["spectral"]["u"])
    np.testing.assert_array_equal(layer.apply(variables, x, True), y)  # computed, and not stored
    in_training, changed = layer.apply(variables, x, True, mutable=["spectral"])
    np.testing.assert_array_equal(in_training, y)
    assert not np.allclose(changed["spectral"]["u"], variables["spectral"]["u"])
    jax.tree.map(np.testing.assert_array_equal, layer.init(KEY, x, True), variables)


def test_an_average_of_estimates_serves_as_one():
    """The mean of unit vectors is shorter than 1; sigma must not shrink with it."""
    layer, _, x, variables, _ = start("conv")
    shorter = {**variables, "spectral": {"u": 0.3 * variables["spectral"]["u"]}}
    np.testing.assert_allclose(layer.apply(shorter, x), layer.apply(variables, x), rtol=1e-5, atol=1e-5)


def test_a_zero_kernel_stays_zero_and_keeps_the_estimate():
    layer: Any = Kernel(np.zeros((7, 4), np.float32))
    variables = layer.init(KEY, False)
    y, changed = layer.apply(variables, True, mutable=["spectral"])
    assert (y == 0).all()
    np.testing.assert_array_equal(changed["spectral"]["u"], variables["spectral"]["u"])
    gradient = jax.grad(lambda w: jnp.sum(layer.apply(variables, False, w)))(layer.kernel)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("method", ["transpose", "nearest"])
def test_upsampling_hands_it_on(method):
    layer = Upsample(4, 3, (12, 10), method, spectral_norm=True)
    variables = layer.init(KEY, X)
    y, changed = layer.apply(variables, X, True, mutable=["spectral"])
    assert y.shape == (2, 12, 10, 4)
    ((before,),), ((after,),) = ([s.values() for s in v["spectral"].values()] for v in (variables, changed))
    assert not np.allclose(before, after)


@pytest.mark.parametrize("iterations", [0, -1, 1.5])
def test_impossible_iterations_are_refused(iterations):
    with pytest.raises(ValueError, match="power_iterations="):
        Dense(4, spectral_norm=True, power_iterations=iterations).init(KEY, X)


# Gradients


def test_gradient_is_the_formula():
    """Equation 12's form: with C the incoming gradient, C / sigma - <C, W> / sigma^2 v u^T."""
    w, c = array(1, 7, 4), array(2, 7, 4)
    layer = Kernel(w)
    variables = layer.init(KEY, False)
    u, v = iterate(w, variables["spectral"]["u"], 1)
    sigma = v @ np.float64(w) @ u
    expected = c / sigma - np.sum(np.float64(c) * w) / sigma**2 * np.outer(v, u)
    for train in (False, True):
        gradient = jax.grad(lambda w: jnp.sum(c * layer.apply(variables, train, w)))(w)  # noqa: B023
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


def test_estimates_are_constants_for_the_gradient():
    w, u = array(1, 7, 4), array(2, 4)
    _, back = jax.vjp(power_iteration, w, u)
    for gradient in back((array(3, 4), array(4, 7))):
        assert (gradient == 0).all()


class Critic(nn.Module):
    spectral_norm: bool = True

    @nn.compact
    def __call__(self, x, train):
        x = jnp.tanh(Conv(4, 3, stride=2, spectral_norm=self.spectral_norm, name="conv")(x, train))
        return Dense(1, spectral_norm=self.spectral_norm, name="dense")(x.reshape(len(x), -1), train)[:, 0]


def penalty(critic, x):
    """R1: a gradient in the images, whose gradient in the parameters is asked for."""
    return jnp.mean(jnp.sum(jnp.square(jax.grad(lambda x: jnp.sum(critic(x)))(x)), (1, 2, 3)))


def test_gradient_penalties_agree_with_an_exact_singular_value():
    """Once u and v have converged, constants or not makes no difference: sigma's gradient is v u^T."""
    critic, plain = Critic(), Critic(spectral_norm=False)
    variables = passes(critic, critic.init(KEY, X, False), X, 300)

    def found(params):
        return penalty(lambda x: critic.apply({**variables, "params": params}, x, False), X)

    def exact(params):
        def divide(layer):
            kernel = layer["kernel"]
            sigma = jnp.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
            return {**layer, "kernel": kernel / sigma}

        normalised = {name: divide(layer) for name, layer in params.items()}
        return penalty(lambda x: plain.apply({"params": normalised}, x, False), X)

    one, other = (jax.jit(jax.value_and_grad(f))(variables["params"]) for f in (found, exact))
    assert_close(one, other, 1e-4)
    assert np.abs(other[1]["conv"]["kernel"]).max() > 1e-2


# Layouts


def test_seeds_are_independent():
    critic = Critic()
    keys = jax.random.split(KEY, 2)
    x = array(5, 2, 2, 6, 5, 3)

    def one(key, x):
        variables = critic.init(key, x, False)
        stats = {"spectral": variables["spectral"]}

        def loss(params):
            y, changed = critic.apply({"params": params, **stats}, x, True, mutable=["spectral"])
            return jnp.mean(y) + penalty(
                lambda x: critic.apply({"params": params, **stats}, x, True), x
            ), changed

        return jax.value_and_grad(loss, has_aux=True)(variables["params"])

    found, alone = jax.jit(jax.vmap(one))(keys, x), jax.jit(one)
    for seed in range(2):
        assert_close(jax.tree.map(lambda leaf: leaf[seed], found), alone(keys[seed], x[seed]))  # noqa: B023


@pytest.mark.parametrize("way", WAYS)
def test_devices_agree_on_the_estimate(way):
    critic = Critic()
    x = array(5, 16, 6, 5, 3)
    variables = critic.init(KEY, x, False)

    def local(variables, x):
        def loss(params):
            y, changed = critic.apply({**variables, "params": params}, x, True, mutable=["spectral"])
            return jnp.mean(jnp.sin(y)), (y, changed)

        gradient, (y, changed) = jax.grad(loss, has_aux=True)(variables["params"])
        return (y, jax.tree.map(lambda u: u[None], changed)), (gradient, changed)

    (y, _), shared = jax.jit(local)(variables, x)
    (found, copies), mean = split_run(way, local, variables, x)
    assert_close((found, mean), (y, shared))
    for leaf in jax.tree.leaves(copies):
        leaf = np.asarray(leaf)
        np.testing.assert_array_equal(leaf, np.broadcast_to(leaf[:1], leaf.shape))


# All layers of a network at once, as on accelerators


class Both(nn.Module):
    """Layers of all kinds, one of them called twice."""

    @nn.compact
    def __call__(self, x, train):
        options: dict[str, Any] = dict(spectral_norm=True)
        x = Conv(4, 3, **options)(x, train)
        x = jnp.tanh(ConvTranspose(4, 3, (12, 10), **options)(x, train)).mean((1, 2))
        twice = Dense(4, **options)
        x = twice(jnp.sin(twice(x, train)), train)
        return Dense(1, **options)(x + Embed(3, 4, **options)(jnp.array([1, 2]), train), train)[:, 0]


def test_all_layers_at_once():
    network = Both()
    stats = dict(network.init(KEY, X, False))
    params = stats.pop("params")

    def loss(params):
        out, moved = apply_network(network, params, stats, X, key=None, train=True)
        return jnp.sum(jnp.sin(out)), moved

    results = []
    for platform in ("cpu", "gpu"):
        with launches.on(platform):
            results.append(jax.jit(jax.value_and_grad(lambda p: loss(p), has_aux=True))(params))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *results)


def test_large_networks_have_no_layers_at_once(monkeypatch):
    record: dict[spectral.Path, spectral.Asked] = {
        ("a",): spectral.Asked((3, 2), -1, 1),
        ("b",): spectral.Asked((2, 2), -1, 1),
    }
    params = {"a": {"kernel": jnp.ones((3, 2))}, "b": {"kernel": jnp.ones((2, 2))}}
    vectors = {"a": {"u": jnp.ones(2)}, "b": {"u": jnp.ones(2)}}
    assert set(spectral._estimates(record, params, vectors)) == set(record)
    monkeypatch.setattr(spectral, "MOST", 11)  # two of 3 by 2
    assert spectral._estimates(record, params, vectors) == {}


def test_a_known_product_has_its_gradient():
    w, u, v = array(1, 4, 3), array(2, 3), array(3, 4)
    known = spectral.Estimate(u, v, v @ w @ u)
    found = jax.value_and_grad(lambda w: 2 * spectral.product(w, known))(w)
    np.testing.assert_allclose(found[0], 2 * known.sigma)
    np.testing.assert_allclose(found[1], 2 * np.outer(v, u), rtol=1e-6)
