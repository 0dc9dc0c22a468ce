"""One bounded HTTP exchange, as devices at the house and the server far away both need it."""

import time
from dataclasses import dataclass

import requests
import urllib3

CHUNK = 65_536


class NetworkError(Exception):
    """Nobody gave a whole answer in time. The text names neither address nor credentials."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the headers (case-insensitive) and the whole body."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    body: bytes


class Bearer(requests.auth.AuthBase):
    """Sends a token; set as auth so that no ``.netrc`` can put another in its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def exchange(
    session: requests.Session, request: requests.Request, *, timeout: float, patience: float, limit: int
) -> Answer:
    """Send one request and return its answer, whatever its status; redirects are never followed.

    ``timeout`` bounds each wait on the socket and ``patience`` the body as a whole, both in seconds;
    ``limit`` bounds the inflated body in bytes. Raises NetworkError for everything that goes wrong.
    """
    try:
        prepared = session.prepare_request(request)
        settings = session.merge_environment_settings(prepared.url, {}, stream=True, verify=None, cert=None)
        with session.send(prepared, timeout=timeout, allow_redirects=False, **settings) as response:
            body = _read(response.raw, deadline=time.monotonic() + patience, limit=limit)
            return Answer(response.status_code, response.headers, body)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise NetworkError(_in_words(error)) from error


def _read(raw: urllib3.HTTPResponse, *, deadline: float, limit: int) -> bytes:
    """Read piece by piece, so that a peer that drips bytes is given up as well as a silent one."""
    body = bytearray()
    while piece := raw.read1(CHUNK, decode_content=True):
        body += piece
        if len(body) > limit:
            raise NetworkError(f"the answer is longer than {limit:,} bytes")
        if time.monotonic() > deadline:
            raise NetworkError("the answer took too long")
    return bytes(body)


def _in_words(error: Exception) -> str:
    if isinstance(error, requests.ConnectTimeout | requests.ReadTimeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS certificate or handshake was not accepted"
    if isinstance(error, requests.ConnectionError) and not isinstance(
        error, requests.exceptions.ChunkedEncodingError
    ):
        return "no connection"
    return "the answer broke off or was not HTTP"
