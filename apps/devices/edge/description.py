"""How the OpenAPI document tells of the edge API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from apps.accounts.errors import described
from apps.devices.edge.refusals import MESSAGES, Code

STAMP = {"type": "integer", "format": "int64", "description": "Unix ms UTC"}
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": True}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _columns(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _list(value)}


BATCH = _object(
    {
        "source": TEXT,
        "timestamps": _list(STAMP),
        "fields": _columns({"type": "number", "nullable": True}),
        "states": _columns({"oneOf": [TEXT, {"type": "boolean"}], "nullable": True}),
    },
    "source",
    "timestamps",
    "fields",
)
EVENT = _object(
    {
        "source": {**TEXT, "nullable": True, "description": "Absent: the agent itself."},
        "timestamp": STAMP,
        "type": {**TEXT, "maxLength": 64},
        "data": OBJECT,
    },
    "timestamp",
    "type",
)
ABOUT = _object(
    {
        "version": TEXT,
        "sent_at": STAMP,
        "spool": COUNT,
        "spool_bound": COUNT,
        "config_version": {**COUNT, "nullable": True},
    }
)
UPLOAD = _object({"batches": _list(BATCH), "events": _list(EVENT), "agent": ABOUT}, "batches")
REFUSAL = _object(
    {
        "source": {**TEXT, "nullable": True},
        "field": TEXT,
        "code": {"type": "string", "enum": [code.value for code in Code]},
        "message": TEXT,
        "count": COUNT,
    },
    "source",
    "code",
    "message",
    "count",
)
RECEIPT = _object(
    {
        "stored": COUNT,
        "events": COUNT,
        "refused": _list(REFUSAL),
        "commands": {"type": "boolean", "description": "True when commands wait; absent otherwise."},
    },
    "stored",
    "events",
    "refused",
)
COMMAND = _object(
    {"id": COUNT, "device": TEXT, "data": OBJECT, "expires_at": STAMP}, "id", "device", "data", "expires_at"
)
OUTCOME = _object({"state": {**TEXT, "enum": ["verified", "failed"]}, "message": TEXT}, "state")
DEVICE = _object(
    {"name": TEXT, "type": TEXT, "interval_s": {"type": "integer", "minimum": 1}, "config": OBJECT},
    "name",
    "type",
    "interval_s",
    "config",
)
DEVICE_LIST = _object({"version": COUNT, "devices": _list(DEVICE)}, "version", "devices")
ACKNOWLEDGEMENT = _object(
    {"version": COUNT, "errors": _list(_object({"device": TEXT, "message": TEXT}, "device", "message"))},
    "version",
)

_UPLOAD = OpenApiExample(
    "Two readings, a state and an event",
    request_only=True,
    value={
        "batches": [
            {
                "source": "egauge",
                "timestamps": [1_780_000_000_000, 1_780_000_010_000],
                "fields": {"A.Solar": [3.21, None], "A.Load": [-0.5, -0.52]},
                "states": {"mode": ["auto", "auto"]},
            }
        ],
        "events": [
            {
                "source": "ev1",
                "timestamp": 1_780_000_000_000,
                "type": "EV_START_CHARGING",
                "data": {},
            }
        ],
        "agent": {
            "version": "0.1.0",
            "sent_at": 1_780_000_010_200,
            "spool": 0,
            "spool_bound": 2_000_000,
            "config_version": 3,
        },
    },
)
_HEARTBEAT = OpenApiExample("A heartbeat", request_only=True, value={"batches": [], "agent": {"spool": 0}})
_RECEIPT = OpenApiExample(
    "One field refused",
    response_only=True,
    status_codes=["200"],
    value={
        "stored": 3,
        "events": 1,
        "refused": [
            {
                "source": "egauge",
                "field": "A.Grid",
                "code": Code.BAD_VALUE.value,
                "message": MESSAGES[Code.BAD_VALUE],
                "count": 2,
            }
        ],
    },
)
_DEVICES = OpenApiExample(
    "One device",
    response_only=True,
    status_codes=["200"],
    value={
        "version": 3,
        "devices": [
            {
                "name": "egauge",
                "type": "egauge",
                "interval_s": 10,
                "config": {"ip": "192.168.1.20", "keys": ["A.Solar", "A.Load"]},
            }
        ],
    },
)
_ACKNOWLEDGED = OpenApiExample(
    "A device that cannot be read",
    request_only=True,
    value={"version": 3, "errors": [{"device": "egauge", "message": "ip: is required"}]},
)
_COMMAND = OpenApiExample(
    "A battery in manual mode",
    response_only=True,
    status_codes=["200"],
    value=[
        {
            "id": 7,
            "device": "battery",
            "data": {"action": "set_mode", "mode": "manual", "value": 500},
            "expires_at": 1_780_000_300_000,
        }
    ],
)
_VERIFIED = OpenApiExample("Done and seen to be done", request_only=True, value={"state": "verified"})


def _error(status: int, code: str, message: str) -> OpenApiExample:
    value = {"error": {"code": code, "message": message}}
    return OpenApiExample(code, response_only=True, status_codes=[str(status)], value=value)


_ERRORS = [
    _error(400, "malformed", "JSON is malformed: invalid character (byte 6)."),
    _error(401, "unauthorized", "A valid key of a house is needed."),
    _error(413, "too_large", "The body inflates to more than 8,388,608 bytes."),
    _error(429, "throttled", "Request was throttled. Expected available in 17 seconds."),
    _error(503, "unavailable", "The server cannot store anything at the moment. Try again soon."),
]
_FAILURES = described(401, 429, 503)

READINGS: dict[str, Any] = {
    "tags": ["edge"],
    "summary": "Deliver readings and events",
    "parameters": [
        OpenApiParameter("Content-Encoding", str, OpenApiParameter.HEADER, enum=["gzip", "identity"])
    ],
    "request": {"application/json": UPLOAD},
    "responses": {200: OpenApiResponse(RECEIPT, "What was stored and what was refused")}
    | _FAILURES
    | described(400, 413),
    "examples": [_UPLOAD, _HEARTBEAT, _RECEIPT, *_ERRORS],
}
CONFIG: dict[str, Any] = {
    "tags": ["edge"],
    "summary": "Fetch the device list, with secrets",
    "parameters": [OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER)],
    "responses": {
        200: OpenApiResponse(DEVICE_LIST, "The device list"),
        304: OpenApiResponse(description="The list is the one that If-None-Match names"),
    }
    | _FAILURES,
    "examples": [_DEVICES, *_ERRORS[1:2]],
}
ACK: dict[str, Any] = {
    "tags": ["edge"],
    "summary": "Acknowledge the device list",
    "request": {"application/json": ACKNOWLEDGEMENT},
    "responses": {200: OpenApiResponse(_object({"status": TEXT}, "status"), "Noted")}
    | _FAILURES
    | described(400, 413),
    "examples": [_ACKNOWLEDGED, *_ERRORS[:2]],
}
COMMANDS: dict[str, Any] = {
    "tags": ["edge"],
    "summary": "Fetch commands to devices",
    "responses": {200: OpenApiResponse(_list(COMMAND), "Commands that are not carried out yet")} | _FAILURES,
    "examples": [_COMMAND, *_ERRORS[1:2]],
}
RESULT: dict[str, Any] = {
    "tags": ["edge"],
    "summary": "Tell what became of a command",
    "request": {"application/json": OUTCOME},
    "responses": {200: OpenApiResponse(_object({"status": TEXT}, "status"), "Noted")}
    | _FAILURES
    | described(400, 404, 413),
    "examples": [_VERIFIED, *_ERRORS[:2]],
}


class HouseKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How to log in, for the document."""

    target_class = "apps.devices.edge.access.HouseKey"
    name = "houseKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key from a house's credential bundle."}
