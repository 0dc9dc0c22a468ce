import json
import logging
from pathlib import Path
from typing import Any

import pytest

from collectors.agent.bundle import BundleError, load_bundle


def write(path: Path, **changes: Any) -> Path:
    bundle = {"house": "demo", "url": "https://desk.example", "key": "hush-hush", **changes}
    file = path / "bundle.json"
    file.touch(0o600)
    file.write_text(json.dumps({key: value for key, value in bundle.items() if value is not None}))
    return file


@pytest.mark.parametrize(
    "url",
    [
        "https://desk.example",
        "https://desk.example/",
        "https://10.0.0.1:8443/desk",
        "http://localhost:8000",
        "http://127.0.0.9:1",
        "http://[::1]:8000",
    ],
)
def test_addresses_that_keep_the_key(tmp_path: Path, url: str) -> None:
    bundle = load_bundle(write(tmp_path, url=url), insecure=False)
    assert bundle.endpoint("config/") == url.rstrip("/") + "/api/v1/edge/config/"


@pytest.mark.parametrize(
    "url", ["http://desk.example", "http://10.0.0.1:8000", "http://localhost.evil.example"]
)
def test_plain_http_to_others_is_refused_unless_insecure(tmp_path: Path, url: str) -> None:
    file = write(tmp_path, url=url)
    with pytest.raises(BundleError, match="plain HTTP"):
        load_bundle(file, insecure=False)
    assert load_bundle(file, insecure=True).url == url


@pytest.mark.parametrize(
    "changes",
    [{"url": None}, {"key": None}, {"house": None}, {"url": "ftp://a"}, {"url": "desk"}, {"key": "ü"}],
)
def test_what_is_no_bundle(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="not a credential bundle"):
        load_bundle(write(tmp_path, **changes), insecure=False)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_file_that_is_something_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(BundleError):
        load_bundle(tmp_path / "b", insecure=False)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(tmp_path / "b", insecure=False)


def test_the_key_is_in_no_repr(tmp_path: Path) -> None:
    assert "hush-hush" not in repr(load_bundle(write(tmp_path), insecure=False))


def test_a_bundle_that_others_may_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path)
    with caplog.at_level(logging.WARNING):
        load_bundle(file, insecure=False)
        assert not caplog.records
        file.chmod(0o644)
        load_bundle(file, insecure=False)
    assert "chmod 600" in caplog.text
