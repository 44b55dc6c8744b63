"""Gets the 24 Kodak photographs, and makes of those that are held out what super-resolution is tried on.

    python experiments/kodak/prepare.py --out kodak [--from FOLDER]

Made are, for the data set photos, `photos/train` (1 to 18) and `photos/test` (19 to 24), and `small/train`
and `small/test`, the same at a third of the size, whose tiles show more than a texture; for `gan-jax
translate` the folders `x2` and `x4`: the held-out photographs shrunk. All by Pillow's bicubic filter. FOLDER
has kodim01.png to kodim24.png; without it they are downloaded.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
from pathlib import Path

from PIL import Image

from gan_jax.data.download import download
from gan_jax.utils.errors import UserError

ADDRESSES = ("https://r0k.us/graphics/kodak/kodak/", "http://r0k.us/graphics/kodak/kodak/")
MOST_BYTES = 2**20
HELD_OUT = range(19, 25)
FACTORS = (2, 4)
SMALL = 3
# The beginning of the sha256 of each photograph's RGB values, row by row.
DIGESTS = (
    "a002107433535944", "ae5a495df4ec40e0", "234e61f585503f2a", "e88e788fca00e6c7", "ed3d1ee770909d3b",
    "7f45158999fa297d", "4e3664bf6fe865b4", "889c3740e4ed54ca", "f8453140e63a4230", "fabe11b5c4f02839",
    "ab4dd9bf8431e717", "f412db2168e59994", "875703d56fb9396f", "2bd5029ee75ac169", "b5353e7511277009",
    "ed21745fd32fce95", "566bc866664e9b06", "3475af71066f3ca8", "7956408ef24222d3", "666ce8f2db5566a1",
    "2d6902daf7c4486b", "f430842120c108b6", "81992a83592267e6", "e3e3ccc3e795b82a",
)  # fmt: skip


def photograph(number: int, folder: Path | None) -> bytes:
    """The file of a photograph, once its pixels are known to be right."""
    name = f"kodim{number:02d}.png"

    def verified(content: bytes, origin: str) -> bytes:
        try:
            with Image.open(io.BytesIO(content)) as image:
                pixels = hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
        except OSError as error:
            raise UserError(f"{origin} is no picture ({error})") from error
        if not pixels.startswith(DIGESTS[number - 1]):
            raise UserError(f"{origin} is not the photograph {number} of the suite: it has other pixels")
        return content

    if folder is None:
        advice = "With the photographs at hand: --from FOLDER."
        return download([address + name for address in ADDRESSES], verified, advice, MOST_BYTES)
    try:
        return verified((folder / name).read_bytes(), str(folder / name))
    except OSError as error:
        raise UserError(f"{folder / name}: {error.strerror}") from error


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, help="a folder with kodim01.png to kodim24.png")
    parser.add_argument("--out", type=Path, default=Path("kodak"), help="where the photographs are written")
    given = parser.parse_args()
    try:
        for number in range(1, 25):
            content = photograph(number, given.folder)
            split = "test" if number in HELD_OUT else "train"
            name = f"kodim{number:02d}.png"
            write(given.out / "photos" / split / name, content)
            write(given.out / "small" / split / name, shrunk(content, SMALL))
            for factor in FACTORS if number in HELD_OUT else ():
                write(given.out / f"x{factor}" / name, shrunk(content, factor))
    except UserError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{given.out}: {24 - len(HELD_OUT)} photographs in train, {len(HELD_OUT)} in test\n")


def write(path: Path, content: bytes) -> None:
    """Writes a file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def shrunk(content: bytes, factor: int) -> bytes:
    """The picture in a PNG divided by the factor both ways, antialiased bicubic, as a PNG."""
    with Image.open(io.BytesIO(content)) as image:
        size = (image.width // factor, image.height // factor)
        file = io.BytesIO()
        image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(file, "PNG")
        return file.getvalue()


if __name__ == "__main__":
    main()
