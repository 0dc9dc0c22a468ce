"""What is around every admin page: a sidebar of all the person may see, their menu, style and icon."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from apps.desk.titles import title_of

# The group of each app; apps not named here are the machinery's.
GROUPS = {
    "houses": "Houses",
    "devices": "Devices",
    "meters": "Meters",
    "minigrid": "Minigrids",
    "readings": "Readings",
    "inbox": "Readings",
    "analytics": "Analytics",
    "alerts": "Alerts",
    "accounts": "People",
}
SYSTEM = "System"
ORDER = [*dict.fromkeys(GROUPS.values()), SYSTEM]

ICONS = {
    "houses.house": "home",
    "devices.device": "memory",
    "devices.event": "notifications",
    "devices.edgeunit": "router",
    "devices.chargingsession": "ev_station",
    "devices.refusal": "block",
    "devices.command": "terminal",
    "meters.meterset": "balance",
    "meters.logger": "dns",
    "meters.unclaimedlogger": "help_center",
    "meters.loggerdevice": "settings_input_component",
    "meters.deviceclass": "category",
    "meters.meter": "electric_meter",
    "meters.assignment": "link",
    "meters.uploadsession": "sync_alt",
    "meters.uploadfile": "description",
    "meters.configversion": "tune",
    "readings.source": "sensors",
    "readings.series": "show_chart",
    "readings.quarantinedstep": "rule",
    "readings.counterdecision": "gavel",
    "analytics.analyticsitem": "function",
    "accounts.user": "group",
    "knox.authtoken": "key",
    "axes.accessattempt": "lock",
    "axes.accesslog": "login",
    "jobs.job": "work",
    "alerts.alert": "warning",
    "alerts.maintenance": "engineering",
    "inbox.receipt": "inbox",
    "django_celery_beat.periodictask": "schedule",
    "django_celery_beat.crontabschedule": "calendar_month",
    "django_celery_beat.intervalschedule": "timer",
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of links for Unfold: {"title", "items": [{"title", "icon", "link"}]}, none of them empty."""
    groups: dict[str, list[dict[str, Any]]] = {title: [] for title in ORDER}
    for app in admin.site.get_app_list(request):
        links = [_link(model) for model in app["models"] if model["admin_url"]]
        groups[GROUPS.get(app["app_label"], SYSTEM)] += links
    overview = {"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}
    named = [{"title": title, "items": items} for title, items in groups.items() if items]
    return [{"items": [overview]}, *named]


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    """What the person's own menu offers beside logging out."""
    return [{"title": "Your account", "link": reverse("account")}]


def stylesheet(request: HttpRequest) -> str:
    """Where the few styles are that Unfold lacks."""
    return static("css/admin.css")


def script(request: HttpRequest) -> str:
    """Where the few names are that Unfold lacks."""
    return static("js/frame.js")


def favicon(request: HttpRequest) -> str:
    """Where the site's icon is."""
    return static("favicon.svg")


def _link(model: dict[str, Any]) -> dict[str, Any]:
    icon = ICONS.get(model["model"]._meta.label_lower, "list")
    return {"title": title_of(model["model"]), "icon": icon, "link": model["admin_url"]}
