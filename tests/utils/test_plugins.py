"""Plugins: which modules they are, what is said of a missing one, and what a run records of them."""

import sys
from importlib.metadata import EntryPoint

import pytest

from gan_jax.losses.adversarial import LOSSES
from gan_jax.utils import plugins
from gan_jax.utils.errors import UserError

PLUGIN = """
from gan_jax.losses.adversarial import LOSSES, hinge

__version__ = "0.3"


@LOSSES.register("loss_of_a_test")
def loss_of_a_test():
    return hinge()
"""


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """As a new process that has no plugin."""
    monkeypatch.setattr(plugins, "_imported", set())
    monkeypatch.setattr(plugins, "installed", dict)
    yield
    LOSSES.pop("loss_of_a_test", None)
    for name in ("plugin_of_a_test", "broken_plugin", "needs_another"):
        sys.modules.pop(name, None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "plugin_of_a_test.py").write_text(PLUGIN)
    (tmp_path / "broken_plugin.py").write_text("x = 1\ny = x / 0\n")
    (tmp_path / "needs_another.py").write_text("import something_else_of_a_test\n")
    return tmp_path


def test_a_module_is_imported_once_and_owns_what_it_adds(folder):
    plugins.load(("plugin_of_a_test",))
    assert str(LOSSES.own()["loss_of_a_test"]) == "the plugin plugin_of_a_test"
    (folder / "plugin_of_a_test.py").unlink()
    plugins.load(("plugin_of_a_test",))
    assert plugins.describe(["plugin_of_a_test"]) == {"plugin_of_a_test": {"package": None, "version": "0.3"}}


def test_the_installed_are_found_by_their_entry_points(folder, monkeypatch, caplog):
    points = {
        name: EntryPoint(name, module, plugins.GROUP)
        for name, module in (("ours", "plugin_of_a_test"), ("broken", "broken_plugin"), ("gone", "gone"))
    }
    monkeypatch.setattr(plugins, "installed", lambda: points)
    plugins.load_installed.__wrapped__()
    assert str(LOSSES.own()["loss_of_a_test"]) == "the plugin ours"
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith(
        f"the plugin broken cannot be imported ({folder}/broken_plugin.py, line 2): Zero"
    )
    with pytest.raises(UserError, match="the plugin broken cannot be imported"):
        plugins.load(("broken",))


@pytest.mark.parametrize(
    ("name", "recorded", "reason", "said"),
    [
        (
            "no_such",
            {},
            "",
            "config.plugins names no_such, and there is no such module: pip install the package",
        ),
        (
            "plugin_of_a_test.no",
            {},
            "",
            "config.plugins names plugin_of_a_test.no, and there is no such module",
        ),
        (
            "no_such",
            {"no_such": {"package": "no-such", "version": "0.1.0"}},
            "the run in runs/x",
            "the run in runs/x needs the plugin no_such, which is not installed: pip install no-such==0.1.0",
        ),
        (
            "needs_another",
            {},
            "",
            "the plugin needs_another cannot be imported .*line 1.*something_else_of_a_test",
        ),
        (
            "broken_plugin",
            {},
            "",
            r"the plugin broken_plugin cannot be imported .*line 2\): ZeroDivisionError",
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_said_of_a_missing_or_broken_one(name, recorded, reason, said):
    with pytest.raises(UserError, match=said):
        plugins.load((name,), recorded, reason)


def test_one_that_registers_a_name_of_ours_is_refused_with_its_line(folder):
    (folder / "broken_plugin.py").write_text(PLUGIN.replace("loss_of_a_test", "hinge").replace(", hinge", ""))
    with pytest.raises(
        UserError, match=r"broken_plugin.py, line 7\): loss 'hinge' is registered twice: by gan_jax"
    ):
        plugins.load(("broken_plugin",))


@pytest.mark.parametrize("given", ["a,b.c", ("a", "b.c"), ["a", "b.c", "a"], "('a', 'b.c')", ("a, b.c",)])
def test_the_names_in_a_config_or_a_flag(given):
    assert plugins.names_of(given) == ("a", "b.c")


@pytest.mark.parametrize("given", [5, ("../a",), ("a-b",), (1,), {"a": 1}])
def test_what_names_no_module(given):
    with pytest.raises(UserError, match="plugins"):
        plugins.names_of(given)
