"""What is done with each mode of a logger's request, and what is answered.

`SUCCESS` is answered only when the bytes and the fact that they came are committed: it deletes its own.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.devices import events
from apps.devices.edge.happenings import Happening
from apps.inbox import arrivals
from apps.inbox.models import Receipt
from apps.inbox.parsing import parse
from apps.meters import configs, mirror, uploads
from apps.meters.acquisuite import access, ini, logfile, manifest
from apps.meters.acquisuite.forms import Form, Part
from apps.meters.acquisuite.replies import RefusedError, Reply, content, failure, success
from apps.meters.acquisuite.unpacking import UnreadableError, unpack
from apps.meters.models import Logger, LoggerDevice, UploadFile, UploadSession
from apps.meters.parsing import KIND

logger = logging.getLogger(__name__)

CHEAP = 256 * 1024
"""Characters of text that are parsed before the answer; more are left to a worker."""
UNKNOWN_MODE = "UNKNOWN_MODE"
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Call:
    """A request of a logger that has logged in."""

    logger: Logger
    form: Form
    address: str | None
    now: datetime
    session: UploadSession

    @property
    def mode(self) -> str:
        """What it wants."""
        return self.form.variables.get("MODE", "").upper()


def answer(form: Form, *, address: str | None, now: datetime) -> Reply:
    """Do what a request asks for. Raises RefusedError, or the database's own errors."""
    mode = form.variables.get("MODE", "").upper()
    if not mode:
        raise RefusedError(failure(400, "the variable MODE is missing"))
    found = access.log_in(form, address=address, now=now)
    if not (found.enabled and found.house.enabled):
        raise RefusedError(failure(403, "this logger is disabled"))
    status = _status(form) if mode == "STATUS" else None
    session = uploads.session_of(logger=found, now=now, address=address, status=status)
    uploads.heard(logger=found, address=address, now=now, loop_name=form.variables.get("LOOPNAME", ""))
    call = Call(found, form, address, now, session)
    try:
        reply = _MODES.get(mode, _unknown)(call)
    except RefusedError as refused:
        reply = refused.reply
    uploads.note(session=session, reply=reply, now=now)
    return reply


def _status(form: Form) -> dict[str, str]:
    """What a status report says, but for who says it."""
    return {name: text for name, text in form.variables.items() if name not in ("MODE", "SERIALNUMBER")}


def _report(call: Call) -> Reply:
    uploads.report(logger=call.logger, status=call.session.status)
    return success()


def _test(call: Call) -> Reply:
    return success()


def _unknown(call: Call) -> Reply:
    """Whatever it is, the logger must not be stuck behind it; operators see it as an event."""
    data = {"mode": call.mode[:64], "logger": call.logger.serial}
    stamp = int(call.now.timestamp() * 1000)
    events.add(house=call.logger.house, happened=[Happening(None, stamp, UNKNOWN_MODE, data)])
    return success("this mode is not known here, and nothing was done")


def _manifest(call: Call) -> Reply:
    return content(manifest.lines(configs.entries(call.logger)))


def _download(call: Call) -> Reply:
    """The bytes of a file that an operator offers, and nothing else; there is never anything by itself."""
    name = _config_name(call.form, None)
    version = configs.offered(logger=call.logger, name=name) if name else None
    if version is None:
        raise RefusedError(failure(406, "there is no such file for this logger"))
    configs.fetched(version=version, now=call.now)
    _record(call, Part(name or "", b""), Reply(200, "the file"), device=None, size=version.size)
    return Reply(200, mirror.content(version).decode("latin-1"))


def _take_config(call: Call) -> Reply:
    part = _part(call, "CONFIGFILE")
    name = _config_name(call.form, part)
    if name is None:
        raise _kept_out(call, part, "MODBUSDEVICE is missing, and the file's name does not tell")
    try:
        configs.keep(
            logger=call.logger,
            name=name,
            part=part,
            file_time=configs.read_time(call.form.variables.get("FILETIME", "")),
            now=call.now,
        )
    except UnreadableError as error:
        raise _kept_out(call, part, str(error)) from error
    reply = success()
    _record(call, part, reply, device=_device(call))
    return reply


def _take_log(call: Call) -> Reply:
    part = _part(call, "LOGFILE")
    device = _device(call) or _device_of_name(call, part)
    if device is None:
        raise _kept_out(call, part, "MODBUSDEVICE is missing")
    earlier = uploads.repeated(device=device, md5=part.md5, sha256=hashlib.sha256(part.body).hexdigest())
    try:
        text = unpack(part.body)
        logfile.check_size(text)
        reply, cheap = success(), len(text) <= CHEAP
    except UnreadableError as error:
        reply, cheap = _for_unreadable(str(error)), True
    if earlier is not None:
        _record(call, part, reply, device=device, earlier=earlier)
    else:
        _keep(call, part, device, reply, cheap=cheap)
    uploads.uploaded(logger=call.logger, now=call.now)
    return reply


def _keep(call: Call, part: Part, device: LoggerDevice, reply: Reply, *, cheap: bool) -> None:
    """Commit the bytes and that they came; read them now where that is quick."""
    try:
        receipt = arrivals.receive(
            kind=KIND,
            origin=call.logger.serial,
            house=call.logger.house,
            metadata={
                "serial": call.logger.serial,
                "address": device.address,
                "filename": part.filename,
                "variables": dict(call.form.variables),
            },
            body=part.body,
            received_at=call.now,
            parse_soon=not cheap,
            beside=lambda kept: _record(call, part, reply, device=device, receipt=kept),
        )
    except arrivals.BodyTooLarge as error:
        raise _kept_out(call, part, str(error)) from error
    if cheap:
        _read(receipt.pk)


def _read(receipt_id: int) -> None:
    """Whatever happens here, the bytes are kept, and the sweep reads them later."""
    try:
        parse(receipt_id)
    except Exception:
        logger.exception("Receipt %s is left to the sweep", receipt_id)


def _for_unreadable(reason: str) -> Reply:
    """The copy is kept. Whether the logger keeps its own as well is the operator's choice."""
    if settings.LOGGERS_DROP_UNREADABLE:
        return success("the file cannot be read; it is kept as it came")
    return failure(406, reason)


def _part(call: Call, field: str) -> Part:
    """The file of a request, whole and undamaged. Raises RefusedError."""
    part = call.form.files.get(field)
    if part is None:
        raise RefusedError(failure(406, f"the form holds no file {field}"))
    told = call.form.variables.get("MD5CHECKSUM", "").lower()
    if not call.form.complete:
        raise _kept_out(call, part, "the request is shorter than announced")
    if told and told != part.md5:
        raise _kept_out(call, part, "the file does not have the checksum that was announced")
    return part


def _kept_out(call: Call, part: Part, reason: str) -> RefusedError:
    """A file that is not taken leaves a trace for operators, and stays with the logger."""
    reply = failure(406, reason)
    _record(call, part, reply, device=_device(call))
    return RefusedError(reply)


def _record(
    call: Call,
    part: Part,
    reply: Reply,
    *,
    device: LoggerDevice | None,
    receipt: Receipt | None = None,
    earlier: UploadFile | None = None,
    size: int | None = None,
) -> None:
    UploadFile.objects.create(
        session=call.session,
        device=device,
        receipt=receipt,
        mode=call.mode[:32],
        filename=part.filename,
        size=len(part.body) if size is None else size,
        md5=part.md5,
        received_at=call.now,
        reply_status=reply.status,
        reply=reply.summary,
        repeat=earlier is not None,
        rows=earlier.rows if earlier else None,
        same=earlier.rows if earlier else None,
        notes=[f"The same file came at {earlier.received_at:%Y-%m-%d %H:%M} UTC."] if earlier else [],
    )


def _device(call: Call) -> LoggerDevice | None:
    """The device that the variables name: file names are no identity."""
    address = call.form.number("MODBUSDEVICE")
    return _device_at(call, address) if address is not None and address <= 255 else None


def _device_of_name(call: Call, part: Part) -> LoggerDevice | None:
    """Where no variable tells, the name of the file is better than nothing."""
    if "MODBUSDEVICE" in call.form.variables:
        return None
    address = ini.address_of(part.filename.partition(".")[0] + ".ini")
    return _device_at(call, address) if address is not None and address <= 255 else None


def _device_at(call: Call, address: int) -> LoggerDevice:
    device, _ = LoggerDevice.objects.get_or_create(logger=call.logger, address=address)
    return device


def _config_name(form: Form, part: Part | None) -> str | None:
    """The file that a request is about; device 0 of class 0 stands for the logger's own settings."""
    address, device_class = form.number("MODBUSDEVICE"), form.number("MODBUSDEVICECLASS")
    if address == 0 and not device_class:
        return ini.MAIN
    if address is not None:
        return ini.file_of(address) if address <= 255 else None
    if part is None or part.filename.lower() == ini.MAIN:
        return ini.MAIN
    found = ini.address_of(part.filename)
    return None if found is None else ini.file_of(found)


_MODES: dict[str, Callable[[Call], Reply]] = {
    "STATUS": _report,
    "TEST": _test,
    "CONFIGFILEMANIFEST": _manifest,
    "CONFIGFILEUPLOAD": _take_config,
    "CONFIGFILEDOWNLOAD": _download,
    "LOGFILEUPLOAD": _take_log,
}
