"""Generators and translators as functions of arrays, for any number of examples and any size."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.core.state import Player, TrainState
from gan_jax.inference.export import exported_generator, exported_translator, stablehlo
from gan_jax.models import MODELS
from gan_jax.models.layers import conv
from gan_jax.utils.errors import UserError
from tests.inference.test_translate import Toy, spec, toy


def names(exported):
    return [(value.name, value.shape, value.dtype) for value in exported.inputs]


def called(exported, *inputs):
    """What the serialised program gives."""
    pytest.importorskip("flatbuffers")
    return np.asarray(jax.export.deserialize(bytearray(stablehlo(exported))).call(*inputs))


def blank(network):
    """`toy` with this network, all of whose weights are zeros: no time goes by for drawing them."""
    data = spec()
    algorithm = Toy(generator=network, generator_tx=optax.sgd(0.1), ema_decay=lambda step: 0.0)
    batch = {name: jnp.zeros((1, *field.shape)) for name, field in data.fields.items()}
    shapes = jax.eval_shape(algorithm.init, jax.random.key(0), batch)
    ema = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes.ema)
    none = Player(params={}, stats={}, opt=())
    return algorithm, data, TrainState(jnp.int32(0), jax.random.key(0), none, None, ema, {})


def test_a_translator_takes_pictures_of_any_size():
    algorithm, data, state = toy(noise=0.5)
    exported = exported_translator(algorithm, data, state, "a_to_b")
    assert names(exported) == [("picture", ("b", "h", "w", 3), "float32"), ("seed", (), "uint32")]
    picture = np.random.default_rng(0).uniform(-1, 1, (2, 18, 25, 3)).astype(np.float32)
    expected = algorithm.translate(state, jnp.asarray(picture), jax.random.key(7), "a_to_b")
    np.testing.assert_allclose(called(exported, picture, np.uint32(7)), expected, atol=2e-6, rtol=0)


def test_sides_are_multiples_and_mirrored_edges_take_any():
    algorithm, data, state = blank(MODELS["resnet_translator"]((32, 32, 3), width=2, blocks=1))
    exported = exported_translator(algorithm, data, state, "a_to_b")
    assert exported.inputs[0].shape == exported.output.shape == ("b", "4*h", "4*w", 3)
    traced = jax.export.export(jax.jit(exported.function))(exported.shapes()[0])
    assert str(traced.out_avals[0].shape) == "(b, 4*h, 4*w, 3)"
    fixed = exported_translator(algorithm, data, state, "a_to_b", any_size=False)
    assert fixed.inputs[0].shape == ("b", 32, 32, 3)


def test_outputs_may_be_larger():
    algorithm, data, state = blank(MODELS["srresnet_generator"]((32, 32, 3), width=2, blocks=1, scale=2))
    exported = exported_translator(algorithm, data, state, "a_to_b")
    assert (exported.inputs[0].shape, exported.output.shape) == (("b", "h", "w", 3), ("b", "2*h", "2*w", 3))
    fixed = exported_translator(algorithm, data, state, "a_to_b", any_size=False)
    assert (fixed.inputs[0].shape, fixed.output.shape) == (("b", 16, 16, 3), ("b", 32, 32, 3))


def test_holes_come_as_a_channel():
    algorithm, data, state = toy(holes=True)
    picture = exported_translator(algorithm, data, state, "a_to_b").inputs[0]
    assert picture.shape[-1] == 4
    assert "last_channel" in picture.about


def test_a_direction_and_a_method_that_are_not_there():
    algorithm, data, state = toy()
    with pytest.raises(UserError, match="direction=b_to_a: Toy translates a_to_b"):
        exported_translator(algorithm, data, state, "b_to_a")
    with pytest.raises(UserError, match="Toy makes pictures neither of latents nor of pictures"):
        exported_generator(dataclasses.replace(algorithm, ways=()), data, state)


def test_transposed_convolutions_have_a_plain_spelling():
    """The numbers of the definition, and one convolution in place of a choice by platform."""
    g = conv.geometry((9, 8), (5, 4), (2, 3), "SAME")
    y, w = (np.random.default_rng(0).normal(size=shape) for shape in ((2, *g.small, 3), (5, 4, 6, 3)))
    y, w = y.astype(np.float32), w.astype(np.float32)
    with conv.plain():
        found = conv.convolve_transpose(y, w, g)
        spelled = str(jax.make_jaxpr(lambda y: conv.convolve_transpose(y, w, g))(y))
    np.testing.assert_allclose(found, conv.convolve_transpose(y, w, g), atol=1e-5)
    assert "platform_index" not in spelled
    assert spelled.count("conv_general_dilated[") == 1
