"""Images in .npz files: the forms that are taken as they are, and those that are refused with a remedy."""

import io
import re
import zipfile
from typing import Any

import numpy as np
import pytest

from gan_jax.evaluation.sources.image_source import subset
from gan_jax.evaluation.sources.npz_images import npz_source
from gan_jax.utils.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 5, 6, 3), np.uint8)
LABELS = np.array([2, 0, 1, 2, 2, 0, 1])
FLOATS = IMAGES.astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.npz"


def read(source, count=None, batch_size=3):
    count = source.size if count is None else count
    images, labels = zip(*source.batches(count, batch_size), strict=True)
    assert all(len(batch) == batch_size for batch in images[:-1])
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_and_labels(save, path):
    save(path, images=IMAGES, labels=LABELS)
    source = npz_source(path)
    assert (source.name, source.image_shape, source.num_classes, source.size) == (
        "npz set.npz",
        (5, 6, 3),
        3,
        7,
    )
    images, labels = read(source)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    for count in (1, 3, 5):  # within a batch, at its end, and in the next
        images, labels = read(source, count)
        np.testing.assert_array_equal(images, IMAGES[subset(7, count)])
        np.testing.assert_array_equal(labels, LABELS[subset(7, count)])


@pytest.mark.parametrize(
    ("arrays", "labelled"),
    [
        ({"arr_0": IMAGES}, False),
        ({"arr_0": IMAGES, "arr_1": LABELS}, True),
        ({"arr_0": IMAGES, "mu": np.zeros(4), "sigma": np.eye(4)}, False),
        ({"pictures": IMAGES}, False),
        ({"pictures": IMAGES, "labels": LABELS}, True),
    ],
)
def test_names_that_common_tools_give(arrays, labelled, path):
    np.savez(path, **arrays)
    images, labels = read(npz_source(path))
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS if labelled else None)


def test_grey_images_need_no_channel(path):
    np.savez(path, images=IMAGES[..., 0])
    source = npz_source(path)
    assert source.image_shape == (5, 6, 1)
    np.testing.assert_array_equal(read(source)[0], IMAGES[..., :1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("least", [-1, 0])
def test_floats_of_a_clear_range(least, dtype, path):
    values = FLOATS / 127.5 - 1 if least else FLOATS / 255
    assert (values.min(), values.max()) == (least, 1)
    np.savez(path, images=values.astype(dtype))
    np.testing.assert_array_equal(read(npz_source(path))[0], IMAGES)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (FLOATS, "from 0 to 255"),
        (FLOATS / 255 - 0.5, "from -0.5 to 0.5"),
        (FLOATS / 127.5 - 1.01, "from -1.01 to 0.99"),
        (FLOATS / 255 * 0.9, "from 0 to 0.9"),  # of a dim set in [0, 1], or of a bright one in [-1, 1]
        (np.zeros_like(FLOATS), "from 0 to 0"),
    ],
)
def test_floats_of_an_unclear_range_are_refused(images, words, path):
    np.savez(path, images=images)
    with pytest.raises(UserError, match=re.escape(words) + r", .*write uint8: np\.rint"):
        npz_source(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_floats_that_are_not_finite_are_counted(value, path):
    images = FLOATS / 255
    images[2, 1, 1] = images[5, 0, 0, 0] = value
    np.savez(path, images=images)
    with pytest.raises(UserError, match=r"2 of the 7 images .* not finite"):
        npz_source(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"images": IMAGES.transpose(0, 3, 1, 2).copy()},
            r"\[7, 3, 5, 6\]: its channels come first.*transpose",
        ),
        ({"images": IMAGES[0]}, r"\[5, 6, 3\]: images are \[N, H, W, C\]"),
        ({"images": IMAGES[..., :2]}, r"\[7, 5, 6, 2\]: images are \[N, H, W, C\]"),
        ({"images": IMAGES.reshape(7, -1)}, r"\[7, 90\]: images are"),
        ({"images": IMAGES[:0]}, "there is no image in it"),
        ({"images": IMAGES.astype(np.int64)}, r"int64 .*images are uint8"),
        ({"images": np.asfortranarray(IMAGES)}, "Fortran"),
        ({"images": IMAGES.astype(object)}, "object"),
        ({"mu": np.zeros(4), "sigma": np.eye(4)}, r"mu \[4\], sigma \[4, 4\]: statistics"),
        ({"a": IMAGES, "b": IMAGES}, r"holds a \[7, 5, 6, 3\], b .*np.savez\(path, images=images"),
        (
            {"images": IMAGES, "labels": LABELS[:6]},
            r"labels in .* int64 \[6\]: the labels are integers \[7\]",
        ),
        ({"images": IMAGES, "labels": LABELS / 2}, r"float64 \[7\]: the labels are integers"),
        ({"images": IMAGES, "labels": LABELS - 1}, "from -1 to 1"),
        ({"images": IMAGES, "labels": LABELS + 2**40}, "labels are 0, 1, ..."),
        ({"arr_0": IMAGES, "arr_1": IMAGES}, r"arr_1 in .* uint8 \[7, 5, 6, 3\]: the labels are"),
    ],
)
def test_what_is_refused(arrays, words, path):
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=words):
        npz_source(path)


def test_a_file_without_arrays_is_refused(path):
    np.savez(path)
    with pytest.raises(UserError, match="holds no array"):
        npz_source(path)


@pytest.mark.parametrize(
    ("save", "place"),
    [
        (np.savez, "half"),
        (np.savez, b"PK"),
        (np.savez, b"NUMPY"),
        (np.savez, b"descr"),
        (np.savez, IMAGES[3].tobytes()),
        (np.savez, LABELS.tobytes()),
        (np.savez_compressed, "half"),
        (np.savez_compressed, b"PK"),
        (np.savez_compressed, 400),
    ],
)
def test_damage_is_found_when_the_file_is_opened(save, place, path):
    save(path, images=IMAGES, labels=LABELS)
    content = bytearray(path.read_bytes())
    if place == "half":
        content = content[: len(content) // 2]
    else:
        content[place if isinstance(place, int) else content.index(place)] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged or no \.npz file"):
        npz_source(path)


def test_a_single_array_under_the_wrong_name(path):
    with path.open("wb") as file:
        np.save(file, IMAGES)
    with pytest.raises(UserError, match=r"damaged or no \.npz file"):
        npz_source(path)


def test_the_fingerprint_is_of_pixels_and_labels(tmp_path):
    other = IMAGES.copy()
    other[3, 0, 0, 0] ^= 1
    sets: dict[str, dict[str, Any]] = {
        "a": dict(images=IMAGES, labels=LABELS),
        "pixel": dict(images=other, labels=LABELS),
        "labels": dict(images=IMAGES, labels=LABELS[::-1]),
        "order": dict(images=IMAGES[::-1], labels=LABELS),
        "unlabelled": dict(images=IMAGES),
    }
    prints = set()
    for name, arrays in sets.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        prints.add(npz_source(tmp_path / f"{name}.npz").fingerprint)
    assert len(prints) == len(sets)
    np.savez_compressed(tmp_path / "again.npz", arr_1=LABELS.astype(np.uint8), arr_0=IMAGES)
    assert npz_source(tmp_path / "again.npz").fingerprint == npz_source(tmp_path / "a.npz").fingerprint


def test_too_many_are_asked_for(path):
    np.savez(path, images=IMAGES)
    with pytest.raises(UserError, match=r"npz set.npz holds 7 images, and 8 are asked for"):
        npz_source(path).batches(8, 4)
    for count, batch_size in ((0, 4), (4, 0)):
        with pytest.raises(ValueError, match="both must be at least 1"):
            npz_source(path).batches(count, batch_size)


def test_blocks_of_the_check_do_not_matter(path, monkeypatch):
    images = np.linspace(0, 1, IMAGES.size, dtype=np.float32).reshape(IMAGES.shape)
    np.savez(path, images=images)
    before = npz_source(path).fingerprint
    monkeypatch.setattr("gan_jax.evaluation.sources.npz_images._BLOCK_BYTES", 2 * images[0].nbytes)
    source = npz_source(path)  # no block reaches both ends of the range
    assert source.fingerprint == before
    np.testing.assert_array_equal(read(source)[0], np.rint(images * 255))


@pytest.mark.parametrize("noise", [-0.4, 0.4])
def test_floats_are_rounded(noise, path):
    values = np.clip(FLOATS + noise, 0, 255)
    np.savez(path, zero=values / 255)
    np.testing.assert_array_equal(read(npz_source(path))[0], IMAGES)
    np.savez(path, minus_one=values / 127.5 - 1)
    np.testing.assert_array_equal(read(npz_source(path))[0], IMAGES)


@pytest.mark.parametrize("more", [-1, 1])
def test_an_array_of_another_length_than_its_header_says(more, path):
    stream = io.BytesIO()
    np.save(stream, IMAGES)
    content = stream.getvalue() + b"x" if more > 0 else stream.getvalue()[:-1]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", content)
    with pytest.raises(UserError, match="longer than its header says" if more > 0 else "cut short"):
        npz_source(path)


def test_hostile_files_are_refused_in_little_memory(tmp_path):
    def written(name, header, zeros):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", header + bytes(zeros))
        return tmp_path / name

    def header(text):
        text += " " * 40 + "\n"
        return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode()

    good = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }"
    for text, message in (
        (good % "(1, 100000, 100000, 3)", "an image of 30000000000 bytes"),
        (good % "(-2, 8, 8, 3)", "damaged or no .npz file .*shape"),
        (good % "(2, -8, 8, 3)", "damaged or no .npz file .*shape"),
        (good % "(2, 8, 8, 3)", "is cut short"),
        ("(((((", "damaged or no .npz file"),
        ("{'descr': " + "(" * 3000, "damaged or no .npz file"),
    ):
        with pytest.raises(UserError, match=message) as told:
            npz_source(written("a.npz", header(text), 100))
        assert "\n" not in str(told.value)
    np.savez_compressed(
        tmp_path / "b.npz", images=np.zeros((2**18, 1, 2, 1), np.uint8), labels=np.zeros(2**18, np.int8)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gan_jax.evaluation.sources.npz_images.MOST_BYTES", 2**16)
        with pytest.raises(UserError, match="holds 262144 labels, which would take more than 65536 bytes"):
            npz_source(tmp_path / "b.npz")


def test_class_names(tmp_path):
    images, labels = np.zeros((4, 5, 5, 1), np.uint8), np.array([0, 1, 0, 1])
    np.savez(tmp_path / "a.npz", images=images, labels=labels, class_names=np.array(["cat", "dog", "emu"]))
    source = npz_source(tmp_path / "a.npz")
    assert (source.num_classes, source.class_names) == (3, ("cat", "dog", "emu"))
    np.savez(tmp_path / "b.npz", images=images, labels=labels)
    plain = npz_source(tmp_path / "b.npz")
    assert (plain.num_classes, plain.class_names) == (2, None)
    for names in (["cat"], [1, 2], [["cat", "dog"]], ["cat", "cat"]):
        np.savez(tmp_path / "c.npz", images=images, labels=labels, class_names=np.array(names))
        with pytest.raises(UserError, match=r"class_names in .*c\.npz"):
            npz_source(tmp_path / "c.npz")
