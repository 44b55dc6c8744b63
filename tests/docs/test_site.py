"""The documentation builds without a warning, and every picture, page and anchor that it names is there."""

import importlib.util
import os
import re
import subprocess
import sys
from urllib.parse import unquote

import pytest

from tests.runs import ROOT

NEEDED = ("mkdocs", "material", "mkdocstrings_handlers.python")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    for name in NEEDED:
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            pytest.skip(f"{name} is not installed; make install EXTRAS=docs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_what_the_pages_name_is_there(site):
    pages = sorted(site.rglob("*.html"))
    assert {"index.html", "course.html", "guides/own_loss.html", "experiments/dirac_gan/index.html"} <= {
        page.relative_to(site).as_posix() for page in pages
    }
    missing = []
    for page in pages:
        if page.name == "404.html":
            continue
        text = page.read_text()
        for target in re.findall(r'(?:src|href)="(?!https?:|data:|mailto:)([^"#?]+)', text):
            if not (page.parent / unquote(target)).exists():
                missing.append(f"{page.relative_to(site)}: {target}")
    assert not missing, "\n".join(missing)


@pytest.mark.slow
def test_nothing_is_asked_of_other_servers(site):
    """The pages can be read without a network: no script, style or font is elsewhere."""
    for page in site.rglob("*.html"):
        found = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)', page.read_text())
        assert not [url for url in found if "canonical" not in url], f"{page.name}: {found}"


@pytest.mark.slow
def test_the_public_names_and_their_examples_are_in_the_reference(site):
    import gan_jax

    text = (site / "api" / "index.html").read_text()
    for name in gan_jax.__all__:
        assert f'id="gan_jax.{name}"' in text or name == "__version__", name
    assert text.count("&gt;&gt;&gt; ") + text.count('class="gp"') > 20
