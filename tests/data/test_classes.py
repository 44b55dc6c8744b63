"""Classes are their names: spellings, matching, and how a user calls them."""

import pytest

from gan_jax.data.classes import described, folder_names, labels_named, matching, plain_name, plain_names
from gan_jax.data.idx import FashionMnist
from gan_jax.utils.errors import UserError

NUMBERS = [str(i) for i in range(12)]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("cat", "cat"),
        ("Ankle boot", "ankle_boot"),
        ("T-shirt/top", "t_shirt_top"),
        ("T-shirt_top", "t_shirt_top"),
        ("007", "7"),
        ("000", "0"),
        ("Straße", "strasse"),
        ("猫", "猫"),
        ("+", "+"),
        ("c++", "c_++"),
        ("-1", "-_1"),
        ("cafe\u0301", "caf\u00e9"),
        (5000 * "9", 5000 * "9"),
    ],
)
def test_spellings(name, plain):
    assert plain_name(name) == plain


def test_names_that_only_their_spelling_tells_apart_are_kept():
    assert plain_names(("A", "a")) == ("A", "a")
    assert matching(("a", "A"), ("A", "a")) == [1, 0]
    assert matching(("+", "-"), ("-", "+")) == [1, 0]


@pytest.mark.parametrize(
    ("names", "to", "expected"),
    [
        (NUMBERS, NUMBERS, list(range(12))),
        (sorted(NUMBERS), NUMBERS, [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]),
        (["00", "01", "02"], ["2", "1", "0"], [2, 1, 0]),
        (["dog", "cat"], ["cat", "dog"], [1, 0]),
        (["ankle boot", "BAG"], ["Bag", "Ankle boot"], [1, 0]),
        (folder_names(FashionMnist.CLASS_NAMES), FashionMnist.CLASS_NAMES, list(range(10))),
    ],
)
def test_classes_are_matched_by_name(names, to, expected):
    assert matching(names, to) == expected


@pytest.mark.parametrize(
    ("names", "to", "words"),
    [
        (["cat", "dog"], ["cat", "emu"], "dog in the one and emu in the other"),
        (["cat"], ["cat", "emu"], "nothing in the one and emu in the other"),
        (["cat", "dog"], ["0", "1"], "cat, dog in the one and 0, 1 in the other"),
        (["-1", "0"], ["1", "0"], "-1 in the one and 1 in the other"),
        (["c", "d"], ["c#", "d"], "c in the one and c# in the other"),
        (NUMBERS, ["cat"], "0, 1, 2, 3, 4 and 7 more in the one and cat in the other"),
    ],
)
def test_other_classes_are_refused(names, to, words):
    with pytest.raises(ValueError, match=words):
        matching(names, to)


@pytest.mark.parametrize(
    ("text", "names", "labels"),
    [
        ("7", (), [7]),
        ("0,3", (), [0, 3]),
        ("cat", ("ape", "cat"), [1]),
        ("1", ("ape", "cat"), [1]),
        ("CAT, ape", ("ape", "cat"), [1, 0]),
        ("ape, the great", ("cat", "ape, the great"), [1]),
        ("2", ("2", "10"), [0]),  # where numbers are the names, a number is a name
        ("10,02", ("2", "10"), [1, 0]),
        ("t-shirt", ("Trouser", "T shirt"), [1]),
        ("all", ("ape", "cat"), list(range(9))),
        ("all", ("ape", "all"), [1]),
    ],
)
def test_labels_by_name_or_number(text, names, labels):
    assert labels_named(text, names, max(len(names), 9)) == labels


@pytest.mark.parametrize(
    ("text", "names", "words"),
    [
        ("9", (), "there is no class '9'; the classes are 0 to 8"),
        ("-1", (), "there is no class '-1'"),
        ("1", ("2", "10"), "there is no class '1'; the classes are 0 2, 1 10"),
        ("dog", ("ape", "cat"), "there is no class 'dog'; the classes are 0 ape, 1 cat"),
        ("cat,dog", ("ape", "cat"), "there is no class 'dog'"),
        ("sneker", ("sneaker", "boot"), r"class 'sneker' \(did you mean sneaker\?\); the classes are 0 sne"),
        ("³", (), "there is no class '³'"),
        ("", ("ape", "cat"), "there is no class ''"),
    ],
)
def test_unknown_classes_are_refused_with_the_choices(text, names, words):
    with pytest.raises(UserError, match=words):
        labels_named(text, names, len(names) or 9)


def test_the_classes_in_a_line():
    assert described(("cat", "dog")) == "0 cat, 1 dog"
    assert described(NUMBERS) == "0 to 11"
    assert described([f"c{i}" for i in range(1000)]).endswith(", 19 c19 and 980 more")


def test_names_of_folders():
    assert folder_names(("a/b", "c")) == ("a_b", "c")
    assert folder_names(("a/b", "a_b")) == folder_names((".", "a")) == folder_names(("", "a")) == ("0", "1")
