"""Pictures from files: the values of all depths, and the bounds on what a file may take."""

import re
import struct
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gan_jax.data import decoding
from gan_jax.data.decoding import Reading, Unreadable, decoded, read_header, read_values

RNG = np.random.default_rng(0)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_png(values, *chunks):
    """A PNG of 16 bits by the book (Pillow writes none in colour), from uint16 [H, W, C]."""
    height, width, channels = values.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pixels(path, **reading):
    with decoded(path, Reading(**reading)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("value_range", [(), (0, 4095), (100, 3000)])
def test_all_16_bits_count(channels, value_range, tmp_path):
    values = RNG.integers(0, 4096, (5, 6, channels)).astype(np.uint16)
    values[..., 3:] = 65535
    (tmp_path / "a.png").write_bytes(deep_png(values))
    if channels < 4:
        assert read_values(tmp_path / "a.png") == (values.min(), values.max(), True)
    assert read_header(tmp_path / "a.png").is_deep
    low, high = value_range or (0, 65535)
    expected = np.rint(np.clip((values[..., :3] - float(low)) / (high - low), 0, 1) * 255)
    found = pixels(tmp_path / "a.png", channels=min(channels, 3), value_range=value_range)
    np.testing.assert_array_equal(found.reshape(5, 6, -1), expected)


def test_alpha_is_not_scaled(tmp_path):
    values = np.full((2, 2, 4), 1000, np.uint16)
    values[..., 3] = 100 * 257
    (tmp_path / "a.png").write_bytes(deep_png(values))
    Image.fromarray(np.full((2, 2, 4), [10, 10, 10, 100], np.uint8)).save(tmp_path / "b.png")
    np.testing.assert_array_equal(
        pixels(tmp_path / "a.png", channels=4, value_range=(0, 2000))[0, 0], [128, 128, 128, 100]
    )
    np.testing.assert_array_equal(
        pixels(tmp_path / "b.png", channels=4, value_range=(0, 20))[0, 0], [128, 128, 128, 100]
    )


def test_a_range_holds_for_8_bits_too(tmp_path):
    Image.fromarray(np.array([[0, 1, 2]], np.uint8)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(tmp_path / "a.png", channels=1, value_range=(0, 2)), [[0, 128, 255]])


def test_floats_and_large_numbers_need_a_range(tmp_path):
    Image.fromarray(np.array([[-1000, 3000]], np.int32)).save(tmp_path / "a.tif")
    Image.fromarray(np.array([[0.0, 0.5]], np.float32)).save(tmp_path / "b.tif")
    assert read_values(tmp_path / "b.tif") == (0, 0.5, False)
    for name in ("a.tif", "b.tif"):
        with pytest.raises(Unreadable, match="unknown range"):
            pixels(tmp_path / name, channels=1)
    np.testing.assert_array_equal(
        pixels(tmp_path / "a.tif", channels=1, value_range=(-1000, 3000)), [[0, 255]]
    )
    np.testing.assert_array_equal(pixels(tmp_path / "b.tif", channels=1, value_range=(0, 1)), [[0, 128]])
    Image.fromarray(np.array([[0.0, np.nan]], np.float32)).save(tmp_path / "c.tif")
    with pytest.raises(Unreadable, match="not finite"):
        read_values(tmp_path / "c.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_orientation_of_every_depth(orientation, dtype, tmp_path):
    values = (np.arange(6).reshape(2, 3) * 10 * (257 if dtype == np.uint16 else 1)).astype(dtype)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "a.png", exif=exif)
    plain = (np.arange(6).reshape(2, 3) * 10).astype(np.uint8)
    turns = [
        plain, plain[:, ::-1], plain[::-1, ::-1], plain[::-1],
        plain.T, np.rot90(plain, -1), plain[::-1, ::-1].T, np.rot90(plain),
    ]  # fmt: skip
    expected = turns[orientation - 1]
    header = read_header(tmp_path / "a.png")
    assert (header.height, header.width) == expected.shape
    np.testing.assert_array_equal(pixels(tmp_path / "a.png", channels=1), expected)


def test_texts_of_any_size_do_not_matter(tmp_path, monkeypatch):
    info = PngImagePlugin.PngInfo()
    info.add_text("note", "x" * 3_000_000, zip=True)
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 2**20)
    monkeypatch.setattr(decoding, "_TEXT_BYTES", 2**8)
    for number in range(100):  # each below the bound of one, together above that of all
        info.add_itxt(f"note {number}", str(RNG.bytes(200)) + "y" * 20_000, zip=True)
    values = RNG.integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "t.png", pnginfo=info)
    np.testing.assert_array_equal(pixels(tmp_path / "t.png"), values)


def test_a_text_that_turns_is_kept(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", f'<x tiff:Orientation="3"/>{" " * 5000}')
    info.add_text("note", "x" * 3_000_000, zip=True)
    values = RNG.integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "t.png", pnginfo=info)
    np.testing.assert_array_equal(pixels(tmp_path / "t.png"), values[::-1, ::-1])


def test_the_bound_of_a_size_is_ours_and_holds_before_decoding(tmp_path):
    header = struct.pack(">IIBBBBB", 20_000, 10_000, 1, 0, 0, 0, 0)  # 200 megapixels in a few bytes
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", b""), chunk(b"IEND", b"")]
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    before = Image.MAX_IMAGE_PIXELS
    for read in (read_header, pixels):
        with pytest.raises(Unreadable, match="larger than 179 megapixels"):
            read(tmp_path / "large.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(tmp_path / "large.png", 200).width == 20_000
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no picture", "of no format that is read, or damaged at the beginning"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "of no format"),  # Pillow would run a program
        (b"\x89PNG\r\n\x1a\n", "of no format"),
        (deep_png(RNG.integers(0, 65536, (40, 40, 3)).astype(np.uint16))[:2000], "damaged, "),
    ],
)
def test_what_is_no_picture(content, reason, tmp_path):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(Unreadable) as told:
        pixels(tmp_path / "a.png")
    assert str(told.value).startswith(reason)
    assert not re.search("0x|BytesIO|a.png", str(told.value))


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "b.png").symlink_to("gone.png")
    with pytest.raises(Unreadable, match="not to be read, No such file"):
        pixels(tmp_path / "b.png")


def test_threads_share_a_budget_of_pixels(monkeypatch):
    budget = decoding._Budget(10)
    most, now, lock = 0, 0, threading.Lock()

    def work(size):
        nonlocal most, now
        with budget.of(size):
            with lock:
                now += size
                most = max(most, now) if size <= 10 else most
                assert now == size or now <= 10
            time.sleep(0.002)
            with lock:
                now -= size

    threads = [threading.Thread(target=work, args=(size,)) for size in (4, 4, 4, 25, 3, 9, 1) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
    assert 0 < most <= 10


@pytest.mark.parametrize(
    "value_range", [(1,), (1, 0), (0, 0), (0, float("nan")), (0, float("inf")), (0, 1, 2)]
)
def test_bad_ranges(value_range):
    with pytest.raises(ValueError, match="must be two numbers"):
        Reading(value_range=value_range)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflated", [False, True])
def test_all_16_bits_of_tiff_colours_count(order, deflated, tmp_path):
    values = RNG.integers(0, 4096, (5, 7, 3)).astype(np.uint16)
    data = values.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if deflated else data
    after = 8 + 2 + 12 * 10 + 4  # header, number of tags, tags, no further directory
    tags = [
        (256, 3, 7), (257, 3, 5), (258, 3, after), (259, 3, 8 if deflated else 1), (262, 3, 2),
        (273, 4, after + 6), (277, 3, 3), (278, 3, 5), (279, 4, len(data)), (284, 3, 1),
    ]  # fmt: skip
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    for tag, kind, value in tags:
        count = 3 if tag == 258 else 1
        packed = (
            struct.pack(f"{order}HH", value, 0)
            if kind == 3 and count == 1
            else struct.pack(f"{order}I", value)
        )
        content += struct.pack(f"{order}HHI", tag, kind, count) + packed
    content += struct.pack(f"{order}I", 0) + struct.pack(f"{order}HHH", 16, 16, 16) + data
    (tmp_path / "a.tif").write_bytes(content)
    assert read_values(tmp_path / "a.tif") == (values.min(), values.max(), True)
    found = pixels(tmp_path / "a.tif", value_range=(0, 4095))
    np.testing.assert_array_equal(found, np.rint(values / 4095 * 255))
