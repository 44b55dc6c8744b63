"""One browser for a module's tests."""

import pytest

from tests.browser.browser import browser_in


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browser_in(tmp_path_factory.mktemp("downloads")) as found:
        yield found
