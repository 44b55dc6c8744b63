"""The loop: however a run is cut into pieces, its numbers and its records are those of one piece."""

import functools
import shutil
import signal
from types import SimpleNamespace
from unittest import mock

import jax
import numpy as np
import pytest

import gan_jax
from gan_jax.core.loop import Every
from gan_jax.distributed import parallel
from gan_jax.training import callbacks as periodic
from gan_jax.training import train as training
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.divergence import Diverged, check_finite
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted
from tests import runs
from tests.runs import STEPS, assert_same_bits, assert_same_records, losses_of, run, tiny
from tests.variants import slow_but

pytestmark = pytest.mark.usefixtures(
    "full_compiler"
)  # the promise of equal bits is kept by optimised programs


@pytest.fixture(scope="module")
def straight(tmp_path_factory, data_dir):
    """straight(devices) -> (final state, workdir) of the run in one piece."""

    @functools.cache
    def trained(devices):
        folder = tmp_path_factory.mktemp("straight") / "run"
        return run(tiny(data_dir), folder, devices=devices), folder

    return trained


@pytest.fixture
def stopped(tmp_path, data_dir):
    """A run that was stopped at step 14: mid-epoch, at no interval's end."""
    with pytest.raises(Interrupted):
        run(tiny(data_dir), tmp_path / "stopped", stop_at=14)
    return tmp_path / "stopped"


class Crash(Exception):
    pass


def test_a_run_that_is_stopped_while_it_compiles_is_as_it_was(tmp_path, data_dir, monkeypatch):
    prepare = training.prepare

    def stopped(*arguments):
        signal.raise_signal(signal.SIGTERM)
        prepare(*arguments)

    monkeypatch.setattr(training, "prepare", stopped)
    with pytest.raises(Interrupted, match="stopped at step 0, as it was; the same command goes on"):
        run(tiny(data_dir), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


@pytest.mark.parametrize("devices", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_a_run_in_pieces_is_the_run_in_one_piece(devices, straight, tmp_path, data_dir):
    state, folder = straight(devices)
    config, workdir = tiny(data_dir), tmp_path / "run"
    with pytest.raises(Interrupted, match="saved at step 14") as stop:
        run(config, workdir, devices=devices, stop_at=14)
    assert stop.value.signum == signal.SIGTERM
    with pytest.raises(Crash):
        run(config, workdir, devices=devices, stop_at=20, by=Crash)
    with pytest.raises(Interrupted, match="saved at step 29") as stop:
        run(config, workdir, devices=devices, stop_at=29, by=signal.SIGINT)
    assert stop.value.signum == signal.SIGINT
    assert_same_bits(run(config, workdir, devices=devices), state)
    assert_same_records(workdir, folder)
    assert len(runs.recorded(workdir)["starts"]) == 4


def test_a_run_from_eight_devices_continues_on_one(straight, tmp_path, data_dir):
    with pytest.raises(Interrupted):
        run(tiny(data_dir), tmp_path / "run", devices=8, stop_at=14)
    state = runs.leaves(run(tiny(data_dir), tmp_path / "run", devices=1))
    for name, expected in runs.leaves(straight(1)[0]).items():
        np.testing.assert_allclose(state[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "fields",
    [
        {"steps_per_call": 7, "checkpoint_every_steps": 100},
        {"steps_per_call": 1, "log_every_steps": 3, "data.placement": "stream"},
    ],
    ids=str,
)
def test_how_the_steps_are_grouped_and_read_changes_no_bit(fields, straight, tmp_path, data_dir):
    state, folder = straight(1)
    assert_same_bits(run(tiny(data_dir, **fields), tmp_path / "run"), state)
    assert (tmp_path / "run" / "losses.npy").read_bytes() == (folder / "losses.npy").read_bytes()


def test_a_finished_run_can_be_prolonged(straight, tmp_path, data_dir):
    workdir = tmp_path / "run"
    assert int(run(tiny(data_dir, num_steps=13), workdir).step) == 13
    state = run(tiny(data_dir, log_every_steps=10, sample_every_steps=30), workdir)
    assert_same_bits(state, straight(1)[0])
    assert (workdir / "losses.npy").read_bytes() == (straight(1)[1] / "losses.npy").read_bytes()
    assert runs.recorded(workdir)["config"]["num_steps"] == STEPS
    assert_same_bits(run(tiny(data_dir), workdir), state)  # nothing is left to do


def test_fewer_steps_than_done_are_refused_and_nothing_changes(stopped, data_dir):
    before = runs.digests(stopped)
    with pytest.raises(UserError, match=r"14 steps already and num_steps=13"):
        run(tiny(data_dir, num_steps=13), stopped)
    assert runs.digests(stopped) == before


@pytest.mark.parametrize(
    "damage",
    slow_but(runs.flip_byte, among=[runs.flip_byte, shutil.rmtree, lambda p: (p / "manifest.json").unlink()]),
)
def test_a_damaged_newest_checkpoint_costs_only_the_steps_since_the_one_before(
    damage, stopped, straight, data_dir
):
    damage(stopped / "checkpoints" / "14")
    assert_same_bits(run(tiny(data_dir), stopped), straight(1)[0])
    assert_same_records(stopped, straight(1)[1])


def test_the_loop_waits_for_the_devices_only_where_something_is_written(tmp_path, data_dir, monkeypatch):
    """What the devices return is replaced by something that nothing but jax.device_get can read."""

    class OnDevice:
        """Stands for the result of a call: has no value, no shape and no length."""

        __slots__ = ()

        def __array__(self, *_):
            raise AssertionError("read from the devices")

        __int__ = __float__ = __bool__ = __index__ = __array__

    calls, read_at = [], []

    def compile_step(algorithm, fetch, mesh, steps_per_call, sharding):
        def call(state, constants, items, count):
            calls.append(count)
            return OnDevice(), {"generator_loss": OnDevice()}

        return mock.Mock(lower=lambda *_: mock.Mock(compile=lambda: call))

    def device_get(pending):
        read_at.append(len(calls))
        return [(count, {"generator_loss": np.zeros(count, np.float32)}) for count, _ in pending]

    monkeypatch.setattr(parallel, "compile_step", compile_step)
    monkeypatch.setattr(training, "check_program", lambda program, mesh: None)
    monkeypatch.setattr(periodic, "check_state", lambda step, state: None)
    monkeypatch.setattr(periodic.SamplePictures, "draw", lambda self, step, state: mock.MagicMock())
    monkeypatch.setattr(runs, "note_overview", lambda *_: None)
    monkeypatch.setattr(Checkpoints, "save", lambda self, state: None)
    monkeypatch.setattr(jax, "device_get", device_get)
    intervals = {"log_every_steps": 12, "checkpoint_every_steps": 24, "sample_every_steps": 24}
    run(tiny(data_dir, num_steps=24, **intervals), tmp_path / "run")
    assert len(calls) == 6  # of 4 steps each
    assert read_at == [3, 6]


def diverging(data_dir):
    config = tiny(data_dir, checkpoint_every_steps=3, log_every_steps=4)
    with config.unlocked():
        config.generator_optimizer = dict(name="sgd", learning_rate=1e-3, momentum=0.0)
        config.discriminator_optimizer = dict(name="sgd", learning_rate=1e3, momentum=0.0)
    return config


def finite_checkpoints(workdir, config):
    """The steps of the checkpoints, each verified and free of NaN and infinity."""
    like = abstract_state(config)
    checkpoints = Checkpoints(workdir / "checkpoints")
    for step in checkpoints.steps():
        state = checkpoints.restore(like, step)
        assert state is not None
        assert all(np.isfinite(leaf).all() for leaf in runs.leaves(state).values())
    checkpoints.close()
    return checkpoints.steps()


def abstract_state(config):
    plan = training.build(config)
    mesh = parallel.make_mesh(jax.devices()[:1])
    return parallel.abstract_state(plan.algorithm, training.example_batch(plan.spec, 1), mesh)


def test_a_loss_that_is_not_finite_stops_the_run_before_anything_of_it_is_saved(tmp_path, data_dir):
    config = diverging(data_dir)
    with pytest.raises(Diverged) as first:
        run(config, tmp_path / "run")
    losses = losses_of(tmp_path / "run")
    bad = ~(np.isfinite(losses["discriminator_loss"]) & np.isfinite(losses["generator_loss"]))
    step = int(np.argmax(bad)) + 1
    assert step > 3  # there was something to keep
    assert f"at step {step} " in str(first.value)
    named = [name for name in ("discriminator_loss", "generator_loss") if name in str(first.value)]
    assert named
    assert not any(np.isfinite(losses[name][step - 1]) for name in named)
    saved = finite_checkpoints(tmp_path / "run", config)
    assert saved
    assert max(saved) < step
    with pytest.raises(Diverged) as again:  # continuing comes to the same end
        run(config, tmp_path / "run")
    assert str(again.value) == str(first.value)


def test_a_state_that_is_not_finite_is_not_saved_while_the_losses_still_are(tmp_path, data_dir, monkeypatch):
    restore_or_init = training.restore_or_init

    def overflown(*arguments):
        """An Adam whose second moment is infinite moves nothing any more."""
        state = restore_or_init(*arguments)
        adam, *others = state.generator.opt
        adam = adam._replace(nu=jax.tree.map(lambda x: x + jax.numpy.inf, adam.nu))
        return state.replace(generator=state.generator.replace(opt=(adam, *others)))

    monkeypatch.setattr(training, "restore_or_init", overflown)
    with pytest.raises(Diverged, match=r"at step 8 a number of the generator .* is inf\."):
        run(tiny(data_dir), tmp_path / "run")
    losses = losses_of(tmp_path / "run")["generator_loss"]
    assert np.isfinite(losses[:8]).all()
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_the_first_bad_step_and_its_player_are_named():
    ones = np.ones(4, np.float32)
    discriminator = np.array([1, 1, np.inf, np.nan], np.float32)
    with pytest.raises(Diverged, match=r"at step 19 discriminator_loss is inf\."):
        check_finite(20, {"generator_loss": ones, "discriminator_loss": discriminator})
    check_finite(20, {"generator_loss": ones, "penalty": discriminator})  # a lazy update's NaN is no loss


# A user's callback


class Seen:
    """What a callback was given; breaks at one step."""

    def __init__(self, every_steps, breaks_at=None):
        self.every_steps = every_steps
        self.breaks_at = breaks_at
        self.calls = []

    def __call__(self, step, state, metrics):
        if step == self.breaks_at:
            raise Crash
        self.calls.append((step, jax.device_get(state.generator.params), metrics))


def test_a_callback_gets_the_state_and_every_steps_metrics_and_changes_no_bit(straight, tmp_path, data_dir):
    seen = Seen(7)
    state = run(tiny(data_dir), tmp_path / "run", callbacks=[seen])
    assert_same_bits(state, straight(1)[0])
    assert_same_records(tmp_path / "run", straight(1)[1])
    assert [step for step, _, _ in seen.calls] == [7, 14, 21, 28, STEPS]
    losses = losses_of(tmp_path / "run")
    for name, values in losses.items():
        found = [metrics[name] for _, _, metrics in seen.calls]
        assert [len(part) for part in found] == [7, 7, 7, 7, 2]
        np.testing.assert_array_equal(np.concatenate(found), values)
    jax.tree.map(np.testing.assert_array_equal, seen.calls[-1][1], jax.device_get(state.generator.params))
    first, second = (jax.tree.leaves(params) for _, params, _ in seen.calls[:2])
    assert any((one != other).any() for one, other in zip(first, second, strict=True))


def test_a_callback_comes_after_the_row_and_the_pictures_and_before_the_checkpoint(tmp_path, data_dir):
    workdir, found = tmp_path / "run", []

    def look(step, state, metrics):
        row = runs.rows(workdir)[-1]["step"]
        samples = sorted(path.stem for path in (workdir / "samples").iterdir())[-1]
        checkpoints = Checkpoints(workdir / "checkpoints")
        found.append((step, row, samples, step in checkpoints.steps()))
        checkpoints.close()

    every = {"log_every_steps": 4, "sample_every_steps": 4, "checkpoint_every_steps": 4, "num_steps": 8}
    run(tiny(data_dir, **every), workdir, callbacks=[Every(4, look)])
    assert found == [(4, 4, "step_0000004", False), (8, 8, "step_0000008", False)]


def test_a_callback_that_raises_ends_the_run_with_its_error_and_loses_nothing(straight, tmp_path, data_dir):
    config, workdir = tiny(data_dir), tmp_path / "run"
    with pytest.raises(Crash):
        run(config, workdir, callbacks=[Seen(5, breaks_at=20)])
    assert [row["step"] for row in runs.rows(workdir)] == [5, 10, 15, 20]
    checkpoints = Checkpoints(workdir / "checkpoints")
    assert [checkpoints.verify(step) for step in checkpoints.steps()] == [None, None]
    assert checkpoints.steps() == [8, 16]
    checkpoints.close()
    again = Seen(5)
    assert_same_bits(run(config, workdir, callbacks=[again]), straight(1)[0])
    assert_same_records(workdir, straight(1)[1])
    assert [(step, len(metrics["generator_loss"])) for step, _, metrics in again.calls] == [
        *((20, 4), (25, 5), (STEPS, 5))  # from step 16 on
    ]


@pytest.mark.parametrize(("callback", "every"), [(Seen(0), "0"), (Seen(2.5), "2.5"), (print, "None")])
def test_a_callback_without_an_interval_is_refused_before_anything_is_done(
    callback, every, tmp_path, data_dir
):
    with pytest.raises(ValueError, match=rf"callbacks\[1\] is .* with every_steps={every}: "):
        training.train(tiny(data_dir), tmp_path / "run", callbacks=[Seen(1), callback])
    assert not (tmp_path / "run").exists()


def test_the_callback_in_the_documentation(tmp_path, data_dir, monkeypatch, capsys):
    page = (runs.ROOT / "docs" / "python.md").read_text()
    code = next(part for part in page.split("```") if part.startswith("python") and "callbacks=" in part)
    monkeypatch.chdir(tmp_path)

    def train_tiny(name, workdir, callbacks):
        assert name == "dcgan_shapes"
        return gan_jax.train(tiny(data_dir, num_steps=10), workdir, callbacks=callbacks)

    face = SimpleNamespace(train=train_tiny, Every=gan_jax.Every)
    exec(code.removeprefix("python"), {"gan_jax": face})
    step, loss = capsys.readouterr().out.split()
    assert step == "10"
    assert float(loss) == pytest.approx(losses_of(tmp_path / "runs" / "shown")["generator_loss"].mean())
