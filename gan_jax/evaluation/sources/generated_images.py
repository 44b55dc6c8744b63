"""The images of a generator, stored as its data are; drawn while they are asked for."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import jax
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.modules import is_conditional
from gan_jax.core.state import TrainState
from gan_jax.data.spec import DataSpec
from gan_jax.distributed import parallel
from gan_jax.evaluation.sources.image_source import Batch, ImageSource, rebatched
from gan_jax.feature_networks.network import digest_of
from gan_jax.inference.sample import CHUNK, Chunks, compared_kind, make_chunks
from gan_jax.utils.errors import UserError

REAL_SEED = 2**31  # added to the seed where the reals are drawn from a generator
_AHEAD = 2  # chunks that each device works on before the first is fetched


def generator_source(
    name: str,
    algorithm: Algorithm,
    spec: DataSpec,
    state: TrainState,
    *,
    seed: int,
    devices: Sequence[jax.Device] | None = None,
    chunks: Chunks | None = None,
    size: int | None = None,
) -> ImageSource:
    """Images from the averaged generator, without an end unless a size is given.

    Image number i is that of `gan-jax sample --seed` for the same label, encoded as the data are stored:
    pixels are rounded to uint8 as in its PNG, points are not rounded. A conditional generator gets the
    label i mod K, so the first N hold every class equally often, but for one; published practice is to draw
    labels uniformly, which has the same mean and adds noise. InfoGAN's category goes round like a label, but
    the images are given without labels: it means no class of the data.

    Args:
        name: for the protocol, such as "run NAME".
        algorithm: with the networks.
        spec: what it knows of the data.
        state: the weights.
        seed: of the latents.
        devices: draw in turn, 64 images at a time; None is all of this process. The images stay the same.
        chunks: of `make_chunks` for this algorithm and spec, kept to compile once for many states.

        size: how many there are, for a method that makes each of a row of a data set.

    Raises:
        UserError, while reading: images that are not finite.
    """
    classes = None if algorithm.conditions else algorithm.num_classes
    used = list(parallel.local_devices() if devices is None else devices)
    chunks = chunks or make_chunks(algorithm, spec)
    labelled = classes is not None and is_conditional(algorithm.generator)
    codec = spec.fields["image"].codec

    def read(count: int, batch_size: int) -> Iterator[Batch]:
        chosen = None if classes is None else np.arange(count, dtype=np.int32) % classes
        drawn = chunks(state, count, jax.random.key(seed), chosen, used[: -(-count // CHUNK)])
        images = _finite(name, _ahead(map(compared_kind, drawn), _AHEAD * len(used)), count)
        encoded = map(codec.encode, images)
        yield from rebatched(_labelled(encoded, chosen if labelled else None), batch_size)

    return ImageSource(
        name=name,
        fingerprint=None,
        image_shape=spec.image_shape,
        num_classes=classes if labelled else None,
        size=size,
        read=read,
        codec=codec,
        class_names=(spec.class_names or None) if labelled else None,
    )


def generator_as_reals(
    name: str, algorithm: Algorithm, spec: DataSpec, state: TrainState, *, seed: int
) -> ImageSource:
    """Images of a run in the place of the reals, drawn with other latents than any fakes.

    Args:
        name: of the run.
        algorithm, spec, state: as in `generator_source`.
        seed: that of the fakes.

    Raises:
        UserError: it draws nothing, but makes its images of rows.
    """
    if algorithm.conditions:
        raise UserError(
            f"{name} is a run that makes its images of given ones: write some with gan-jax sample to a "
            "folder or an .npz, and name that"
        )
    other = REAL_SEED + seed
    source = generator_source(f"run {name}", algorithm, spec, state, seed=other)
    return replace(source, fingerprint=f"generator seed {other} {digest_of(state.ema, '')}")


def _ahead(arrays: Iterable[jax.Array], number: int) -> Iterator[jax.Array]:
    """The same arrays, `number` of them asked for in advance: the devices work while we look at the first."""
    waiting: deque[jax.Array] = deque()
    for array in arrays:
        waiting.append(array)
        if len(waiting) > number:
            yield waiting.popleft()
    yield from waiting


def _finite(name: str, chunks: Iterator[jax.Array], count: int) -> Iterator[np.ndarray]:
    """The first `count` images, float32; a UserError if they are not finite."""
    for first, chunk in zip(itertools.count(0, CHUNK), chunks, strict=False):
        images = np.asarray(chunk)[: count - first]
        bad = int((~np.isfinite(images)).any(axis=(1, 2, 3)).sum())
        if bad:
            raise UserError(
                f"{name}: {bad} of the images {first} to {first + len(images) - 1} are not finite: the "
                "training has diverged; use an earlier checkpoint or train again"
            )
        yield images


def _labelled(parts: Iterable[np.ndarray], labels: np.ndarray | None) -> Iterator[Batch]:
    """Consecutive images with their labels."""
    done = 0
    for images in parts:
        yield images, None if labels is None else labels[done : done + len(images)]
        done += len(images)
