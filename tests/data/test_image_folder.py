"""A folder of pictures: sizes, modes, classes, orientation, and what is refused."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.config.record import describe_data
from gan_jax.evaluation.evaluate import held_out_split
from gan_jax.utils.errors import UserError

RED, GREEN = (250, 10, 20), (10, 240, 30)


def save(path, array, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(array, np.uint8))
    (image.convert(mode) if mode else image).save(path, **options)


def halves(height, width, channels=3):
    """Left half red, right half green."""
    array = np.zeros((height, width, channels), np.uint8)
    array[:, : width // 2, :3] = RED
    array[:, width // 2 :, :3] = GREEN
    array[..., 3:] = 255
    return array


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "pictures"
    path.mkdir()
    return path


def read(folder, **options):
    dataset = data.load("image_folder", folder=str(folder), **{"height": 8, **options})
    return dataset, dataset.arrays()["image"]


def test_every_colour_mode_becomes_rgb(folder):
    save(folder / "a_grey.png", np.full((8, 8), 100))
    save(folder / "b_palette.png", halves(8, 8), "P")
    save(folder / "c_rgb.png", halves(8, 8))
    save(folder / "d_rgba.png", halves(8, 8, 4))
    save(folder / "e_one_bit.png", np.full((8, 8), 255), "1")
    save(folder / "f_cmyk.jpg", np.full((8, 8, 3), 255), "CMYK")
    Image.fromarray(np.full((8, 8), 100 * 257, np.uint16)).save(folder / "g_16_bit.png")
    save(folder / "h_grey_alpha.png", np.full((8, 8, 2), [100, 255]))
    dataset, images = read(folder)
    assert dataset.image_shape == (8, 8, 3)
    assert (dataset.num_classes, dataset.class_names) == (None, ())
    assert "label" not in dataset.arrays()
    for index in (0, 6, 7):
        np.testing.assert_array_equal(images[index], 100)
    for index in (2, 3):
        np.testing.assert_array_equal(images[index], halves(8, 8))
    assert np.abs(images[1].astype(int) - halves(8, 8)).max() <= 51  # the web palette's nearest
    for index in (4, 5):
        np.testing.assert_array_equal(images[index], 255)


def test_transparency_becomes_white_unless_it_is_kept(folder):
    array = halves(8, 8, 4)
    array[:, :4, 3] = 0
    save(folder / "a.png", array)
    _, rgb = read(folder)
    np.testing.assert_array_equal(rgb[0, :, :4], 255)
    np.testing.assert_array_equal(rgb[0, 0, 7], GREEN)
    _, grey = read(folder, channels=1)
    assert grey.shape == (1, 8, 8, 1)
    assert (grey[0, :, :4] == 255).all()
    _, rgba = read(folder, channels=4)
    np.testing.assert_array_equal(rgba[0], array)


def test_center_crop_keeps_the_proportions_and_none_stretches(folder):
    array = np.zeros((10, 40, 3), np.uint8)
    array[:, 15:25] = 200  # the middle square
    save(folder / "wide.png", array)
    save(folder / "wide2.png", array.transpose(1, 0, 2))
    _, cropped = read(folder, height=10)
    np.testing.assert_array_equal(cropped, 200)
    _, stretched = read(folder, height=10, crop="none", filter="box")
    assert stretched[0, 0, 0, 0] == 0
    assert (stretched[0] == 200).mean() == pytest.approx(0.2)  # whole columns inside 15..25 of 40
    _, oblong = read(folder, height=5, width=20, crop="none", filter="box")
    assert oblong.shape == (2, 5, 20, 3)
    assert (oblong[0] == 200).mean() == pytest.approx(0.2)


def test_the_picture_is_turned_as_its_camera_says(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    save(folder / "a.png", halves(8, 8), exif=exif)
    _, images = read(folder)
    np.testing.assert_array_equal(images[0], np.rot90(halves(8, 8), -1))


def test_classes_are_the_sub_folders_in_order(folder):
    for name, level in (("zebra", 10), ("ape", 20), ("cat", 30)):
        for i in range(2):
            save(folder / name / f"{i}.png", np.full((4, 4), level + i))
    save(folder / "cat" / "more" / "deep.PNG", np.full((4, 4), 90))
    save(folder / ".hidden" / "x.png", np.full((4, 4), 99))
    dataset, images = read(folder, channels=1)
    assert dataset.class_names == ("ape", "cat", "zebra")
    assert dataset.arrays()["label"].tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert images[:, 0, 0, 0].tolist() == [20, 21, 30, 31, 90, 10, 11]


def test_another_content_or_option_is_another_set(folder, tmp_path):
    save(folder / "a.png", halves(8, 8))
    save(folder / "b.png", np.zeros((8, 8)))
    first, _ = read(folder)
    assert first.options == {
        "folder": str(folder), "height": 8, "width": 0, "crop": "center", "filter": "lanczos", "channels": 3,
        "value_range": (), "skip_bad": False, "max_megapixels": 179,
    }  # fmt: skip
    assert read(folder)[0].fingerprint == first.fingerprint
    for options in ({"height": 9}, {"crop": "none"}, {"filter": "box"}, {"channels": 1}, {"width": 9}):
        assert read(folder, **options)[0].fingerprint != first.fingerprint
    folder = folder.rename(tmp_path / "moved")
    assert read(folder)[0].fingerprint == first.fingerprint
    save(folder / "b.png", np.full((8, 8), 1))
    changed, images = read(folder)
    assert changed.fingerprint != first.fingerprint
    np.testing.assert_array_equal(images[1], 1)
    (folder / "b.png").rename(folder / "c.png")
    assert read(folder)[0].fingerprint != changed.fingerprint


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"no picture", lambda b: b""])
def test_a_picture_that_cannot_be_decoded_is_named(folder, data_dir, damage):
    save(folder / "good.png", halves(8, 8))
    rng = np.random.default_rng(0)
    save(folder / "bad.jpg", rng.integers(0, 256, (40, 40, 3)))
    (folder / "bad.jpg").write_bytes(damage((folder / "bad.jpg").read_bytes()))
    with pytest.raises(UserError, match=r"1 of 2 pictures cannot be used: 1 .*\(bad\.jpg\)"):
        read(folder)
    assert not list(data_dir.rglob("dataset_info.json"))


def test_folders_that_will_not_do(folder, tmp_path):
    with pytest.raises(UserError, match="is not there"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"is not there: experiments/kodak/prepare.py makes it"):
        read(tmp_path / "kodak" / "photos")
    with pytest.raises(UserError, match="no pictures in"):
        read(folder)
    save(folder / "loose.png", halves(8, 8))
    with pytest.raises(UserError, match="no folder"):
        read(folder / "loose.png")
    save(folder / "cats" / "a.png", halves(8, 8))
    with pytest.raises(UserError, match=r"loose\.png.*cats"):
        read(folder)
    (folder / "loose.png").unlink()
    (folder / "dogs").mkdir()
    with pytest.raises(UserError, match=r"no pictures in 1 sub-folder \(dogs\)"):
        read(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folder": ""}, "no folder is given"),
        ({"height": 0}, "at least 1"),
        ({"crop": "middle"}, "center, none"),
        ({"filter": "cubic"}, "bicubic"),
        ({"channels": 2}, "1, 3, 4"),
        ({"resolution": 8}, "Unknown option resolution"),
    ],
)
def test_bad_options(folder, options, message):
    save(folder / "a.png", halves(8, 8))
    with pytest.raises(UserError, match=message):
        data.load("image_folder", **{"folder": str(folder), **options})


def test_all_that_is_wrong_is_said_at_once(folder):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for i in range(4):
            save(folder / name / f"{i}.png", rng.integers(0, 256, (20, 20, 3)))
    for i in range(5):
        (folder / "cat" / f"x{i}.png").write_bytes(b"")
    for i in range(2):  # cut off: only decoding finds it
        (folder / "dog" / f"{i}.png").write_bytes((folder / "dog" / f"{i}.png").read_bytes()[:300])
    (folder / "bird").mkdir()
    with pytest.raises(UserError) as told:
        read(folder)
    for part in (
        "no pictures in 1 sub-folder (bird)",
        "7 of 13 pictures cannot be used",
        "5 empty (cat/x0.png, cat/x1.png, cat/x2.png and 2 more)",
        "2 damaged, image file is truncated (dog/0.png, dog/1.png)",
        "data.skip_bad=True",
    ):
        assert part in str(told.value)


def test_what_is_only_found_by_decoding_is_said_at_once_too(folder):
    rng = np.random.default_rng(0)
    for i in range(3):
        save(folder / f"{i}.png", rng.integers(0, 256, (20, 20, 3)))
        if i:
            (folder / f"{i}.png").write_bytes((folder / f"{i}.png").read_bytes()[:300])
    with pytest.raises(UserError, match=r"2 of 3 .* 2 damaged, .* \(1\.png, 2\.png\)"):
        read(folder)


def test_bad_pictures_are_left_out_and_recorded(folder, caplog):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for i in range(3):
            save(folder / name / f"{i}.png", rng.integers(0, 256, (20, 20, 3)))
    (folder / "cat" / "0.png").write_bytes(b"")
    (folder / "dog" / "2.png").write_bytes((folder / "dog" / "2.png").read_bytes()[:300])
    dataset, _ = read(folder, skip_bad=True)
    expected = {"cat/0.png": "empty", "dog/2.png": "damaged, image file is truncated"}
    assert dataset.left_out == expected
    assert describe_data(dataset)["left_out"] == expected
    assert dataset.arrays()["label"].tolist() == [0, 0, 1, 1]
    caplog.clear()
    assert read(folder, skip_bad=True)[0].left_out == expected  # kept with the prepared set
    assert "2 files are left out of image_folder: cat/0.png, dog/2.png" in caplog.text
    for i in (1, 2):
        (folder / "cat" / f"{i}.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"no picture is left of 1 class \(cat\).*3 empty"):
        read(folder, skip_bad=True)


@pytest.mark.parametrize(("high", "bits"), [(4095, 12), (900, 10), (200, 8), (16000, 14), (60000, 16)])
def test_the_depth_is_looked_at_and_said(high, bits, folder, caplog):
    values = np.linspace(0, high, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(values).save(folder / "a.png")
    Image.fromarray(values // 2).save(folder / "b.png")
    save(folder / "c.png", np.full((8, 8), 200))
    dataset, images = read(folder, channels=1)
    assert dataset.fields["image"].file_range == (0, 2**bits - 1)
    np.testing.assert_array_equal(images[0, ..., 0], np.rint(values / (2**bits - 1) * 255))
    np.testing.assert_array_equal(images[2], 200)
    assert f"2 pictures of more than 8 bits: 0 to {high}. They are read as {bits} bits" in caplog.text
    dataset, images = read(folder, channels=1, value_range=(0, 2 * high))
    assert images[0].max() in (127, 128)
    assert dataset.fields["image"].file_range == (0, 2 * high)


def test_values_in_no_clear_range_are_asked_for(folder):
    Image.fromarray(np.array([[-1000, 3000]], np.int32)).save(folder / "a.tif")
    with pytest.raises(
        UserError,
        match=r"-1000 to 3000\. Say with data\.value_range=LOW,HIGH which of them become black and white$",
    ):
        read(folder)
    _, images = read(folder, value_range=(-1000, 3000), height=1, width=2, channels=1)
    np.testing.assert_array_equal(images.ravel(), [0, 255])


def test_dark_pictures_are_said(folder, caplog):
    save(folder / "a.png", np.full((8, 8), 3))
    read(folder)
    assert "the brightest value in" in caplog.text
    assert "is 3 of 255" in caplog.text


def test_train_val_and_test_are_splits(folder):
    for split, level in (("train", 10), ("val", 20), ("test", 30)):
        for name in ("cat", "dog"):
            save(folder / split / name / "0.png", np.full((8, 8), level))
    dataset, images = read(folder)
    assert dataset.class_names == ("cat", "dog")
    assert set(images.ravel()) == {10}
    for split, level in (("validation", 20), ("test", 30)):
        other = data.load("image_folder", folder=str(folder), height=8, split=split)
        assert set(other.arrays()["image"].ravel()) == {level}
        assert other.fingerprint != dataset.fingerprint


def test_held_out_pictures_are_those_of_test_or_val(folder):
    for split, level in (("train", 10), ("val", 20)):
        save(folder / split / "0.png", np.full((8, 8), level))
    held_out = held_out_split(read(folder)[0], None)
    assert held_out is not None
    assert set(held_out.arrays()["image"].ravel()) == {20}
    save(folder / "test" / "0.png", np.full((8, 8), 30))
    held_out = held_out_split(read(folder)[0], None)
    assert held_out is not None
    assert set(held_out.arrays()["image"].ravel()) == {30}


def test_names_that_are_no_utf_8(folder):
    for name in (b"caf\xe9", b"tea"):
        save(folder / os.fsdecode(name) / os.fsdecode(b"\xff.png"), np.full((8, 8), 200))
    dataset, _ = read(folder)
    assert dataset.class_names == (r"caf\xe9", "tea")
    json.dumps(describe_data(dataset), ensure_ascii=False).encode()


def test_labels_of_a_file_are_part_of_the_set(folder):
    for i in range(3):
        save(folder / "00000" / f"{i}.png", np.full((8, 8), 200))
    prints = set()
    given: tuple[list[int] | None, ...] = ([0, 1, 1], [1, 0, 1], None)
    for labels in given:
        rows = None if labels is None else [(f"00000/{i}.png", label) for i, label in enumerate(labels)]
        (folder / "dataset.json").write_text(json.dumps({"labels": rows}))
        dataset, _ = read(folder)
        assert dataset.class_names == (("0", "1") if labels else ())
        assert dataset.arrays().get("label", np.array(None)).tolist() == labels
        prints.add(dataset.fingerprint)
    assert len(prints) == 3
