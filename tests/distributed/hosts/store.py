"""A stand-in for the coordinator, for processes that are threads."""

from __future__ import annotations

import threading
import time


class Store:
    """The coordinator's key-value store, in this process."""

    def __init__(self):
        self.values, self.changed, self.frozen = {}, threading.Condition(), threading.Event()

    def key_value_set(self, key, value, allow_overwrite=False):
        self.answer()
        with self.changed:
            if key in self.values and not allow_overwrite:
                raise RuntimeError("ALREADY_EXISTS")
            self.values[key] = value
            self.changed.notify_all()

    def key_value_dir_get(self, key):
        self.answer()
        with self.changed:
            return [(name, value) for name, value in self.values.items() if name.startswith(key)]

    def blocking_key_value_get(self, key, timeout_in_ms):
        with self.changed:
            assert self.changed.wait_for(lambda: key in self.values, 20)
            return self.values[key]

    def wait_at_barrier(self, barrier_id, timeout_in_ms):
        raise NotImplementedError

    def answer(self):
        while self.frozen.is_set():
            time.sleep(0.01)
