"""The train step of a config, lowered for a mesh of devices that need not be there; no data are read."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from jax.sharding import Mesh

from gan_jax.config.build import (
    build_algorithm,
    check_fields,
    data_folder,
    data_transforms,
    example_batch,
    takes_batch_size,
)
from gan_jax.config.components import data_options
from gan_jax.config.phases import PhaseConfig
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.expected import expected_spec
from gan_jax.data.feed import StreamFeed
from gan_jax.data.spec import DataSpec
from gan_jax.data.views import VIEW
from gan_jax.distributed import parallel
from gan_jax.summaries.costs import shapes_of
from gan_jax.training.input import make_fetch
from gan_jax.utils.tree import PyTree


def expected_data(config: ml_collections.ConfigDict) -> DataSpec:
    """What the networks of a complete config will know of its data, which need not be there.

    Raises:
        UserError: as `expected_spec`.
    """
    check_fields(config)
    view = {name: config.data[name] for name in VIEW}
    return expected_spec(config.data.name, data_dir=data_folder(config), **view, **data_options(config))


def method(phase: PhaseConfig, spec: DataSpec) -> Algorithm:
    """The algorithm of a phase."""
    return build_algorithm(phase.config, spec, phase.start)


def abstract_state(algorithm: Algorithm, spec: DataSpec, batch_size: int, mesh: Mesh) -> TrainState:
    """The shapes of the state, and where they lie; with the shapes of the frozen networks.

    Raises:
        UserError: weights of a frozen network that are not there.
    """
    sharding = algorithm.execution.sharding
    state = parallel.abstract_state(algorithm, example_batch(spec, batch_size), mesh, sharding)
    frozen = shapes_of(algorithm.load_frozen())
    if not frozen:
        return state
    places = parallel.state_shardings(frozen, mesh, sharding)
    place = lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at)
    return state.replace(frozen=jax.tree.map(place, frozen, places))


def stored_items(algorithm: Algorithm, spec: DataSpec, batch_size: int, steps: int) -> PyTree:
    """The shapes of a call's input as it is stored and streamed: [steps, minibatches, B, ...]."""
    lead = (steps, algorithm.minibatches, batch_size)
    items: dict[str, Any] = {
        name: jax.ShapeDtypeStruct((*lead, *field.stored_shape), field.codec.dtype)
        for name, field in spec.fields.items()
    }
    if spec.num_classes is not None:
        items["label"] = jax.ShapeDtypeStruct(lead, jnp.int32)
    return items


def lowered(
    phase: PhaseConfig, spec: DataSpec, algorithm: Algorithm, state: TrainState, mesh: Mesh
) -> jax.stages.Lowered:
    """A phase's call of `steps_per_call` train steps, as a training would compile it.

    Raises:
        UserError: the devices do not divide the batch.
    """
    config = phase.config
    fits = functools.partial(takes_batch_size, config, spec)
    parallel.check_batch(config.batch_size, mesh, algorithm.execution.accumulation, fits=fits)
    # Pictures that are gathered on the device would be one more kernel.
    feed: Any = SimpleNamespace(fields=spec.fields, fetch=StreamFeed.fetch)
    fetch = make_fetch(feed, data_transforms(config, spec))
    steps = config.steps_per_call
    call: Any = parallel.compile_step(algorithm, fetch, mesh, steps, algorithm.execution.sharding)
    items = stored_items(algorithm, spec, config.batch_size, steps)
    return call.lower(state, {}, items, jax.ShapeDtypeStruct((), jnp.int32))
