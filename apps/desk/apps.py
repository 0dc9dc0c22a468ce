from django.apps import AppConfig
from django.contrib.admin import apps as admin


class DeskConfig(AppConfig):
    name = "apps.desk"
    default = True


class DeskAdminConfig(admin.AdminConfig):
    """Django's admin with the desk's own site in place of the stock one."""

    default = False
    default_site = "apps.desk.site.DeskSite"
