"""A source to write to, and what its tables hold."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from apps.houses.models import House
from apps.readings.models import Source

MakeSource = Callable[[], Source]


@pytest.fixture
def make_source(house_a: House) -> MakeSource:
    """A factory of devices of house A."""
    numbers = count(1)
    return lambda: Source.objects.create(house=house_a, name=f"device{next(numbers)}")


@pytest.fixture
def source(make_source: MakeSource) -> Source:
    return make_source()
