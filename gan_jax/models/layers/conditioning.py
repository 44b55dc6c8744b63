"""Conditioning on labels, heads of discriminators, and the networks' base classes.

A label is a class, int32 [B] from 0 to num_classes - 1. Under `jit` no value can raise an error. One that
is too large gives NaN where it is looked up (embedding, projection, conditional norm) and all zeros in a
one-hot code; a negative one is looked up from the end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.layers import INITIALIZERS, Dense, Embed, Initializer
from gan_jax.models.layers.minibatch import MinibatchDiscrimination, MinibatchStddev
from gan_jax.models.layers.norms import FLAT_NORMS, Norm, needs_no_bias
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.utils.checks import check_count

Array = jax.Array

INPUTS = ("embedding", "one_hot")  # the conditions that join the label to a network's input
GENERATOR = ("none", *INPUTS, "batch_norm")  # what `condition` may be in a generator
DISCRIMINATOR = ("none", *INPUTS, "projection")  # ... and in a discriminator
MINIBATCH = ("none", "discrimination", "stddev", "stddev_strided")  # what `minibatch` may be


def check_label(
    condition: str, choices: tuple[str, ...], num_classes: int | None, label: Array | None, count: int
) -> None:
    """Checks a network's fields, and the label of a batch of `count` if the network looks at it.

    Raises:
        ValueError: a condition that is not among `choices`, one without classes, or without a label [B].
    """
    if condition not in choices:
        raise ValueError(f"condition={condition!r} is not one of auto, {', '.join(choices)}")
    if condition == "none":
        return
    if num_classes is None:
        raise ValueError(
            f"condition={condition!r} needs labels, and the data have none; use condition='none', "
            "or data with labels (a folder of pictures has them where each class is a sub-folder)"
        )
    check_count(num_classes, "num_classes")
    if label is None:
        raise ValueError(f"condition={condition!r} needs a label for each of the {count}; none was given")
    if label.shape != (count,) or not jnp.issubdtype(label.dtype, jnp.integer):
        raise ValueError(
            f"condition={condition!r}: a label of shape {label.shape} and type {label.dtype} was given for "
            f"a batch of {count}; it must be int32 of shape ({count},)"
        )


def norm_classes(condition: str, norm: str, num_classes: int | None) -> int | None:
    """The field `num_classes` of a generator's norms: None for unconditional ones.

    Raises:
        ValueError: conditional BatchNorm where there is no BatchNorm.
    """
    if condition != "batch_norm":
        return None
    if norm != "batch":
        raise ValueError(
            f"condition='batch_norm' takes the place of BatchNorm, but norm={norm!r}; use 'batch'"
        )
    return num_classes


class JoinLabel(nn.Module):
    """Vectors [B, F] joined with a code of their label (Mirza and Osindero 2014, arXiv:1411.1784).

    Attributes:
        condition: "embedding" joins `embedding_size` learned numbers, "one_hot" `num_classes` zeros and
            ones; any other nothing.
    """

    condition: str
    num_classes: int | None
    embedding_size: int
    spectral_norm: bool = False

    @nn.compact
    def __call__(self, x: Array, label: Array | None, train: bool) -> Array:
        """[B, F] -> [B, F + length of the code], the code last; see `check_label` for `label`."""
        if self.condition not in INPUTS:
            return x
        assert label is not None  # both were checked by `check_label`
        assert self.num_classes is not None
        if self.condition == "one_hot":
            code = jax.nn.one_hot(label, self.num_classes, dtype=x.dtype)
        else:
            check_count(self.embedding_size, "embedding_size")
            table = Embed(
                self.num_classes, self.embedding_size, spectral_norm=self.spectral_norm, name="embedding"
            )
            code = table(label, train)
        return jnp.concatenate([x, code.astype(x.dtype)], axis=-1)


class JoinPlanes(nn.Module):
    """Images [B, H, W, C] joined with a code of their label as further channels.

    Attributes:
        condition: "embedding" joins one plane, a dense layer of a learned embedding of the label;
            "one_hot" `num_classes` planes, ones for the label's class and zeros for the others; any
            other nothing.
    """

    condition: str
    num_classes: int | None
    embedding_size: int
    spectral_norm: bool = False
    kernel_init: Initializer = INITIALIZERS["glorot_uniform"]

    @nn.compact
    def __call__(self, image: Array, label: Array | None, train: bool) -> Array:
        """[B, H, W, C] -> [B, H, W, C + planes], the planes last; see `check_label` for `label`."""
        if self.condition not in INPUTS:
            return image
        count, height, width, _ = image.shape
        vector = JoinLabel(
            self.condition, self.num_classes, self.embedding_size, self.spectral_norm, name="vector"
        )
        code = vector(jnp.zeros((count, 0), image.dtype), label, train)
        if self.condition == "one_hot":
            planes = jnp.broadcast_to(code[:, None, None, :], (count, height, width, code.shape[-1]))
        else:
            plane = Dense(
                height * width,
                kernel_init=self.kernel_init,
                spectral_norm=self.spectral_norm,
                name="plane",
            )
            planes = plane(code, train).reshape(count, height, width, 1)
        return jnp.concatenate([image, planes], axis=-1)


def join_minibatch(features: Array, kind: str, kernels: int, group_size: int, axis_name: str | None) -> Array:
    """Features [B, F] joined with statistics of the batch; to be called inside a network's `__call__`.

    The deviations also take maps [B, H, W, C], and join one more.

    Args:
        kind: "discrimination" (`MinibatchDiscrimination`, `kernels` more features, of 5 dimensions each
            as in the paper's code), "stddev" (`MinibatchStddev` of neighbours, one more), "stddev_strided"
            (with the official code's groups) or "none".
        axis_name: the mapped axis that splits the batch.
    """
    if kind not in MINIBATCH:
        raise ValueError(f"minibatch={kind!r} is not one of {', '.join(MINIBATCH)}")
    if kind == "discrimination":
        return MinibatchDiscrimination(kernels, 5, axis_name, name="minibatch")(features)
    if kind == "none":
        return features
    return MinibatchStddev(group_size, axis_name, kind == "stddev_strided", name="minibatch")(features)


def head(
    features: Array,
    label: Array | None,
    train: bool,
    *,
    name: str,
    projection: bool = False,
    num_classes: int | None = None,
    auxiliary: int = 0,
    hidden: Callable[[Array], Array] | None = None,
    spectral_norm: bool = False,
    kernel_init: Initializer = INITIALIZERS["glorot_uniform"],
) -> Array | tuple[Array, Array]:
    """A discriminator's outputs; to be called inside its `__call__`, whose layers it makes.

    It is a function, so that the layer of the logits is the discriminator's own, under `name`.

    Args:
        features: h, [B, F].
        label: int32 [B]; see `check_label`.
        projection: adds the inner product of h with an embedding of the label to the logits (Miyato and
            Koyama 2018, arXiv:1802.05637, equation 3: <embed(y), h> + linear(h)).
        auxiliary: n further outputs, a dense layer of h (Odena et al. 2017, arXiv:1610.09585).
        hidden: what comes before that layer.

    Returns:
        Logits [B], or (logits [B], auxiliary outputs [B, n]) where n > 0.

    Raises:
        ValueError: a negative `auxiliary`.
    """
    if auxiliary != 0:
        check_count(auxiliary, "auxiliary")
    logits = Dense(1, kernel_init=kernel_init, spectral_norm=spectral_norm, name=name)(features, train)[:, 0]
    if projection:
        assert label is not None  # both were checked by `check_label`
        assert num_classes is not None
        table = Embed(num_classes, features.shape[-1], spectral_norm=spectral_norm, name="projection")
        logits = logits + jnp.sum(table(label, train) * features, axis=-1)
    if not auxiliary:
        return logits
    more = Dense(auxiliary, kernel_init=kernel_init, spectral_norm=spectral_norm, name="auxiliary")
    return logits, more(features if hidden is None else hidden(features), train)


def choose_condition(network: Any, by_class: str) -> None:
    """What a new module's condition="auto" is, once and for all: modules are frozen from here on."""
    if network.condition == "auto":
        object.__setattr__(network, "condition", "none" if network.num_classes is None else by_class)


class Generator(nn.Module):
    """Base of the generators: latents [B, L] -> images [B, *image_shape] in (-1, 1).

    Attributes:
        image_shape: (height, width, channels).
        condition: "none", "embedding", "one_hot" (both join the label to the latent) or "batch_norm"
            (BatchNorm with a scale and a shift for each class). "auto" is "batch_norm" where BatchNorm can
            be that, otherwise "embedding", and "none" for data without classes.
        num_classes: of the data.
        embedding_size: of condition="embedding".
        spectral_norm: of every dense and convolutional layer and every embedding.
        initializer: a name in `layers.INITIALIZERS`.
        remat: whether gradients keep only the blocks' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = GENERATOR

    image_shape: tuple[int, int, int]
    condition: str = "none"
    num_classes: int | None = None
    embedding_size: int = 50
    spectral_norm: bool = False
    initializer: str = "glorot_uniform"
    remat: bool = False
    axis_name: str | None = None

    def __post_init__(self) -> None:
        by_norm = getattr(self, "norm", None) == "batch" and "batch_norm" in self.CONDITIONS
        by_class = "batch_norm" if by_norm else "embedding"
        choose_condition(self, by_class)
        super().__post_init__()

    @property
    def conditional(self) -> bool:
        """Whether the network looks at the label."""
        return self.condition != "none"

    def join_label(self, latent: Array, label: Array | None, train: bool) -> Array:
        """The latents [B, L] with the label's code behind them, if `condition` asks for one.

        Raises:
            ValueError: see `check_label`.
        """
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, latent.shape[0])
        join = JoinLabel(
            self.condition, self.num_classes, self.embedding_size, self.spectral_norm, name="label"
        )
        return join(latent, label, train)


class Discriminator(nn.Module):
    """Base of the discriminators: how a label enters, and how features become logits.

    Attributes:
        condition: "none", "embedding" (of the label, joined to the input), "one_hot" (likewise) or
            "projection". Images get one more plane or `num_classes` of them, vectors that many numbers.
            "auto" is "projection", and "none" for data without classes.
        num_classes: of the data.
        embedding_size: of condition="embedding".
        spectral_norm: of every dense and convolutional layer and every embedding.
        auxiliary: number of further outputs; 0 for none, and for as many as classes where acgan trains it.
        auxiliary_hidden: width of a hidden layer of their own, with the network's norm if that takes vectors
            and leaky ReLU 0.1 (InfoGAN's Q, Chen et al. 2016, arXiv:1606.03657, appendix C: 128); 0 for none.
        norm: a name in `norms.NORMS`.
        momentum: of the moving statistics.
        norm_epsilon: added to the variance by the norm; 0 for its own, see `layers.norms`.
        minibatch: "none", "discrimination", "stddev" or "stddev_strided", joined to the last features, see
            `join_minibatch`.
        minibatch_kernels: of minibatch="discrimination".
        minibatch_group: examples in a group of minibatch="stddev" and "stddev_strided".
        remat: whether gradients keep only the blocks' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    condition: str = "none"
    num_classes: int | None = None
    embedding_size: int = 50
    spectral_norm: bool = False
    auxiliary: int = 0
    auxiliary_hidden: int = 0
    norm: str = "none"
    momentum: float = 0.99
    norm_epsilon: float = 0.0
    minibatch: str = "none"
    minibatch_kernels: int = 100
    minibatch_group: int = 4
    remat: bool = False
    axis_name: str | None = None

    def __post_init__(self) -> None:
        choose_condition(self, "projection")
        super().__post_init__()

    @property
    def conditional(self) -> bool:
        """Whether the network looks at the label."""
        return self.condition != "none"

    def check_label(self, label: Array | None, count: int) -> None:
        """Checks the fields above, and the label of a batch of `count` if the network looks at it."""
        if self.auxiliary_hidden != 0:
            check_count(self.auxiliary_hidden, "auxiliary_hidden")
            if self.auxiliary == 0:
                raise ValueError(
                    f"auxiliary_hidden={self.auxiliary_hidden}, auxiliary=0: there are no auxiliary outputs "
                    "that it could come before; set auxiliary_hidden=0"
                )
        check_label(self.condition, DISCRIMINATOR, self.num_classes, label, count)

    def outputs(
        self, features: Array, label: Array | None, train: bool, *, name: str, kernel_init: Initializer
    ) -> Array | tuple[Array, Array]:
        """The network's outputs from its last features [B, F], computed in float32.

        It costs next to nothing, and 8 bits are too few for what compares examples (the logits of a critic,
        the statistics of a batch). `name` is that of the logits' layer.
        """
        features = at_least_float32(features)
        kernels, group = self.minibatch_kernels, self.minibatch_group
        features = join_minibatch(features, self.minibatch, kernels, group, self.axis_name)
        return head(
            features,
            label,
            train,
            name=name,
            projection=self.condition == "projection",
            num_classes=self.num_classes,
            auxiliary=self.auxiliary,
            hidden=partial(self._hidden, train=train, init=kernel_init) if self.auxiliary_hidden else None,
            spectral_norm=self.spectral_norm,
            kernel_init=kernel_init,
        )

    def normalise(self, norm: str, name: str) -> Norm:
        """A norm of this kind, with the network's momentum and epsilon; it becomes a part of the network."""
        return Norm(norm, self.momentum, self.norm_epsilon, axis_name=self.axis_name, name=name)

    def _hidden(self, features: Array, train: bool, init: Initializer) -> Array:
        """The hidden layer of the auxiliary outputs, [B, F] -> [B, auxiliary_hidden]."""
        norm = self.norm if self.norm in FLAT_NORMS else "none"
        dense = Dense(
            self.auxiliary_hidden,
            use_bias=not needs_no_bias(norm),
            kernel_init=init,
            spectral_norm=self.spectral_norm,
            name="auxiliary_hidden",
        )
        x = self.normalise(norm, "auxiliary_norm")(dense(features, train), None, train)
        return jax.nn.leaky_relu(x, 0.1)
