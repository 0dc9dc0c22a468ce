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
    path("api/v1/", include("apps.analytics.api_urls")),
    path("api/v1/", include("apps.meters.api_urls")),
    path("alerts/", include("apps.alerts.urls")),
    path("", include("apps.analytics.urls")),
    path("", include("apps.desk.urls")),
]

# Under /api/ an error has the API's shape, elsewhere it is a page.
handler400 = "apps.accounts.errors.bad_request"
handler404 = "apps.accounts.errors.page_not_found"
handler500 = "apps.accounts.errors.server_error"
