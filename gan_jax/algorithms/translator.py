"""Pictures of pictures: the generator translates a source, and pays for every difference from the truth.

Pix2Pix (Isola et al. 2017, arXiv:1611.07004) with a discriminator that sees the source beside the image, L1
and a U-Net; SRGAN (Ledig et al. 2017, arXiv:1609.04802) with a source that is the image made smaller;
colouring and in-painting with other sources; without an adversary plain regression (SRResNet) and
feed-forward style transfer (Johnson et al. 2016, arXiv:1603.08155).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.algorithms.gan import GAN
from gan_jax.algorithms.sources import OfField, Source
from gan_jax.core.algorithm import Array, Batch, Key, Metrics
from gan_jax.core.modules import trait
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import Role, TrainState
from gan_jax.core.update import Update
from gan_jax.data.codecs import Codec, Pixels
from gan_jax.data.recoding import recoded
from gan_jax.losses.contents import Content, ContentInputs
from gan_jax.optim.schedules import as_schedule, is_off
from gan_jax.utils.tree import PyTree, united

SOURCE = 0xFFFF_FFFB  # into the step's key: what the sources of a step draw


@dataclass(frozen=True, kw_only=True)
class Translator(GAN):
    """One translation of pictures, learnt from pairs.

    Attributes:
        source: how the generator's input comes from a batch.
        contents: what a made picture pays for its difference from the true one.
        paired: whether the discriminator sees the source beside the image, where the image does not say it
            (`Source.beside`).
        source_codec, image_codec: of the fields "source" and "image" of the data, which `sample` pictures.
    """

    source: Source = dataclasses.field(default_factory=OfField)
    contents: tuple[Content, ...] = ()
    paired: bool = True
    source_codec: Codec = dataclasses.field(default_factory=Pixels)
    image_codec: Codec = dataclasses.field(default_factory=Pixels)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.paired and self.pool_size:
            raise ValueError(
                f"pool_size={self.pool_size} would show earlier fakes beside sources of now: set pool_size=0 "
                "or paired=False"
            )
        if not self.adversarial_weight and not self.paid:
            raise ValueError(
                "the generator has nothing to learn from: give contents a weight, or an adversarial_weight"
            )
        if self.paired and self.adversarial_weight and self.source == OfField("image"):
            raise ValueError(
                "source.field=image: a discriminator that sees the source beside the image would know the "
                "real ones by standing beside themselves: set paired=False"
            )
        if hasattr(self.generator, "b_to_a"):
            raise ValueError(
                f"{type(self.generator).__name__} is two networks, and one is taught here: name it without "
                "_pair, or set algorithm.name=cyclegan"
            )
        made = trait(self.generator, "scale")
        if made != self.source.factor:
            raise ValueError(
                f"the generator enlarges {made} times, and the images are {self.source.factor} times as "
                "large as their sources: set generator.scale and the factor of source.name=downscale alike"
            )

    @property
    def conditions(self) -> tuple[str, ...]:
        """The field that the source is made of."""
        return (self.source.field,)

    def check_fields(self, fields: Mapping[str, Any]) -> None:
        self.source.check(fields)
        codec = fields["image"].codec
        for content in self.contents:
            if content.of_pixels and codec != Pixels():
                raise ValueError(
                    f"contents.{content.name} looks at pixels, and the images are {codec.noun}: leave it "
                    "out, or leave data.codec empty"
                )

    @property
    def paid(self) -> tuple[Content, ...]:
        """The contents but for those whose weight is always 0, which are neither computed nor loaded."""
        return tuple(content for content in self.contents if not is_off(content.weight))

    def load_frozen(self) -> dict[str, PyTree]:
        """Those of the contents."""
        frozen: dict[str, PyTree] = {}
        for content in self.paid:
            frozen = united(frozen, content.load())
        return frozen

    def updates(self) -> tuple[Update, ...]:
        """The GAN's; those of the generator alone where its fakes are judged by nobody."""
        return tuple(u for u in super().updates() if self.adversarial_weight or u.role == "generator")

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        """The source; for the discriminator, what it sees of the image with it."""
        batch = self.with_source(batch, jax.random.key(0))
        told = self.conditioning(batch, None)
        return {
            "generator": (batch["source"], told),
            "discriminator": super().examples(batch)["discriminator"],
        }

    def prepare(self, batches: Batch, state: TrainState) -> Batch:
        """With the sources, the same for all descents of a step."""
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), SOURCE)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(self.minibatches))
        return jax.vmap(self.with_source)(batches, keys)

    def with_source(self, batch: Batch, key: Key) -> Batch:
        """A mini-batch with its sources as the field "source"."""
        keys = example_keys(key, batch[self.source.field].shape[0], self.axis_name)
        return {**batch, "source": self.source(batch, keys)}

    def inputs(self, key: Key, batch: Batch, state: TrainState) -> tuple[Array, PyTree]:
        """The source, and what the generator is told beside it."""
        return batch["source"], self.conditioning(batch, state)

    def generate(
        self, params: PyTree, stats: PyTree, latent: Array, told: PyTree, *, key: Key | None, train: bool
    ) -> tuple[Array, PyTree]:
        """The pictures that the generator's output stands for, of sources; its statistics afterwards."""
        made, stats = super().generate(params, stats, latent, told, key=key, train=train)
        return self.source.complete(made, latent), stats

    def discriminator_input(self, image: Array, batch: Batch) -> Array:
        return self.source.beside(image, batch["source"]) if self.paired else image

    def content_loss(self, fake: Array, state: TrainState, batch: Batch) -> tuple[Array, Metrics]:
        inputs = ContentInputs(fake, batch["image"], state.frozen, state.step)
        values = {content.name: content(inputs) for content in self.paid}
        loss = jnp.zeros(())
        for content in self.paid:
            loss = loss + as_schedule(content.weight, "weight")(state.step) * values[content.name]
        return loss, values

    def sample(self, state: TrainState, batch: Batch, key: Key) -> Array | dict[str, Array]:
        """The images [B, H, W, C] made of a batch's sources, and the sources as images, from the average."""
        source_key, key = jax.random.split(key)
        batch = self.with_source(batch, source_key)
        image = self._made(state, batch["source"], self.conditioning(batch, state), key)
        seen = self.image_codec if self.source.field == "image" else self.source_codec
        source = recoded(batch["source"], seen, self.image_codec)
        return {"image": image, "source": self.source.pictured(source, image.shape[1:])}

    @property
    def directions(self) -> tuple[str, ...]:
        """One: what it was taught."""
        return ("a_to_b",)

    def input_field(self, direction: str) -> str:
        self.check_direction(direction)
        return self.source.field

    @property
    def reads_alpha(self) -> bool:
        return self.source.reads_alpha

    def translate(self, state: TrainState, picture: Array, key: Key, direction: str) -> Array:
        self.check_direction(direction)
        return self._made(state, self.source.of_picture(picture), None, key)

    def _made(self, state: TrainState, source: Array, told: PyTree, key: Key) -> Array:
        params, stats = state.ema["params"], state.ema["stats"]
        return self.generate(params, stats, source, told, key=key, train=False)[0]
