"""The XML that an eGauge answers to ``/cgi-bin/egauge?ins&tot``."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from collectors.drivers.contract import DeviceError


def parse(body: bytes) -> tuple[int, dict[str, int]]:
    """The meter's clock (Unix s) and its cumulative registers by name.

    A register whose value cannot be read is left out. Raises DeviceError when the whole is not an answer.
    """
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:
        raise DeviceError("The device's answer is not whole XML.") from error
    clock = _integer(root.findtext("ts"))
    if root.tag != "data" or clock is None:
        raise DeviceError("The device's answer is not that of an eGauge: no time in it.")
    return clock, dict(_registers(root))


def _registers(root: Element) -> Iterator[tuple[str, int]]:
    for register in root.iterfind("r"):
        name, value = register.get("n"), _integer(register.findtext("v"))
        if name and value is not None:
            yield name, value


def _integer(text: str | None) -> int | None:
    """A signed 64-bit number, or None for anything else."""
    try:
        value = int(text or "")
    except ValueError:
        return None
    return value if -(2**63) <= value < 2**63 else None
