"""The desk's own admin pages, and the look of those that libraries bring."""

from django.contrib import admin

from apps.desk import admin_houses, admin_people, admin_third_party

__all__ = ["admin_houses", "admin_people"]

# The desk is the last app, so all others have registered their pages.
admin_third_party.restyle(admin.site)
