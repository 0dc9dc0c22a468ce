"""Secrets that a fresh installation makes for itself, once."""

import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from pathlib import Path


def ensure(path: Path) -> None:
    """Write SECRET_KEY and FIELD_KEYS to `path` (0600) unless it exists.

    Several processes may start at once on a fresh clone: the file appears whole or not at all, and the first
    one wins.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")  # mkstemp makes it 0600
    with os.fdopen(handle, "w") as file:
        file.write(f"SECRET_KEY={secrets.token_urlsafe(50)}\n")
        file.write(f"FIELD_KEYS={urlsafe_b64encode(secrets.token_bytes(32)).decode()}\n")
    try:
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
