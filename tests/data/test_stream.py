"""The stream that makes a call's arrays in the background: errors, stopping, many hosts, new epochs."""

import threading
import time

import jax
import numpy as np
import pytest

from gan_jax import data
from gan_jax.data import Dataset, Field, IndexSampler, StreamFeed, make_feed, stream
from gan_jax.utils.errors import UserError


class Counting:
    """Records that remember who was asked for them; `broken` ones cannot be read."""

    def __init__(self, images, broken=()):
        self.images = images
        self.broken = set(broken)
        self.asked = []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.asked.append(index)
        if index in self.broken:
            raise RuntimeError("checksum")
        return {"image": self.images[index], "label": index % 3}


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (48, 4, 5, 3), dtype=np.uint8)


def dataset_of(source):
    return Dataset("tiny", "train", source, {"image": Field((4, 5, 3))}, 3, ("a", "b", "c"), "tiny")


def threads():
    names = (t.name for t in threading.enumerate())
    return [name for name in names if name.startswith(("gan_jax-stream", "grain"))]


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def read_on(feed, first, last, count):
    for step in range(first, last, count):
        feed.get(step, count)


@pytest.mark.parametrize("placement", ["device", "stream"])
@pytest.mark.parametrize("hosts", [1, 2, 4])
def test_the_shares_of_all_hosts_make_the_mini_batches(images, placement, hosts):
    dataset, sampler = dataset_of(Counting(images)), IndexSampler(48, 8, minibatches=2, seed=3)
    shares = []
    for host in range(hosts):
        feed = make_feed(dataset, sampler, steps_per_call=3, placement=placement, host=host, hosts=hosts)
        arrays = feed.get(5, 2)
        assert all(x.shape[:3] == (3, 2, 8 // hosts) for x in arrays.values())
        shares.append(jax.tree.map(np.asarray, jax.jit(feed.fetch)(feed.constants, arrays)))
        feed.close()
    whole = jax.tree.map(lambda *parts: np.concatenate(parts, axis=2), *shares)
    named = sampler.indices(5, 2)
    np.testing.assert_array_equal(whole["image"][:2], images[named])
    np.testing.assert_array_equal(whole["label"][:2], named % 3)


def test_a_host_reads_only_its_share(images, monkeypatch):
    monkeypatch.setattr(stream, "_EXAMPLES_AT_ONCE", 8)
    sampler, asked = IndexSampler(48, 8, seed=3), []
    for host in range(2):
        source = Counting(images)
        feed = make_feed(dataset_of(source), sampler, steps_per_call=6, host=host, hosts=2)
        assert isinstance(feed, StreamFeed)  # small, but every host would hold all of it
        feed.get(0, 6)  # an epoch
        feed.close()
        named = sampler.indices(0, 64)[:, 0, 4 * host : 4 * host + 4]
        taken, ahead = set(named[:6].ravel().tolist()), set(named.ravel().tolist())
        assert taken <= set(source.asked) <= ahead
        asked.append(taken)
    assert asked[0] | asked[1] == set(range(48))
    assert not asked[0] & asked[1]


def test_hosts_that_do_not_divide_the_batch_are_refused(images):
    dataset, sampler = dataset_of(Counting(images)), IndexSampler(48, 8)
    for placement in ("auto", "device", "stream"):
        with pytest.raises(UserError, match=r"batch_size=8 cannot be split over 3 hosts.*=6 or 9"):
            make_feed(dataset, sampler, steps_per_call=1, placement=placement, hosts=3)
    with pytest.raises(UserError, match=r"batch_size=9, or run"):
        make_feed(dataset, sampler, steps_per_call=1, hosts=9)
    with pytest.raises(ValueError, match="host 2 of 2"):
        make_feed(dataset, sampler, steps_per_call=1, host=2, hosts=2)


@pytest.mark.parametrize("at_once", [1, 16, 24, 1000])
def test_any_piece_of_reading_gives_the_same_batches(images, at_once, monkeypatch):
    """Pieces shorter than a step, and longer than a call."""
    monkeypatch.setattr(stream, "_EXAMPLES_AT_ONCE", at_once)
    sampler = IndexSampler(48, 8, minibatches=2, seed=1, remainder="carry")
    feed = StreamFeed(dataset_of(Counting(images)), sampler, steps_per_call=4)
    for step, count in ((7, 4), (11, 1), (12, 2), (14, 4), (18, 4), (3, 4)):
        arrays = feed.get(step, count)
        np.testing.assert_array_equal(arrays["image"][:count], images[sampler.indices(step, count)])
    feed.close()


def test_what_was_taken_is_never_written_again(images):
    """On a CPU the device may use these very arrays."""
    sampler = IndexSampler(48, 8)
    feed = StreamFeed(dataset_of(Counting(images)), sampler, steps_per_call=2)
    taken = [feed.get(2 * call, 2) for call in range(6)]
    time.sleep(0.05)
    for call, arrays in enumerate(taken):
        np.testing.assert_array_equal(arrays["image"], images[sampler.indices(2 * call, 2)])
    feed.close()


def test_the_next_call_is_made_before_it_is_asked_for(images):
    source, sampler = Counting(images), IndexSampler(48, 8)
    feed = StreamFeed(dataset_of(source), sampler, steps_per_call=3)
    feed.get(0, 3)
    following = set(sampler.indices(3, 3).ravel().tolist())
    wait_for(lambda: len(source.asked) >= 48 and following <= set(source.asked))
    wait_for(lambda: feed._stream is not None and feed._stream._filled == 3)
    feed.close()


def test_an_error_in_the_reading_is_the_callers_and_ends_the_threads(images):
    source, sampler = Counting(images), IndexSampler(48, 8, seed=2)
    feed = StreamFeed(dataset_of(source), sampler, steps_per_call=3)
    feed.get(0, 3)
    source.broken = set(range(48))
    with pytest.raises(UserError, match=r"files of tiny are damaged \(checksum\)"):
        read_on(feed, 3, 1000, 3)
    wait_for(lambda: not threads())
    source.broken = set()  # mended: the feed goes on where it is asked to
    np.testing.assert_array_equal(feed.get(5, 1)["image"][0], images[sampler.indices(5, 1)[0]])
    feed.close()


def test_too_many_open_files_are_not_called_damage(images):
    class Full(Counting):
        def __getitem__(self, index):
            raise RuntimeError("open() failed: Too many open files")

    with pytest.raises(UserError, match=r"cannot all be open at once .*ulimit -n"):
        StreamFeed(dataset_of(Full(images)), IndexSampler(48, 8), steps_per_call=1).get(0, 1)


def test_closing_stops_the_threads_at_once(images):
    class Slow(Counting):
        def __getitem__(self, index):
            time.sleep(0.002)
            return super().__getitem__(index)

    feed = StreamFeed(dataset_of(Slow(images)), IndexSampler(48, 8), steps_per_call=4)
    feed.get(0, 1)
    assert threads()
    begun = time.monotonic()
    feed.close()
    assert time.monotonic() - begun < 3
    wait_for(lambda: not threads())
    feed.close()  # twice is once


def test_a_feed_that_nobody_closes_stops_when_it_is_forgotten(images):
    feed = StreamFeed(dataset_of(Counting(images)), IndexSampler(48, 8), steps_per_call=4)
    feed.get(0, 1)
    del feed
    wait_for(lambda: not threads())


def test_a_file_that_is_cut_off_while_it_is_open_is_found(data_dir):
    dataset = data.load("shapes", num_examples=3000)
    feed = StreamFeed(dataset, IndexSampler(3000, 100), steps_per_call=2)
    feed.get(0, 2)
    path = next(data_dir.rglob("shapes-train*"))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 4)
    with pytest.raises(UserError, match="files of shapes are damaged"):
        read_on(feed, 2, 200, 2)
    wait_for(lambda: not threads())
