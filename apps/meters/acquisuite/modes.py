"""What is done with each mode of a logger's request, and what is answered.

`SUCCESS` is answered only when the bytes and the fact that they came are committed: it deletes its own.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.conf import settings

from apps.devices import events
from apps.devices.edge.happenings import Happening
from apps.inbox import arrivals
from apps.inbox.models import Receipt
from apps.inbox.parsers import ParseError, Result
from apps.inbox.parsing import parse_arrived
from apps.meters import configs, mirror, uploads
from apps.meters.acquisuite import access, ini, logfile, manifest
from apps.meters.acquisuite.forms import Form, Part
from apps.meters.acquisuite.replies import RefusedError, Reply, content, failure, success
from apps.meters.acquisuite.unpacking import UnreadableError, unpack
from apps.meters.models import Logger, LoggerDevice, UploadFile
from apps.meters.parsing import KIND, parse_lines
from config.prepared import insert, select

logger = logging.getLogger(__name__)

CHEAP = 1024 * 1024
"""Characters of text that are parsed before the answer, some days of minutes; more are left to a worker."""
UNKNOWN_MODE = "UNKNOWN_MODE"
MOVED = "LOGGER_MOVED"
Parser = Callable[[Receipt], Result]


@dataclass(frozen=True)
class Call:
    """A request of a logger that has logged in."""

    logger: Logger
    form: Form
    address: str | None
    now: datetime
    heard: uploads.Heard
    status: Mapping[str, str]

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
    loop_name = form.variables.get("LOOPNAME", "")
    heard = uploads.heard(logger=found, now=now, address=address, loop_name=loop_name, status=status)
    call = Call(found, form, address, now, heard, status or {})
    if heard.moved_from is not None:
        _tell_move(call)
    try:
        reply = _MODES.get(mode, _unknown)(call)
    except RefusedError as refused:
        reply = refused.reply
    if not reply.success:
        uploads.failed(session_id=heard.session_id)
    return reply


def _tell_move(call: Call) -> None:
    """A logger that calls from elsewhere was moved, or got another address."""
    data = {"logger": call.logger.serial, "before": call.heard.moved_from, "after": call.address}
    stamp = int(call.now.timestamp() * 1000)
    events.add(house=call.logger.house, happened=[Happening(None, stamp, MOVED, data)])


def _status(form: Form) -> dict[str, str]:
    """What a status report says, but for who says it."""
    return {name: text for name, text in form.variables.items() if name not in ("MODE", "SERIALNUMBER")}


def _report(call: Call) -> Reply:
    uploads.report(logger=call.logger, status=call.status)
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
    parser = None
    try:
        text = unpack(part.body)
        lines = logfile.split(text)
        reply = success()
        if len(text) <= CHEAP:
            parser = partial(parse_lines, lines=lines)
    except UnreadableError as error:
        reply, parser = _for_unreadable(str(error)), partial(_refuse, reason=str(error))
    if earlier is not None:
        _record(call, part, reply, device=device, earlier=earlier)
        uploads.uploaded(logger=call.logger, learnt=call.heard.rhythm, now=call.now)
    else:
        _keep(call, part, device, reply, parser)
    return reply


def _refuse(receipt: Receipt, *, reason: str) -> Result:
    raise ParseError(reason)


def _keep(call: Call, part: Part, device: LoggerDevice, reply: Reply, parser: Parser | None) -> None:
    """Commit the bytes and that they came; read them now where that is quick, which is to have a parser."""

    def record(receipt: Receipt) -> None:
        _record(call, part, reply, device=device, receipt=receipt)
        uploads.uploaded(logger=call.logger, learnt=call.heard.rhythm, now=call.now)

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
            parse_soon=parser is None,
            beside=record,
        )
    except arrivals.BodyTooLarge as error:
        raise _kept_out(call, part, str(error)) from error
    if parser is not None:
        _read(receipt, parser)


def _read(receipt: Receipt, parser: Parser) -> None:
    """Whatever happens here, the bytes are kept, and the sweep reads them later."""
    try:
        parse_arrived(receipt, parser)
    except Exception:
        logger.exception("Receipt %s is left to the sweep", receipt.pk)


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
    file = UploadFile(
        session_id=call.heard.session_id,
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
    insert(file)


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
    at = {"logger": call.logger.pk, "address": address}
    known = select(
        LoggerDevice, "WHERE logger_id = %(logger)s::bigint AND address = %(address)s::smallint", at
    )
    return known[0] if known else LoggerDevice.objects.get_or_create(logger=call.logger, address=address)[0]


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
