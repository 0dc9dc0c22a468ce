from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.core.checks import register


class DeskConfig(AppConfig):
    name = "apps.desk"
    default = True

    def ready(self) -> None:
        from apps.desk import checks
        from config import celery  # noqa: F401  so that tasks sent from here go to our broker

        register(checks.admin_actions)


class DeskAdminConfig(admin.AdminConfig):
    """Django's admin with the desk's own site in place of the stock one."""

    default = False
    default_site = "apps.desk.site.DeskSite"
