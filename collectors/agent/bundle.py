"""The credential bundle that lets a house's agent speak to its server."""

import ipaddress
import logging
import stat
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

log = logging.getLogger(__name__)


class BundleError(Exception):
    """The bundle cannot be used; the text says why and how to mend it."""


class Bundle(msgspec.Struct, frozen=True):
    """Whose agent this is, where its server is, and its key; the repr keeps the key to itself."""

    house: str | int
    url: str
    key: str

    def __repr__(self) -> str:
        return f"Bundle(house={self.house!r}, url={self.url!r}, key=•••)"

    def endpoint(self, path: str) -> str:
        """The address of an edge endpoint, as ``readings/``."""
        return f"{self.url.rstrip('/')}/api/v1/edge/{path}"


def load_bundle(path: Path, *, insecure: bool) -> Bundle:
    """Read a bundle. Raises BundleError, also for plain HTTP beyond this machine unless ``insecure``."""
    try:
        bundle = msgspec.json.decode(path.read_bytes(), type=Bundle)
        address = urlsplit(bundle.url)
        hostname = address.hostname
    except OSError as error:
        raise BundleError(f"The bundle {path} cannot be read: {error.strerror}.") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BundleError(f"{path} is not a credential bundle: it needs house, url and key.") from error
    if address.scheme not in ("http", "https") or not hostname or not bundle.key.isascii():
        raise BundleError(f"{path} is not a credential bundle: its url or key cannot be used.")
    if address.scheme == "http" and not (insecure or _is_loopback(hostname)):
        raise BundleError(
            f"The bundle's url {bundle.url} is plain HTTP, which would show the key and the readings to the "
            "network. Use https://, or --insecure if this network is trusted."
        )
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("Others on this machine may read %s; chmod 600 keeps the key to you.", path)
    return bundle


def _is_loopback(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"
