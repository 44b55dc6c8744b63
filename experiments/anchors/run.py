"""What translators have to beat: scores of methods that learn nothing, or next to nothing.

    python experiments/anchors/run.py --emoji emoji --kodak kodak

writes results.md beside this file. The folders are those that experiments/emoji/prepare.py and
experiments/kodak/prepare.py make.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from PIL import Image
from scipy import ndimage

from gan_jax import data
from gan_jax.data.codecs import Lab, Pixels
from gan_jax.evaluation.metric import Pairs
from gan_jax.evaluation.pair_scores import means, pair_metrics
from gan_jax.evaluation.sources.image_source import subset
from gan_jax.feature_networks.simple_networks import no_network, random_network
from gan_jax.metrics.colourfulness import colourfulness
from gan_jax.utils import files

FAMILY = "[^-]+"  # as experiments/emoji/README.md
THUMB = 4  # pixels of a line that are averaged before lines are compared
ON_THE_LINE = 128  # darker ones belong to the line
FACTORS = (2, 4)
TILE, MEASURED = 64, 500  # held-out tiles as configs/srgan.py measures them
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS}


@dataclass(frozen=True)
class Table:
    """Rows of scores with one head."""

    title: str
    metrics: tuple[str, ...]
    rows: dict[str, dict[str, float]]

    def __str__(self) -> str:
        shown = [
            *self.metrics,
            *(["equal"] if any("psnr_equal" in row for row in self.rows.values()) else []),
        ]
        lines = [["", *shown], ["---"] * (1 + len(shown))]
        for name, row in self.rows.items():
            found = {**row, "equal": row.get("psnr_equal", 0)}
            lines.append([name, *(_spelled(metric, found[metric]) for metric in shown)])
        return f"**{self.title}**\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _spelled(metric: str, value: float) -> str:
    digits = {"equal": 0, "psnr": 2, "psnr_luma": 2, "colourfulness": 1}.get(metric, 4)
    return f"{value:.{digits}f}"


def scores(fake: np.ndarray, truth: np.ndarray, metrics: Sequence[str], scale: int = 1) -> dict[str, float]:
    """What `gan-jax evaluate` gives for pictures uint8 [N, H, W, 3] of one size."""
    network = random_network(truth.shape[1:]) if "lpips_paired" in metrics else no_network(Pixels())
    found: dict[str, float] = {}
    for name in metrics:
        if name == "colourfulness":
            found[name] = float(colourfulness(fake).mean())
            continue
        each = pair_metrics(scale=scale)[name].each
        assert each is not None
        found |= means(each(Pairs(fake, truth, network)))
    return found


def nearest(wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """For each picture the number of the known one at the least Euclidean distance."""
    x, y = (np.float32(side).reshape(len(side), -1) for side in (wanted, known))
    return ((y**2).sum(1) - 2 * x @ y.T).argmin(1)


def line_to_colour(file: Path, prepared: str) -> Table:
    """OpenMoji's lines and colours: 64x64 cut from the middle."""
    load: dict[str, Any] = {"file": str(file), "family": FAMILY, "height": 64, "crop": "cut"}
    load["data_dir"] = prepared
    train, test = (data.load("npz_pairs", split=split, **load).arrays() for split in ("train", "test"))
    truth, ink = test["image"], test["source"]
    line = np.repeat(ink, 3, axis=-1)
    mean = np.rint(train["image"].mean(axis=0)).astype(np.uint8)
    thumbs = [
        np.float32(side["source"]).reshape(-1, 64 // THUMB, THUMB, 64 // THUMB, THUMB).mean((2, 4))
        for side in (test, train)
    ]
    metrics = ("l1", "psnr", "ssim", "lpips_paired")
    made = {
        "white": np.full_like(truth, 255),
        "the line itself": line,
        "mean picture of the training set": np.broadcast_to(mean, truth.shape),
        **{
            f"colours of the nearest line{where}{how}": picture
            for where, chosen in (
                ("", nearest(ink, train["source"])),
                (f" by means of {THUMB}x{THUMB}", nearest(*thumbs)),
            )
            for how, picture in (
                ("", train["image"][chosen]),
                (", with the own line", np.minimum(train["image"][chosen], line)),
            )
        },
        "oracle: closed regions in their true mean colour": _filled(ink[..., 0], truth),
    }
    title = f"OpenMoji, line to colour: {len(truth)} held-out pairs of 64x64"
    return Table(title, metrics, {name: scores(fake, truth, metrics) for name, fake in made.items()})


def _filled(ink: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The lines [N, H, W] with every region that they close in the mean of the truth there."""
    made = np.repeat(ink[..., None], 3, axis=-1)
    for picture, line, true in zip(made, ink, truth, strict=True):
        regions, count = ndimage.label(line >= ON_THE_LINE)
        for region in range(1, count + 1):
            picture[regions == region] = np.rint(true[regions == region].mean(axis=0))
    return made


def twemoji_to_noto(folder: Path, prepared: str) -> Table:
    """Twemoji's drawings and Noto's."""
    load: dict[str, Any] = {"folder": str(folder), "data_dir": prepared}
    train, test = (data.load("unpaired", split=split, **load) for split in ("train", "test"))
    source, truth = (test.arrays()[name] for name in ("source", "image"))
    noto = train.parts["image"].arrays()["image"]
    metrics = ("l1", "psnr", "ssim", "lpips_paired")
    made = {
        "identity: Twemoji's": source,
        "nearest of Noto's training pictures": noto[nearest(source, noto)],
        "oracle: one map of colours, affine, fitted to these pairs": _recoloured(source, truth),
        "white": np.full_like(truth, 255),
    }
    title = f"Twemoji to Noto: {len(truth)} held-out pairs of 64x64"
    return Table(title, metrics, {name: scores(fake, truth, metrics) for name, fake in made.items()})


def _recoloured(source: np.ndarray, truth: np.ndarray) -> np.ndarray:
    x = np.c_[source.reshape(-1, 3), np.ones(source.size // 3)]
    found = x @ np.linalg.lstsq(x, truth.reshape(-1, 3).astype(float), rcond=None)[0]
    return np.rint(np.clip(found, 0, 255)).astype(np.uint8).reshape(source.shape)


def photographs(folder: Path) -> Iterator[np.ndarray]:
    """Those of a folder, uint8 [1, H, W, 3]."""
    for path in sorted(folder.glob("*.png")):
        yield np.asarray(Image.open(path).convert("RGB"))[None]


def enlarged(pictures: np.ndarray, factor: int, filter: Image.Resampling) -> np.ndarray:
    """Shrunk by Pillow's bicubic filter and enlarged again by another."""
    made = np.empty_like(pictures)
    for number, picture in enumerate(pictures):
        image = Image.fromarray(picture)
        small = image.resize((image.width // factor, image.height // factor), Image.Resampling.BICUBIC)
        made[number] = np.asarray(small.resize(image.size, filter))
    return made


def enlarging(folder: Path, prepared: str) -> list[Table]:
    """Super-resolution of whole photographs, and of the tiles that are measured while training."""
    metrics = ("psnr_luma", "ssim_luma", "psnr", "ssim")
    whole = [picture for part in ("train", "test") for picture in photographs(folder / part)]
    load: dict[str, Any] = {"folder": str(folder), "data_dir": prepared, "tile": TILE, "stride": TILE // 2}
    tiles = data.load("photos", split="test", **load).arrays()["image"]
    tiles = tiles[subset(len(tiles), MEASURED)]
    rows: dict[str, dict[str, dict[str, float]]] = {"all": {}, "held": {}, "tiles": {}}
    for factor in FACTORS:
        for name, filter in FILTERS.items():
            each = [scores(enlarged(p, factor, filter), p, metrics, factor) for p in whole]
            for which, part in (("all", each), ("held", each[18:])):
                rows[which][f"x{factor} {name}"] = {m: float(np.mean([s[m] for s in part])) for m in metrics}
            made = enlarged(tiles, factor, filter)
            rows["tiles"][f"x{factor} {name}"] = scores(made, tiles, (*metrics, "lpips_paired"), factor)
    return [
        Table("Kodak, whole photographs, all 24", metrics, rows["all"]),
        Table("Kodak, whole photographs, 19 to 24", metrics, rows["held"]),
        Table(
            f"Kodak, {len(tiles)} tiles of {TILE}x{TILE} of 19 to 24",
            (*metrics, "lpips_paired"),
            rows["tiles"],
        ),
    ]


def colouring(folder: Path, prepared: str) -> Table:
    """Colours of what has lost them, as configs/colouring_kodak.py has the photographs."""
    load: dict[str, Any] = {"folder": str(folder), "stride": 16, "data_dir": prepared}
    train, test = (data.load("photos", split=split, **load).arrays()["image"] for split in ("train", "test"))
    lab = {
        name: np.asarray(Lab().decode(jnp.asarray(tiles)))
        for name, tiles in (("train", train), ("test", test))
    }
    colours = lab["train"][..., 1:].reshape(-1, 2)
    metrics = ("l1", "psnr", "ssim", "lpips_paired", "colourfulness")

    def with_colour(colour: np.ndarray) -> np.ndarray:
        made = lab["test"].copy()
        made[..., 1:] = colour
        return Lab().encode(made)

    own = np.median(lab["test"][..., 1:], axis=(1, 2), keepdims=True)
    made: dict[str, Callable[[], np.ndarray]] = {
        "grey: the lightness alone": lambda: with_colour(np.zeros(2)),
        "the training set's mean a and b": lambda: with_colour(colours.mean(axis=0)),
        "the training set's median a and b": lambda: with_colour(np.median(colours, axis=0)),
        "oracle: each tile in its own median a and b": lambda: with_colour(own),
        "the truth": lambda: test,
    }
    rows = {name: scores(make(), test, metrics) for name, make in made.items()}
    return Table(
        f"Kodak at a third of the size, colouring: {len(test)} tiles of 128x128 of 19 to 24", metrics, rows
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--emoji", type=Path, default=Path("emoji"), help="made by emoji/prepare.py")
    parser.add_argument("--kodak", type=Path, default=Path("kodak"), help="made by kodak/prepare.py")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as prepared:
        tables = [
            line_to_colour(given.emoji / "openmoji_pairs.npz", prepared),
            twemoji_to_noto(given.emoji / "twemoji_noto", prepared),
            *enlarging(given.kodak / "photos", prepared),
            colouring(given.kodak / "small", prepared),
        ]
    text = "\n\n".join(map(str, tables)) + "\n"
    files.write_atomically(Path(__file__).with_name("results.md"), text.encode())


if __name__ == "__main__":
    main()
