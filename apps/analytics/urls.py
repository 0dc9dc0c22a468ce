"""Addresses of reports."""

from django.urls import path

from apps.analytics.reports.views import report

urlpatterns = [path("houses/<int:house_id>/reports/<slug:kind>/", report, name="report")]
