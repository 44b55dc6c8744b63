"""The catalogue: every method's closed form is what differentiating its training step gives."""

from __future__ import annotations

import numpy as np
import pytest

from gan_jax.theory.dirac import eigenvalues
from gan_jax.theory.dirac_methods import Method, methods

SMOOTH = [method for method in methods(0.3) if method.closed is not None]


@pytest.mark.parametrize("method", SMOOTH, ids=lambda method: method.title)
def test_closed_form_of_every_method(method: Method) -> None:
    """Its eigenvalues are among those of the step; double ones may differ by the root of the rounding."""
    assert method.closed is not None
    found = eigenvalues(method.algorithm, method.settle_steps, method.batch_size)
    noisy = method.batch_size > 2
    for value in method.closed:
        assert np.abs(found - value).min() < (5e-3 if noisy else 1e-3)


def test_titles_tell_the_methods_apart() -> None:
    titles = [method.title for method in methods(0.2)]
    assert len(set(titles)) == len(titles)
