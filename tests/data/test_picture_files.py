"""Which files of a folder are its pictures: hidden ones, links, classes, splits, labels from a file."""

import json
import os
import re
import shutil

import pytest
from PIL import Image

from gan_jax.data.picture_files import find_pictures
from gan_jax.utils.errors import UserError


def put(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path, "PNG")


def found(folder):
    """The relative names with their labels, and the whole."""
    pictures = find_pictures(folder)
    return {
        split: [(path.relative_to(folder).as_posix(), label) for path, label in files]
        for split, files in pictures.splits.items()
    }, pictures


def test_hidden_files_and_folders_are_left_out_at_every_level(tmp_path):
    put(tmp_path / "cat" / "0.png", tmp_path / "cat" / "more" / "1.png", tmp_path / "dog" / "0.png")
    put(tmp_path / "cat" / ".ipynb_checkpoints" / "0-checkpoint.png", tmp_path / "cat" / "more" / "._1.png")
    put(tmp_path / "cat" / "@eaDir" / "0.png" / "thumb.png", tmp_path / "__MACOSX" / "cat" / "0.png")
    put(tmp_path / ".trash" / "deep" / "x.png", tmp_path / ".x.png")
    splits, pictures = found(tmp_path)
    assert splits == {"train": [("cat/0.png", 0), ("cat/more/1.png", 0), ("dog/0.png", 1)]}
    assert pictures.class_names == ("cat", "dog")
    assert not pictures.problems


def test_a_folder_may_lie_in_a_hidden_one(tmp_path):
    put(tmp_path / ".data" / "0.png")
    assert found(tmp_path / ".data")[0] == {"train": [("0.png", None)]}


def test_classes_are_in_natural_order(tmp_path):
    put(*(tmp_path / str(number) / "x.png" for number in range(12)))
    splits, pictures = found(tmp_path)
    assert pictures.class_names == tuple(map(str, range(12)))
    assert splits["train"][2] == ("2/x.png", 2)
    assert splits["train"][10] == ("10/x.png", 10)


@pytest.mark.parametrize(
    "name", ["x.pdf", "x.h5", "x.hdf", "x.mpg", "x.eps", "x.ps", "x.wmf", "x.grib", "x.txt", "x"]
)
def test_what_is_not_decoded_is_no_picture(name, tmp_path, caplog):
    put(tmp_path / "a.png")
    (tmp_path / name).write_bytes(b"%PDF-1.4")
    assert found(tmp_path)[0] == {"train": [("a.png", None)]}
    assert f"1 file in {tmp_path} left out: not of a format that is read as a picture ({name})" in caplog.text


def test_names_that_are_no_utf_8(tmp_path):
    put(tmp_path / os.fsdecode(b"caf\xe9") / os.fsdecode(b"\xff.png"), tmp_path / "tea" / "0.png")
    _, pictures = found(tmp_path)
    assert pictures.class_names == (r"caf\xe9", "tea")
    assert pictures.named(pictures.paths) == r"caf\xe9/\xff.png, tea/0.png"
    json.dumps(pictures.class_names, ensure_ascii=False).encode()


def test_links_to_folders_and_files_are_followed(tmp_path, caplog):
    put(tmp_path / "a" / "0.png", tmp_path / "b" / "1.png")
    links = tmp_path / "links"
    links.mkdir()
    for name in "ab":
        (links / name).symlink_to(f"../{name}")
    (links / "c" / "deep").mkdir(parents=True)
    (links / "c" / "deep" / "a").symlink_to(tmp_path / "a")
    (links / "c" / "1.png").symlink_to(tmp_path / "b" / "1.png")
    assert found(links)[0] == {
        "train": [("a/0.png", 0), ("b/1.png", 1), ("c/1.png", 2), ("c/deep/a/0.png", 2)]
    }
    assert not caplog.text


def test_links_in_a_loop_end(tmp_path, caplog):
    put(tmp_path / "set" / "a" / "0.png", tmp_path / "set" / "b" / "1.png")
    (tmp_path / "set" / "a" / "up").symlink_to("..")
    (tmp_path / "set" / "all").symlink_to(".")
    (tmp_path / "set" / "b" / "above").symlink_to("../..")
    (tmp_path / "set" / "itself").symlink_to("itself")
    splits, pictures = found(tmp_path / "set")
    assert splits == {"train": [("a/0.png", 0), ("b/1.png", 1)]}
    assert not pictures.problems
    assert "3 links in" in caplog.text


def test_a_link_to_nothing_is_a_picture_that_cannot_be_read_and_a_pipe_is_none(tmp_path):
    put(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("gone.png")
    os.mkfifo(tmp_path / "c.png")
    (tmp_path / "d.png").symlink_to("c.png")
    assert found(tmp_path)[0] == {"train": [("a.png", None), ("b.png", None)]}


@pytest.mark.parametrize("classes", [(), ("cat", "dog")])
def test_train_val_and_test_are_splits(classes, tmp_path, caplog):
    for split in ("train", "Val", "test"):
        put(*(tmp_path / split / name / "0.png" for name in classes or ("",)))
    (tmp_path / "notes").mkdir()
    splits, pictures = found(tmp_path)
    assert set(splits) == {"train", "validation", "test"}
    assert pictures.class_names == (classes or None)
    assert [label for _, label in splits["validation"]] == ([0, 1] if classes else [None])
    assert "are taken as its splits: " in caplog.text
    assert list(pictures.one_split().splits) == ["train"]


def test_a_class_may_be_called_train(tmp_path, caplog):
    put(*(tmp_path / name / "0.png" for name in ("train", "bus")))
    assert found(tmp_path)[1].class_names == ("bus", "train")
    assert not caplog.text
    put(tmp_path / "test" / "0.png")
    assert found(tmp_path)[1].class_names == ("bus", "test", "train")
    assert "test, train of" in caplog.text
    assert "are taken as classes, because there are others beside them" in caplog.text


def test_splits_have_the_same_classes(tmp_path):
    put(tmp_path / "train" / "cat" / "0.png", tmp_path / "val" / "dog" / "0.png", tmp_path / "test" / "0.png")
    _, pictures = found(tmp_path)
    assert sorted(pictures.problems, reverse=True) == [
        "the split validation has classes that train lacks (dog)",
        "the split test has no classes, and train has some",
    ]


def test_only_splits_without_train_are_to_be_named(tmp_path):
    put(tmp_path / "val" / "0.png")
    assert list(find_pictures(tmp_path).one_split().splits) == ["validation"]
    put(tmp_path / "test" / "0.png")
    with pytest.raises(UserError, match=r"has the splits .*: give the folder of one"):
        find_pictures(tmp_path).one_split()


def test_labels_as_stylegan2_ada_writes_them(tmp_path):
    put(
        *(tmp_path / "00000" / f"img0000000{i}.png" for i in range(3)), tmp_path / "00001" / "img00000003.png"
    )
    shutil.copytree(tmp_path, tmp_path.parent / "null")
    labels = [[f"00000/img0000000{i}.png", label] for i, label in enumerate((10, 2, 0))]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [*labels, ["00001\\img00000003.png", 2]]}))
    splits, pictures = found(tmp_path)
    assert [label for _, label in splits["train"]] == [10, 2, 0, 2]
    assert pictures.class_names == tuple(map(str, range(11)))
    (tmp_path.parent / "null" / "dataset.json").write_text('{"labels": null}')
    splits, pictures = found(tmp_path.parent / "null")
    assert [label for _, label in splits["train"]] == [None] * 4
    assert pictures.class_names is None
    assert not pictures.problems


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"labels": [["0.png", 1]]}', r"dataset\.json has no label for 1 picture \(1\.png\)"),
        ('{"labels": [["0.png", 1], ["1.png", -1]]}', r"gives 1 picture \(1\.png\) a label that is no whole"),
        ('{"labels": [["0.png", 1], ["1.png", 1000000000]]}', "no whole number from 0 to 99999"),
        ('{"labels": [["0.png", [0, 1]], ["1.png", true]]}', "gives 2 pictures"),
        ('{"labels": [["0.png"]]}', r"dataset\.json cannot be read"),
        ('{"labels": 5}', r"dataset\.json cannot be read"),
        ("{", r"dataset\.json cannot be read"),
        ("[" * 100_000, r"dataset\.json cannot be read"),
        ("\udcff", r"dataset\.json cannot be read"),
    ],
)
def test_labels_that_will_not_do(content, message, tmp_path):
    put(tmp_path / "0.png", tmp_path / "1.png")
    (tmp_path / "dataset.json").write_text(content, errors="surrogateescape")
    assert re.search(message, "; ".join(find_pictures(tmp_path).problems))


def test_a_dataset_json_of_another_program_is_left_out(tmp_path, caplog):
    put(tmp_path / "cat" / "0.png", tmp_path / "dog" / "0.png")
    (tmp_path / "dataset.json").write_text('{"name": "pets"}')
    assert found(tmp_path)[1].class_names == ("cat", "dog")
    assert "holds no labels" in caplog.text


def test_all_problems_are_said_at_once(tmp_path):
    put(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "cats" / "c.png")
    (tmp_path / "dogs").mkdir()
    first, second = find_pictures(tmp_path).problems
    assert "2 pictures (a.png, b.png) beside 1 sub-folder with pictures (cats)" in first
    assert "no pictures in 1 sub-folder (dogs)" in second


def test_no_pictures(tmp_path):
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no pictures in .* or its 1 sub-folder"):
        find_pictures(tmp_path)
