"""The networks of a work in Keras, of the layers that the courses had."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from experiments.speed.works import Work


def dcgan_generator(work: Work) -> keras.Model:
    """Latents [B, L] -> images [B, H, W, C]."""
    widths, momentum = work.generator_widths, work.momentum
    size = (work.image_shape[0] >> len(widths), work.image_shape[1] >> len(widths))
    bias = not work.norm_first
    model = keras.Sequential([keras.Input((work.latent_size,))])
    model.add(layers.Dense(size[0] * size[1] * widths[0], use_bias=bias))
    model.add(layers.Reshape((*size, widths[0])))
    model.add(layers.BatchNormalization(momentum=momentum, epsilon=work.norm_epsilon))
    if work.norm_first:
        model.add(layers.Activation(work.activation))
    for width in widths[1:]:
        model.add(layers.Conv2DTranspose(width, 5, 2, "same", use_bias=bias))
        both = [
            layers.BatchNormalization(momentum=momentum, epsilon=work.norm_epsilon),
            layers.Activation(work.activation),
        ]
        for layer in both if work.norm_first else reversed(both):
            model.add(layer)
    model.add(layers.Conv2DTranspose(work.image_shape[2], 5, 2, "same", activation="tanh"))
    return model


def dcgan_discriminator(work: Work) -> keras.Model:
    """Images [B, H, W, C] -> logits [B, 1]."""
    model = keras.Sequential([keras.Input(work.image_shape)])
    for index, width in enumerate(work.discriminator_widths):
        normed = work.discriminator_norm == "batch" and index > 0
        model.add(layers.Conv2D(width, 5, 2, "same", use_bias=not normed))
        if normed:
            model.add(layers.BatchNormalization(momentum=work.momentum, epsilon=work.norm_epsilon))
        model.add(layers.LeakyReLU(0.2))
        if work.dropout:
            model.add(layers.Dropout(work.dropout))
    model.add(layers.Flatten())
    model.add(layers.Dense(1))
    return model


class Spectral(layers.Wrapper):
    """A layer with its kernel divided by its largest singular value, one power iteration a pass.

    Keras's own `SpectralNormalization` overwrites the kernel with the divided one, and has no gradient
    through the division: not the paper's equation 9, which the other contenders compute.
    """

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        width = self.layer.kernel.shape[-1]
        self.u = self.add_weight(shape=(width, 1), initializer="random_normal", trainable=False, name="u")

    def call(self, x: Any, training: bool = False) -> Any:
        kernel = self.layer.kernel
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        fixed = ops.stop_gradient(matrix)
        v = tf.math.l2_normalize(fixed @ self.u)
        u = tf.math.l2_normalize(ops.transpose(fixed) @ v)
        if training:
            self.u.assign(u)
        divided = kernel / ops.squeeze(ops.transpose(v) @ matrix @ u)
        layer = self.layer
        if isinstance(layer, layers.Dense):
            return x @ divided + layer.bias
        return tf.nn.conv2d(x, divided, 1, "SAME") + layer.bias


def up_block(x: Any, width: int, name: str) -> Any:
    """The generator's residual block: see `gan_jax.models.layers.residual`."""

    def conv(size: int, part: str) -> Any:
        return layers.Conv2D(width, size, padding="same", use_bias=False, name=f"{name}.{part}")

    def norm(part: str) -> Any:
        return layers.BatchNormalization(momentum=0.9, name=f"{name}.{part}")

    shortcut = layers.UpSampling2D()(conv(1, "shortcut")(x))
    x = layers.UpSampling2D()(layers.ReLU()(norm("norm_0")(x)))
    x = layers.ReLU()(norm("norm_1")(conv(3, "conv_0")(x)))
    return layers.Add()([shortcut, conv(3, "conv_1")(x)])


def resnet_generator(work: Work) -> keras.Model:
    """Latents [B, L] -> images [B, H, W, C]."""
    widths = work.generator_widths
    doublings = len(widths) - 1
    size = (work.image_shape[0] >> doublings, work.image_shape[1] >> doublings)
    latent = keras.Input((work.latent_size,))
    x = layers.Dense(size[0] * size[1] * widths[0], name="dense")(latent)
    x = layers.Reshape((*size, widths[0]))(x)
    for index, width in enumerate(widths[1:], start=1):
        x = up_block(x, width, f"block_{index}")
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, name="norm")(x))
    output = layers.Conv2D(work.image_shape[2], 3, padding="same", activation="tanh", name="output")
    return keras.Model(latent, output(x))


def down_block(x: Any, width: int, name: str, first: bool, pool: bool) -> Any:
    """The discriminator's residual block."""

    def conv(size: int, part: str) -> Any:
        return Spectral(layers.Conv2D(width, size, padding="same"), name=f"{name}.{part}")

    shortcut = layers.AveragePooling2D(2)(x) if pool else x
    if pool or x.shape[-1] != width:
        shortcut = conv(1, "shortcut")(shortcut)
    x = conv(3, "conv_0")(x if first else layers.ReLU()(x))
    x = conv(3, "conv_1")(layers.ReLU()(x))
    return layers.Add()([shortcut, layers.AveragePooling2D(2)(x) if pool else x])


def resnet_discriminator(work: Work) -> keras.Model:
    """Images [B, H, W, C] -> logits [B, 1]."""
    image = keras.Input(work.image_shape)
    x = image
    for index, width in enumerate(work.discriminator_widths):
        x = down_block(x, width, f"block_{index}", index == 0, index < 2)
    x = layers.Lambda(lambda x: ops.sum(ops.relu(x), (1, 2)))(x)
    return keras.Model(image, Spectral(layers.Dense(1), name="dense")(x))


def networks(work: Work) -> tuple[keras.Model, keras.Model]:
    """The generator and the discriminator."""
    if work.family == "dcgan":
        return dcgan_generator(work), dcgan_discriminator(work)
    return resnet_generator(work), resnet_discriminator(work)
