"""The admin site: Unfold's, with one log-in page for everybody."""

from __future__ import annotations

from unfold.sites import UnfoldAdminSite


class DeskSite(UnfoldAdminSite):
    """The operators' site."""
