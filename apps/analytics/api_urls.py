"""Addresses."""

from django.urls import URLPattern, URLResolver, path

from apps.analytics.api import EvaluateView

urlpatterns: list[URLPattern | URLResolver] = [
    path("houses/<int:house_id>/evaluate/", EvaluateView.as_view()),
]
