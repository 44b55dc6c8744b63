"""Makes the emoji data sets of the translators: OpenMoji's lines and colours, and Twemoji beside Noto.

    python experiments/emoji/prepare.py --from FOLDER --out emoji

FOLDER holds copies of the repositories that README.md names, or the archives openmoji.npz, twemoji.npz and
noto_emoji.npz, itself or up to two folders down; what it has not is left out. Made are `openmoji_pairs.npz`
for the data set npz_pairs, and `twemoji_noto` with trainA, trainB, testA and testB for the data set unpaired.
"""

from __future__ import annotations

import argparse
import csv
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from gan_jax.data.decoding import Reading, Unreadable, decoded
from gan_jax.data.families import HELD_OUT, family_of, is_held_out
from gan_jax.utils.names import natural_order

FAMILY = "[^-]+"  # the first code point: 1f468-200d-1f33e and 1f468-200d-1f3a8 are of one family
SKIN_TONES = {f"1f3f{digit}" for digit in "bcdef"}
FLAGS = {"1f38c", "1f3c1", "1f3f3", "1f3f4", "1f6a9"}  # beside those of two letters and of joined signs
LEAST_COLOUR = 2.0  # mean difference of colours and lines, of 255: below it nothing is coloured

Pictures = dict[str, np.ndarray]  # uint8 [H, W, 3] by code points: "1f600", "1f468-200d-1f33e"


def canonical(name: str) -> str:
    """Code points as all sets can write them: small hex without leading zeros, joined by "-", no fe0f."""
    parts = name.lower().removeprefix("emoji_u").replace("_", "-").split("-")
    return "-".join(part.lstrip("0") for part in parts if part != "fe0f")


def is_toned(code_points: str) -> bool:
    """Whether it is another emoji in one of the five skin tones."""
    parts = code_points.split("-")
    return len(parts) > 1 and not SKIN_TONES.isdisjoint(parts)


def is_flag(code_points: str) -> bool:
    """Whether it is a flag: two regional letters, one of five signs, or what is joined to a flag."""
    parts = code_points.split("-")
    letters = [0x1F1E6 <= int(part, 16) <= 0x1F1FF for part in parts]
    return (len(parts) == 2 and all(letters)) or code_points in FLAGS or parts[0] in ("1f3f3", "1f3f4")


def find(folder: Path, name: str) -> Path | None:
    """What has this name in the folder or up to two folders down."""
    found = [path for pattern in (name, f"*/{name}", f"*/*/{name}") for path in sorted(folder.glob(pattern))]
    return found[0] if found else None


def read_pngs(folder: Path, channels: int = 3) -> Pictures:
    """The PNGs of a folder, laid on white."""
    pictures: Pictures = {}
    for path in sorted(folder.glob("*.png")):
        try:
            with decoded(path, Reading(channels)) as image:
                pictures.setdefault(canonical(path.stem), np.asarray(image))
        except Unreadable as error:
            sys.exit(f"{path} is {error}")
    return pictures


def read_emoji(folder: Path, archive: str, pngs: str) -> Pictures | None:
    """One set's pictures from its archive or its repository; None where neither is there."""
    if (packed := find(folder, archive)) is not None:
        arrays = np.load(packed)
        return dict(zip(map(str, arrays["codepoints"]), arrays["images"], strict=True))
    unpacked = find(folder, pngs)
    return None if unpacked is None else read_pngs(unpacked)


def read_openmoji(folder: Path) -> tuple[Pictures, Pictures, dict[str, tuple[str, str]]] | None:
    """OpenMoji's colours, its lines (grey [H, W]), and group and sub-group; None where it is not there."""
    if (packed := find(folder, "openmoji.npz")) is not None:
        arrays = np.load(packed)
        names = list(map(str, arrays["codepoints"]))
        groups = zip(map(str, arrays["group"]), map(str, arrays["subgroup"]), strict=True)
        return tuple(  # type: ignore[return-value]
            dict(zip(names, values, strict=True)) for values in (arrays["images"], arrays["line"], groups)
        )
    table, colour, line = (find(folder, name) for name in ("data/openmoji.csv", "color/72x72", "black/72x72"))
    if table is None or colour is None or line is None:
        return None
    with table.open(newline="", encoding="utf-8") as file:
        rows = {canonical(row["hexcode"]): (row["group"], row["subgroups"]) for row in csv.DictReader(file)}
    return read_pngs(colour), read_pngs(line, channels=1), rows


def make_pairs(folder: Path, out: Path) -> str | None:
    """Writes openmoji_pairs.npz: no skin tones, flags or brands, and only what has colours."""
    found = read_openmoji(folder)
    if found is None:
        return None
    colours, lines, groups = found
    kept = []
    for name, colour in colours.items():
        group, sub_group = groups.get(name, ("unknown", "unknown"))
        if name not in lines or is_toned(name) or group == "flags" or sub_group == "brand":
            continue
        if np.abs(colour.astype(int) - lines[name][..., None]).mean() > LEAST_COLOUR:
            kept.append((name, group))
    classes = natural_order({group for _, group in kept})
    file = out / "openmoji_pairs.npz"
    np.savez_compressed(
        file,
        image=np.stack([colours[name] for name, _ in kept]),
        source=np.stack([lines[name] for name, _ in kept]),
        name=np.array([name for name, _ in kept]),
        label=np.array([classes.index(group) for _, group in kept], np.int32),
        class_names=np.array(classes),
    )
    return f"{file}: {len(kept)} pairs, {counts([name for name, _ in kept])}"


def make_unpaired(folder: Path, out: Path) -> str | None:
    """Writes the folder twemoji_noto: what both have, in training half of the families from each.

    No family is in two of trainA, trainB and the test folders, so that no emoji is seen on both sides; the
    test folders have the same names: what Twemoji's picture should become is Noto's.
    """
    twemoji = read_emoji(folder, "twemoji.npz", "assets/72x72")
    noto = read_emoji(folder, "noto_emoji.npz", "png/128")
    if twemoji is None or noto is None:
        return None
    names = [name for name in twemoji if name in noto and not is_toned(name) and not is_flag(name)]
    to = out / "twemoji_noto"
    parts = [to / part for part in ("trainA", "trainB", "testA", "testB")]
    for part in parts:
        part.mkdir(parents=True, exist_ok=True)
    for name in names:
        family = family_of(name, FAMILY)
        own = zlib.crc32(family.encode()) // HELD_OUT % 2  # the side of a family in training
        for side, pictures in enumerate((twemoji, noto)):
            if is_held_out(family) or side == own:
                Image.fromarray(pictures[name]).save(parts[side + 2 * is_held_out(family)] / f"{name}.png")
    written = ", ".join(f"{len(list(part.iterdir()))} in {part.name}" for part in parts)
    return f"{to}: {len(names)} emoji that both have, {counts(names)}: {written}"


def counts(names: Iterable[str]) -> str:
    """How many are held out."""
    held_out = [is_held_out(family_of(name, FAMILY)) for name in names]
    return f"{len(held_out) - sum(held_out)} to train and {sum(held_out)} held out"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, required=True, help="archives or repositories")
    parser.add_argument("--out", type=Path, default=Path("emoji"), help="where the data sets are written")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    done = [make(given.folder, given.out) for make in (make_pairs, make_unpaired)]
    if not any(done):
        sys.exit(f"{given.folder} has neither OpenMoji nor Twemoji and Noto: see experiments/emoji/README.md")
    sys.stdout.write("".join(f"{line}\n" for line in done if line))


if __name__ == "__main__":
    main()
