"""The one pass over the images of a side: features, logits, labels, in batches over all devices.

Every metric reads what this pass kept. The features of a real set are kept on disk too, under a digest of
(images, number, network, platform), so that they are computed once.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging
from tqdm import tqdm

from gan_jax.distributed import parallel
from gan_jax.evaluation.sources.sources import ImageSource
from gan_jax.feature_networks.network import FeatureNetwork, Outputs
from gan_jax.utils import files
from gan_jax.utils.cache import cache_folder
from gan_jax.utils.errors import UserError
from gan_jax.utils.untrusted import read_npz

BATCH = 128  # images in one call, over all devices
VALUES = 8192  # in one call at least: one of a few points takes longer to start than to run
MOST_VALUES = 2**30  # in one call at most
PRECISION = "float32"  # of the network: highest matmul precision, also where the hardware has less by default
_FORMAT = 2  # of the cached files


@dataclass(frozen=True)
class ExtractedSet:
    """One side of a comparison, after the pass.

    Attributes:
        name: the source's.
        features: float32 [N, D].
        logits: float32 [N, K]; None where the network is no classifier.
        labels: int32 [N], the data set's or those that were asked for; None where there are none.
        images: [n, ...] as stored (pixels: uint8 [n, H, W, C]), n <= N, as many as were asked for, at random.
        image_labels: int32 [n], theirs.
        num_classes: of the labels.
        class_names: what they mean, in order; None where nothing says it.
    """

    name: str
    features: np.ndarray
    logits: np.ndarray | None
    labels: np.ndarray | None
    images: np.ndarray
    image_labels: np.ndarray | None
    num_classes: int | None
    class_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.features)


class Extractor:
    """A network compiled for the pass; keep it to use it again.

    Args:
        network: the feature network.
        mesh: the devices; default all.
        batch_size: images in one call; made a multiple of the devices.
        progress: show a bar on a terminal.
    """

    def __init__(
        self,
        network: FeatureNetwork,
        *,
        mesh: jax.sharding.Mesh | None = None,
        batch_size: int = BATCH,
        progress: bool = True,
    ) -> None:
        mesh = mesh or parallel.make_mesh()
        self.network = network
        self._batch_size = -(-batch_size // mesh.size) * mesh.size
        self._split = parallel.split_on(mesh, 0)
        self._params = parallel.place(network.params, parallel.replicated(mesh))
        self._progress = progress

        def apply(params: Any, images: jax.Array) -> Outputs:
            with jax.default_matmul_precision("highest"):
                return network.apply(params, images)

        self.apply = jax.jit(apply)

    def __call__(self, source: ImageSource, count: int, *, images: int = 0) -> ExtractedSet:
        """`count` images of a source; `images` of them, random ones, are kept.

        Raises:
            UserError: images of another shape than the network's, too few, or not finite.
        """
        self.network.check_shape(source.image_shape)
        parts: list[Outputs] = []
        labels: list[np.ndarray] = []
        kept = _Kept(count, images, source)
        pending: tuple[Outputs, int] | None = None  # one call ahead, so that the device never waits for us
        for batch, label in self._shown(source, count):
            outputs = self.apply(self._params, jax.device_put(self._padded(batch), self._split))
            if pending is not None:
                parts.append(_fetch(*pending))
            pending = outputs, len(batch)
            if label is not None:
                labels.append(label)
            kept.offer(batch)
        if pending is not None:
            parts.append(_fetch(*pending))
        features = np.concatenate([part.features for part in parts])
        logits = None if parts[0].logits is None else np.concatenate([_array(part.logits) for part in parts])
        _check_finite(source.name, self.network.name, features)
        all_labels = np.concatenate(labels) if labels else None
        return ExtractedSet(
            name=source.name,
            features=features,
            logits=logits,
            labels=all_labels,
            images=kept.images,
            image_labels=None if all_labels is None else all_labels[kept.places],
            num_classes=source.num_classes,
            class_names=source.class_names,
        )

    def cached(self, source: ImageSource, count: int, *, images: int = 0) -> ExtractedSet:
        """The same, from this machine's cache where it is there, and kept there otherwise."""
        if source.fingerprint is None:
            return self(source, count, images=images)
        path = cache_folder("features") / f"{self._key(source.fingerprint, count)}.npz"
        found = _read(path, count)
        if found is None:
            sample = self(source, count, images=images)
            _write(path, {"features": sample.features, "logits": sample.logits, "labels": sample.labels})
            return sample
        kept = self._kept(source, count, images)
        labels = found.get("labels")
        return ExtractedSet(
            name=source.name,
            features=found["features"],
            logits=found.get("logits"),
            labels=labels,
            images=kept.images,
            image_labels=None if labels is None else labels[kept.places],
            num_classes=source.num_classes,
            class_names=source.class_names,
        )

    def images(self, source: ImageSource, count: int) -> np.ndarray:
        """All `count` images of a source, in the order in which an `ExtractedSet` of as many has them."""
        return self._kept(source, count, count).images

    def _kept(self, source: ImageSource, count: int, images: int) -> _Kept:
        kept = _Kept(count, images, source)
        for batch, _ in source.batches(count, self._batch_size) if images else ():
            kept.offer(batch)
        return kept

    def kept(self, source: ImageSource, count: int, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """An array that follows from the features of a source alone, kept beside them.

        Args:
            name: of the array; tells it from others of the same features, and from older forms of itself.
        """
        if source.fingerprint is None:
            return make()
        path = cache_folder("features") / f"{self._key(source.fingerprint, count)}_{name}.npz"
        found = _read(path, count)
        if found is None:
            found = {"features": make()}
            _write(path, found)
        return found["features"]

    def _key(self, fingerprint: str, count: int) -> str:
        place = f"{PRECISION} {parallel.platform()}"
        text = f"{_FORMAT} {fingerprint} {count} {self.network.digest} {place}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _shown(self, source: ImageSource, count: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The batches, with a bar on a terminal."""
        disable = None if self._progress else True
        with tqdm(total=count, desc=source.name, unit=" images", leave=False, disable=disable) as bar:
            for batch, label in source.batches(count, self._batch_size):
                yield batch, label
                bar.update(len(batch))

    def _padded(self, batch: np.ndarray) -> np.ndarray:
        """Always the same shape, so that there is one program."""
        missing = self._batch_size - len(batch)
        return np.pad(batch, [(0, missing), *[(0, 0)] * (batch.ndim - 1)]) if missing else batch


class _Kept:
    """Of `count` images that pass by, `wanted` random ones, in random order.

    Always the same, and the first of them whatever `wanted` is: no score depends on what else is measured.
    """

    def __init__(self, count: int, wanted: int, source: ImageSource) -> None:
        self.places = np.random.default_rng(0).permutation(count)[:wanted]
        codec = source.codec
        self.images = np.empty((wanted, *codec.stored_shape(source.image_shape)), codec.dtype)
        self._done = 0

    def offer(self, batch: np.ndarray) -> None:
        """The next images."""
        here = (self.places >= self._done) & (self.places < self._done + len(batch))
        self.images[here] = batch[self.places[here] - self._done]
        self._done += len(batch)


def _fetch(outputs: Outputs, count: int) -> Outputs:
    """The first `count` rows, on the host."""
    features, logits = jax.device_get(outputs)
    return Outputs(features[:count], None if logits is None else logits[:count])


def _array(array: Any) -> np.ndarray:
    return np.asarray(array)


def _check_finite(name: str, network: str, features: np.ndarray) -> None:
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        raise UserError(
            f"{name}: the features ({network}) of {int(bad.sum())} of {len(bad)} images are not finite: "
            "the images or the network's weights are damaged"
        )


def _read(path: Path, count: int) -> dict[str, np.ndarray] | None:
    """What the cache has, with `count` rows; None where it has nothing that can be used."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:
            found = read_npz(file)
        if len(found["features"]) != count:
            raise ValueError(f"{len(found['features'])} rows instead of {count}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        logging.warning("%s is damaged (%s); its features are computed anew", path, error)
        return None
    return found


def _write(path: Path, arrays: Mapping[str, np.ndarray | None]) -> None:
    """Keeps what was computed; a disk that refuses costs only the time it would have saved."""
    there: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **there)
    try:
        files.write_atomically(path, buffer.getvalue())
    except UserError as error:
        logging.warning("the features of the reals are not kept: %s", error)
