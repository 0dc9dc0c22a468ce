"""Every address of the site, each app's own list under its place."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("apps.accounts.urls")),
    path("api/v1/", include("apps.accounts.api_urls")),
    path("api/v1/", include("apps.houses.api_urls")),
    path("api/v1/", include("apps.readings.api_urls")),
    path("api/v1/", include("apps.devices.api_urls")),
    path("", include("apps.desk.urls")),
]
