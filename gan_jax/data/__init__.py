"""Data sets, the sampler that makes a batch a function of the step, and the feeds to the compiled step."""

from gan_jax.data.arrays import from_arrays
from gan_jax.data.catalog import DATASETS, load, options_of, picture_size, prepare, splits
from gan_jax.data.codecs import to_float
from gan_jax.data.dataset import Dataset
from gan_jax.data.feed import DeviceFeed, Feed, StreamFeed, make_feed
from gan_jax.data.sampler import IndexSampler
from gan_jax.data.spec import DataSpec, Field
from gan_jax.data.transforms import random_flip

__all__ = [
    "DATASETS",
    "DataSpec",
    "Dataset",
    "DeviceFeed",
    "Feed",
    "Field",
    "IndexSampler",
    "StreamFeed",
    "from_arrays",
    "load",
    "make_feed",
    "options_of",
    "picture_size",
    "prepare",
    "random_flip",
    "splits",
    "to_float",
]
