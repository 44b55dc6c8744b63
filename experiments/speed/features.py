"""Images per second of the feature networks, and what of the pass is spent outside of them.

    python experiments/speed/features.py [--networks classifier inception ...] [--images 8192] [--rounds 5]

Each round takes the same images through the network alone (batches that are on the device already, nothing
fetched) and through the whole pass of `gan-jax evaluate` (batches from the host, features fetched), in turn;
the share outside is 1 - (time of the network) / (time of the pass), round by round; medians and ranges over
the rounds. The weights are random, which changes nothing of the work. Inception takes a 64th of the images.
"""

import argparse
import statistics
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.distributed import parallel
from gan_jax.evaluation.extract import BATCH, Extractor
from gan_jax.evaluation.sources.image_source import array_source
from gan_jax.feature_networks.classifier import Classifier, classifier_network
from gan_jax.feature_networks.inception import SIDE, VARIANTS, InceptionV3
from gan_jax.feature_networks.inception_weights import inception_network
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.feature_networks.simple_networks import pca_network, pixel_network, random_network

NETWORKS = ("classifier", "random", "pixels", "pca", "inception")
SHAPE = (28, 28, 1)


def network_of(name: str, images: np.ndarray) -> FeatureNetwork:
    """A feature network for grey 28x28 images, untrained."""
    key = jax.random.key(0)
    if name == "classifier":
        params = Classifier(10).init(key, jnp.zeros((1, *SHAPE)))
        return classifier_network(params, SHAPE, 10)
    if name == "inception":
        params = jax.jit(InceptionV3(VARIANTS["fid"]).init)(key, jnp.zeros((1, SIDE, SIDE, 3)))["params"]
        return inception_network(params, variant="fid", resizer="legacy", is_published=False)
    if name == "pca":
        return pca_network(images, 64)
    return random_network(SHAPE) if name == "random" else pixel_network(SHAPE)


def measure(network: FeatureNetwork, images: np.ndarray, rounds: int) -> list[tuple[float, float]]:
    """(seconds of the network, seconds of the pass) of each round."""
    extract = Extractor(network, progress=False)
    source = array_source("noise", images)
    mesh = parallel.make_mesh()
    parts = [
        jax.device_put(images[start : start + BATCH], parallel.split_on(mesh, 0))
        for start in range(0, len(images), BATCH)
    ]
    params = parallel.place(network.params, parallel.replicated(mesh))

    def alone() -> float:
        begun = time.perf_counter()
        jax.block_until_ready([extract.apply(params, part) for part in parts])
        return time.perf_counter() - begun

    def whole() -> float:
        begun = time.perf_counter()
        extract(source, len(images))
        return time.perf_counter() - begun

    alone(), whole()  # compiles
    return [(alone(), whole()) for _ in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--images", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    sys.stdout.write(f"{jax.device_count()} x {jax.devices()[0].device_kind}, jax {jax.__version__}\n")
    for name in args.networks:
        count = max(BATCH, args.images // (64 if name == "inception" else 1) // BATCH * BATCH)
        images = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), np.uint8)
        times = measure(network_of(name, images), images, args.rounds)
        rates = sorted(count / whole for _, whole in times)
        outside = sorted(1 - alone / whole for alone, whole in times)
        sys.stdout.write(
            f"{name}: {statistics.median(rates):,.0f} images/s ({rates[0]:,.0f} to {rates[-1]:,.0f}), outside"
            f" the network {statistics.median(outside):.1%} ({outside[0]:.1%} to {outside[-1]:.1%}); "
            f"{count} images a round\n"
        )


if __name__ == "__main__":
    main()
