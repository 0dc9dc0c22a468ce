"""When cars come and go: the events of a charging session, from one row to the next."""

import msgspec

from collectors.drivers.contract import Event
from collectors.drivers.powerflex.rows import Row
from collectors.drivers.values import measured

START, END = "EV_START_CHARGING", "EV_END_CHARGING"


class Session(msgspec.Struct, frozen=True):
    """What is known of the car at a station.

    ``plugged_in`` is None before the first row. ``started`` (Unix ms) is None where a car was there already
    when the first row came: nobody knows since when, so neither a start nor an end is told of its stay.
    ``energy`` (mWh) is the newest while plugged in.
    """

    plugged_in: bool | None = None
    started: int | None = None
    energy: float | None = None


def advance(session: Session, row: Row) -> tuple[Session, list[Event]]:
    """The session after a row, and what began or ended with it.

    A session's energy is that of the last row before the plug was pulled, since the row that says UNPLUGGED
    has been set to zero. A row that does not say whether a car is there changes nothing.
    """
    plugged_in = row.plugged_in
    if plugged_in is None:
        return session, []
    if not plugged_in:
        return Session(plugged_in=False), _end(session, row)
    energy = measured(row.values["energy_delivered"])
    if session.plugged_in is False:
        return Session(True, row.timestamp, energy), [Event(row.timestamp, START, {})]
    return Session(True, session.started, session.energy if energy is None else energy), []


def _end(session: Session, row: Row) -> list[Event]:
    if session.started is None:
        return []
    energy = None if session.energy is None else round(session.energy)
    return [Event(row.timestamp, END, {"duration": row.timestamp - session.started, "energy": energy})]
