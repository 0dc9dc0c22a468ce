"""Log in to PowerFlex once and use the token for as long as it lasts."""

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec
import requests

from collectors.drivers.contract import DeviceError
from collectors.drivers.powerflex.config import Config
from collectors.drivers.transport import Cloud, body_of, json_of
from collectors.http import Answer, Bearer

LOGIN_PAUSE_S = 300
"""After a log-in that was refused: a wrong password tried at every poll would lock the account."""

EARLY_S = 30
TOKEN = re.compile(r"[!-~]+")
LONGEST_ANSWER = 20_000_000


class Login(msgspec.Struct):
    """What the server says to who may come in; ``expires_in`` in seconds, where it says so."""

    access_token: str
    expires_in: float | None = None


class Account:
    """An account at PowerFlex. Its repr, and all its errors, keep password and token to themselves."""

    def __init__(self, config: Config, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._config, self._monotonic = config, monotonic
        self._cloud = Cloud(timeout=config.timeout, limit=LONGEST_ANSWER, monotonic=monotonic)
        self._token: Bearer | None = None
        self._expires = self._no_login_before = 0.0

    def post(self, path: str, body: Any) -> bytes:
        """The body of a 200 answer, after a log-in where one is needed. Raises DeviceError."""
        answer = self._post(path, body, self._valid_token() or self._log_in())
        if answer.status == requests.codes.unauthorized:
            answer = self._post(path, body, self._log_in())
        if answer.status == requests.codes.unauthorized:
            raise self._refused(answer)
        return body_of(answer)

    def _valid_token(self) -> Bearer | None:
        return self._token if self._monotonic() < self._expires else None

    def _log_in(self) -> Bearer:
        self._token = None
        if self._monotonic() < self._no_login_before:
            raise DeviceError("PowerFlex refused the log-in; it is tried again in a few minutes.")
        answer = self._post(
            "login", {"username": self._config.username, "password": self._config.password}, None
        )
        if answer.status in (requests.codes.bad_request, 401, 403):
            raise self._refused(answer)
        login = json_of(body_of(answer), Login)
        if not TOKEN.fullmatch(login.access_token):
            raise DeviceError("PowerFlex gave a token that cannot be used.")
        lifetime = float("inf") if login.expires_in is None else login.expires_in - EARLY_S
        self._token, self._expires = Bearer(login.access_token), self._monotonic() + lifetime
        return self._token

    def _refused(self, answer: Answer) -> DeviceError:
        self._token = None
        self._no_login_before = self._monotonic() + LOGIN_PAUSE_S
        return DeviceError(f"PowerFlex refused the user name or password (HTTP {answer.status}).")

    def _post(self, path: str, body: Any, auth: Bearer | None) -> Answer:
        return self._cloud.ask(requests.Request("POST", f"{self._config.url}/{path}", json=body, auth=auth))
