"""What devices would have delivered in the past, in columns."""

from dataclasses import dataclass, field

from collectors.drivers import Event


@dataclass(frozen=True, slots=True)
class History:
    """Readings in columns: ``timestamps`` in Unix ms, ``fields`` one list each of the same length.

    ``events`` are those that the driver would have told.
    """

    timestamps: list[int]
    fields: dict[str, list[float]]
    events: list[Event] = field(default_factory=list)
