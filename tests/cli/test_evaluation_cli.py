"""`gan-jax evaluate`, `scores` and `train-classifier` as one types them."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from gan_jax.config.choices import with_components
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.protocol import from_row
from gan_jax.feature_networks.classifier_cache import read_classifier
from gan_jax.main import main
from gan_jax.summaries.logs import read_metrics, read_rows
from gan_jax.summaries.pictures import save_png
from gan_jax.utils.errors import UserError
from tests.runs import flip_byte, run, tiny


@pytest.fixture(autouse=True)
def folders(data_dir, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory, data_dir):
    """A run without evaluation."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    run(tiny(data_dir, num_steps=8), folder)
    return folder


@pytest.fixture(scope="module")
def watched(tmp_path_factory, data_dir):
    """A run with a best checkpoint that is not its last."""
    config = tiny(data_dir, num_steps=8)
    with config.unlocked():
        config.evaluation = dict(metrics="fid", every_steps=2, num=40, network="random")
    folder = tmp_path_factory.mktemp("watched") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_JAX_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setattr("gan_jax.evaluation.plan.EvaluationPlan.is_better", lambda self, new, old: False)
        run(config, folder)  # so the first stays the best
    return folder


@pytest.fixture
def workdir(plain, tmp_path):
    """A copy of the plain run, to be written to."""
    return shutil.copytree(plain, tmp_path / "copy")


def evaluate(fake, *more, metrics="fid", num=40, network="random"):
    return main(
        ["evaluate", f"--fake={fake}", f"--metrics={metrics}", f"--num={num}", f"--network={network}", *more]
    )


def records(path):
    return [record for record in map(from_row, read_rows(path)) if record is not None]


def cells(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]


def test_a_run_is_scored_against_the_split_that_it_was_trained_on(workdir, capsys):
    assert evaluate(workdir, metrics="fid,prdc") == 0
    out, err = capsys.readouterr()
    head, _, row = cells(out)
    names = ("fid", "precision", "recall", "density", "coverage")
    assert head == ["fake", "step", *(f"{name} {arrow}" for name, arrow in zip(names, "↓↑↑↑↑", strict=True))]
    assert row[:2] == ["copy (last)", "8"]
    assert "40 fakes against 44 reals of shapes:train" in out
    assert "has no best checkpoint: only its last one is scored" in err
    (record,) = records(workdir / "metrics.jsonl")
    assert f"{record.scores['fid'].value:.4g}" == row[2]
    assert (record.seed, record.averaged, record.which) == (0, True, "last")
    assert [row["step"] for row in read_metrics(workdir)] == [5, 8, 8]


def test_best_and_last_are_both_scored(watched, tmp_path, capsys):
    assert evaluate(watched, f"--out={tmp_path / 'rows.jsonl'}") == 0
    rows = cells(capsys.readouterr().out)[2:]
    assert [row[:2] for row in rows] == [
        ["run (last)", "8"],
        ["run (best by fid while training)", "2"],
    ]
    assert rows[0][2] != rows[1][2]
    assert [record.step for record in records(tmp_path / "rows.jsonl")] == [8, 2]


def test_the_score_while_training_is_that_of_the_command(watched, tmp_path):
    """The same weights, latents, reals and network."""
    assert evaluate(watched, f"--out={tmp_path / 'rows.jsonl'}") == 0
    trained = {r.step: r for r in records(watched / "metrics.jsonl") if r.which == "while training"}
    for record in records(tmp_path / "rows.jsonl"):
        before = trained[record.step]
        assert before.setting == record.setting
        assert record.scores["fid"].value == pytest.approx(before.scores["fid"].value, rel=1e-6)


def test_repeats_differ_in_the_seed_only_and_are_called_evaluation_noise(workdir, capsys):
    assert evaluate(workdir, "--repeats=3", "--seed=5") == 0
    out = capsys.readouterr().out
    found = records(workdir / "metrics.jsonl")
    assert [record.seed for record in found] == [5, 6, 7]
    assert len({record.setting.id for record in found}) == 1
    values = [record.scores["fid"].value for record in found]
    assert len(set(values)) == 3
    (row,) = cells(out)[2:]
    assert row[2] == f"{np.mean(values):.4g} ± {np.std(values, ddof=1):.2g}"
    assert "over 3 seeds of the evaluation" in out


def test_raw_weights_are_others_and_said_to_be(workdir, capsys):
    assert evaluate(workdir) == 0
    assert evaluate(workdir, "--raw") == 0
    averaged, raw = records(workdir / "metrics.jsonl")
    assert (averaged.averaged, raw.averaged) == (True, False)
    assert averaged.scores["fid"].value != raw.scores["fid"].value
    assert "8, not averaged" in capsys.readouterr().out


def test_files_from_anywhere_are_scored_with_the_same_tool(tmp_path, data_dir, capsys):
    reals = data.load("shapes", data_dir=str(data_dir), resolution=16, channels=1, num_examples=44)
    images = reals.arrays()["image"]
    np.savez(tmp_path / "images.npz", images=images)
    for number, image in enumerate(images):
        save_png(tmp_path / "pictures" / f"{number:02d}.png", image)
    out = f"--out={tmp_path / 'rows.jsonl'}"
    code = main(
        [
            "evaluate",
            f"--fake={tmp_path / 'pictures'}",
            f"--real={tmp_path / 'images.npz'}",
            "--metrics=fid,prdc",
            "--network=random",
            out,
        ]
    )
    assert code == 0
    (record,) = records(tmp_path / "rows.jsonl")
    assert record.scores["fid"].value == pytest.approx(0, abs=1e-6)
    assert record.scores["recall"].value == 1
    assert (record.step, record.averaged, record.setting.num_fakes) == (None, None, 44)
    assert (record.fake, record.setting.real) == ("folder pictures", "npz images.npz")
    assert "not averaged" not in capsys.readouterr().out


def test_scores_shows_what_was_measured_of_several_runs(workdir, watched, capsys):
    assert evaluate(workdir) == 0
    capsys.readouterr()
    assert main(["scores", str(workdir), str(watched)]) == 0
    out = capsys.readouterr().out
    rows = cells(out)
    assert rows[2][0] == f"{workdir} (last)"
    assert rows[3][0].startswith(str(watched))
    assert {row[1] for row in rows[3:]} == {"2", "4", "6", "8"}
    assert rows[0] == ["fake", "step", "fid ↓"]  # the same protocol


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fake=nowhere"], "--real is missing"),
        (["--fake=nowhere", "--real=shapes:train"], "'nowhere' is neither a folder nor a file"),
        (["--fake=shapes", "--real=shapes", "--metrics=fed"], "unknown metric 'fed'"),
        (["--fake=shapes:train[:99]", "--real=shapes", "--metrics=kid"], "kid needs at least 1000 fakes"),
        (["--fake=shapes", "--real=shapes", "--network=resnet"], "choose one of auto, classifier"),
        (["--fake=shapes", "--real=shapes", "--repeats=2"], "--repeats is for runs"),
        (["--fake=shapes", "--real=shapes", "--raw"], "--raw is for runs"),
    ],
)
def test_wrong_arguments(arguments, message, capsys, data_dir):
    assert main(["evaluate", "--network=random", *arguments]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("gan-jax: ")
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate"], "--fake is missing"),
        (["evaluate", "--fake=x", "--num=0"], "num"),
        (["evaluate", "--fake=x", "--resizer=lanczos"], "legacy"),
        (["evaluate", "x", "y"], "unexpected argument 'y'"),
        (["scores"], "usage: gan-jax scores"),
        (["train-classifier"], "usage: gan-jax train-classifier"),
    ],
)
def test_wrong_usage(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_workdir_without_a_checkpoint(workdir, capsys):
    shutil.rmtree(workdir / "checkpoints")
    assert evaluate(workdir) == 1
    assert "has no checkpoint yet" in capsys.readouterr().err


def test_a_damaged_best_checkpoint(watched, tmp_path, capsys):
    copy = shutil.copytree(watched, tmp_path / "run")
    flip_byte(copy / "best" / "2")
    assert evaluate(copy) == 0
    out, err = capsys.readouterr()
    assert [row[1] for row in cells(out)[2:]] == ["8"]
    assert "the best checkpoint cannot be used: checkpoint 2 in" in err


def test_a_run_without_an_average(tmp_path, data_dir, capsys):
    config = tiny(data_dir, num_steps=2)
    with config.unlocked():
        config.ema = dict(name="none")
    run(config, tmp_path / "run")
    assert evaluate(tmp_path / "run", "--raw") == 1
    assert "keeps no average" in capsys.readouterr().err
    assert evaluate(tmp_path / "run") == 0
    (record,) = records(tmp_path / "run" / "metrics.jsonl")
    assert record.averaged is False


def test_no_scores_yet(workdir, capsys):
    assert main(["scores", str(workdir)]) == 1
    assert f"holds no scores: gan-jax evaluate --fake={workdir}" in capsys.readouterr().err
    assert main(["scores", "nowhere"]) == 1
    assert "nowhere: there is no such run or file of rows" in capsys.readouterr().err


def test_what_was_measured_before_an_interruption_stays(workdir, monkeypatch, capsys):
    calls = []
    measure = Evaluator.__call__

    def second_is_interrupted(self, fake):
        calls.append(fake)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(self, fake)

    monkeypatch.setattr(Evaluator, "__call__", second_is_interrupted)
    assert evaluate(workdir, "--repeats=2") == 130
    assert len(records(workdir / "metrics.jsonl")) == 1


def test_a_run_can_be_continued_after_it_was_scored(workdir, data_dir):
    assert evaluate(workdir) == 0
    run(tiny(data_dir, num_steps=12), workdir)
    rows = read_metrics(workdir)
    assert [row["step"] for row in rows] == [5, 8, 8, 10, 12]
    assert len(records(workdir / "metrics.jsonl")) == 1


def test_a_run_on_a_folder_is_scored_where_the_pictures_are_now(tmp_path, data_dir, capsys):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, image in enumerate(data.load("shapes", resolution=16, num_examples=12).arrays()["image"]):
        save_png(pictures / f"{number}.png", image)
    config = with_components(tiny(data_dir, num_steps=4), {"data.name": "image_folder"})
    config.data.folder = str(pictures)
    run(config, tmp_path / "run")
    pictures = pictures.rename(tmp_path / "moved")
    sized = dict(num=12, network="pixels")
    assert evaluate(tmp_path / "run", **sized) == 1
    assert "gan-jax evaluate --real_dir" in capsys.readouterr().err
    assert evaluate(tmp_path / "run", f"--real_dir={pictures}", **sized) == 0
    save_png(pictures / "3.png", np.zeros((16, 16, 3), np.uint8))
    assert evaluate(tmp_path / "run", f"--real_dir={pictures}", **sized) == 1
    assert "are not those that it was trained on" in capsys.readouterr().err
    assert evaluate(tmp_path / "run", f"--real_dir={pictures}", "--changed_reals", **sized) == 0
    before, changed = records(tmp_path / "run" / "metrics.jsonl")
    assert before.setting.id != changed.setting.id
    assert evaluate(tmp_path / "run", "--real=shapes", "--changed_reals", **sized) == 1
    assert "--changed_reals is about the data that the run" in capsys.readouterr().err


def test_out_is_a_file_of_rows(workdir, tmp_path):
    out = tmp_path / "deep" / "rows.jsonl"
    assert evaluate(workdir, f"--out={out}") == 0
    assert evaluate(workdir, f"--out={out}", "--seed=1") == 0
    assert [json.loads(line)["evaluation"]["seed"] for line in out.read_text().splitlines()] == [0, 1]
    assert not records(workdir / "metrics.jsonl")


def test_the_nearest_reals_are_drawn_beside_the_fakes(tmp_path):
    """The fakes are reals, so the first neighbour of each is itself."""
    out = tmp_path / "sub" / "near.png"
    sides = ("--fake=shapes:train[20:35]", "--real=shapes:train[:50]")
    assert main(["evaluate", *sides, "--metrics=fid", "--network=pixels", f"--neighbours={out}"]) == 0
    with Image.open(out) as opened:
        picture = np.asarray(opened)
    assert picture.shape[:2] == (10 * 34 - 2, 8 * 34 - 2)
    fake, first, second = (picture[:, start : start + 32] for start in (0, 34, 68))
    np.testing.assert_array_equal(fake, first)
    assert (fake != second).any()


def test_a_run_may_stand_for_the_reals(workdir, watched, capsys):
    """And is compared with other images of its own, not with the same ones."""
    assert evaluate(workdir, f"--real={watched}", "--num_real=50") == 0
    assert evaluate(workdir, f"--real={workdir}", "--num_real=50") == 0
    other, own = records(workdir / "metrics.jsonl")
    assert (other.setting.real, own.setting.real) == ("run run", "run copy")
    # Both were trained from one seed to step 8, so they are the same reals.
    assert other.setting.real_fingerprint == own.setting.real_fingerprint
    assert own.scores["fid"].value > 0
    capsys.readouterr()
    assert evaluate(workdir, f"--real={watched}") == 1
    assert "say with --num_real how many" in capsys.readouterr().err


def test_fewer_fakes_than_asked_for(capsys):
    assert evaluate("shapes:train[:30]", "--real=shapes:train[:40]") == 1
    assert "holds 30 images, and 40 are asked for: ask for 30 or fewer" in capsys.readouterr().err


def test_scores_shows_what_is_asked_for(watched, tmp_path, capsys):
    copy = shutil.copytree(watched, tmp_path / "run")
    assert evaluate(copy, metrics="fid,prdc") == 0
    capsys.readouterr()
    assert main(["scores", str(copy), "--only=recall,fid"]) == 0
    rows = cells(capsys.readouterr().out)
    assert rows[0] == ["fake", "step", "recall ↑", "fid ↓"]
    assert [row[1] for row in rows[2:]] == ["8", "2"]  # the last and the best
    assert main(["scores", str(copy), "--all"]) == 0
    assert {row[1] for row in cells(capsys.readouterr().out)[2:]} == {"2", "4", "6", "8"}
    assert main(["scores", str(copy), "--only=fid,kid"]) == 1
    assert "none of these has been scored by kid" in capsys.readouterr().err


def test_an_unwritable_out_is_said_before_anything_is_computed(workdir, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Evaluator, "__call__", lambda self, fake: pytest.fail("computed"))
    assert evaluate(workdir, f"--out={tmp_path}") == 1
    assert f"cannot write {tmp_path}" in capsys.readouterr().err


def test_a_disk_that_fills_up_does_not_take_the_table_away(workdir, capsys, monkeypatch):
    def full(path, row):
        raise UserError("cannot write: no space")

    monkeypatch.setattr("gan_jax.cli.evaluation_commands.append_row", full)
    assert evaluate(workdir) == 1
    out, err = capsys.readouterr()
    assert "copy (last)" in out
    assert "no space" in err


def test_a_half_written_row_does_not_swallow_the_next(workdir):
    rows = workdir / "metrics.jsonl"
    rows.write_bytes(rows.read_bytes()[:-20])
    assert evaluate(workdir) == 0
    assert len(records(rows)) == 1


def test_rows_of_another_version_are_counted(workdir, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    assert evaluate(workdir, f"--out={out}") == 0
    with out.open("a") as rows:
        rows.write('{"step": 3, "evaluation": {"new": 1}}\n')
    capsys.readouterr()
    assert main(["scores", str(out)]) == 0
    assert "1 scores of another version are left out" in capsys.readouterr().err


def test_a_score_within_another_metric_is_explained(workdir, capsys):
    assert evaluate(workdir, metrics="precision") == 1
    assert "which is a score of prdc" in capsys.readouterr().err


# What is measured, and what has to be there for it.


@pytest.fixture
def pictures(tmp_path):
    """Two folders of random pictures, and a third of other ones."""
    rng = np.random.default_rng(0)
    for name, count in (("a", 8), ("b", 30), ("fresh", 24)):
        for number in range(count):
            save_png(tmp_path / name / f"{number}.png", rng.integers(0, 256, (16, 16, 3), np.uint8))
    return tmp_path


@pytest.fixture
def no_training(monkeypatch):
    """Checks come first: whoever opens a network, fails."""
    monkeypatch.setattr(
        "gan_jax.cli.evaluation_commands.open_network", lambda *_, **__: pytest.fail("network opened")
    )


def test_the_default_metrics_are_those_that_the_network_and_the_numbers_allow(pictures, capsys):
    sides = (f"--fake={pictures / 'a'}", f"--real={pictures / 'b'}")
    assert main(["evaluate", *sides, "--network=random"]) == 0
    out, err = capsys.readouterr()
    shown = [cell.split()[0] for cell in cells(out)[0][2:]]
    assert shown == ["fid", "precision", "recall", "density", "coverage"]
    assert "left out: kid needs at least 1000 fakes, and there are 8; inception_score needs" in err
    assert main(["evaluate", f"--fake={pictures / 'b'}", sides[1], "--network=random"]) == 0
    assert (
        "inception_score needs a network that classifies, and random (seed 0) does not"
        in capsys.readouterr().err
    )
    for name in ("kid", "inception_score"):  # one that is asked for is an error
        assert main(["evaluate", *sides, "--network=random", f"--metrics={name},fid"]) == 1
        assert f"{name} needs" in capsys.readouterr().err


def test_nothing_that_can_be_measured_is_an_error(pictures, capsys):
    single = pictures / "one"
    save_png(single / "0.png", np.zeros((16, 16, 3), np.uint8))
    assert main(["evaluate", f"--fake={single}", f"--real={single}", "--network=random"]) == 1
    assert "nothing can be measured: fid needs at least 2 fakes" in capsys.readouterr().err


def test_smaller_subsets_of_kid_are_another_protocol(pictures, capsys):
    sides = (f"--fake={pictures / 'a'}", f"--real={pictures / 'b'}", "--network=random")
    assert main(["evaluate", *sides, "--metrics=kid", "--kid_subset_size=5"]) == 0
    assert "kid version 1 (100 subsets of 5)" in capsys.readouterr().out
    assert main(["evaluate", *sides, "--metrics=fid", "--kid_subset_size=5"]) == 1
    assert "kid_subset_size=5 is of use to kid alone" in capsys.readouterr().err


def test_memorisation_with_held_out_pictures(pictures, capsys):
    fake = pictures / "many"
    for number in range(2):
        for path in (pictures / "b").iterdir():
            (fake / str(number)).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, fake / str(number))
    sides = (f"--fake={fake}", f"--real={pictures / 'b'}", "--network=pixels", "--metrics=memorisation")
    assert main(["evaluate", *sides, f"--held_out={pictures / 'fresh'}"]) == 0
    out = capsys.readouterr().out
    assert "held out 24 images of folder fresh (24 pictures 16 x 16 x 3 sha256" in out  # in the protocol
    head, row = cells(out)[0], cells(out)[2]
    assert float(row[head.index("authenticity")]) == 0  # copies of the reals


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--fake={}/b", "--metrics=memorisation"], "not trained on: name some (held_out), take the"),
        (["--metrics=memorisation", "--held_out={}/b"], "are the reals themselves"),
        (["--metrics=memorisation", "--held_out={}/a"], "needs at least 20 fakes"),
        (["--metrics=memorisation", "--held_out={}/small"], "the images of folder small are 8 x 8 x 3"),
        (["--metrics=fid", "--held_out={}/fresh"], "no metric of fid reads the held-out images"),
        (["--held_out={}/fresh"], "name one of classification_accuracy, memorisation, bits_per_dim, "),
        (
            ["--metrics=kid"],
            "kid needs at least 1000 fakes, and there are 8: give more, take smaller subsets",
        ),
        (["--metrics=intra_class_fid"], "needs labelled reals"),
        (["--metrics=path_length"], "needs a generator"),
        (["--num=9"], "holds 8 images, and 9 are asked for: ask for 8 or fewer"),
        (["--num_real=31"], "holds 30 images, and 31 are asked for"),
        (["--real={}/small"], "bring them to one size"),
        (["--out={}/rows.csv"], "the name must end in .jsonl, which is what is written"),
        (["--neighbours={}/near.gif"], "the name must end in .png or .jpg or .jpeg or .webp"),
    ],
)
def test_what_is_lacking_is_said_before_a_network_is_opened(more, message, pictures, no_training, capsys):
    save_png(pictures / "small" / "0.png", np.zeros((8, 8, 3), np.uint8))
    sides = [f"--fake={pictures / 'a'}", f"--real={pictures / 'b'}"]
    assert main(["evaluate", *sides, *(argument.format(pictures) for argument in more)]) == 1
    assert message in capsys.readouterr().err


def test_a_labelled_folder_is_not_called_unlabelled(pictures, capsys):
    for name in ("a", "fresh"):
        shutil.move(pictures / name, pictures / "labelled" / name)
    sides = (f"--fake={pictures / 'b'}", f"--real={pictures / 'labelled'}")
    assert main(["evaluate", *sides, "--network=classifier", "--metrics=fid"]) == 1
    assert "folder labelled is no data set, only the images of one" in capsys.readouterr().err


def test_a_picture_of_neighbours_is_what_its_name_says(pictures):
    sides = (f"--fake={pictures / 'a'}", f"--real={pictures / 'b'}", "--network=pixels", "--metrics=fid")
    assert main(["evaluate", *sides, f"--neighbours={pictures / 'near.jpg'}"]) == 0
    with Image.open(pictures / "near.jpg") as opened:
        assert opened.format == "JPEG"


def test_a_classifier_of_a_configs_data(tmp_path, monkeypatch, capsys):
    """Its options count, and photographs that are held out whole are no classes to be tested on."""
    monkeypatch.setenv("GAN_JAX_CACHE", str(tmp_path / "cache"))
    numbers = np.random.default_rng(0)
    for name, colour in (("red", 0), ("green", 1), ("blue", 2)):
        photo = numbers.integers(0, 100, (24, 24, 3), np.uint8)
        photo[..., colour] += 100
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    config = tmp_path / "config.py"
    config.write_text(
        "from gan_jax.config.build import base_config\n"
        "def get_config():\n"
        "    config = base_config()\n"
        "    config.data.update(name='photos', tile=8, stride=8)\n"
        "    return config\n"
    )
    fields = [f"--config={config}", f"--config.data.folder={tmp_path}", "--config.data.held_out=green"]
    data_dir = f"--data_dir={tmp_path / 'data'}"
    assert main(["train-classifier", *fields, data_dir, f"--out={tmp_path / 'c.npz'}"]) == 0
    assert "photos has no test split with labels of these classes" in capsys.readouterr().out
    about = read_classifier(tmp_path / "c.npz").about
    assert about["class_names"] == ["blue", "red"]
    assert about["num_classes"] == 2
    assert about["options"]["tile"] == 8
    assert main(["train-classifier", "photos", *fields]) == 2
    assert "in the place of NAME" in capsys.readouterr().err


def test_a_classifier_is_written_as_npz(tmp_path, capsys):
    assert main(["train-classifier", "shapes", f"--out={tmp_path / 'c.pth'}"]) == 1
    assert "c.pth: the name must end in .npz" in capsys.readouterr().err
