"""Folders of pictures as they are: pixels, order, classes, and everything that would need a change."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from gan_jax.evaluation.sources.folder_images import folder_source
from gan_jax.evaluation.sources.image_source import array_source, like, subset
from gan_jax.utils.errors import UserError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (7, 4, 6, 3), np.uint8)
GREY = COLOUR[..., 0].copy()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "made"
    path.mkdir()
    return path


def fill(folder, images, ending="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:04}.{ending}")


def read(source, count=None, batch_size=3):
    count = source.size if count is None else count
    images, labels = zip(*source.batches(count, batch_size), strict=True)
    assert [len(batch) for batch in images[:-1]] == [batch_size] * (len(images) - 1)
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)


@pytest.mark.parametrize("ending", ["png", "bmp", "webp"])
@pytest.mark.parametrize("images", [COLOUR, GREY], ids=["colour", "grey"])
def test_pixels_are_those_of_the_files(images, ending, folder):
    if ending == "webp":
        for number, image in enumerate(COLOUR):
            Image.fromarray(image).save(folder / f"{number}.webp", lossless=True)
        images = COLOUR
    else:
        fill(folder, images, ending)
    source = folder_source(folder)
    expected = images.reshape(7, 4, 6, -1)
    assert source.name == "folder made"
    assert (source.image_shape, source.num_classes, source.size) == (expected.shape[1:], None, 7)
    for count in (1, 3, 7):
        pixels, labels = read(source, count)
        assert labels is None
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, expected[subset(7, count)])


def test_one_sub_folder_per_class(folder):
    for name, part in (("b_dogs", slice(0, 2)), ("a_cats", slice(2, 7))):
        fill(folder / name, COLOUR[part])
    source = folder_source(folder)
    assert source.num_classes == 2
    pixels, labels = read(source)
    np.testing.assert_array_equal(pixels, np.concatenate([COLOUR[2:], COLOUR[:2]]))
    np.testing.assert_array_equal(labels, [0] * 5 + [1] * 2)
    assert labels.dtype == np.int32


def test_palettes_and_single_bits_are_converted(folder, tmp_path):
    few = COLOUR[0] // 128 * 255  # eight colours
    fill(folder, [few])
    Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "0001.png")
    with Image.open(folder / "0001.png") as image:
        assert image.mode == "P"
    pixels, _ = read(folder_source(folder))
    np.testing.assert_array_equal(pixels, [few, few])
    bits = tmp_path / "bits"
    fill(bits, [GREY[0] // 128 * 255])
    Image.fromarray(GREY[0] // 128 * 255).convert("1").save(bits / "0001.png")
    pixels, _ = read(folder_source(bits))
    np.testing.assert_array_equal(pixels[0], pixels[1])


def test_transparency_is_laid_on_white(folder):
    alpha = np.full((4, 6, 1), 255, np.uint8)
    alpha[:, :3] = 0
    Image.fromarray(np.concatenate([COLOUR[0], alpha], axis=2)).save(folder / "a.png")
    Image.fromarray(np.concatenate([COLOUR[1], np.full_like(alpha, 255)], axis=2)).save(folder / "b.png")
    source = folder_source(folder)
    assert source.image_shape == (4, 6, 3)
    pixels, _ = read(source)
    np.testing.assert_array_equal(pixels[0, :, :3], 255)
    np.testing.assert_array_equal(pixels[0, :, 3:], COLOUR[0, :, 3:])
    np.testing.assert_array_equal(pixels[1], COLOUR[1])


def test_grey_with_transparency_stays_grey(folder):
    alpha = np.where(np.arange(6) < 3, 0, 255).astype(np.uint8) + np.zeros((4, 1), np.uint8)
    Image.fromarray(np.stack([GREY[0], alpha], axis=2)).save(folder / "a.png")
    pixels, _ = read(folder_source(folder))
    assert pixels.shape == (1, 4, 6, 1)
    np.testing.assert_array_equal(pixels[0, :, :3], 255)
    np.testing.assert_array_equal(pixels[0, :, 3:, 0], GREY[0, :, 3:])


def save_turned(path, image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(path, exif=exif)


def test_pictures_are_turned_as_their_tag_says(folder):
    save_turned(folder / "a.png", COLOUR[0], 3)
    save_turned(folder / "b.png", COLOUR[1], 1)
    pixels, _ = read(folder_source(folder))
    np.testing.assert_array_equal(pixels, [COLOUR[0, ::-1, ::-1], COLOUR[1]])
    save_turned(folder / "c.png", COLOUR[2], 6)
    with pytest.raises(UserError, match=r"2 of 4 x 6 \(a\.png, b\.png\); 1 of 6 x 4 \(c\.png\)"):
        folder_source(folder)


@pytest.mark.parametrize("image", [COLOUR[0, :, :5], np.swapaxes(COLOUR[0], 0, 1)])
def test_pictures_of_two_sizes_are_refused(image, folder):
    fill(folder, COLOUR)
    Image.fromarray(image).save(folder / "0003.png")
    what = rf"6 of 4 x 6 \(0000\.png, .*\); 1 of {image.shape[0]} x {image.shape[1]} \(0003\.png\)"
    with pytest.raises(UserError, match=what):
        folder_source(folder)


def test_grey_among_colours_is_grey_in_colour(folder):
    fill(folder, [COLOUR[0], GREY[1]])
    pixels, _ = read(folder_source(folder))
    np.testing.assert_array_equal(pixels, [COLOUR[0], np.repeat(GREY[1][..., None], 3, axis=2)])


def test_a_folder_is_read_with_the_channels_of_the_other_side(folder, tmp_path):
    alpha = np.concatenate([COLOUR, np.full_like(COLOUR[..., :1], 7)], axis=3)
    fill(folder, alpha)
    fill(tmp_path / "grey", GREY)
    rgba, grey = folder_source(folder), folder_source(tmp_path / "grey")
    assert (rgba.image_shape, grey.image_shape) == ((4, 6, 3), (4, 6, 1))
    for channels, expected in ((4, alpha), (3, None), (1, None)):
        other = array_source("run", np.zeros((1, 4, 6, channels), np.uint8))
        assert like(rgba, other).image_shape == (4, 6, channels)
        if expected is not None:
            np.testing.assert_array_equal(read(like(rgba, other))[0], expected)
    np.testing.assert_array_equal(read(like(grey, rgba))[0], np.repeat(GREY[..., None], 3, axis=3))
    assert like(rgba, grey) is rgba
    assert like(rgba, other).fingerprint != rgba.fingerprint


def png_of_16_bits(colour):
    """PNG chunks by the book: Pillow writes no colour of 16 bits."""
    import struct
    import zlib

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    samples = 3 if colour else 1
    header = struct.pack(">IIBBBBB", 6, 4, 16, 2 if colour else 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(range(6 * 2 * samples)) for _ in range(4))
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("colour", [True, False])
def test_16_bits_become_8(colour, folder, caplog):
    (folder / "deep.png").write_bytes(png_of_16_bits(colour))
    source = folder_source(folder)
    assert source.image_shape == (4, 6, 3 if colour else 1)
    values = np.frombuffer(bytes(range(6 * 2 * source.image_shape[2])), ">u2")
    pixels, _ = read(source)
    white = 16383 if colour else 4095
    assert source.value_range == (0, white)
    np.testing.assert_array_equal(pixels[0, 0].ravel(), np.rint(values / white * 255))
    assert "--value_range=LOW,HIGH sets another range" in caplog.text
    assert folder_source(folder, value_range=(0, 65535)).fingerprint != source.fingerprint


def test_other_modes_and_first_frames_are_read_and_said(folder, caplog):
    Image.fromarray(COLOUR[0]).convert("CMYK").save(folder / "a.tif")
    first, *others = (Image.fromarray(image) for image in COLOUR[:3])
    first.save(folder / "b.png", save_all=True, append_images=others)
    pixels, _ = read(folder_source(folder))
    np.testing.assert_array_equal(pixels, COLOUR[[0, 0]])
    assert "1 picture in " in caplog.text
    assert "in CMYK: made RGB, without colour profiles" in caplog.text
    assert "with several frames: the first is read" in caplog.text


def test_damaged_pictures_are_named(folder):
    fill(folder, RNG.integers(0, 256, (3, 32, 32, 3), np.uint8))
    content = (folder / "0001.png").read_bytes()
    (folder / "0001.png").write_bytes(content[: len(content) // 2])
    source = folder_source(folder)  # its header is intact
    with pytest.raises(
        UserError, match=r"1 of 3 pictures .* 1 damaged, image file is truncated \(0001\.png\)"
    ):
        read(source)
    for name, content in (("0000.png", b"no picture"), ("0002.png", b"")):
        (folder / name).write_bytes(content)
    what = r"3 of 3 .* 1 of no format .*\(0000\.png\); 1 empty \(0002\.png\); 1 damaged.*\(0001\.png\)"
    with pytest.raises(UserError, match=what):
        folder_source(folder)


def test_an_empty_folder_is_refused(folder):
    with pytest.raises(UserError, match="no pictures in"):
        folder_source(folder)


def test_the_fingerprint_is_of_content_and_order(folder, tmp_path):
    fill(folder, COLOUR)
    prints = [folder_source(folder).fingerprint]
    shutil.copytree(folder, tmp_path / "copy")
    for number in range(7):  # other names, the same order
        (tmp_path / "copy" / f"{number:04}.png").rename(tmp_path / "copy" / f"x{number}.png")
    assert folder_source(tmp_path / "copy").fingerprint == prints[0]
    fill(tmp_path / "order", COLOUR[::-1])
    fill(tmp_path / "fewer", COLOUR[:6])
    fill(tmp_path / "one_class" / "a", COLOUR)
    fill(tmp_path / "classes" / "a", COLOUR[:3])
    fill(tmp_path / "classes" / "b", COLOUR[3:])
    prints += [
        folder_source(tmp_path / name).fingerprint for name in ("order", "fewer", "one_class", "classes")
    ]
    assert len(set(prints)) == 5


def test_too_many_are_asked_for(folder):
    fill(folder, COLOUR)
    with pytest.raises(UserError, match=re.escape("folder made holds 7 images, and 9 are asked for")):
        folder_source(folder).batches(9, 4)


def test_reading_may_stop_and_begin_again(folder):
    fill(folder, COLOUR)
    source = folder_source(folder)
    stopped = source.batches(7, 2)
    next(stopped)
    del stopped
    np.testing.assert_array_equal(read(source)[0], COLOUR)
