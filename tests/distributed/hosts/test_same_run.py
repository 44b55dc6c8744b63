"""Processes that were given different runs, or see different disks, say so and change nothing."""

import shutil
import threading

import pytest

from gan_jax.config.build import build
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.training import workdir
from gan_jax.training.workdir import check_same_run, check_shared, check_unused
from gan_jax.utils.errors import UserError
from tests.runs import tiny


class Threads(Hosts):
    """A process that is a thread, and exchanges values at a barrier."""

    def __init__(self, index, values, barrier):
        super().__init__()
        self.index, self.count = index, len(values)
        self._values, self._barrier = values, barrier

    def collect(self, value):
        self._values[self.index] = value
        self._barrier.wait(60)
        collected = list(self._values)
        self._barrier.wait(60)
        return collected


def together(*calls):
    """calls[i](the hosts of process i), all at the same time; what each raised, as text."""
    values, barrier, raised = [None] * len(calls), threading.Barrier(len(calls)), [""] * len(calls)

    def call(index):
        try:
            calls[index](Threads(index, values, barrier))
        except UserError as error:
            raised[index] = str(error)

    threads = [threading.Thread(target=call, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(workdir, "_SEEN_SECONDS", 0.3)


def test_another_config_or_other_data_are_named(data_dir):
    config = tiny(data_dir)
    dataset = build(config).dataset
    others = tiny(data_dir, batch_size=16, **{"loss.name": "hinge"})
    other_data = build(tiny(data_dir, **{"data.seed": 1})).dataset
    raised = together(
        lambda hosts: check_same_run(hosts, config, dataset),
        lambda hosts: check_same_run(hosts, others, dataset),
        lambda hosts: check_same_run(hosts, config, other_data),
        lambda hosts: check_same_run(hosts, config, dataset),
    )
    assert raised[0] == raised[3] == ""
    assert "config.batch_size: 8 -> 16; config.loss.name: non_saturating -> hinge" in raised[1]
    assert raised[1].startswith("process 1 of 4 (on ")
    assert "data: " in raised[2]


def test_the_data_may_lie_elsewhere(data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "copy")
    configs = [tiny(data_dir), tiny(tmp_path / "copy")]
    datasets = [build(config).dataset for config in configs]
    raised = together(
        lambda hosts: check_same_run(hosts, configs[0], datasets[0]),
        lambda hosts: check_same_run(hosts, configs[1], datasets[1]),
    )
    assert raised == ["", ""]


def test_a_workdir_that_is_not_shared_is_noticed(tmp_path):
    raised = together(
        lambda hosts: check_shared(hosts, tmp_path / "here"),
        lambda hosts: check_shared(hosts, tmp_path / "there"),
        lambda hosts: check_shared(hosts, tmp_path / "here"),
    )
    for told in raised:
        assert told.startswith("process 1 on ")
        assert "must be on a file system that all processes share" in told
    assert list((tmp_path / "here").iterdir()) == []


def test_a_workdir_that_is_shared_is_left_as_it_was(tmp_path):
    assert together(*[lambda hosts: check_shared(hosts, tmp_path)] * 3) == ["", "", ""]
    assert list(tmp_path.iterdir()) == []
    check_shared(ALONE, tmp_path / "no folder is made")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_a_kill_left_behind_is_as_good_as_empty(tmp_path):
    (tmp_path / ".config.json.0123.tmp").write_text("a token")
    (tmp_path / workdir.LOCK).touch()
    check_unused(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="is not empty"):
        check_unused(tmp_path)
