"""Every command and every piece of Python on the pages runs, made small, in a folder of its own per page.

What is made small: a training makes a few steps, a score looks at few images, of a study the plan is shown.
Blocks that cannot be run here say so on the page (see `blocks.py`); what installs the package is left out.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import pytest

import gan_jax
from gan_jax.distributed import parallel
from gan_jax.feature_networks import classifier_cache, classifier_training
from gan_jax.feature_networks.classifier_training import Recipe
from gan_jax.main import main
from tests.docs.blocks import PAGES, SHELL, Block, arguments, blocks, command_lines, programs
from tests.docs.test_commands import named
from tests.runs import ROOT

SHARED = ROOT.parent / "shared" / "data"
STEPS = 4  # of a training; of one that has more or fewer than its config says, in proportion
DOWNLOADED = ("fashion_mnist", "mnist")
INSTALL = ("cd", "export", "git", "make", "pip", "source")
RUN = [page for page in PAGES if any(not block.not_run for block in blocks(page))]


def value(words: list[str], flag: str, default: str = "") -> str:
    """That of a flag of a command line, --flag=value or --flag value."""
    for place, word in enumerate(words):
        if word == flag:
            return words[place + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return default


def made_small(words: list[str]) -> list[str]:
    """A command line that asks for less: the last of a flag counts."""
    if words[0] == "train" and not {"--help", "--dry_run"} & set(words):
        config = gan_jax.load_config(value(words, "--config"))

        def scaled(asked: Any) -> int:
            return max(1, round(STEPS * float(asked) / config.num_steps))

        small = [
            f"--config.num_steps={scaled(value(words, '--config.num_steps', config.num_steps))}",
            "--config.steps_per_call=1",
            "--config.evaluation.num=100",
            "--devices=1",
        ]
        every = value(words, "--config.evaluation.every_steps", config.evaluation.every_steps)
        return [*words, *small, f"--config.evaluation.every_steps={scaled(every)}"]
    if words[0] == "evaluate":
        fake = value(words, "--fake", words[1])
        fewer = ["--num=1000"] if "--num" in words or Path(fake, "config.json").is_file() else []
        return [*words, *fewer] + ["--num_real=1000"] * (
            "prdc" in value(words, "--metrics") or ":" in value(words, "--real")
        )
    if words[0] == "sample" and "--num" in words:
        return [*words, f"--num={min(16, int(value(words, '--num')))}"]
    if words[0] == "augment":
        return [*words, "--per_class=3"]
    if words[0] == "train-classifier" and "--config" in words:
        return [*words, "--train_steps=3"]
    if words[0] == "project":
        return [*words, "--iterations=2"]
    if words[0] == "study" and "--dry_run" not in words:
        return [*words, "--dry_run"]
    if words[:2] == ["data", "prepare"] and words[2] in DOWNLOADED and "--from" not in words:
        return [*words, "--from", str(SHARED / words[2])]
    return words


def train_small(
    train: Any, *given: Any, num_steps: int = 0, overrides: Any = None, **others: Any
) -> gan_jax.Run:
    """`gan_jax.train` of a few steps."""
    small = {"steps_per_call": 1, **(overrides or {})}
    return train(*given, num_steps=2, overrides=small, devices=1, **others)


def evaluate_small(evaluate: Any, *given: Any, num: int = 0, metrics: Any = ("fid",), **others: Any) -> Any:
    """`gan_jax.evaluate` of 1,000 fakes, without what compares all pairs of reals."""
    names = [metrics] if isinstance(metrics, str) else metrics
    chosen = [metric for metric in names if metric != "prdc"]
    return evaluate(
        *given, metrics=chosen, num=1_000 if isinstance(given[0], gan_jax.Run) else None, **others
    )


def train_classifier_small(train: Any, images: Any, labels: Any, *given: Any, **others: Any) -> Any:
    """`train_classifier` on few images, once."""
    return train(images[:1_000], labels[:1_000], *given, **{**others, "recipe": Recipe(epochs=1)})


def run_shell(block: Block, capfd: pytest.CaptureFixture[str]) -> None:
    for line in command_lines(block.text):
        for words in programs(line):
            given = arguments(words)
            if given is None and words[0] in INSTALL:
                continue
            assert given, f"line {block.line}: {line}: not a command of ours; mark the block as not run"
            code = main(made_small(given))
            assert code == 0, f"line {block.line}: {line}\n{capfd.readouterr().err}"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Iterator[None]:
    """Data sets and caches of these tests; one device."""
    folder, make_mesh = tmp_path_factory.mktemp("data"), parallel.make_mesh
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(folder / "data"))
        patch.setenv("GAN_JAX_CACHE", str(folder / "cache"))
        one = mock.Mock(side_effect=lambda devices=None: make_mesh(devices or jax.devices()[:1]))
        patch.setattr(parallel, "make_mesh", one)
        patch.setattr(gan_jax, "train", functools.partial(train_small, gan_jax.train))
        patch.setattr(gan_jax, "evaluate", functools.partial(evaluate_small, gan_jax.evaluate))
        small = functools.partial(train_classifier_small, classifier_cache.train_classifier)
        patch.setattr(classifier_cache, "train_classifier", small)
        patch.setattr(classifier_training, "_SETTLING_STEPS", 2)
        patch.setattr(classifier_cache, "accuracy", lambda network, images, labels: 0.1)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=named)
def test_a_page_runs(page: Path, tmp_path, monkeypatch, capfd, data):
    if page.name == "README.md":  # which takes the data set for granted
        if not (SHARED / "fashion_mnist").is_dir():
            pytest.skip("fashion_mnist is not in ../shared/data, and nothing is downloaded")
        assert main(["data", "prepare", "fashion_mnist", "--from", str(SHARED / "fashion_mnist")]) == 0
    needed = [name for name in DOWNLOADED if f"prepare {name}" in page.read_text()]
    if any(not (SHARED / name).is_dir() for name in needed):
        pytest.skip(f"{' and '.join(needed)} are not in ../shared/data, and nothing is downloaded")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # as `python` has the folder it is started in
    space: dict[str, Any] = {}
    for block in blocks(page):
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text)
        elif block.not_run:
            continue
        elif block.language in SHELL:
            run_shell(block, capfd)
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), space)
