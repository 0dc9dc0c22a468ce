"""HTTP as drivers speak it to devices in the house's own network."""

import requests

from collectors.drivers.contract import DeviceError
from collectors.http import Answer, NetworkError, exchange

HOST = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$"
"""A host name or address with an optional port and nothing else: no scheme, path or user name."""


def local_session(auth: requests.auth.AuthBase | None = None) -> requests.Session:
    """A session that ignores proxies and ``.netrc``: both are meant for the world outside the house."""
    session = requests.Session()
    session.trust_env = False
    session.auth = auth
    return session


def get(session: requests.Session, url: str, *, timeout: float, limit: int = 1_000_000) -> bytes:
    """The body of a 200 answer of at most ``limit`` bytes; raises DeviceError for anything else."""
    try:
        answer = exchange(
            session, requests.Request("GET", url), timeout=timeout, patience=3 * timeout, limit=limit
        )
    except NetworkError as error:
        raise DeviceError(f"The device cannot be read: {error}.") from error
    if answer.status != requests.codes.ok:
        raise DeviceError(_refusal(answer))
    return answer.body


def _refusal(answer: Answer) -> str:
    if answer.status in (requests.codes.unauthorized, requests.codes.forbidden):
        return f"The device refused the user name or password (HTTP {answer.status})."
    if 300 <= answer.status < 400:
        return f"The device answered with a redirect (HTTP {answer.status}), which is not followed."
    return f"The device answered HTTP {answer.status}."
