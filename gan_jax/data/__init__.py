"""Data sets, the sampler that makes a batch a function of the step, and the feeds to the compiled step."""

from gan_jax.data.catalog import DATASETS, load, prepare
from gan_jax.data.dataset import Dataset
from gan_jax.data.feed import DeviceFeed, Feed, StreamFeed, make_feed, random_flip, to_float
from gan_jax.data.sampler import IndexSampler

__all__ = [
    "DATASETS",
    "Dataset",
    "DeviceFeed",
    "Feed",
    "IndexSampler",
    "StreamFeed",
    "load",
    "make_feed",
    "prepare",
    "random_flip",
    "to_float",
]
