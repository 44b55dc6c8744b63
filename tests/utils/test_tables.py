"""Tables of components: what is registered, by whom, and what a name that is there already means."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from gan_jax.losses.term import Term
from gan_jax.utils.errors import UserError
from gan_jax.utils.tables import PROGRAM, Owner, Table, added_by


def old():
    """The library's."""


def mine():
    """Somebody's."""


def other():
    """Somebody else's."""


@pytest.fixture
def table() -> Table[Any]:
    return Table("loss", {"old": old})


def test_an_entry_is_added_by_a_call_or_above_its_definition(table):
    assert table.register("mine", mine) is mine

    @table.register("another")
    def another():
        """One more."""

    assert table == {"old": old, "mine": mine, "another": another}
    assert table.own() == {"mine": PROGRAM, "another": PROGRAM}
    table.register("mine", mine)  # the same again
    del table["mine"]
    assert list(table.own()) == ["another"]


@pytest.mark.parametrize("name", ["old", "mine"])
def test_a_name_that_means_something_else_is_refused(table, name):
    with added_by(Owner(plugin="first")):
        table.register("mine", mine)
    by = {"old": "gan_jax itself", "mine": "the plugin first"}[name]
    with added_by(Owner(plugin="second")), pytest.raises(UserError) as caught:
        table.register(name, other)
    assert str(caught.value) == (
        f"loss {name!r} is registered twice: by {by} ({__name__}.{name}), and by the plugin second "
        f"({__name__}.other); give one of them another name"
    )


def test_a_plugin_or_a_file_says_a_name_once(table):
    for owner in (Owner(plugin="first"), Owner(file="config.py")):
        with added_by(owner):
            table.register("mine", mine)
            with pytest.raises(UserError, match="registered twice"):
                table.register("mine", other)
        del table["mine"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (Owner(file="a.py"), Owner(file="b.py")),  # two runs with sources of their own in one program
        (Owner(file="a.py"), Owner(plugin="first")),
        (Owner(plugin="first"), Owner(plugin="first")),  # imported again, as one that lies beside a config is
        (PROGRAM, PROGRAM),  # a cell of a notebook that is run again
    ],
    ids=str,
)
def test_what_is_run_anew_takes_the_place_of_what_was_before(table, before, now):
    with added_by(before):
        table.register("mine", mine)
    with added_by(now):
        table.register("mine", other)
    assert table["mine"] is other
    assert table.own() == {"mine": now}


def test_an_assignment_replaces_and_knows_who_did(table):
    with added_by(Owner(file="a.py")):
        table["old"] = mine
    assert str(table.own()["old"]) == "the config file a.py"


def test_a_name_must_be_one_that_a_flag_can_hold(table):
    with pytest.raises(UserError, match="loss 'my-loss': its name must be letters, digits and _"):
        table.register("my-loss", mine)


def test_classes_with_a_name_of_their_own_get_it():
    terms: Table[Any] = Table("penalty", {}, named=True)

    @terms.register("mine")
    @dataclass(frozen=True, kw_only=True)
    class Mine(Term):
        """Without a name."""

    assert Mine.name == "mine"

    class Other(Term):
        name: ClassVar[str] = "something"

    with pytest.raises(UserError, match=r"penalty .other.: .*Other says name=.something."):
        terms.register("other", Other)
