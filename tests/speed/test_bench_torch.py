"""The benchmark's PyTorch networks are ours: same images, logits, losses and gradients from the same weights.

They are ours in a mirror (see `experiments/speed/torch_networks.py`): kernels and images are flipped here.
"""

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
from tests.speed.bench_weights import dcgan_layers, residual_layers, seeded, small

torch = pytest.importorskip("torch", reason="the benchmark's peer PyTorch is not installed: gan-jax[speed]")
from experiments.speed import torch_contender, torch_networks  # noqa: E402

BATCH = 3
PAIRS = [("dcgan28", False), *((name, True) for name in ON_CPU if name != "dcgan28")]  # (work, channels_last)
UP_ORDER = ("shortcut", "norm_0", "norm_1", "conv_0", "conv_1")  # as the torch block lists its own
DOWN_ORDER = ("shortcut", "conv_0", "conv_1")


def mirrored(x):
    """Images [..., H, W, C] flipped in both directions."""
    return np.flip(np.asarray(x), (-3, -2))


def to_torch(image):
    """Ours [B, H, W, C] -> [B, C, H, W], in the mirror."""
    return torch.from_numpy(np.ascontiguousarray(mirrored(image).transpose(0, 3, 1, 2)))


def kernel_of(layer, module, maps, channels_last):
    """A kernel in torch's layout; `maps` is (h, w, C) of the map that a dense layer reads or writes."""
    kernel = np.asarray(layer["kernel"])
    if kernel.ndim == 4:
        return np.flip(kernel, (0, 1)).transpose(3, 2, 0, 1)
    if module.out_features > 1:  # the generator's: its columns are a map
        kernel = mirrored(kernel.reshape(-1, *maps))
        kernel = kernel if channels_last else kernel.transpose(0, 3, 1, 2)
        return kernel.reshape(len(kernel), -1).T
    if kernel.shape[0] == np.prod(maps):  # a DCGAN discriminator's: its rows are a map, [C, h, w] in torch
        kernel = mirrored(kernel.reshape(*maps)).transpose(2, 0, 1).reshape(-1, 1)
    return kernel.T


def modules_with_weights(network):
    kinds = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.BatchNorm2d)
    return [module for module in network.modules() if isinstance(module, kinds)]


def slots(network, layers, maps, channels_last):
    """(torch's parameter, our numbers in its layout), for every parameter; each of ours is used once."""
    found = []
    for module, layer in zip(modules_with_weights(network), layers, strict=True):
        if isinstance(module, torch.nn.BatchNorm2d):
            found.append((module.weight, layer["scale"]))
        else:
            spectral = hasattr(module, "parametrizations")
            there = module.parametrizations.weight.original if spectral else module.weight
            found.append((there, kernel_of(layer, module, maps, channels_last)))
        if module.bias is not None:
            found.append((module.bias, layer["bias"]))
    assert len(found) == len(list(network.parameters())) == len(jax.tree.leaves(layers))
    return found


def bias_of_the_dense_layer(network, layers, maps, channels_last):
    """The generator's first bias is a map as well."""
    module = modules_with_weights(network)[0]
    if module.bias is None:
        return None
    bias = mirrored(np.asarray(layers[0]["bias"]).reshape(maps))
    return module.bias, (bias if channels_last else bias.transpose(2, 0, 1)).reshape(-1)


class Pair:
    """Ours and torch's networks of a work, with the same weights."""

    def __init__(self, name, channels_last):
        self.work, self.last = small(name), channels_last
        work = self.work
        self.algorithm = algorithm_of(work, BATCH)
        spec = DataSpec({"image": Field(work.image_shape)}, None)
        state = jax.jit(self.algorithm.init)(
            jax.random.key(0), jax.tree.map(zeros, example_batch(spec, BATCH))
        )
        self.params = {
            r: seeded(getattr(state, r).params, i) for i, r in enumerate(("generator", "discriminator"))
        }
        self.stats = {r: getattr(state, r).stats for r in self.params}
        pool = np.zeros((1, 1, BATCH, *work.image_shape), np.float32)
        self.torch = torch_contender.Torch(work, pool, torch_contender.Variation(channels_last=channels_last))
        # Torch's spectral norm starts from the other singular vector: both get those they converge to.
        converge(self.params["discriminator"], self.stats["discriminator"])
        with torch.no_grad():
            for role in self.params:
                for there, ours in self.slots(role):
                    there.copy_(torch.from_numpy(np.array(ours)))
        settle(self.torch.discriminator)
        numbers = np.random.default_rng(9)
        self.real = numbers.uniform(-1, 1, (BATCH, *work.image_shape)).astype(np.float32)
        self.latent = numbers.standard_normal((BATCH, work.latent_size), np.float32)

    def slots(self, role):
        params, residual = self.params[role], self.work.family == "resnet"
        generator = role == "generator"
        order = UP_ORDER if generator else DOWN_ORDER
        listed = (
            residual_layers(params, order, dense_first=generator)
            if residual
            else dcgan_layers(params, dense_first=generator)
        )
        maps = self.maps(generator)
        network = getattr(self.torch, role)
        found = slots(network, listed, maps, self.last)
        bias = bias_of_the_dense_layer(network, listed, maps, self.last) if generator else None
        return found if bias is None else [bias if there is bias[0] else (there, x) for there, x in found]

    def maps(self, generator):
        widths = self.work.generator_widths if generator else self.work.discriminator_widths
        times = len(widths) - (self.work.family == "resnet")
        height, width, _ = self.work.image_shape
        return height >> times, width >> times, widths[0] if generator else widths[-1]

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

    def close(self, role, grads, tolerance):
        """Our gradients against torch's, in one layout; the tolerance is a share of the largest."""
        largest = float(max(jnp.abs(x).max() for x in jax.tree.leaves(grads)))
        self.params[role], kept = grads, self.params[role]
        try:
            for there, ours in self.slots(role):
                ours = np.asarray(ours)
                np.testing.assert_allclose(there.grad.numpy(), ours, rtol=2e-3, atol=tolerance * largest)
        finally:
            self.params[role] = kept


def zeros(x):
    return jnp.zeros(x.shape, x.dtype)


@torch.no_grad()
def settle(network):
    """Likewise for torch's parametrizations: the singular vectors in the place of their estimates."""
    for module in network.modules():
        if hasattr(module, "parametrizations"):
            held = module.parametrizations.weight
            left, _, right = torch.linalg.svd(held.original.flatten(1).double(), full_matrices=False)
            held[0]._u.copy_(left[:, 0])
            held[0]._v.copy_(right[0])


def converge(params, stats):
    """Puts the singular vector of every kernel in the place of its estimate `u`."""

    def visit(params, spectral):
        for name, value in spectral.items():
            if name == "u":
                kernel = np.asarray(params["kernel"], np.float64)
                right = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), full_matrices=False)[2]
                spectral["u"] = jnp.asarray(right[0], jnp.float32)
            else:
                visit(params[name], value)

    visit(params, stats.get("spectral", {}))


@pytest.fixture(scope="module", params=PAIRS, ids=str)
def pair(request):
    return Pair(*request.param)


def test_the_same_discriminator(pair):
    """Logits, loss with its penalty, and gradient."""
    fake = np.random.default_rng(4).uniform(-1, 1, pair.real.shape).astype(np.float32)
    work = pair.work

    def loss(params):
        logits = [pair.ours("discriminator", params, x) for x in (pair.real, fake)]
        value = pair.algorithm.loss.discriminator(*logits)
        if work.penalty:
            between = 0.3 * pair.real + 0.7 * fake
            value += work.penalty * norm_penalty(lambda x: pair.ours("discriminator", params, x), between)
        return value, logits[0]

    (value, logits), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(pair.params["discriminator"])
    plain = pair.torch
    with torch.no_grad():
        judged = plain.discriminator(to_torch(pair.real))[:, 0]
    np.testing.assert_allclose(judged.numpy(), logits, rtol=2e-4, atol=2e-5)
    plain.discriminator.zero_grad()
    plain._penalty = lambda real, fake: plain.penalty_at(0.3 * real + 0.7 * fake)
    theirs = plain.discriminator_loss(to_torch(pair.real), to_torch(fake))
    theirs.backward()
    assert theirs.item() == pytest.approx(float(value), rel=1e-4)
    pair.close("discriminator", grads, 2e-4)


def test_the_same_generator(pair):
    """Images, loss and gradient."""

    def loss(params):
        image = pair.ours("generator", params, pair.latent)
        logits = pair.ours("discriminator", pair.params["discriminator"], image)
        return pair.algorithm.loss.generator(logits, logits), image

    (value, image), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(pair.params["generator"])
    latent = torch.from_numpy(pair.latent)
    with torch.no_grad():
        theirs = pair.torch.generator(latent)
    np.testing.assert_allclose(theirs.numpy(), to_torch(image).numpy(), atol=2e-4)
    pair.torch.generator.zero_grad()
    found = pair.torch._generator_loss(latent)
    found.backward()
    assert found.item() == pytest.approx(float(value), rel=1e-4)
    pair.close("generator", grads, 2e-3)


@pytest.mark.parametrize("name", WORKS)
def test_as_many_parameters_at_full_width(name):
    work = WORKS[name]
    algorithm = algorithm_of(work, 2)
    state = jax.eval_shape(
        algorithm.init,
        jax.random.key(0),
        example_batch(DataSpec({"image": Field(work.image_shape)}, None), 2),
    )
    with torch.device("meta"):
        networks = torch_networks.networks(work, channels_last=False)
    for role, network in zip(("generator", "discriminator"), networks, strict=True):
        ours = sum(x.size for x in jax.tree.leaves(getattr(state, role).params))
        assert sum(x.numel() for x in network.parameters()) == ours


def test_a_step_trains_both_players_and_counts_its_updates():
    work = small("wgan_gp28")
    numbers = np.random.default_rng(0)
    images = numbers.uniform(-1, 1, (2, work.critic_steps, BATCH, *work.image_shape)).astype(np.float32)
    contender = torch_contender.make("torch-channels-last", work, images)
    before = [x.detach().clone() for x in contender.generator.parameters()]
    contender.steps(2)
    assert all((new != old).any() for new, old in zip(contender.generator.parameters(), before, strict=True))
    for tx, updates in ((contender.generator_tx, 2), (contender.discriminator_tx, 2 * work.critic_steps)):
        assert {int(x["step"]) for x in tx.state.values()} == {updates}
    assert all(x.requires_grad for x in contender.discriminator.parameters())


@pytest.mark.parametrize(
    ("loss", "value"),
    [("hinge", 0.25 + 0.25), ("wasserstein", -1.75 - 1.25), ("non_saturating", 0.300502 + 0.261332)],
)
def test_objectives_by_hand(loss, value):
    real, fake = torch.tensor([0.5, 2.0]), torch.tensor([-0.5, -3.0])
    assert float(torch_contender.discriminator_objective(loss, real, fake)) == pytest.approx(value, abs=1e-4)
