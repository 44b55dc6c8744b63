"""`gan-jax translate`: which files become which, what is there already, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_jax.cli import translated_folder, translation
from gan_jax.data.spec import Field
from gan_jax.inference.translate import PictureTranslator
from gan_jax.main import main
from gan_jax.training.train import train
from tests import runs
from tests.inference.test_translate import spec, toy
from tests.shipped import get_config

JPEG = {"quality": 90}


@pytest.fixture(scope="module")
def made() -> Any:
    """An algorithm, its data and a state."""
    return toy(noise=0.1)


@pytest.fixture
def translate(monkeypatch, tmp_path, capsys, caplog, made):
    """translate(input, out, *flags) -> (exit code, output, errors and warnings), of an untrained run."""
    restored = {"run": made}
    monkeypatch.setattr(translation, "restored_run", lambda workdir, folder, step: restored["run"])

    def call(given: Path, out: Path, *more: str, run: Any = None) -> tuple[int, str, str]:
        restored["run"] = run or made
        caplog.clear()
        code = main(["translate", "--workdir", "run", "--input", str(given), "--out", str(out), *more])
        said = capsys.readouterr()
        return code, said.out, said.err + "".join(caplog.messages)

    return call


def save(path: Path, picture: np.ndarray | Image.Image, **options: Any) -> np.ndarray:
    """Writes a picture in the format of its name; returns what is then read as RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, **options)
    with Image.open(path) as written:
        return np.asarray(written.convert("RGB"))


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(
        0, 256, (height // 8 + 1, width // 8 + 1, channels), np.uint8
    )
    return small.repeat(8, 0).repeat(8, 1)[:height, :width]


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image)


@pytest.fixture
def folder(tmp_path):
    """A folder as people have them: formats, sizes, a rotated picture, a sub-folder."""
    given = tmp_path / "given"
    seen = {
        "a.png": save(given / "a.png", noise(32, 40)),
        "b.webp": save(given / "b.webp", noise(40, 32), lossless=True),
        "deeper/still/a.jpg": save(given / "deeper" / "still" / "a.jpg", noise(24, 32), **JPEG),
        "grey.png": save(given / "grey.png", noise(32, 32, 1)[..., 0]),
        "cmyk.jpg": save(given / "cmyk.jpg", Image.fromarray(noise(32, 32)).convert("CMYK"), **JPEG),
        "palette.gif": save(given / "palette.gif", Image.fromarray(noise(32, 32)).quantize(16)),
    }
    exif = Image.Exif()
    exif[0x0112] = 6
    seen["turned.jpg"] = np.rot90(save(given / "turned.jpg", noise(32, 40, seed=1), exif=exif, **JPEG), -1)
    (given / "notes.txt").write_text("no picture")
    return given, seen


def test_a_folder_of_all_kinds(translate, folder, tmp_path, made):
    given, seen = folder
    code, said, warned = translate(given, tmp_path / "out")
    assert code == 0, warned
    assert said == f"7 pictures translated a_to_b by step 0 in {tmp_path / 'out'}\n"
    network = PictureTranslator(*made, direction="a_to_b")
    for name, picture in seen.items():
        found = read((tmp_path / "out" / name).with_suffix(".png"))
        np.testing.assert_array_equal(found, network(np.ascontiguousarray(picture)), err_msg=name)


def test_what_is_made_of_a_picture_is_not_changed_by_others(translate, folder, tmp_path):
    given, _ = folder
    translate(given, tmp_path / "all")
    translate(given / "turned.jpg", tmp_path / "one")
    assert (tmp_path / "all" / "turned.png").read_bytes() == (tmp_path / "one" / "turned.png").read_bytes()


def test_after_an_interrupt_the_rest_is_made_with_the_same_bytes(translate, folder, tmp_path, monkeypatch):
    given, seen = folder
    translate(given, tmp_path / "whole")
    written: list[Path] = []

    def stop(path: Path, *others: Any) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        translated_folder.write_translation(path, *others)

    with monkeypatch.context() as patch:
        patch.setattr(translation, "write_translation", stop)
        assert translate(given, tmp_path / "cut")[0] == 130
    before = {path: path.stat().st_mtime_ns for path in written}
    code, said, _ = translate(given, tmp_path / "cut")
    assert code == 0
    assert said.startswith("4 pictures translated")
    assert said.endswith("; 3 were there already\n")
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert runs.digests(tmp_path / "cut") == runs.digests(tmp_path / "whole")
    assert len(runs.digests(tmp_path / "cut")) == len(seen) + 2  # the record and the lock


@pytest.mark.parametrize("flag", ["--seed=1", "--tile=32"])
def test_a_folder_that_was_made_otherwise(translate, tmp_path, flag):
    save(tmp_path / "given" / "a.png", noise(32, 32))
    assert translate(tmp_path / "given", tmp_path / "out")[0] == 0
    code, _, said = translate(tmp_path / "given", tmp_path / "out", flag)
    assert code == 1
    name, value = flag[2:].split("=")
    assert f"made otherwise ({name} {'0' if name == 'seed' else None} -> {value})" in said
    code, _, said = translate(tmp_path / "given", tmp_path / "out", run=toy(noise=0.1, holes=True))
    assert code == 0  # the same weights


def test_pictures_that_were_made_otherwise_are_known_without_the_record(translate, tmp_path):
    save(tmp_path / "given" / "a.png", noise(32, 32))
    translate(tmp_path / "given", tmp_path / "out")
    (tmp_path / "out" / ".translate.json").unlink()
    code, _, said = translate(tmp_path / "given", tmp_path / "out", "--seed=1")
    assert code == 1
    assert "not made so of these pictures (a.png)" in said


def test_other_weights_are_refused(translate, tmp_path, made):
    save(tmp_path / "given" / "a.png", noise(32, 32))
    translate(tmp_path / "given", tmp_path / "out")
    algorithm, data, state = made
    moved = state.replace(step=state.step + 5)
    code, _, said = translate(tmp_path / "given", tmp_path / "out", run=(algorithm, data, moved))
    assert code == 1
    assert "(step 0 -> 5)" in said


def test_nothing_is_written_over(translate, tmp_path):
    given, out = tmp_path / "given", tmp_path / "out"
    save(given / "a.jpg", noise(32, 32), **JPEG)
    own = save(out / "a.png", noise(8, 8, seed=3))
    code, _, said = translate(given, out)
    assert code == 1
    assert "out has 1 file that would be written over, and was not made so of these pictures (a.png)" in said
    np.testing.assert_array_equal(read(out / "a.png"), own)
    (out / "a.png").unlink()
    assert translate(given, out)[0] == 0
    save(given / "a.jpg", noise(32, 32, seed=5), **JPEG)  # another picture of the same name
    assert translate(given, out)[0] == 1


def test_damaged_pictures_are_named_and_the_others_made(translate, tmp_path):
    given, out = tmp_path / "given", tmp_path / "out"
    save(given / "good.png", noise(32, 32))
    save(given / "half.jpg", noise(320, 320), **JPEG)
    content = (given / "half.jpg").read_bytes()
    (given / "half.jpg").write_bytes(content[: len(content) // 2])
    (given / "none.png").write_bytes(b"")
    code, said, warned = translate(given, out)
    assert code == 1
    assert said.startswith("1 picture translated")
    assert "2 of 3 pictures could not be translated: 1 empty (none.png); 1 damaged" in warned
    assert "(half.jpg)" in warned
    assert {path.name for path in out.iterdir()} == {"good.png", ".translate.json", ".lock"}


def test_transparent_pictures_lie_on_white_or_have_holes(translate, tmp_path):
    picture = noise(32, 32, 4)
    picture[..., 3] = 255
    picture[8:16, 8:16] = 0
    on_white = picture[..., :3].copy()
    on_white[8:16, 8:16] = 255
    save(tmp_path / "clear" / "a.png", picture)
    save(tmp_path / "white" / "a.png", on_white)
    _, _, warned = translate(tmp_path / "clear", tmp_path / "1")
    assert "clear with transparency: laid on white" in warned
    translate(tmp_path / "white", tmp_path / "2")
    np.testing.assert_array_equal(read(tmp_path / "1" / "a.png"), read(tmp_path / "2" / "a.png"))
    fills = toy(holes=True)
    assert translate(tmp_path / "clear", tmp_path / "3", run=fills)[2] == ""
    np.testing.assert_array_equal(read(tmp_path / "3" / "a.png")[8:16, 8:16], 191)
    assert (
        "(a.png): nothing is to be filled in" in translate(tmp_path / "white", tmp_path / "4", run=fills)[2]
    )


def test_deep_and_grey_fields(translate, tmp_path):
    deep = noise(32, 32, 1)[..., 0].astype(np.uint16) * 257
    save(tmp_path / "given" / "deep.png", Image.fromarray(deep))
    grey = Field((32, 32, 1))
    code, _, warned = translate(tmp_path / "given", tmp_path / "out", run=toy(spec(grey, grey)))
    assert code == 0
    assert "1 picture of more than 8 bits (deep.png): 65535 becomes white" in warned
    assert read(tmp_path / "out" / "deep.png").shape == (32, 32)
    save(tmp_path / "usual" / "a.png", noise(32, 32))
    assert "8 bits" not in translate(tmp_path / "usual", tmp_path / "out2")[2]


@pytest.mark.parametrize("ends", [(0.0, 4095.0), (1000.0, 2000.0), (0.0, 1.0), (0.0, 200.0)])
def test_files_are_read_in_the_range_of_the_runs_data(ends, translate, tmp_path, monkeypatch):
    """A range of 8 bits is that of all files, another only of those of more."""
    low, high = ends
    levels = noise(32, 32, 1)[..., 0].astype(int)
    values = low + levels / 255 * (high - low)
    deep = values.astype(np.float32) if high == 1 else np.rint(values).astype(np.uint16)
    save(tmp_path / "given" / "deep.tif", Image.fromarray(deep))
    save(tmp_path / "given" / "usual.png", levels.astype(np.uint8))
    given: list[np.ndarray] = []

    def call(self, picture):
        given.append(picture)
        return picture

    monkeypatch.setattr(PictureTranslator, "__call__", call)
    grey = Field((32, 32, 1), file_range=ends)
    code, _, warned = translate(tmp_path / "given", tmp_path / "out", run=toy(spec(grey, grey)))
    assert code == 0
    found, usual = (picture[..., 0] for picture in given)
    np.testing.assert_allclose(found, levels, atol=1)
    said = f"{low:g} becomes black and {high:g} white, as in the run's data"
    if high == 200:
        np.testing.assert_array_equal(usual, np.rint(np.minimum(levels * 255 / 200, 255)))
        assert f"2 pictures (deep.tif, usual.png): {said}" in warned
    else:
        np.testing.assert_array_equal(usual, levels)
        assert f"1 picture (deep.tif): {said}" in warned


def test_large_pictures_are_cut_where_the_memory_asks_for_it(translate, tmp_path, monkeypatch):
    save(tmp_path / "given" / "wide.png", noise(40, 400))
    save(tmp_path / "given" / "small.png", noise(40, 40))
    asked = []

    def largest(self):
        asked.append(self)
        return 256

    monkeypatch.setattr(PictureTranslator, "largest_tile", largest)
    code, _, warned = translate(tmp_path / "given", tmp_path / "tiles")
    assert code == 0
    assert "1 picture larger than 256 pixels (wide.png)" in warned
    assert json.loads((tmp_path / "tiles" / ".translate.json").read_text())["tile_by_memory"] == 256
    (tmp_path / "tiles" / "wide.png").unlink()
    translate(tmp_path / "given", tmp_path / "tiles")
    assert len(asked) == 1  # what was recorded stays, whatever the memory is then
    monkeypatch.undo()


def test_the_output_may_lie_in_the_input(translate, tmp_path):
    save(tmp_path / "a.png", noise(32, 32))
    for _ in range(2):
        assert translate(tmp_path, tmp_path / "made")[0] == 0
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"a.png", ".translate.json", ".lock"}


@pytest.mark.parametrize(
    ("names", "given", "out", "message"),
    [
        (["a.jpg", "a.png"], "", "made", "a.jpg, a.png would both become a.png: rename one"),
        (["a.png"], "", "", "is where the pictures are"),
        (["a.png"], "a.png", "", "is where the pictures are"),
        (["a.png"], "", "b.png", "b.png: give a folder"),
        (["a.png"], "nothing", "made", "nothing is neither a picture nor a folder"),
        ([], "", "made", "no pictures in"),
        (["made/a.png"], "", "made", "but those in"),
    ],
)
def test_what_cannot_be_meant(translate, tmp_path, names, given, out, message):
    folder = tmp_path / "given"
    folder.mkdir()
    for name in names:
        save(folder / name, noise(8, 8))
    before = runs.digests(folder)
    code, _, said = translate(folder / given, folder / out)
    assert code == 1
    assert message in said
    assert said.count("\n") == 1
    assert runs.digests(folder) == before


def test_a_run_that_translates_nothing_or_another_way(translate, tmp_path):
    save(tmp_path / "a.png", noise(32, 32))
    code, _, said = translate(tmp_path, tmp_path / "made", run=toy(ways=()))
    assert code == 1
    assert "the run in run cannot translate: Toy makes no pictures of pictures" in said
    code, _, said = translate(tmp_path, tmp_path / "made", "--direction=b_to_a")
    assert code == 1
    assert "direction=b_to_a: Toy translates a_to_b" in said
    assert translate(tmp_path, tmp_path / "made", "--best", "--step=3")[0] == 2
    assert not (tmp_path / "made").exists()


def test_a_record_that_is_damaged(translate, tmp_path):
    save(tmp_path / "a.png", noise(32, 32))
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / ".translate.json").write_text("{}")
    code, _, said = translate(tmp_path, tmp_path / "made")
    assert code == 1
    assert ".translate.json is damaged" in said


def test_texts_in_a_png_change_no_pixel():
    content = translated_folder.encode_png(noise(8, 8), {"a": "b"})
    with Image.open(io.BytesIO(content)) as image:
        assert image.info["a"] == "b"
        np.testing.assert_array_equal(np.asarray(image), noise(8, 8))


@pytest.mark.slow
def test_the_example_of_the_help_with_a_shorter_run(tmp_path, data_dir, capsys):
    config = get_config("colouring_shapes")
    config.update(num_steps=2, checkpoint_every_steps=1, sample_every_steps=2)
    config.data.update(dir=str(data_dir), num_examples=40)
    config.generator.width = config.discriminator.width = 4
    run, shapes = tmp_path / "run", tmp_path / "shapes"
    train(config, run)
    assert main(["sample", f"--workdir={run}", "--num=3", f"--out={shapes}/"]) == 0
    assert {folder.name for folder in shapes.iterdir()} == {"source", "made", "truth"}
    command = ["translate", f"--workdir={run}", f"--input={shapes}/source", f"--out={tmp_path}/made"]
    assert main([*command, "--step=2"]) == 0
    for name in ("000000.png", "000001.png", "000002.png"):
        made, wanted = read(tmp_path / "made" / name), read(shapes / "made" / name)
        assert np.abs(made.astype(int) - wanted).max() <= 4  # the grey was rounded to 8 bits
    assert main([*command, "--step=1"]) == 1
    assert "made otherwise (step 2 -> 1, weights" in capsys.readouterr().err
