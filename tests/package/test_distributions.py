"""What is uploaded to PyPI: the wheel, the source archive, and the page that is shown of them."""

import email
import re
import runpy
import subprocess
import sys
import tarfile
import zipfile
from unittest import mock

import pytest

import gan_jax
from tests.runs import ROOT

README = """\
# Name

[![the picture's words](a.png)](a.md)

<p align="center"><img src="b.png" width="60%"></p>

| one | two |
|---|---|
| ![](c.png) | ![](d.png) |

A [guide](docs/guide.md "its title"), [`code`](x.py), [a page](https://example.org), `a[0](x)` and ![](e.png).

![kept](https://example.org/f.png)

```python
[text](code.md)

![](code.png)
```
"""


@pytest.fixture(scope="module")
def standalone():
    with mock.patch("setuptools.setup") as setup:
        program = runpy.run_path(str(ROOT / "setup.py"))
    assert setup.call_args.kwargs["long_description"].startswith("# gan_jax")
    return program["standalone"]


def test_the_page_of_pypi_has_nothing_that_lies_beside_the_readme(standalone):
    assert standalone(README).split("\n\n") == [
        "# Name",
        "A guide, `code`, [a page](https://example.org), `a[0](x)` and .",
        "![kept](https://example.org/f.png)",
        "```python\n[text](code.md)",
        "![](code.png)\n```\n",
    ]
    text = re.sub(r"`[^`]+`", "", standalone((ROOT / "README.md").read_text()))
    assert not re.findall(r"\]\((?!https?://)[^)]*\)|<img", text)


def files_in_the_package() -> set[str]:
    """What a wheel is to hold, but for what describes it."""
    found = {path for path in (ROOT / "gan_jax").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    inside = {path.relative_to(ROOT).as_posix() for path in found}
    return inside | {f"gan_jax/configs/{path.name}" for path in (ROOT / "configs").glob("*.py")}


@pytest.mark.slow
def test_the_wheel_is_the_package_with_its_configs(distributions):
    wheel, _ = distributions
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        metadata = email.message_from_bytes(opened.read(f"gan_jax-{gan_jax.__version__}.dist-info/METADATA"))
    assert {name for name in names if ".dist-info/" not in name} == files_in_the_package()
    assert metadata["Version"] == gan_jax.__version__
    assert metadata["Author"] == "gan_jax authors"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).startswith("# gan_jax")


@pytest.mark.slow
def test_the_source_archive_holds_what_the_wheel_is_built_of_and_no_tests(distributions):
    with tarfile.open(distributions[1]) as opened:
        names = {name.partition("/")[2] for name in opened.getnames() if not name.endswith("/")}
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE", "CHANGELOG.md", "configs/srgan.py"} <= names
    assert not {name for name in names if name.startswith("tests") or name.endswith(".pyc")}


@pytest.mark.slow
def test_twine_finds_nothing_wrong(distributions):
    pytest.importorskip("twine", reason="`twine check` is in gan-jax[package]")
    said = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *distributions], capture_output=True, text=True
    )
    assert said.returncode == 0, said.stdout + said.stderr
