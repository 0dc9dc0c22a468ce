"""A house that is deleted takes its loggers, meters and files with it."""

from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.houses.models import House
from apps.houses.mutations import delete_house
from apps.inbox.models import Receipt
from apps.meters import deletion
from apps.meters.models import Logger, Meter, UploadFile, UploadSession
from apps.readings.models import Source
from tests.meters.conftest import Box, rows
from tests.meters.test_metering import work


@pytest.mark.usefixtures("noon")
def test_nothing_is_left(box: Box, house_a: House, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PIECE", 2)
    for n in range(1, 4):
        box.log(rows(n))
    assert list(deletion.uploads_of(house_a)) == [(2, 3), (3, 3)]
    box.log(rows(5))
    delete_house(house=house_a, by=admin)
    work()
    for model in (House, Logger, Meter, UploadSession, UploadFile, Receipt, Source):
        assert not model.objects.exists(), model
