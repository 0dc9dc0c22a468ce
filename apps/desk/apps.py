from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.core.checks import register


class DeskConfig(AppConfig):
    name = "apps.desk"
    default = True

    def ready(self) -> None:
        from celery.signals import heartbeat_sent

        from apps.desk import checks, pulse
        from config import celery  # noqa: F401  so that tasks sent from here go to our broker

        register(checks.admin_actions)
        heartbeat_sent.connect(pulse.worker_lives)


class DeskAdminConfig(admin.AdminConfig):
    """Django's admin with the desk's own site in place of the stock one."""

    default = False
    default_site = "apps.desk.site.DeskSite"
