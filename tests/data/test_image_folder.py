"""A folder of pictures: sizes, modes, classes, orientation, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
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
