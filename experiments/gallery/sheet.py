"""The gallery on one sheet: parts of the pictures of other experiments, each with what it is.

python experiments/gallery/sheet.py        # writes experiments/gallery/sheet.jpg
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
CELL, GAP, LINE = 300, 16, 38


class Tile(NamedTuple):
    """A picture of the sheet.

    Attributes:
        path: below experiments/.
        part: left, upper, right and lower edge of what is shown, in its pixels; None is all of it.
        columns: how many cells it is wide.
        caption: what it is.
    """

    path: str
    part: tuple[int, int, int, int] | None
    columns: int
    caption: str


ROWS = (
    (
        Tile("gallery/dcgan_shapes.png", (68, 28, 692, 652), 1, "Conditional DCGAN, two minutes"),
        Tile("gallery/cgan_mnist.png", (0, 0, 356, 356), 1, "Conditional GAN, a digit in each row"),
        Tile("dcgan_fashion_mnist/epoch_20.png", None, 1, "The thesis's DCGAN, Fashion-MNIST"),
        Tile("six_gans/progan/28.png", None, 1, "ProGAN, grown 7, 14, 28"),
    ),
    (
        Tile("stylegan2_fashion_mnist/mix.png", None, 1, "StyleGAN2, styles mixed by scale"),
        Tile("translators/pix2pix_openmoji.png", (0, 0, 264, 368), 1, "Pix2Pix: lines to colours"),
        Tile("translators/cyclegan_emoji.png", (0, 0, 264, 368), 1, "CycleGAN: Twemoji to Noto, unpaired"),
        Tile("mode_collapse/ring/samples.png", (0, 0, 596, 596), 1, "Remedies for mode collapse, compared"),
    ),
    (
        Tile(
            "translators/srgan_x4.png", None, 2, "Four times the resolution: bicubic, SRResNet, SRGAN, truth"
        ),
        Tile("minimax_game/panels.png", None, 2, "The minimax game beside its theory: densities, D and D*"),
    ),
)


def sheet() -> Image.Image:
    """All tiles in their rows; a row is as high as its highest picture."""
    font = ImageFont.load_default(15)
    width = 4 * CELL + 5 * GAP
    rows = []
    for tiles in ROWS:
        pictures = [_fitted(tile) for tile in tiles]
        height = max(picture.height for picture in pictures)
        row = Image.new("RGB", (width, height + LINE), "white")
        draw, left = ImageDraw.Draw(row), GAP
        for tile, picture in zip(tiles, pictures, strict=True):
            room = tile.columns * CELL + (tile.columns - 1) * GAP
            row.paste(picture, (left + (room - picture.width) // 2, (height - picture.height) // 2))
            draw.text((left + room / 2, height + 6), tile.caption, fill="black", font=font, anchor="ma")
            left += room + GAP
        rows.append(row)
    whole = Image.new("RGB", (width, GAP + sum(row.height for row in rows)), "white")
    top = GAP
    for row in rows:
        whole.paste(row, (0, top))
        top += row.height
    return whole


def _fitted(tile: Tile) -> Image.Image:
    """What is shown of a tile's picture, as large as its cells."""
    with Image.open(HERE.parent / tile.path) as file:
        picture = file.convert("RGB").crop(tile.part) if tile.part else file.convert("RGB")
    room = tile.columns * CELL + (tile.columns - 1) * GAP
    scale = min(room / picture.width, (CELL if tile.columns == 1 else 2 * CELL) / picture.height)
    size = round(picture.width * scale), round(picture.height * scale)
    return picture.resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    sheet().save(HERE / "sheet.jpg", quality=88)
