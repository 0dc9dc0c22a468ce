"""Addresses."""

from django.urls import URLPattern, URLResolver, path

from apps.readings.api import LatestView, SeriesView, SourcesView

urlpatterns: list[URLPattern | URLResolver] = [
    path("houses/<int:house_id>/sources/", SourcesView.as_view()),
    path("houses/<int:house_id>/latest/", LatestView.as_view()),
    path("houses/<int:house_id>/series/", SeriesView.as_view()),
]
