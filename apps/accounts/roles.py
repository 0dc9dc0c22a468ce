"""What each role may do in the admin. Which houses it concerns is a matter of memberships, not of roles."""

from django.db.models import TextChoices
from django.utils.translation import gettext_noop as _


class Role(TextChoices):
    ADMINISTRATOR = "administrator", _("Administrator")
    OPERATOR = "operator", _("Operator")
    ANALYST = "analyst", _("Analyst")
    HOMEOWNER = "homeowner", _("Homeowner")


MEANINGS = {
    Role.ADMINISTRATOR: "everything, people and all houses",
    Role.OPERATOR: "adds houses, configures those they belong to, and answers alerts",
    Role.ANALYST: "sees, computes with and exports the houses they belong to",
    Role.HOMEOWNER: "sees the pages and reports of the houses they belong to",
}
"""What each role is for, in words."""

STAFF = frozenset({Role.ADMINISTRATOR, Role.OPERATOR})
ANALYSTS = STAFF | {Role.ANALYST}
"""Who may compute what they like from the readings of their houses."""

# Django permission names, `app.verb_model`. An administrator needs no list; the two others have no admin.
OPERATOR_PERMISSIONS = frozenset(
    {
        "houses.view_house",
        "houses.add_house",
        "houses.change_house",
        "houses.view_edgecredential",
        "houses.view_membership",
        "readings.view_source",
        "readings.change_source",
        "readings.seal_source",
        "readings.view_series",
        "readings.view_quarantinedstep",
        "readings.decide_quarantinedstep",
        "readings.view_counterdecision",
        "devices.view_device",
        "devices.add_device",
        "devices.change_device",
        "devices.delete_device",
        "devices.view_event",
        "devices.view_edgeunit",
        "devices.view_chargingsession",
        "devices.view_refusal",
        "devices.view_command",
        "devices.add_command",
        "meters.view_meterset",
        "meters.add_meterset",
        "meters.change_meterset",
        "meters.view_logger",
        "meters.add_logger",
        "meters.change_logger",
        "meters.delete_logger",
        "meters.view_unclaimedlogger",
        "meters.view_loggerdevice",
        "meters.change_loggerdevice",
        "meters.view_deviceclass",
        "meters.view_classpoint",
        "meters.view_meter",
        "meters.add_meter",
        "meters.change_meter",
        "meters.view_assignment",
        "meters.add_assignment",
        "meters.change_assignment",
        "meters.delete_assignment",
        "meters.view_uploadsession",
        "meters.view_uploadfile",
        "meters.view_configversion",
        "meters.change_configversion",
        "analytics.view_analyticsitem",
        "analytics.add_analyticsitem",
        "analytics.change_analyticsitem",
        "analytics.delete_analyticsitem",
        "alerts.view_alert",
        "alerts.change_alert",
        "alerts.view_maintenance",
        "alerts.add_maintenance",
        "alerts.change_maintenance",
        "alerts.delete_maintenance",
        "inbox.view_receipt",
        "inbox.replay_receipt",
        "jobs.view_job",
    }
)


def permits(role: str, permission: str) -> bool:
    """Whether `role` holds the Django permission `permission`."""
    if role == Role.ADMINISTRATOR:
        return True
    return role == Role.OPERATOR and permission in OPERATOR_PERMISSIONS


def permits_app(role: str, app_label: str) -> bool:
    """Whether `role` holds any permission of the app."""
    if role == Role.ADMINISTRATOR:
        return True
    return role == Role.OPERATOR and any(p.startswith(f"{app_label}.") for p in OPERATOR_PERMISSIONS)
