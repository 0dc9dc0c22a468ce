"""The desk's own admin pages, and the look of those that libraries bring."""

from django.contrib import admin

from apps.desk.admin import houses, jobs, people, third_party

__all__ = ["houses", "jobs", "people"]

# The desk is the last app, so all others have registered their pages.
third_party.restyle(admin.site)
