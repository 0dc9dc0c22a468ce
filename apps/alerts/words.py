"""What alerts say to people, and what to do about each kind. Without Django."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.alerts.kinds import Kind
from apps.devices.edge.refusals import MESSAGES, Code

Evidence = Mapping[str, Any]


def describe(kind: Kind, name: str, evidence: Evidence) -> str:
    """One sentence for operators; `name` is that of the source, else of the agent."""
    return _SENTENCES[kind](name, evidence)


def plainly(kind: Kind, name: str) -> str:
    """One sentence for those who live in the house."""
    return gettext(_PLAIN[kind]).format(name=name)


def _warning(name: str, evidence: Evidence) -> str:
    return f"{name}: {evidence.get('text') or 'a warning without a text'}"


def _silent(name: str, evidence: Evidence) -> str:
    return f"{name} has never sent anything" if evidence.get("since") is None else f"{name} sends nothing"


def _stuck(name: str, evidence: Evidence) -> str:
    return f"{name}.{evidence.get('field')} stands still at {evidence.get('value')}"


def _offline(name: str, evidence: Evidence) -> str:
    return "The agent is not heard of"


def _spool(name: str, evidence: Evidence) -> str:
    percent, bound = evidence.get("percent"), evidence.get("bound", 0)
    return f"The agent's spool is {percent} % full; beyond {bound:,} rows it loses the oldest"


def _clock(name: str, evidence: Evidence) -> str:
    offset = evidence.get("offset_s", 0)
    return f"The agent's clock is {abs(offset)} s {'ahead' if offset > 0 else 'behind'}"


def _refused(name: str, evidence: Evidence) -> str:
    code = evidence.get("code", "")
    reason = MESSAGES[Code(code)] if code in set(Code) else code
    whose = evidence.get("name") or name
    return f"{evidence.get('count', 0):,} readings or events of {whose} refused so far. {reason}"


def _quarantine(name: str, evidence: Evidence) -> str:
    count = evidence.get("count")
    waits = "1 step of a counter waits" if count == 1 else f"{count} steps of counters wait"
    return f"{name}: {waits} for a decision"


def _negative(name: str, evidence: Evidence) -> str:
    """Some intervals below zero are noise around it; this is told when they are many."""
    role, count = evidence.get("role"), evidence.get("count")
    meters = " or ".join(evidence.get("meters", ()))
    hint = f" Is {meters} wired the other way round? Then swap its polarity" if meters else ""
    return f"{name}: the {role} was below zero in {count} intervals of two days.{hint}"


def _residual(name: str, evidence: Evidence) -> str:
    percent, tolerated = evidence.get("percent"), evidence.get("tolerated")
    return f"{name}: the meters leave {percent} % of a day's load over; {tolerated} % are tolerated"


def _logger(name: str, evidence: Evidence) -> str:
    logger = evidence.get("logger")
    never = evidence.get("since") is None
    return f"The logger {logger} has never called" if never else f"The logger {logger} does not call"


def _mute(name: str, evidence: Evidence) -> str:
    return f"Device {evidence.get('address')} of the logger {evidence.get('logger')} does not answer"


def _flash(name: str, evidence: Evidence) -> str:
    percent, logger = evidence.get("percent"), evidence.get("logger")
    loses = "; what does not fit is lost" if evidence.get("over") == 95 else ""
    return f"The flash of the logger {logger} is {percent} % full{loses}"


def _clock_set(name: str, evidence: Evidence) -> str:
    return f"The clock of the logger {evidence.get('logger')} was set"


def _mapping(name: str, evidence: Evidence) -> str:
    files = "file waits" if evidence.get("files") == 1 else "files wait"
    whose = f"device {evidence.get('address')} of the logger {evidence.get('logger')}"
    return f"{evidence.get('files')} {files} until somebody says what {whose} is"


def _damaged(name: str, evidence: Evidence) -> str:
    count = evidence.get("count")
    days = "1 day" if count == 1 else f"{count} days"
    return f"{name}: {days} cannot be worked on, as stored readings are damaged. {evidence.get('error', '')}"


_SENTENCES: dict[Kind, Callable[[str, Evidence], str]] = {
    Kind.WARNING: _warning,
    Kind.SILENT: _silent,
    Kind.STUCK: _stuck,
    Kind.OFFLINE: _offline,
    Kind.SPOOL: _spool,
    Kind.CLOCK: _clock,
    Kind.REFUSED: _refused,
    Kind.QUARANTINE: _quarantine,
    Kind.NEGATIVE: _negative,
    Kind.RESIDUAL: _residual,
    Kind.LOGGER: _logger,
    Kind.MUTE: _mute,
    Kind.FLASH: _flash,
    Kind.CLOCK_SET: _clock_set,
    Kind.MAPPING: _mapping,
    Kind.DAMAGED: _damaged,
}

_PLAIN = {
    Kind.WARNING: _("{name} reports a problem"),
    Kind.SILENT: _("No readings from {name}"),
    Kind.STUCK: _("{name} always shows the same value"),
    Kind.OFFLINE: _("This house is not connected"),
    Kind.SPOOL: _("Readings are waiting to be sent"),
    Kind.CLOCK: _("The clock of this house's computer is wrong"),
    Kind.REFUSED: _("Some readings could not be stored"),
    Kind.QUARANTINE: _("A meter reading of {name} is being checked"),
    Kind.NEGATIVE: _("A meter of this house seems to be wired the other way round"),
    Kind.RESIDUAL: _("The meters of this house do not agree"),
    Kind.LOGGER: _("A logger of this house is not connected"),
    Kind.MUTE: _("A meter of this house does not answer"),
    Kind.FLASH: _("Readings are waiting to be sent"),
    Kind.CLOCK_SET: _("The clock of a logger of this house was set"),
    Kind.MAPPING: _("A meter of this house is new"),
    Kind.DAMAGED: _("Some stored readings of {name} are damaged"),
}

ADVICE = {
    Kind.WARNING: "Read the text: it is the driver's. It clears when the driver says that it is over, or "
    "when nobody repeats it for a day.",
    Kind.SILENT: "Look at the device's page for its settings and newest values, and at the device itself: "
    "its power, network and address.",
    Kind.STUCK: "Compare it with the device's own display. A sensor that came off, or a gateway that repeats "
    "its last answer, shows like this.",
    Kind.OFFLINE: "Check power and network at the house. The agent keeps its readings and sends them when it "
    "is back.",
    Kind.SPOOL: "The agent reads more than it can send: look for a long outage, a slow line, or uploads that "
    "are refused.",
    Kind.CLOCK: "Let the agent's computer reach a time server. Readings carry the stamps of its clock.",
    Kind.REFUSED: "The reason says what to change, at the device or in its settings. What is refused is not "
    "stored.",
    Kind.QUARANTINE: "Say under Quarantine, in the admin, what each step is: the change of a meter, a "
    "reading that is right, or one that is wrong. It counts nothing until then.",
    Kind.NEGATIVE: "A load never gives power, and solar panels never take much. Look which meter is wired "
    "the other way round and swap its polarity in the meter set: its days are then worked out again.",
    Kind.RESIDUAL: "Solar, battery and utility together are the load. Look for a meter that is reversed, "
    "stands still, misses a phase or is on another bus, and at the clocks of the loggers.",
    Kind.LOGGER: "Check its power, its network and the upload address on it. It keeps its rows for weeks and "
    "sends them when it is back.",
    Kind.MUTE: "Look at the meter's power, at the Modbus wiring and at its address. The logger writes a row "
    "without values each time that it gets no answer.",
    Kind.FLASH: "Its uploads fail, or are too few: look at its sessions. From 95 % on it drops its oldest "
    "file when an upload fails.",
    Kind.CLOCK_SET: "Rows around that time may carry stamps of a wrong clock. When it comes again and again, "
    "the logger's battery or its way to a time server is bad.",
    Kind.MAPPING: "Its page asks what its points are, or which meter it is. What it has sent is read once "
    "that is said; files that wait longer than a year are dropped.",
    Kind.DAMAGED: "The disk or the memory of the database server may be failing: look at it, and restore the "
    "day from a backup. All other days go on, and this one is tried again each minute.",
}
