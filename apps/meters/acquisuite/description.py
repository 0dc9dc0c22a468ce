"""The upload address in the API's description."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, inline_serializer
from rest_framework import serializers

MODES = [
    "STATUS",
    "CONFIGFILEMANIFEST",
    "CONFIGFILEUPLOAD",
    "CONFIGFILEDOWNLOAD",
    "LOGFILEUPLOAD",
    "TEST",
]

_FORM = inline_serializer(
    "AcquiSuiteForm",
    {
        "MODE": serializers.ChoiceField(MODES),
        "SERIALNUMBER": serializers.CharField(required=False, help_text="Or the user of Basic."),
        "PASSWORD": serializers.CharField(required=False, help_text="Or the password of Basic."),
        "MODBUSDEVICE": serializers.IntegerField(required=False, help_text="0 to 255: which device it is."),
        "MODBUSDEVICECLASS": serializers.IntegerField(required=False, help_text="What its columns are."),
        "MODBUSDEVICENAME": serializers.CharField(required=False),
        "MD5CHECKSUM": serializers.CharField(required=False, help_text="Of the file's bytes as sent."),
        "FILETIME": serializers.CharField(required=False, help_text="UTC, YYYY-MM-DD HH:MM:SS."),
        "LOGFILE": serializers.FileField(required=False, help_text="Plain or gzipped."),
        "CONFIGFILE": serializers.FileField(required=False),
    },
)


def _text(description: str) -> OpenApiResponse:
    return OpenApiResponse(response=str, description=description)


UPLOAD: dict[str, Any] = {
    "summary": "Take the files of an AcquiSuite logger",
    "description": "The vendor's protocol: names of variables in any case, answers in plain text. A line"
    " `SUCCESS` means that what was sent is stored for good; every other answer begins with `FAILURE`.",
    "request": {"multipart/form-data": _FORM, "application/x-www-form-urlencoded": _FORM},
    "responses": {
        (200, "text/plain"): OpenApiResponse(
            response=str,
            description="`SUCCESS`; the list of configuration files; or the bytes of one.",
            examples=[OpenApiExample("stored", value="\nSUCCESS\n", media_type="text/plain")],
        ),
        (400, "text/plain"): _text("The form cannot be read, or says no MODE."),
        (401, "text/plain"): _text("Serial number and password do not match: the logger ends its session."),
        (403, "text/plain"): _text("The logger is disabled."),
        (405, "text/plain"): _text("Files are sent by POST."),
        (406, "text/plain"): _text("This file is not taken; the logger keeps it and goes on with the next."),
        (429, "text/plain"): _text("Too many wrong passwords."),
        (500, "text/plain"): _text("A fault of ours; the logger tries again."),
        (503, "text/plain"): _text("Nothing can be stored at the moment; the logger tries again."),
    },
    "auth": [],
}
