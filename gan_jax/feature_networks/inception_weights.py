"""Inception with its published weights: found or downloaded, verified and loaded.

The weights are not part of this library. They are looked for in a file that the user names, then in the cache
folder, then at the addresses where pytorch-fid, torch-fidelity and torchvision publish them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.download import download
from gan_jax.feature_networks.inception import NUM_FEATURES, SIDE, VARIANTS, InceptionV3
from gan_jax.feature_networks.network import FeatureNetwork, Outputs, digest_of
from gan_jax.feature_networks.pth import read_pth
from gan_jax.feature_networks.resize import RESIZERS, resize
from gan_jax.utils.cache import VARIABLE, cache_folder
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors, write_atomically
from gan_jax.utils.paths import expanded
from gan_jax.utils.tree import PyTree

Array = jax.Array


@dataclass(frozen=True)
class Published:
    """A file of weights.

    Attributes:
        file_name: in the cache folder.
        sha256: its first hex digits, as many as are known.
        urls: to download it from.
    """

    file_name: str
    sha256: str
    urls: tuple[str, ...]


# By PyTorch's convention a file's name ends in the first hex digits of its sha256.
PUBLISHED = {
    "fid": Published(
        "pt_inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        (
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            "pt_inception-2015-12-05-6726825d.pth",
            "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
            "weights-inception-2015-12-05-6726825d.pth",
        ),
    ),
    "torchvision": Published(
        "inception_v3_google-0cc3c7bd.pth",
        "0cc3c7bd",
        ("https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",),
    ),
}

_MOST_BYTES = 2**28  # of a published file; they have about 100 million
# The last part of a parameter's name here and in PyTorch.
_NAMES = {
    "kernel": "conv.weight",
    "scale": "bn.weight",
    "bias": "bn.bias",
    "mean": "bn.running_mean",
    "variance": "bn.running_var",
}
_OUTPUT_NAMES = {"kernel": "weight", "bias": "bias"}


def inception(
    path: str | Path | None = None, *, variant: str = "fid", resizer: str = "legacy"
) -> FeatureNetwork:
    """Inception v3 with weights from a file, from the cache folder or from their publishers.

    Args:
        path: a .pth file of a state dict, or an .npz of the same names; None for the published file.
        variant: "fid", what FIDs are computed with; or "torchvision".
        resizer: a key of `resize.RESIZERS`. It also says how pixels come to about [-1, 1], since the
            programs differ: 2 x / 255 - 1 for "legacy" (as pytorch-fid) and for all of torchvision's,
            (x - 128) / 128 for "legacy_tf" (torch-fidelity) and "clean" (clean-fid).

    Returns:
        The network. It takes images of any size with 1 channel, which is repeated, or with 3. Its logits are
        those for an Inception Score (`Variant.score_with_bias`).

    Raises:
        UserError: no weights are to be had, or the file is not what it says, or not of this variant.
        ValueError: an unknown variant or resizer.
    """
    if variant not in VARIANTS or resizer not in RESIZERS:
        raise ValueError(
            f"variant={variant!r}, resizer={resizer!r}: choose a variant of {', '.join(VARIANTS)}, and a "
            f"resizer of {', '.join(RESIZERS)}"
        )
    file, is_published = _find(path, variant)
    params = jax.device_put(params_from_state_dict(read_pth(file), variant, str(file)))
    return inception_network(params, variant=variant, resizer=resizer, is_published=is_published)


def inception_network(params: PyTree, *, variant: str, resizer: str, is_published: bool) -> FeatureNetwork:
    """The network with these weights; `is_published`: whether they are those that the name stands for."""
    centre, scale = (128.0, 128.0) if variant == "fid" and resizer != "legacy" else (127.5, 127.5)
    description = f"InceptionV3 {VARIANTS[variant]} {SIDE} {resizer} ({centre}, {scale})"
    digest = digest_of(params, description)
    name = "inception" if variant == "fid" else f"inception ({variant})"
    prepare = partial(_prepare, resizer=resizer, centre=centre, scale=scale)
    module = InceptionV3(VARIANTS[variant])

    def run(params: PyTree, images: Array) -> Any:
        return module.apply({"params": params}, prepare(images))

    def apply(params: PyTree, images: Array) -> Outputs:
        made = run(params, images)
        return Outputs(made.features, made.logits if module.variant.score_with_bias else made.logits_unbiased)

    return FeatureNetwork(
        name=name if is_published else f"{name} with other weights than the published ones ({digest})",
        digest=digest,
        resizer=resizer,
        image_shape=(None, None, None),
        num_features=NUM_FEATURES,
        num_classes=module.variant.num_classes,
        params=params,
        apply=apply,
        maps=lambda params, images: run(params, images).maps,
    )


def _prepare(images: Array, resizer: str, centre: float, scale: float) -> Array:
    """Images [B, H, W, 1 or 3] in 0 to 255 -> [B, 299, 299, 3] in about [-1, 1]."""
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise UserError(
            f"Inception takes images [B, H, W, C] of 1 or 3 channels, and these are {images.shape}: choose "
            "another network"
        )
    resized = (resize(images, SIDE, SIDE, resizer) - centre) / scale
    return jnp.repeat(resized, 3 // images.shape[3], axis=3)


def params_from_state_dict(state: Mapping[str, np.ndarray], variant: str, origin: str) -> PyTree:
    """The parameters of `InceptionV3` from PyTorch's, by name.

    Args:
        state: name -> array, as `read_pth` gives it. The count of batches that each batch norm has seen, and
            torchvision's auxiliary classifier, are left aside.
        variant: a key of VARIANTS.
        origin: the file's name, for messages.

    Returns:
        float32, a tree as `InceptionV3.init` makes it.

    Raises:
        UserError: missing or unexpected names, wrong shapes, or values that no network has.
    """
    wanted = _wanted(variant)
    aside = "AuxLogits." if variant == "torchvision" else ()
    found = {
        name: array
        for name, array in state.items()
        if not name.endswith(".num_batches_tracked") and not name.startswith(aside)
    }
    others = " or ".join(name for name in VARIANTS if name != variant)
    advice = f"These weights are not of Inception's variant {variant!r}; perhaps they are of {others}."
    complaints = {
        "lacks": [name for name in wanted if name not in found],
        "has the unexpected": [name for name in found if name not in wanted],
        "has the wrong shape of": [
            f"{name} ({found[name].shape}, expected {shape})"
            for name, (_, shape) in wanted.items()
            if name in found and found[name].shape != shape
        ],
    }
    said = [f"{what} {_listed(names)}" for what, names in complaints.items() if names]
    if said:
        raise UserError(f"{origin} {'; '.join(said)}. {advice}")
    params: PyTree = {}
    for name, (path, _) in wanted.items():
        inner = params
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = _float32(found[name], name, origin)
    return params


@cache
def _wanted(variant: str) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    """Name in PyTorch -> path in our parameters, and PyTorch's shape."""
    image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    tree = jax.eval_shape(InceptionV3(VARIANTS[variant]).init, jax.random.key(0), image)["params"]
    wanted = {}
    for keys, leaf in jax.tree_util.tree_leaves_with_path(tree):
        path = tuple(key.key for key in keys)
        ending = (_OUTPUT_NAMES if path[0] == "fc" else _NAMES)[path[-1]]
        # [h, w, in, out] -> [out, in, h, w], and [in, out] -> [out, in].
        shape = leaf.shape if leaf.ndim == 1 else (*leaf.shape[:-3:-1], *leaf.shape[:-2])
        wanted[".".join((*path[:-1], ending))] = (path, shape)
    return wanted


def _float32(array: np.ndarray, name: str, origin: str) -> np.ndarray:
    """PyTorch's array as ours: [out, in, h, w] -> [h, w, in, out], [out, in] -> [in, out]."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise UserError(f"{origin} holds {array.dtype} for {name}, expected floating-point numbers")
    values = np.asarray(array, np.float32)
    if not np.isfinite(values).all() or (name.endswith("running_var") and values.min() < 0):
        raise UserError(f"{origin} holds values for {name} that are not finite, or are negative variances")
    order = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[values.ndim]
    return np.ascontiguousarray(values.transpose(order))


def _listed(names: list[str]) -> str:
    """At most three of them, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _find(given: str | Path | None, variant: str) -> tuple[Path, bool]:
    """A file with weights, and whether it is the published one. Downloads it if need be."""
    published = PUBLISHED[variant]
    if given is not None:
        path = expanded(given)
        if not path.is_file():
            raise UserError(f"inception_weights={given}: there is no such file. {_how_to_give(published)}")
        found = _sha256(path)
        if path.name.endswith(published.file_name[-13:]):  # "-6726825d.pth"
            _verify(found, published, str(path), "Get it again, or give a file of your own another name.")
        return path, found.startswith(published.sha256)
    path = cache_folder("weights") / published.file_name
    if path.is_file():
        _verify(_sha256(path), published, str(path), "Delete it, and it is downloaded again.")
        return path, True

    def verified(body: bytes, url: str) -> bytes:
        _verify(hashlib.sha256(body).hexdigest(), published, url, "")
        return body

    advice = f"Inception's weights were looked for in {path}, too. {_how_to_give(published)}"
    write_atomically(path, download(published.urls, verified, advice, _MOST_BYTES))
    return path, True


def _how_to_give(published: Published) -> str:
    return (
        f"Get {published.file_name} where there is a network ({published.urls[0]}; PyTorch's cache, "
        "torch/hub/checkpoints, may have a copy), and name it (inception_weights), or put it into "
        f"{cache_folder('weights')} (${VARIABLE} names another cache). Or compare without Inception: "
        "the network classifier uses a classifier of the data set itself and needs no download."
    )


def _sha256(path: Path) -> str:
    with disk_errors(f"read {path}"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(found: str, published: Published, origin: str, remedy: str) -> None:
    if not found.startswith(published.sha256):
        known = published.sha256 + ("" if len(published.sha256) == 64 else "...")
        raise UserError(
            f"{origin} is damaged or is not {published.file_name}: its sha256 is {found}, expected {known}. "
            f"{remedy}".rstrip()
        )
