"""The vendored plotly.js."""

from __future__ import annotations

from pathlib import Path

from plotly.offline import get_plotlyjs_version

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"


def test_the_charts_script_is_of_the_version_plotly_py_speaks() -> None:
    head = (VENDOR / "plotly-cartesian.min.js").read_text()[:200]

    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}" in head


def test_its_licence_travels_with_it() -> None:
    assert "MIT License" in (VENDOR / "plotly-LICENSE.txt").read_text()
