"""What threads and callbacks raise is a line; a request to stop that got lost there comes again."""

import logging
import subprocess
import sys
import types

import pytest

from gan_jax.utils import uncaught
from tests import runs

PROGRAM = """
import sys, threading, time
from gan_jax.utils import interrupt, uncaught
from absl import flags, logging
flags.FLAGS.mark_as_parsed()
logging.use_absl_handler()
logging.get_absl_handler().setFormatter(uncaught.OneLine())
uncaught.tell_in_a_line()
class Bad:
    def __init__(self, error): self.error = error
    def __del__(self): raise self.error
"""


def said(body):
    """(the exit code, the lines on standard error) of a program."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + body],
        cwd=runs.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()


def test_errors_of_threads_and_callbacks_are_a_line_each():
    code, lines = said(
        "def work(): raise ValueError('in\\nside')\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "Bad(OSError('gone'))\n"
    )
    assert code == 0
    assert lines == [
        "gan-jax: warning: in a background thread: ValueError: in side",
        "gan-jax: warning: ignored OSError: gone",
    ]


def test_what_a_failed_save_leaves_behind_is_not_said():
    assert said("Bad(RuntimeError('Event loop is closed'))\n") == (0, [])


def test_an_interruption_that_python_drops_comes_again():
    code, lines = said(
        "interrupt.answer_signals()\n"
        "class Deaf:\n"
        "    def __del__(self): import signal; signal.raise_signal(signal.SIGTERM); time.sleep(0)\n"
        "Deaf()\n"
        "try: time.sleep(30)\n"
        "except interrupt.Interrupted as stop: sys.exit(128 + stop.signum)\n"
    )
    assert (code, lines) == (143, [])


@pytest.mark.parametrize("error", [None, ValueError("x")])
def test_a_log_record_is_a_line(error):
    record = logging.LogRecord(
        "absl", logging.ERROR, "f", 1, "one %d\ntwo", (1,), error and (None, error, None)
    )
    expected = "gan-jax: warning: one 1" + (" (ValueError: x)" if error else "")
    assert uncaught.OneLine().format(record) == expected


def test_a_thread_may_end_itself(caplog):
    uncaught._of_thread(types.SimpleNamespace(exc_value=SystemExit(3)))
    assert not caplog.records
