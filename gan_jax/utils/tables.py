"""Tables: the components that a config or a command can name, the library's own and those that others add."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from gan_jax.utils.errors import UserError

T = TypeVar("T")
M = TypeVar("M")


@dataclass(frozen=True, eq=False)
class Owner:
    """Who adds entries to tables, each time that it is run.

    Attributes:
        plugin: the name of a plugin that is being imported; "" for others.
        file: the config file that is being run; "" for others.
    """

    plugin: str = ""
    file: str = ""

    def __str__(self) -> str:
        if self.plugin:
            return f"the plugin {self.plugin}"
        return f"the config file {self.file}" if self.file else "the program"

    def may_replace(self, other: Owner) -> bool:
        """Whether its entries take the place of the other's: of a file that was run before, or of itself."""
        if self is other:
            return not (self.plugin or self.file)  # a cell of a notebook that is run again
        return bool(other.file) or (self.plugin, self.file) == (other.plugin, other.file)


PROGRAM = Owner()
_owners: list[Owner] = [PROGRAM]


@contextmanager
def added_by(owner: Owner) -> Iterator[None]:
    """What is added to tables while it is entered is this owner's."""
    _owners.append(owner)
    try:
        yield
    finally:
        _owners.remove(owner)


class Table(dict[str, T], Generic[T]):
    """Components of one kind by name.

    `register` adds one and refuses a name that means something else already; an assignment replaces.

    Args:
        kind: what its entries are called in messages.
        entries: the library's own.
        named: whether entries are classes that have their own name as an attribute `name`, which `register`
            sets where it is missing.
    """

    def __init__(self, kind: str, entries: Mapping[str, T], *, named: bool = False) -> None:
        super().__init__(entries)
        self.kind = kind
        self._named = named
        self._shipped = dict(entries)
        self._owners: dict[str, Owner] = {}

    def __setitem__(self, name: str, made: T) -> None:
        self._owners[name] = _owners[-1]
        super().__setitem__(name, made)

    @overload
    def register(self, name: str) -> Callable[[M], M]: ...
    @overload
    def register(self, name: str, made: M) -> M: ...
    def register(self, name: str, made: Any = None) -> Any:
        """Adds an entry: `TABLE.register("mine", Mine)`, or `@TABLE.register("mine")` above its definition.

        Returns:
            the entry; as a decorator what gives it back.

        Raises:
            UserError: the name stands for something else, or is no identifier.
        """
        if made is None:
            return lambda made: self.register(name, made)
        if not name.isidentifier():
            raise UserError(
                f"{self.kind} {name!r}: its name must be letters, digits and _, such as my_{self.kind[:4]}"
            )
        if name in self and self[name] is not made:
            before, now = self._owner(name), _owners[-1]
            if before is None or not now.may_replace(before):
                raise UserError(
                    f"{self.kind} {name!r} is registered twice: by {before or 'gan_jax itself'} "
                    f"({_place(self[name])}), and by {now} ({_place(made)}); give one of them another name"
                )
        if self._named:
            own = getattr(made, "name", None)
            if own is None:
                made.name = name
            elif own != name:
                raise UserError(
                    f"{self.kind} {name!r}: {_place(made)} says name={own!r}; register it as that"
                )
        if self.get(name) is not made:
            self[name] = made
        return made

    def own(self) -> dict[str, Owner]:
        """The entries that are not the library's own, and who added each."""
        names = [name for name, made in self.items() if self._shipped.get(name) is not made]
        return {name: self._owners.get(name, PROGRAM) for name in names}

    def _owner(self, name: str) -> Owner | None:
        """Who added an entry; None for the library."""
        return self.own().get(name)


def _place(made: Any) -> str:
    """Where something is defined, for messages."""
    named = made if hasattr(made, "__qualname__") else type(made)
    return f"{named.__module__}.{named.__qualname__}"
