"""Addresses."""

from django.urls import URLPattern, URLResolver, path

from apps.houses.api import HousesView, HouseView

urlpatterns: list[URLPattern | URLResolver] = [
    path("houses/", HousesView.as_view()),
    path("houses/<int:house_id>/", HouseView.as_view()),
]
