"""Not collected on its own: what `test_test_command` runs on a machine without a browser."""

import pytest


@pytest.mark.browser
def test_in_a_browser() -> None:
    raise AssertionError("this ran without a browser")


def test_without() -> None:
    pass
