"""Where weights are looked for, and what is said of files that are missing, damaged or another network's."""

import hashlib
import re

import jax
import numpy as np
import pytest

from gan_jax.feature_networks.inception import VARIANTS
from gan_jax.feature_networks.inception_weights import PUBLISHED, Published, inception, params_from_state_dict
from gan_jax.utils.errors import UserError
from tests.feature_networks.inception_references import random_params, torch_state


@pytest.fixture(scope="module")
def state():
    return torch_state(random_params(VARIANTS["fid"], seed=0))


@pytest.fixture(scope="module")
def weights_file(state, tmp_path_factory):
    """Whole random weights, in the smaller of the formats."""
    path = tmp_path_factory.mktemp("weights") / "whole.npz"
    np.savez(path, allow_pickle=False, **{name: array.astype(np.float16) for name, array in state.items()})
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of weights in a cache of the test's own, and no address that leads anywhere."""
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))
    for variant, published in PUBLISHED.items():
        nowhere = (f"file://{tmp_path}/nowhere/{published.file_name}",)
        monkeypatch.setitem(PUBLISHED, variant, Published(published.file_name, published.sha256, nowhere))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def publish(monkeypatch):
    """Makes a file the published one of "fid", at this address."""

    def made(path, sha256=None, url=None):
        digest = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
        published = Published(f"random-{digest[:8]}.pth", digest, (url or f"file://{path}",))
        monkeypatch.setitem(PUBLISHED, "fid", published)
        return published

    return made


def test_the_published_names_hold_the_digests():
    """PyTorch's convention; and each variant is of a file of its own."""
    assert set(PUBLISHED) == set(VARIANTS)
    for published in PUBLISHED.values():
        assert published.file_name.endswith(f"-{published.sha256[:8]}.pth")


def test_it_is_downloaded_once_into_the_cache(weights_file, cache, publish):
    published = publish(weights_file)
    first = inception()
    assert first.name == "inception"
    assert (cache / published.file_name).read_bytes() == weights_file.read_bytes()
    publish(weights_file, url="file:///nowhere")
    assert inception().digest == first.digest  # from the cache now
    given = inception(str(weights_file))
    assert (given.name, given.digest) == ("inception", first.digest)


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_a_file_it_says_which_where_and_what_else_there_is(cache, variant):
    with pytest.raises(UserError) as caught:
        inception(variant=variant)
    published = PUBLISHED[variant]
    for part in (
        *(published.file_name, str(cache), published.urls[0], "inception_weights"),
        *("GAN_JAX_CACHE", "the network classifier"),
    ):
        assert part in str(caught.value)
    assert not cache.exists()


def test_a_given_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        UserError, match=r"inception_weights=.*none\.pth: there is no such file.*Get pt_incep"
    ):
        inception(str(tmp_path / "none.pth"))


def test_a_download_of_another_content_is_refused_and_not_kept(weights_file, cache, publish):
    publish(weights_file, sha256="0123456789abcdef" * 4)
    with pytest.raises(UserError, match=r"whole\.npz is damaged or is not random.*expected 0123456789abcdef"):
        inception()
    assert not cache.exists()


@pytest.mark.parametrize("digits", [8, 64])
def test_a_damaged_file_in_the_cache_is_refused(weights_file, cache, publish, digits):
    digest = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    published = publish(weights_file, sha256=digest[:digits])
    cache.mkdir(parents=True)
    (cache / published.file_name).write_bytes(weights_file.read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{re.escape(published.file_name)} is damaged.*Delete it"):
        inception()


def test_a_given_file_of_the_published_name_must_be_the_published_file(tmp_path):
    """Under torch-fidelity's name too."""
    for name in ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"):
        (tmp_path / name).write_bytes(b"cut off")
        with pytest.raises(UserError, match=f"{name} is damaged.*expected 6726825d.*another name"):
            inception(str(tmp_path / name))


def test_a_given_file_of_nonsense_is_refused(tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"hello")
    with pytest.raises(UserError, match=r"mine\.pth is no PyTorch file"):
        inception(str(tmp_path / "mine.pth"))


def test_unknown_variants_and_resizers_are_misuse():
    with pytest.raises(ValueError, match=r"variant='v4'.*choose a variant of fid, torchvision"):
        inception(variant="v4")
    with pytest.raises(ValueError, match="resizer of legacy, legacy_tf, clean"):
        inception(resizer="lanczos")


def test_a_state_dict_becomes_parameters(state):
    params = params_from_state_dict(state, "fid", "x.pth")
    for (path, leaf), expected in zip(
        jax.tree_util.tree_leaves_with_path(params),
        jax.tree.leaves(random_params(VARIANTS["fid"], seed=0)),
        strict=True,
    ):
        np.testing.assert_array_equal(leaf, expected, err_msg=jax.tree_util.keystr(path))
        assert leaf.dtype == np.float32


NAME = "Mixed_5b.branch1x1.bn.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({NAME: None}, f"x.pth lacks {NAME}. These weights are not of Inception's variant 'fid'"),
        ({"extra.weight": np.zeros(3)}, "has the unexpected extra.weight"),
        ({"AuxLogits.fc.bias": np.zeros(3)}, "perhaps they are of torchvision"),
        ({"fc.bias": np.zeros(1000)}, "has the wrong shape of fc.bias ((1000,), expected (1008,))"),
        ({"Conv2d_1a_3x3.conv.weight": np.zeros((3, 3, 3, 32))}, "expected (32, 3, 3, 3)"),
        ({NAME: np.full(64, np.nan)}, f"holds values for {NAME} that are not finite"),
        ({"Mixed_5b.branch1x1.bn.running_var": np.full(64, -1.0)}, "negative variances"),
        ({NAME: np.ones(64, np.int64)}, f"holds int64 for {NAME}"),
        ({NAME: None, "other": np.zeros(1)}, f"lacks {NAME}; has the unexpected other"),
    ],
)
def test_another_networks_state_dict_is_refused_by_its_names(state, change, said):
    changed = {name: array for name, array in (state | change).items() if array is not None}
    with pytest.raises(UserError, match=re.escape(said)):
        params_from_state_dict(changed, "fid", "x.pth")


def test_only_three_names_are_listed():
    with pytest.raises(UserError, match=r"lacks [\w.]+, [\w.]+, [\w.]+ and 469 more"):
        params_from_state_dict({}, "fid", "x.pth")


def test_torchvisions_auxiliary_classifier_is_left_aside(state):
    wanted = {**state, "fc.weight": np.zeros((1000, 2048)), "fc.bias": np.zeros(1000)}
    params = params_from_state_dict({**wanted, "AuxLogits.fc.bias": np.zeros(1000)}, "torchvision", "x.pth")
    assert set(params) == {name.split(".")[0] for name in state}
