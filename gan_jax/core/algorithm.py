"""A method is one or two networks and an ordered list of updates; the step that runs them is shared by all.

A new method subclasses `Algorithm`, writes its losses and lists its updates. Everything else (the
loop, devices, checkpoints, pictures, scores) sees only what is defined here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from gan_jax.core import spectral
from gan_jax.core.accumulation import Microbatches, network_obstacles
from gan_jax.core.execution import Execution, Precision
from gan_jax.core.games import Alternating, Game
from gan_jax.core.launches import are_costly
from gan_jax.core.modules import is_conditional, trait, with_field
from gan_jax.core.randomness import INIT, LATENTS, NOISE, Latent, example_keys, latents
from gan_jax.core.state import ROLES, Player, Role, TrainState
from gan_jax.core.styles import NO_TRUNCATION, Truncation, check_truncation, has_styles, mean_style, truncate
from gan_jax.core.update import Array, Batch, Key, Metrics, Update
from gan_jax.utils.checks import check_count
from gan_jax.utils.tree import PyTree


def apply_network(
    module: nn.Module,
    params: PyTree,
    stats: PyTree,
    x: Array,
    *others: Any,
    key: Key | None,
    train: bool,
    method: str = "__call__",
    precision: Precision = "float32",
    remat: bool = False,
    capture: bool = False,
) -> tuple[Any, PyTree]:
    """module.method(x, *others), and its collections afterwards, all of them float32.

    Args:
        others: the network's further inputs: a label, a time, what else it is conditioned on.
        key: for what the network draws itself: its streams "dropout" and "noise".
        train: whether the collections move.
        method: which of the module's methods is called.
        precision: what x is cast to, and nothing else: times and noise levels need float32. The layers of
            `gan_jax.models` compute in their input's precision, but
            for what needs more (statistics, spectral norms, a softmax, the logits); parameters and statistics
            stay float32, and so do the gradients, because the casts are differentiated.
        remat: a gradient keeps only what enters the network's blocks, see `models.layers.remat`.
        capture: also return what each layer said, as Flax's collection "intermediates".
    """
    if remat:
        module = with_field(module, remat=True)
    call = functools.partial(
        module.apply,
        {"params": params, **stats},
        x.astype(precision) if jnp.issubdtype(x.dtype, jnp.inexact) else x,
        *others,
        train=train,
        method=method,
        rngs=None if key is None else {"dropout": key, "noise": jax.random.fold_in(key, NOISE)},
        mutable=(list(stats) if train else []) + (["intermediates"] if capture else []),
        capture_intermediates=capture,
    )
    if spectral.COLLECTION in stats and are_costly():
        out, changed = spectral.together(call, params, stats[spectral.COLLECTION])
    else:
        out, changed = call()
    return as_float32((out, {**stats, **changed}))


def as_float32(tree: PyTree) -> PyTree:
    """Every leaf of a lower floating-point precision as float32."""
    return jax.tree.map(lambda x: x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x, tree)


class Geometry(NamedTuple):
    """Of a translation: what the sides of its input must be, and of its output are.

    Attributes:
        multiple: the input's height and width are multiples of this.
        scale: the output is so many times as high and as wide as the input.
    """

    multiple: int = 1
    scale: int = 1


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """The static half of a run: networks, optimizers and the rules of the game.

    A player's networks are one module, whose methods `apply` can name: encode and decode, both directions of
    a translation, mapping and synthesis.

    Attributes:
        roles: the players of this method; a method without a discriminator has ("generator",).
        generator: by default (latents [B, L], conditioning, train) -> images [B, H, W, C] in [-1, 1].
        generator_tx: the generator's optimizer.
        ema_decay: step -> decay of the generator's moving average; 0 is no averaging.
        discriminator: by default (images, conditioning, train) -> logits [B]; None where nobody judges.
        discriminator_tx: the discriminator's optimizer.
        first_step: the step at which the phase begins that this algorithm is of; 0 without phases.
        game: how the players take turns.
        latent_size: L.
        latent: the latents' distribution.
        execution: how the networks and their gradients are computed.
        axis_name: the mapped axis that splits the batch under `pmap` or `shard_map`; None under `jit`.
        split: lays a batch that is drawn inside the step out as the given ones are; the identity on one
            device. `compile_step` sets it.
        truncation: of the styles that `draw` makes images of; `truncated` sets it.
    """

    roles: ClassVar[tuple[Role, ...]] = ROLES

    generator: nn.Module
    generator_tx: optax.GradientTransformation
    ema_decay: optax.Schedule
    discriminator: Any = None  # nn.Module | None
    discriminator_tx: Any = None  # optax.GradientTransformation | None
    first_step: int = 0
    game: Game = dataclasses.field(default_factory=Alternating)
    latent_size: int = 100
    latent: Latent = "normal"
    execution: Execution = dataclasses.field(default_factory=Execution)
    axis_name: str | None = None
    split: Callable[[Array], Array] = lambda x: x
    truncation: Truncation = NO_TRUNCATION

    def __post_init__(self) -> None:
        if self.latent not in LATENTS:
            raise ValueError(f"latent={self.latent!r} is not one of {', '.join(LATENTS)}")
        if ("discriminator" in self.roles) != (self.discriminator is not None):
            needs = "needs a" if self.discriminator is None else "has no use for a"
            raise ValueError(f"{type(self).__name__} {needs} discriminator")
        check_count(self.latent_size, "latent_size")

    def updates(self) -> tuple[Update, ...]:
        """What one step does, in order."""
        raise NotImplementedError(f"{type(self).__name__} must list its updates")

    @property
    def microbatches(self) -> Microbatches:
        """How each mini-batch is cut."""
        return Microbatches(self.execution.accumulation)

    def obstacles(self) -> list[str]:
        """Why a mini-batch of this method cannot be cut into parts, a sentence each, and what to do.

        Empty where every loss is a mean over examples that stand for themselves. A method that sees several
        at once beyond its networks must add what it does.
        """
        return network_obstacles(**self.networks)

    @property
    def minibatches(self) -> int:
        """How many mini-batches one step consumes."""
        return self.game.minibatches(self.updates())

    @property
    def num_classes(self) -> int | None:
        """How many classes `sample` can be asked for; None where it does not look at labels."""
        return trait(self.generator, "num_classes") if is_conditional(self.generator) else None

    @property
    def input_size(self) -> int:
        """The length of the generator's input; that of the latents by default."""
        return self.latent_size

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the batch's fields that `sample` reads, beside its size and labels; none by default."""
        return ()

    @property
    def has_latent_path(self) -> bool:
        """Whether `draw` makes images of latents and labels alone: one can walk between two latents."""
        return not self.conditions and type(self).sample is Algorithm.sample

    @property
    def evaluations(self) -> int:
        """How often `sample` asks a network for one example."""
        return 1

    def with_axis(self, axis_name: str) -> Self:
        """The same algorithm for a step that is mapped over `axis_name`."""
        return dataclasses.replace(
            self,
            axis_name=axis_name,
            **cast(Any, {r: with_field(net, axis_name=axis_name) for r, net in self.networks.items()}),
        )

    @property
    def networks(self) -> dict[Role, nn.Module]:
        """Each player's networks."""
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return {role: networks[role] for role in self.roles}

    def optimizer(self, role: Role) -> optax.GradientTransformation:
        """A player's optimizer."""
        return self.generator_tx if role == "generator" else self.discriminator_tx

    def apply(
        self,
        module: nn.Module,
        params: PyTree,
        stats: PyTree,
        x: Array,
        *others: Any,
        key: Key | None,
        train: bool,
        method: str = "__call__",
        capture: bool = False,
    ) -> tuple[Any, PyTree]:
        """`apply_network` as this run computes its networks; nothing else in a method calls one."""
        return apply_network(
            module,
            params,
            stats,
            x,
            *others,
            key=key,
            train=train,
            method=method,
            precision=self.execution.precision,
            remat=self.execution.remat and train,
            capture=capture,
        )

    def latents(self, key: Key, count: int) -> Array:
        """Latents [count, L] for the examples on this device."""
        return self.split(latents(example_keys(key, count, self.axis_name), self.latent_size, self.latent))

    def check_fields(self, fields: Mapping[str, Any]) -> None:
        """Raises a ValueError where the method cannot learn from data with these fields (`data.spec.Field` by
        name); any will do here."""

    def init(self, key: Key, batch: Batch) -> TrainState:
        """The state before the first step; `batch` is one mini-batch and only its shapes matter."""
        *keys, extra_key = jax.random.split(jax.random.fold_in(key, INIT), 3)
        examples = self.examples(jax.tree.map(lambda x: x[:1], batch))
        players = {
            role: init_player(self.networks[role], self.optimizer(role), player_key, *examples[role])
            for role, player_key in zip(ROLES, keys, strict=True)
            if role in self.roles
        }
        generator = players["generator"]
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            generator=generator,
            discriminator=players.get("discriminator"),
            # A copy: the state is donated, and one buffer cannot be donated twice.
            ema=jax.tree.map(jnp.copy, {"params": generator.params, "stats": generator.stats}),
            extra=self.init_extra(extra_key, batch),
        )

    @functools.cached_property
    def init_once(self) -> Callable[[Key, Batch], TrainState]:
        """`init`, always the same object: JAX traces it once for each shape of the batch."""
        return self.init

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        """The inputs of each network's `__call__` but `train`, of one example; only their shapes matter.

        Args:
            batch: one example, leaves [1, ...].
        """
        told = self.conditioning(batch, None)
        latent = jnp.zeros((1, self.input_size))
        return {role: (latent if role == "generator" else batch["image"], told) for role in self.roles}

    def conditioning(self, batch: Batch, state: TrainState | None) -> PyTree:
        """What the networks are told beside their first input: the labels by default, None without any.

        Any tree: {"label": ..., "fade": ...} for a growing network. `state` is None while the networks are
        initialised.
        """
        return batch.get("label")

    def prepare(self, batches: Batch, state: TrainState) -> Batch:
        """A step's mini-batches, leaves [minibatches, B, ...], as this phase sees them; all by default."""
        return batches

    def enter(self, state: TrainState) -> TrainState:
        """The state before a phase's first step, from the one after the phase before; the same by default."""
        return state

    def check_place(self, before: Algorithm | None, is_last: bool) -> None:
        """Raises a ValueError where a phase with this algorithm cannot be a run's last, or cannot follow the
        phase with `before` (None: it is the first); by default it can."""

    def load_frozen(self) -> dict[str, PyTree]:
        """Pretrained constants by name for `state.frozen`, NumPy arrays; none by default.

        Loaded once a run, those of all its phases together, and recorded with their digests.
        """
        return {}

    def begin(self, state: TrainState, batches: Batch) -> TrainState:
        """The state with what the first step of a run measures of its mini-batches, before its updates; the
        same by default."""
        return state

    def init_extra(self, key: Key, batch: Batch) -> dict[str, PyTree]:
        """The method's own state, by name; nothing by default."""
        return {}

    def step(self, state: TrainState, batches: Batch) -> tuple[TrainState, Metrics]:
        """All updates, once.

        Args:
            batches: `minibatches` mini-batches, every leaf [minibatches, B, ...]; an update uses `repeat` of
                them, from number `batch` on.

        Raises:
            ValueError: the mini-batches are to be cut into parts and cannot.
        """
        for obstacle in self.obstacles() if self.microbatches.count > 1 else ():
            raise ValueError(f"accumulation={self.microbatches.count}: {obstacle}")
        if type(self).begin is not Algorithm.begin:  # the programs of the others have no branch
            state = jax.lax.cond(state.step == 0, self.begin, lambda state, batches: state, state, batches)
        key = jax.random.fold_in(state.key, state.step)
        state, metrics = self.game(self, state, self.prepare(batches, state), key)
        decay = self.ema_decay(state.step)
        current = {"params": state.generator.params, "stats": state.generator.stats}
        ema = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.ema, current)
        return state.replace(step=state.step + 1, ema=ema), metrics

    def sample(self, state: TrainState, batch: Batch, key: Key) -> Array | dict[str, Array]:
        """Images [B, H, W, C] in [-1, 1] from the averaged generator, or several kinds of them by name.

        Of several kinds the one named "image", else the first by name, is what is compared with the data.

        Args:
            batch: an unconditional method uses only its size, a conditional one its labels, a translator its
                `conditions`.
        """
        latent = self.latents(key, batch["image"].shape[0])
        return self.draw(state, latent, self.conditioning(batch, state))

    def draw(self, state: TrainState, latent: Array, conditioning: PyTree) -> Array:
        """Images [B, H, W, C] in [-1, 1] of these latents [B, L] from the averaged generator."""
        if self.truncation == NO_TRUNCATION:
            return self._averaged("__call__", state, latent, conditioning)
        styles = truncate(self.styles(state, latent, conditioning), self.mean_style(state), self.truncation)
        return self.synthesise(state, styles, conditioning)

    @property
    def drawing(self) -> str:
        """How images are drawn, in words, where that is a choice: the truncation; "" for how they are."""
        psi, cutoff = self.truncation
        layers = "" if cutoff is None else f" of {cutoff} layers"
        return "" if self.truncation == NO_TRUNCATION else f"truncation {psi:g}{layers}"

    # What a generator can do that maps latents to styles, which control its layers.

    @property
    def has_styles(self) -> bool:
        """Whether the generator maps latents to styles w: it has `styles`, `synthesise` and `truncated`."""
        return has_styles(self.generator)

    def styles(self, state: TrainState, latent: Array, conditioning: PyTree) -> Array:
        """Styles w [B, layers, D] of these latents [B, L] from the averaged generator, not truncated."""
        return self._averaged("mapping", state, latent, conditioning)

    def synthesise(self, state: TrainState, styles: Array, conditioning: PyTree) -> Array:
        """Images [B, H, W, C] in [-1, 1] of these styles [B, layers, D] from the averaged generator."""
        return self._averaged("synthesis", state, styles, conditioning)

    def mean_style(self, state: TrainState) -> Array:
        """The averaged generator's mean style, [D].

        Raises:
            ValueError: it keeps none.
        """
        return mean_style(state.ema["stats"])

    def truncated(self, psi: float, cutoff: int | None = None) -> Self:
        """The same algorithm whose `draw` truncates styles, see `Truncation`.

        Raises:
            ValueError: a generator without styles, or a number that is none.
        """
        truncation = Truncation(psi, cutoff)
        check_truncation(truncation, self.generator)
        return dataclasses.replace(self, truncation=truncation)

    def _averaged(self, method: str, state: TrainState, x: Array, conditioning: PyTree) -> Array:
        """What this method of the averaged generator makes of x."""
        params, stats = state.ema["params"], state.ema["stats"]
        return self.apply(
            self.generator, params, stats, x, conditioning, key=None, train=False, method=method
        )[0]

    # What a method can do that knows how likely examples are, or what latents they have.

    @property
    def bits_kind(self) -> str | None:
        """What `bits` gives, in words: "exact", a bound of what; None where a method has no likelihood."""
        return None

    def bits(self, state: TrainState, batch: Batch, key: Key) -> Array:
        """Bits per dimension [B] of examples under the averaged generator, -log2 p / D or a bound of it.

        Of pixels those of their 256 levels; of other data those of the density of what the networks see.

        Args:
            batch: with labels, where the method is conditional.
            key: for what is drawn, by example.
        """
        raise NotImplementedError(f"{type(self).__name__} has no likelihood")

    @property
    def has_encoder(self) -> bool:
        """Whether `encode` finds the latents of images."""
        return type(self).encode is not Algorithm.encode

    def encode(self, state: TrainState, image: Array, conditioning: PyTree) -> Array:
        """Latents [B, L] of images [B, H, W, C], of which `draw` makes about the same images again."""
        raise NotImplementedError(f"{type(self).__name__} encodes nothing")

    # What a method can do that makes pictures of pictures: of the field "source" the field "image", which is
    # the direction "a_to_b", or the other way.

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions in which `translate` can be asked; none by default."""
        return ()

    def turned(self, direction: str) -> Self:
        """The same algorithm whose `sample` translates in this direction: the batch's "source" is then what
        it makes pictures of, whichever side of the training data that was.

        Raises:
            ValueError: it does not translate in this direction.
        """
        self.check_direction(direction)
        return self

    def input_field(self, direction: str) -> str:
        """The field of the data that a picture to be translated stands for, whose codec decodes it."""
        self.check_direction(direction)
        return "source" if direction == "a_to_b" else "image"

    @property
    def reads_alpha(self) -> bool:
        """Whether a picture to be translated has a channel more: 1 where it is known, 0 where it is not."""
        return False

    def geometry(self, direction: str) -> Geometry:
        """What sizes of pictures `translate` takes and makes."""
        self.check_direction(direction)
        return Geometry(trait(self.generator, "multiple"), trait(self.generator, "scale"))

    def translate(self, state: TrainState, picture: Array, key: Key, direction: str) -> Array:
        """Pictures [B, H * scale, W * scale, C'] made of pictures [B, H, W, C] of the field `input_field`.

        From the averaged generator. Both as their codecs decode them; H and W as `geometry` says.

        Args:
            key: for what the network draws, by example.

        Raises:
            ValueError: the method does not translate in this direction.
        """
        raise NotImplementedError(f"{type(self).__name__} translates nothing")

    def check_direction(self, direction: str) -> None:
        """Raises a ValueError unless `translate` can be asked for this direction."""
        if direction not in self.directions:
            can = " and ".join(self.directions) or "nothing"
            raise ValueError(f"direction={direction!r}: {type(self).__name__} translates {can}")


def init_player(module: nn.Module, tx: optax.GradientTransformation, key: Key, *example: Any) -> Player:
    """A player with fresh parameters; `example` are the network's inputs."""
    variables = dict(module.init(key, *example, train=False))
    params = variables.pop("params")
    return Player(params=params, stats=variables, opt=tx.init(params))
