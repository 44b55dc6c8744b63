"""Scores of a method that translates both ways, as one record: those of the way back are NAME_b_to_a."""

from __future__ import annotations

import dataclasses

from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.names import BACK
from gan_jax.evaluation.protocol import Record
from gan_jax.utils.errors import UserError


def way_back(fake: GeneratedSet) -> GeneratedSet:
    """The fakes of the direction "b_to_a".

    Raises:
        UserError: there are none.
    """
    if fake.back is None:
        raise UserError(
            f"scores of the direction b_to_a need a method that translates both ways, and {fake.source.name} "
            "is no run of one: leave them out"
        )
    return fake.back


class BothWays:
    """What measures fakes and those of the way back.

    Args:
        there: of the direction "a_to_b"; None where nothing is measured of it.
        back: of "b_to_a".
    """

    def __init__(self, there: Evaluator | None, back: Evaluator) -> None:
        self._there = there
        self._back = back

    def check_fake(self, fake: GeneratedSet) -> None:
        """As `Evaluator.check_fake`."""
        if self._there is not None:
            self._there.check_fake(fake)
        self._back.check_fake(way_back(fake))

    def prepare(self) -> None:
        """As `Evaluator.prepare`."""
        for evaluator in (self._there, self._back):
            if evaluator is not None:
                evaluator.prepare()

    def __call__(self, fake: GeneratedSet) -> Record:
        """As `Evaluator`."""
        back = self._back(way_back(fake))
        if self._there is None:
            return back
        there = self._there(fake)
        theirs = {
            name: dataclasses.replace(score, setting=back.setting_of(name))
            for name, score in back.scores.items()
        }
        return dataclasses.replace(
            there, scores={**there.scores, **theirs}, seconds=round(there.seconds + back.seconds, 3)
        )


def by_direction(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The metrics of the direction "a_to_b", and those of "b_to_a" without the ending."""
    there = tuple(name for name in names if not name.endswith(BACK))
    return there, tuple(name.removesuffix(BACK) for name in names if name.endswith(BACK))
