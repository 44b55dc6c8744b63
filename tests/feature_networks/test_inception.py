"""The network against the PyTorch programs whose scores it should give, on the same random weights."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.feature_networks.inception import VARIANTS, InceptionV3, Variant
from gan_jax.feature_networks.inception_weights import inception
from gan_jax.feature_networks.pth import read_pth
from gan_jax.utils.errors import UserError
from tests.feature_networks.inception_references import random_params, torch_state

torch = pytest.importorskip("torch", reason="the references are written in it")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torchvision = pytest.importorskip("torchvision", reason="a reference")
    fid_module = pytest.importorskip("pytorch_fid.inception", reason="a reference")
    fidelity_module = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason="a reference"
    )
    clean_module = pytest.importorskip("cleanfid.resize", reason="a reference")

# The network is jitted in one test only: elsewhere equal convolutions are compiled once for all tests.
TOLERANCE = 1e-4  # the greatest difference found is 4e-5, where activations reach 6
COUNT = 2  # images


def tensors(state):
    return {name: torch.from_numpy(np.array(array)) for name, array in state.items()}


def to_torch(images):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, 3, 1)))


def to_numpy(tensor):
    """[B, C, h, w] or [B, C] in torch -> [B, h, w, C] or [B, C]."""
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def close(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    # Neither vanished nor exploded, and the two images are told apart: the tolerance means something.
    assert 0.1 < expected.std() < 10
    assert np.abs(expected[0] - expected[1]).max() > 1000 * TOLERANCE
    assert np.abs(found - expected).max() < TOLERANCE


def resized(images):
    """[B, 3, 299, 299] in [0, 1]."""
    return torch.nn.functional.interpolate(to_torch(images) / 255, (299, 299), mode="bilinear")


def normalise(images):
    """As torchvision's preset does it."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (resized(images) - mean[:, None, None]) / std[:, None, None]


def calibrate(model, images):
    """Gives the batch norms the statistics of the images, so that activations differ and keep their size."""
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    with torch.no_grad():
        model(normalise(images) if model.transform_input else 2 * resized(images) - 1)
    return model.eval()


@pytest.fixture(scope="module")
def module(images):
    """What pytorch-fid builds, with weights of ours: all their names and shapes fit."""
    state = torch_state(random_params(VARIANTS["fid"], seed=0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fid_module, "load_state_dict_from_url", lambda *_, **__: tensors(state))
        return calibrate(fid_module.fid_inception_v3(), images)


@pytest.fixture(scope="module")
def pytorch_fid(module):
    """The network of pytorch-fid."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fid_module, "fid_inception_v3", lambda: module)
        return fid_module.InceptionV3([0, 1, 2, 3]).eval()


@pytest.fixture(scope="module")
def weights_file(module, tmp_path_factory):
    """The same weights in a file, as PyTorch writes it."""
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(module.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def networks(weights_file):
    """By resizer."""
    return {name: inception(str(weights_file), resizer=name) for name in ("legacy", "legacy_tf", "clean")}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (COUNT, 4, 5, 3))
    return (coarse.repeat(8, 1).repeat(8, 2) // 2 + rng.integers(0, 128, (COUNT, 32, 40, 3))).astype(np.uint8)


@pytest.fixture(scope="module")
def outputs(networks, images):
    return {name: network.apply(network.params, images) for name, network in networks.items()}


def test_the_parameters_go_to_pytorch_and_back_unchanged(module, networks):
    there = torch_state(networks["legacy"].params)
    assert set(there) == set(module.state_dict())
    for name, tensor in module.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(there[name], tensor.numpy(), err_msg=name)


def test_pixels_become_features_as_in_pytorch_fid(pytorch_fid, networks, outputs, images):
    with torch.no_grad():
        expected = pytorch_fid(to_torch(images).float() / 255)
    close(outputs["legacy"].features, to_numpy(expected[3])[:, 0, 0])
    maps = networks["legacy"].maps(networks["legacy"].params, images)
    assert [layer.shape[1:] for layer in maps] == [
        *((73, 73, 64), (35, 35, 192), (35, 35, 288), (17, 17, 768), (8, 8, 2048))
    ]
    for ours, theirs in zip((maps[0], maps[1], maps[3]), expected, strict=False):
        close(ours, to_numpy(theirs))
    close(np.mean(maps[4], axis=(1, 2)), outputs["legacy"].features)
    with torch.no_grad():
        close(maps[2], to_numpy(pytorch_fid.blocks[2][:3](expected[1])))


def test_pixels_become_features_and_logits_as_in_torch_fidelity(outputs, networks, weights_file, images):
    wanted = ["2048", "logits_unbiased", "logits"]
    model = fidelity_module.FeatureExtractorInceptionV3(
        "inception-v3-compat", wanted, feature_extractor_weights_path=str(weights_file)
    )
    with torch.no_grad():
        features, unbiased, logits = model(to_torch(images))
    found = outputs["legacy_tf"]
    close(found.features, features)
    close(found.logits, unbiased)
    close(found.logits + networks["legacy_tf"].params["fc"]["bias"], logits)
    assert np.abs(np.asarray(found.logits) - logits.numpy()).max() > 1000 * TOLERANCE


def test_pixels_become_features_as_in_clean_fid(pytorch_fid, outputs, images):
    """It resizes on the host and calls the same network on (x - 128) / 128."""
    with warnings.catch_warnings():  # it gives Pillow an argument that is going out of use
        warnings.simplefilter("ignore")
        large = np.stack([clean_module.build_resizer("clean")(image) for image in images])
    with torch.no_grad():
        x = (to_torch(large) - 128) / 128
        for block in pytorch_fid.blocks:
            x = block(x)
    close(outputs["clean"].features, to_numpy(x)[:, 0, 0])


def test_resizers_differ_by_far_more_than_the_tolerance(outputs):
    found = [np.asarray(made.features) for made in outputs.values()]
    for one in range(3):
        assert np.abs(found[one] - found[one - 1]).max() > 1000 * TOLERANCE


@pytest.mark.parametrize(("count_padding", "last_pool_is_max"), [(True, True), (False, False)])
def test_other_pools_differ_by_far_more_than_the_tolerance(networks, count_padding, last_pool_is_max):
    """So the comparisons with pytorch-fid would have noticed them."""
    x = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (1, 299, 299, 3)), jnp.float32)
    params = {"params": networks["legacy"].params}
    other = Variant(1008, count_padding, last_pool_is_max, score_with_bias=False)
    right, wrong = (
        np.asarray(InceptionV3(variant).apply(params, x)[0]) for variant in (VARIANTS["fid"], other)
    )
    assert np.abs(right - wrong).max() > 100 * TOLERANCE


def test_the_torchvision_variant_is_torchvisions(images, tmp_path):
    """Its preset subtracts ImageNet's mean; `transform_input` undoes that; together they are 2 x - 1."""
    model = torchvision.models.inception_v3(weights=None, init_weights=False, transform_input=True)
    auxiliary = {name: value for name, value in model.state_dict().items() if name.startswith("AuxLogits.")}
    assert auxiliary
    ours = torch_state(random_params(VARIANTS["torchvision"], seed=2))
    model.load_state_dict(tensors(ours) | auxiliary)
    calibrate(model, images)
    torch.save(model.state_dict(), tmp_path / "tv.pth", _use_new_zipfile_serialization=False)
    network = inception(str(tmp_path / "tv.pth"), variant="torchvision")
    found = network.apply(network.params, images)
    assert network.name.startswith("inception (torchvision)")
    assert network.num_classes == 1000

    pooled = []
    model.avgpool.register_forward_hook(lambda module, inputs, output: pooled.append(output))
    with torch.no_grad():
        logits = model(normalise(images))
    close(found.features, to_numpy(pooled[0])[:, 0, 0])
    close(found.logits, to_numpy(logits))


def test_under_jit_grey_float_images_give_what_three_equal_channels_give(networks, images):
    legacy, grey = networks["legacy"], images[..., :1]
    found = jax.jit(legacy.apply)(legacy.params, grey.astype(np.float32))
    expected = legacy.apply(legacy.params, grey.repeat(3, axis=3))
    close(found.features, expected.features)
    close(found.logits, expected.logits)


def test_what_the_network_says_of_itself(networks, weights_file, tmp_path):
    legacy = networks["legacy"]
    assert legacy.name.startswith("inception with other weights than the published ones")
    assert {name: one.resizer for name, one in networks.items()} == {name: name for name in networks}
    assert len({one.digest for one in networks.values()}) == 3
    assert (legacy.num_features, legacy.num_classes) == (2048, 1008)
    legacy.check_shape((32, 32, 1))
    state = read_pth(weights_file)
    np.savez(tmp_path / "same.npz", allow_pickle=False, **state)
    assert inception(str(tmp_path / "same.npz")).digest == legacy.digest  # of the weights, not of the file
    changed = state | {"fc.bias": state["fc.bias"] + 1}
    np.savez(tmp_path / "changed.npz", allow_pickle=False, **changed)
    assert inception(str(tmp_path / "changed.npz")).digest != legacy.digest


@pytest.mark.parametrize("shape", [(2, 32, 32, 4), (2, 32, 32, 2), (32, 32, 3)])
def test_images_of_other_channels_are_refused(networks, shape):
    with pytest.raises(UserError, match="1 or 3 channels"):
        networks["legacy"].apply(networks["legacy"].params, jnp.zeros(shape, jnp.uint8))


def test_images_too_small_for_the_blocks_are_misuse():
    with pytest.raises(ValueError, match="75 pixels or more"):
        InceptionV3(VARIANTS["fid"]).init(jax.random.key(0), jnp.zeros((1, 74, 80, 3)))
