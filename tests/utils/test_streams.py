"""Standard streams that are closed, full or gone."""

import errno
import io
import subprocess
import sys

import pytest

from gan_jax.utils.progress import Progress
from gan_jax.utils.streams import Unfailing
from tests import runs


class Gone(io.StringIO):
    """A terminal that has hung up."""

    def write(self, text):
        raise OSError(errno.EIO, "hung up")

    def flush(self):
        raise OSError(errno.EIO, "hung up")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, closed(), Gone()], ids=["absent", "closed", "gone"])
def test_what_cannot_be_written_is_dropped(stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    progress = Progress(num_steps=10, first_step=0)
    progress.say("a line")
    progress.update(10, {"generator_loss": 1.0}, 5.0)
    progress.close()
    assert Unfailing(stream).write("text") == 4


def test_what_can_be_written_is_written():
    stream = io.StringIO()
    Unfailing(stream).write("text")
    assert stream.getvalue() == "text"
    assert not Unfailing(stream).isatty()


def shell(redirection, *arguments):
    """A command line with these redirections."""
    command = ["bash", "-c", f'"$0" -m gan_jax "$@" {redirection}', sys.executable, *arguments]
    return subprocess.run(command, cwd=runs.ROOT, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&- 2>&- <&-"])
def test_an_error_has_its_exit_code_though_nobody_can_be_told(redirection):
    done = shell(redirection, "tain")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 0, ""),
        (">/dev/full", 1, "No space left on device\n"),
        ("| (exec <&-; sleep 1); exit ${PIPESTATUS[0]}", 141, ""),  # nobody reads
    ],
)
def test_output_that_cannot_be_written(redirection, code, said):
    done = shell(redirection, "--help")
    assert done.returncode == code
    assert done.stderr.endswith(said)
    assert done.stderr.count("\n") == said.count("\n")


@pytest.mark.slow  # whole runs
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&- 2>&- <&-", "2>&1 >/dev/full | true"])
def test_a_training_needs_nobody_who_listens(redirection, tmp_path):
    arguments = ("--config=tests/runs.py", f"--config.data.dir={tmp_path}/data", f"--workdir={tmp_path}/run")
    done = shell(f"{redirection}; exit ${{PIPESTATUS[0]}}", "train", *arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "checkpoints" / str(runs.STEPS)).is_dir()
