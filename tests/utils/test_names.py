"""Names: the order that people count in, and what can be shown and kept of any name."""

import os

import pytest

from gan_jax.utils.names import counted, listed, natural_order, printable, without_addresses


@pytest.mark.parametrize(
    "ordered",
    [
        ["0", "1", "2", "10", "11"],
        ["-1", "0", "0.25", "0.5", "10"],
        ["class1", "class2", "class10", "other"],
        ["a", "a1b2", "a1b10", "a02"],
        ["01", "1", "2"],
        ["x" + "9" * 5000, "x1" + "0" * 5000],  # more digits than int() takes
        ["1_1", "1_2", "10_1"],
    ],
)
def test_numbers_are_in_numerical_order(ordered):
    assert natural_order(reversed(ordered)) == ordered
    assert natural_order(sorted(ordered)) == ordered


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat", "cat"),
        ("Größe 猫", "Größe 猫"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("two\nlines\x1b[31m", r"two\x0alines\x1b[31m"),
        (" cat ", r"\x20cat\x20"),
        ("  ", r"\x20\x20"),
        ("cafe\u0301", "caf\u00e9"),
    ],
)
def test_any_name_can_be_shown_and_kept(name, shown):
    assert printable(name) == shown
    assert printable(name).encode().decode().strip() == shown


def test_lists_name_the_first():
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert (counted(1, "file"), counted(0, "file")) == ("1 file", "0 files")


def test_messages_without_addresses():
    assert without_addresses(f"{object()} is no picture") == "<object object> is no picture"
    assert without_addresses("offset at 0x10, written at 09:00") == "offset at 0x10, written at 09:00"
