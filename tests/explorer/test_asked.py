"""Queries of the page, read and refused; names of saved pictures."""

import pytest

from gan_jax.explorer.asked import Choices, name_of, safe_name, settings_of, view_of
from gan_jax.explorer.pictures import Point, View
from gan_jax.utils.errors import UserError

PLAIN = Choices(None, 3)
STYLED = Choices(10, 8, ("coarse", "fine"), truncates=True)


def test_views():
    assert view_of("seed=3", PLAIN) == View(Point(3))
    assert view_of("seed=4294967295&moves=1e-1,-2.5&save=1", PLAIN).point.moves == (0.1, -2.5)
    asked = "seed=3&label=9&moves=0,1.5&layers=fine&psi=0.7&to_seed=4&to_label=0&t=0.25"
    assert view_of(asked, STYLED) == View(Point(3, 9, (0, 1.5), "fine"), Point(4, 0), 0.25, 0.7)


@pytest.mark.parametrize(
    ("query", "choices", "words"),
    [
        ("", PLAIN, "seed is missing"),
        ("seed", PLAIN, "cannot be read"),
        ("seed=%ff", PLAIN, "cannot be read"),
        ("seed=4294967296", PLAIN, "a whole number from 0 to 4294967295"),
        ("seed=-1", PLAIN, "a whole number"),
        ("seed=٣", PLAIN, "a whole number"),
        ("seed=1&seed=2", PLAIN, "given twice"),
        ("seed=1&size=3", PLAIN, "unknown 'size'; known are"),
        ("seed=1&label=0", PLAIN, "unconditional"),
        ("seed=1", STYLED, "label is missing"),
        ("seed=1&label=10", STYLED, "from 0 to 9"),
        ("seed=1&moves=1,2,3,4", PLAIN, "there are 3 directions"),
        ("seed=1&moves=1,,2", PLAIN, "a number from -10 to 10"),
        ("seed=1&moves=nan", PLAIN, "a number from -10 to 10"),
        ("seed=1&moves=inf", PLAIN, "a number from -10 to 10"),
        ("seed=1&moves=1_0", PLAIN, "a number from -10 to 10"),
        ("seed=1&moves=11", PLAIN, "a number from -10 to 10"),
        ("seed=1&layers=fine", PLAIN, "there are no styles"),
        ("seed=1&label=1&layers=3", STYLED, "choose all, coarse, fine"),
        ("seed=1&psi=0.5", PLAIN, "no mean style"),
        ("seed=1&t=0.5", PLAIN, "give to_seed too"),
        ("seed=1&to_label=1", PLAIN, "give to_seed too"),
        ("seed=1&to_seed=2&t=1.1", PLAIN, "from 0 to 1"),
        ("seed=" + "1" * 5000, PLAIN, "at most 4096"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(query, choices, words):
    with pytest.raises(UserError, match=words) as caught:
        view_of(query, choices)
    assert "\n" not in str(caught.value)


def test_names_and_settings_say_what_was_seen():
    view = View(Point(3, 0, (0, 1.5), "fine"), Point(4, 2), 0.25, 0.7)
    assert (
        name_of(view, ("Ankle boot", "b")) == "seed3_Ankle-boot_d2+1.5_fine_to_seed4_class2_25percent_psi0.7"
    )
    assert name_of(View(Point(3))) == "seed3"
    assert safe_name('../a"\r\nb/Ä') == "a-b"
    assert settings_of(view) == {
        "seed": 3,
        "label": 0,
        "moves": [0, 1.5],
        "layers": "fine",
        "to": {"seed": 4, "label": 2},
        "t": 0.25,
        "psi": 0.7,
    }
    assert settings_of(View(Point(3))) == {"seed": 3, "psi": 1.0}
