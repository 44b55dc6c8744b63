"""What it costs to read a data set while it is trained on, against the whole set on the device.

    python experiments/speed/streaming.py FOLDER train [--config configs/dcgan_radford_64.py] [--width 32]
    python experiments/speed/streaming.py FOLDER rate
    python experiments/speed/streaming.py FOLDER formats
    python experiments/speed/streaming.py FOLDER epochs [--pictures 10_000_000]

FOLDER holds the sets that are prepared for it (64x64x3, 100,000 pictures: 1.2 GB) and keeps them for the
next time. The pictures are noise: they do not shrink on the disk, so reading them is at its dearest.

`train` trains a run of the config in two ways, taking turns in one process, with the parts of
`gan-jax train`: placement "device" and placement "stream". It shows steps per second, the processor's
time per step, and what of a step the loop waits for its input. `rate` reads without training. `formats`
compares what it costs to read and decode a picture that is stored in several ways. `epochs` reads from a
set that is as long as asked for and made up on the fly, across the end of an epoch: the longest wait for a
step, and the memory.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from PIL import Image

from gan_jax.config.build import build, example_batch
from gan_jax.config.components import complete
from gan_jax.config.config_file import run_config_file
from gan_jax.data import Dataset, Feed, Field, IndexSampler, StreamFeed, make_feed
from gan_jax.data.builder import LocalBuilder
from gan_jax.data.feed import Placement
from gan_jax.data.prepared import open_folder
from gan_jax.distributed import parallel
from gan_jax.training.input import make_fetch

STEPS = 25  # in one compiled call
SETTLE_SECONDS = 1.0


@dataclass(frozen=True)
class NoiseOptions:
    """How many pictures of which shape."""

    pictures: int
    shape: tuple[int, int, int]


class Noise(LocalBuilder):
    """Uniform bytes, prepared and read as every set of pictures is."""

    OPTIONS = NoiseOptions
    SPLITS = ("train",)

    def config_name(self) -> str:
        return f"{'x'.join(map(str, self.options.shape))}_n{self.options.pictures}"

    def fields(self) -> dict[str, Field]:
        return {"image": Field(self.options.shape)}

    def num_examples(self, split: str) -> int:
        return int(self.options.pictures)

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        generator = np.random.default_rng(0)
        for _ in range(self.options.pictures):
            yield {"image": generator.integers(0, 256, self.options.shape, np.uint8)}


def open_noise(folder: Path, shape: tuple[int, int, int], pictures: int) -> Dataset:
    """The set of this shape in the folder, prepared if it is not there."""
    builder = Noise(NoiseOptions(pictures, shape), data_dir=folder)
    begun = time.perf_counter()
    if not builder.is_prepared:
        builder.prepare()
        say(f"prepared {pictures} pictures in {time.perf_counter() - begun:.0f} s: {builder.data_dir}")
    return open_folder(Path(builder.data_dir), name="noise", split="train", content="", options={})


@dataclass
class Run:
    """A run that is trained one round after the other."""

    feed: Feed
    call: parallel.Call
    constants: Any
    sharding: jax.sharding.NamedSharding
    state: Any
    step: int = 0
    rates: list[float] = field(default_factory=list)  # steps per second
    processor: list[float] = field(default_factory=list)  # seconds per step, over all cores
    waited: list[float] = field(default_factory=list)  # share of the time

    def round(self, calls: int) -> None:
        """Trains; the loop waits for the device at the end only, as between two lines of the log.

        A stream is full when a round begins. The processor's time is taken when it is full again, so that
        it holds the reading of as many steps as were trained.
        """
        time.sleep(SETTLE_SECONDS)
        begun, used, waited = time.perf_counter(), time.process_time(), self.calls(calls)
        seconds, steps = time.perf_counter() - begun, calls * STEPS
        time.sleep(SETTLE_SECONDS)
        self.rates.append(steps / seconds)
        self.processor.append((time.process_time() - used) / steps)
        self.waited.append(waited / seconds)

    def calls(self, count: int) -> float:
        """Returns the seconds spent in `get`."""
        waited, pending = 0.0, []
        for _ in range(count):
            begun = time.perf_counter()
            arrays = self.feed.get(self.step, STEPS)
            waited += time.perf_counter() - begun
            items = parallel.place(arrays, self.sharding)
            self.state, metrics = self.call(self.state, self.constants, items, jnp.int32(STEPS))
            pending.append(metrics)
            self.step += STEPS
        jax.device_get(pending)
        return waited


def read_config(args: argparse.Namespace) -> ml_collections.ConfigDict:
    """The config with the batch of the command line, and with narrower networks where asked for."""
    config = run_config_file(args.config)
    config.batch_size, config.steps_per_call = args.batch, STEPS
    if args.width:
        config.generator.widths = tuple(args.width * n for n in (8, 4, 2, 1))
        config.discriminator.widths = tuple(args.width * n for n in (1, 2, 4, 8))
    return complete(config)


def make_run(config: ml_collections.ConfigDict, dataset: Dataset, placement: Placement) -> Run:
    """A fresh run, compiled and warm."""
    plan, mesh = build(config, dataset), parallel.make_mesh()
    feed = make_feed(dataset, plan.phases[0].sampler, steps_per_call=STEPS, placement=placement)
    run = Run(
        feed,
        parallel.compile_step(plan.algorithm, make_fetch(feed, plan.transforms), mesh, STEPS),
        parallel.place(feed.constants, parallel.replicated(mesh)),
        parallel.split_on(mesh, 2),
        parallel.initial_state(plan.algorithm, plan.key, example_batch(plan.spec, plan.batch_size), mesh),
    )
    run.calls(1)
    return run


def train(args: argparse.Namespace) -> None:
    """Both ways in turn."""
    dataset, config = open_noise(args.folder, args.shape, args.pictures or 100_000), read_config(args)
    kinds: tuple[Placement, ...] = ("device", "stream")
    runs = {kind: make_run(config, dataset, kind) for kind in kinds}
    for number in range(args.rounds):
        for kind in kinds if number % 2 else reversed(kinds):
            runs[kind].round(args.calls)
    say(f"{Path(args.config).stem}, width {args.width or 'as it is'}, batch {args.batch}, {args.shape}")
    for kind, run in runs.items():
        processor = statistics.median(run.processor)
        say(
            f"{kind}: {middle(run.rates)} steps/s; {processor * 1e3:.2f} ms of the processor per step; "
            f"waited for input {statistics.median(run.waited):.2%} of the time"
        )
    pairs = list(zip(runs["stream"].rates, runs["device"].rates, strict=True))
    say(f"stream / device, round by round: {middle([stream / device for stream, device in pairs], 3)}")
    pairs = list(zip(runs["stream"].processor, runs["device"].processor, strict=True))
    say(f"likewise the processor's time: {middle([stream / device for stream, device in pairs], 3)}")
    for run in runs.values():
        run.feed.close()


def rate(args: argparse.Namespace) -> None:
    """Pictures per second of the feed alone, and the processor's time for each."""
    dataset = open_noise(args.folder, args.shape, args.pictures or 100_000)
    feed = StreamFeed(dataset, IndexSampler(len(dataset), args.batch), steps_per_call=STEPS)
    feed.get(0, STEPS)
    rates, processor, step = [], [], STEPS
    for _ in range(args.rounds):
        begun, used = time.perf_counter(), time.process_time()
        for _ in range(args.calls):
            feed.get(step, STEPS)
            step += STEPS
        pictures = args.calls * STEPS * args.batch
        rates.append(pictures / (time.perf_counter() - begun))
        processor.append((time.process_time() - used) / pictures * 1e6)
    feed.close()
    say(f"{args.shape}, batch {args.batch}: {middle(rates, 0)} pictures/s, {middle(processor, 1)} us each")


def formats(args: argparse.Namespace, count: int = 4096) -> None:
    """Microseconds of the processor to read and decode a picture, and its bytes in the file."""
    height, width, channels = args.shape
    small = np.random.default_rng(0).integers(0, 256, (count, 9, 9, 3), np.uint8)
    smooth = [Image.fromarray(x).resize((width, height), Image.Resampling.BICUBIC) for x in small]
    pictures = [image.convert("RGB" if channels == 3 else "L") for image in smooth]

    def decode(stored: bytes) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(stored))).reshape(args.shape)

    def raw(stored: bytes) -> np.ndarray:
        return np.frombuffer(stored, np.uint8).reshape(args.shape)

    stores: dict[str, tuple[str, str, Callable[[bytes], np.ndarray]]] = {
        "bytes": ("", "uncompressed", raw),
        "bytes, zstd (ours)": ("", "zstd:3", raw),
        "PNG": ("PNG", "uncompressed", decode),
        "JPEG": ("JPEG", "uncompressed", decode),
    }
    out = np.empty((64, *args.shape), np.uint8)
    for name, (form, option, read) in stores.items():
        path = args.folder / "formats.array_record"
        writer = ArrayRecordWriter(str(path), f"group_size:1,{option}")
        for image in pictures:
            stream = io.BytesIO()
            if form:
                image.save(stream, form)
            writer.write(stream.getvalue() if form else image.tobytes())
        writer.close()
        reader = ArrayRecordReader(
            str(path), options="readahead_buffer_size:0", file_reader_buffer_size=32768
        )
        costs = []
        for _ in range(args.rounds):
            order, used = np.random.default_rng(0).permutation(count), time.process_time()
            for start in range(0, count, 64):
                for row, stored in enumerate(reader.read(order[start : start + 64].tolist())):
                    out[row] = read(stored)
            costs.append((time.process_time() - used) / count * 1e6)
        say(f"{name}: {path.stat().st_size / count:,.0f} bytes, {middle(costs, 1)} us each")
        path.unlink()


class MadeUp:
    """Pictures that are made when they are read, any number of them."""

    def __init__(self, pictures: int, shape: tuple[int, int, int]) -> None:
        self._pictures = pictures
        self._bytes = np.random.default_rng(0).integers(0, 256, (256, *shape), np.uint8)

    def __len__(self) -> int:
        return self._pictures

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        return {"image": self._bytes[index % 256]}


def epochs(args: argparse.Namespace) -> None:
    """The end of an epoch, and the memory, of a set that no disk here could hold."""
    count = args.pictures or 10_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    fields = {"image": Field(args.shape)}
    dataset = Dataset("made_up", "train", MadeUp(count, args.shape), fields, None, (), "made_up")
    sampler = IndexSampler(count, args.batch)
    feed = StreamFeed(dataset, sampler, steps_per_call=STEPS)
    end = count // args.batch
    first = step = end - args.calls * STEPS
    waits = []
    while step < end + args.calls * STEPS:
        begun = time.perf_counter()
        feed.get(step, STEPS)
        waits.append(time.perf_counter() - begun)
        step += STEPS
        time.sleep(args.pause)
    feed.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(
        f"{count:,} pictures: the first call after {waits[0]:.2f} s; then the longest wait "
        f"{max(waits[1:]) * 1e3:.1f} ms, the median {statistics.median(waits[1:]) * 1e3:.1f} ms, over steps "
        f"{first:,} to {step:,} of epochs of {end:,}; memory {before:.0f} MB before, {peak:.0f} MB at most"
    )


def middle(values: list[float], digits: int = 2) -> str:
    """The median and the range."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("train", "rate", "formats", "epochs"))
    parser.add_argument("--config", default=str(Path(__file__).parents[2] / "configs/dcgan_radford_64.py"))
    parser.add_argument("--width", type=int, default=0, help="of a DCGAN's widest maps; 0: the config's")
    parser.add_argument("--shape", type=lambda text: tuple(map(int, text.split("x"))), default=(64, 64, 3))
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=8, help=f"of {STEPS} steps, in a round")
    parser.add_argument("--pause", type=float, default=0.2, help="epochs: seconds that a call trains for")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    say(
        f"{jax.device_count()} x {jax.devices()[0].device_kind}, {os.cpu_count()} cores, "
        f"jax {jax.__version__}"
    )
    {"train": train, "rate": rate, "formats": formats, "epochs": epochs}[args.what](args)


if __name__ == "__main__":
    main()
