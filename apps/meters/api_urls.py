"""Addresses. Loggers follow no redirect, so the address works without its last slash too."""

from django.urls import URLPattern, URLResolver, path

from apps.meters import api

urlpatterns: list[URLPattern | URLResolver] = [
    path("loggers/acquisuite/", api.AcquiSuite.as_view(), name="acquisuite"),
    path("loggers/acquisuite", api.AcquiSuite.as_view(schema=None)),
]
