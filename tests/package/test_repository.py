"""The files around the package agree: versions, extras, checks, what goes into the container."""

import re
import tomllib

import yaml

import gan_jax
from tests.runs import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == gan_jax.__version__
    assert citation["authors"] == PROJECT["authors"]
    assert {"cff-version", "message", "title"} <= set(citation)
    assert PROJECT["version"] in (ROOT / "CHANGELOG.md").read_text()


def test_the_extras_that_tests_import_are_locked_and_checked():
    [pinned] = re.findall(r"^PINNED := (.*)$", MAKEFILE, re.MULTILINE)
    lock = (ROOT / "requirements-extras.lock").read_text()
    locked = set(re.findall(r"^[\w.-]+(?===)", lock, re.MULTILINE))
    for extra in pinned.split():
        for needed in PROJECT["optional-dependencies"][extra]:
            [name] = re.findall(r"^[\w.-]+", needed)
            assert name in locked, f"{name} of the extra {extra}: run `make lock UPGRADE=`"
    assert f"make test SLOW=1 EXTRAS={pinned.replace(' ', ',')}\n" in (ROOT / ".ci" / "run").read_text()


def test_the_compilers_that_lie_apart_are_those_of_accelerators():
    [pattern] = re.findall(r"^COMPILERS := (.*)$", MAKEFILE, re.MULTILINE)
    lines = (ROOT / "requirements-extras.lock").read_text().splitlines()
    found = {line.partition("==")[0] for line in lines if re.match(pattern, line)}
    assert found == {"jax-cuda12-plugin", "jax-cuda12-pjrt", "libtpu", "nvidia-cuda-nvcc-cu12"}


def test_both_locks_say_the_same_of_what_both_have():
    locks = [
        dict(line.split("==") for line in (ROOT / name).read_text().splitlines() if ";" not in line)
        for name in ("requirements.lock", "requirements-extras.lock")
    ]
    both = locks[0].keys() & locks[1].keys()
    assert {"optax", "numpy", "pillow"} & both
    assert {name: locks[0][name] for name in both} == {name: locks[1][name] for name in both}


def test_a_commit_is_checked_by_the_commands_and_versions_of_make_test():
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"  # so that .venv, and with it requirements.lock, says which version
    for hook in repository["hooks"]:
        assert hook["entry"].replace(".venv/bin/", "\t$(BIN)/") in MAKEFILE


def test_the_workflow_runs_what_contributors_run():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert [job["steps"][-1]["run"].partition(" PYTHON")[0] for job in jobs.values()] == [
        "make test",
        ".ci/run",
    ]
    quick = jobs["quick"]["steps"][1]["with"]["python-version"]
    assert jobs["all"]["container"].startswith(f"python:{quick}")
    assert (ROOT / "Dockerfile").read_text().count(f"FROM python:{quick}-") == 1


def test_the_container_is_given_all_that_it_copies():
    copied = re.findall(r"^COPY (.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = " ".join(copied).split()
    let_in = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(let_in)
    assert all((ROOT / name).exists() for name in names)
