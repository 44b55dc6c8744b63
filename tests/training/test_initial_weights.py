"""A run that begins with the networks of another one, and only begins so."""

import json
import shutil

import numpy as np
import pytest

from gan_jax.config.build import build, example_batch
from gan_jax.config.components import complete
from gan_jax.config.init_from import InitFrom
from gan_jax.distributed import parallel
from gan_jax.study.study import Study, runs_of
from gan_jax.training.initial_weights import with_weights_of
from gan_jax.training.restore import restored_run
from gan_jax.utils.errors import UserError
from tests.runs import assert_same_bits, leaves, recorded, run, tiny


@pytest.fixture(scope="module")
def source(tmp_path_factory, data_dir):
    """The folder of a run of 16 steps, with checkpoints after 8 and 16."""
    folder = tmp_path_factory.mktemp("source") / "run"
    run(tiny(data_dir, num_steps=16), folder)
    return folder


def fresh(data_dir, **fields):
    """The algorithm of a run, and the state with which it begins."""
    plan = build(complete(tiny(data_dir, seed=3, **fields)))
    batch, mesh = example_batch(plan.spec, plan.batch_size), parallel.mesh_of_at_most(1)
    return plan.algorithm, parallel.initial_state(plan.algorithm, plan.key, batch, mesh)


def of(tree, prefix):
    return {path: value for path, value in leaves(tree).items() if path.startswith(prefix)}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[path], other[path]) for path in one)


def test_weights_statistics_and_average_are_taken_and_nothing_else(source, data_dir):
    (algorithm, state), (_, _, theirs) = fresh(data_dir), restored_run(source)
    found, origin = with_weights_of(InitFrom(run=str(source)), algorithm, state, averaged=True)
    for taken in (".generator.params", ".generator.stats", ".discriminator.params", ".ema"):
        assert same(of(found, taken), of(theirs, taken))
        assert not same(of(found, taken), of(state, taken))
    for kept in (".generator.opt", ".discriminator.opt", ".step", ".key", ".extra"):
        assert same(of(found, kept), of(state, kept))
    assert (origin["run"], origin["step"]) == (str(source), 16)
    assert set(origin["digests"]) == {"generator", "ema", "discriminator"}
    found, _ = with_weights_of(InitFrom(run=str(source)), algorithm, state, averaged=False)
    assert same(leaves(found.ema["params"]), leaves(theirs.generator.params))


def test_one_player_of_one_checkpoint(source, data_dir):
    algorithm, state = fresh(data_dir, **{"discriminator.widths": (9,)})
    chosen = InitFrom(run=str(source), players="generator", checkpoint="8")
    found, origin = with_weights_of(chosen, algorithm, state, averaged=True)
    theirs = restored_run(source, step=8)[2]
    assert same(of(found, ".generator.params"), of(theirs, ".generator.params"))
    assert same(of(found, ".discriminator"), of(state, ".discriminator"))
    assert origin["step"] == 8
    assert set(origin["digests"]) == {"generator", "ema"}


@pytest.mark.parametrize(
    ("chosen", "fields", "words"),
    [
        (
            dict(),
            {"generator.widths": (9,)},
            r"the generator there is another network: .*float32\[4, 9\] here",
        ),
        (
            dict(),
            {"generator.norm": "none"},
            r"another network: .* is absent here and float32\[8\] there",
        ),
        (dict(), {"data.resolution": 20}, "another network: .* size of images and classes, or leave the gen"),
        (
            dict(players="critic"),
            {},
            "this run has no player 'critic'; those of both are disc",
        ),
        (dict(checkpoint="9"), {}, "9"),
        (dict(checkpoint="best"), {}, "best"),
        (dict(run="nowhere"), {}, "nowhere holds no run"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(chosen, fields, words, source, data_dir):
    with pytest.raises(UserError, match=words):
        with_weights_of(InitFrom(**{"run": str(source), **chosen}), *fresh(data_dir, **fields), averaged=True)


def test_what_the_same_weights_are_told_is_compared(source, data_dir, caplog):
    with_weights_of(InitFrom(run=str(source)), *fresh(data_dir), averaged=True)
    assert "the same weights" not in caplog.text
    changed = {"generator.activation": "relu", "discriminator.dropout": 0.0}
    with_weights_of(InitFrom(run=str(source)), *fresh(data_dir, **changed), averaged=True)
    for words in (
        "generator has the same weights, but activation is 'relu' here and 'leaky_relu' there",
        "discriminator has the same weights, but dropout is 0.0 here and 0.3 there",
    ):
        assert words in caplog.text


def test_a_checkpoint_is_newest_best_or_a_step(data_dir):
    with pytest.raises(UserError, match=r"init_from: checkpoint='last': it must be newest, best, or a step"):
        build(complete(tiny(data_dir, **{"init_from.checkpoint": "last"})), None)


def test_a_run_is_begun_so_once_and_says_it(source, data_dir, tmp_path, monkeypatch):
    """It goes on with the same bits when the other run is gone; a run that has begun otherwise is refused."""
    monkeypatch.chdir(source.parent)
    config = tiny(data_dir, num_steps=8, seed=3, **{"init_from.run": source.name})  # a relative path
    config.generator_optimizer.learning_rate = 1e-30
    state = run(config, tmp_path / "whole")
    trained = restored_run(source)[2]
    assert same(of(state, ".generator.params"), of(trained, ".generator.params"))  # it learns nothing new
    record = recorded(tmp_path / "whole")["init_from"]
    assert (record["run"], record["step"]) == (str(source), 16)
    copy = shutil.copytree(source, source.parent / "copy")
    config.init_from.run = "copy"
    with pytest.raises(ArithmeticError):
        run(config, tmp_path / "cut", stop_at=4, by=ArithmeticError)  # before its first checkpoint
    record = json.loads((tmp_path / "cut" / "config.json").read_text())
    record["init_from"]["digests"]["generator"] = "0"
    (tmp_path / "cut" / "config.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"began with the weights of .*copy at step 16, and would now"):
        run(config, tmp_path / "cut")
    shutil.rmtree(copy)
    with pytest.raises(UserError, match=r"init_from\.run: .*copy -> "):
        run(tiny(data_dir, num_steps=8), tmp_path / "cut")
    shutil.move(source, copy)
    config.init_from.run = source.name
    assert_same_bits(run(config, tmp_path / "whole"), state)
    shutil.move(copy, source)


def test_studies_begin_with_random_weights(data_dir):
    base = tiny(data_dir, **{"init_from.run": "x", "evaluation.metrics": "fid"})
    with pytest.raises(UserError, match="a study's runs begin with random weights"):
        runs_of(Study(question="?", base=base, variants={"a": {}}, seeds=1, ranked_by=("fid",)))
