"""Addresses of the desk: houses' pages, health, the icon."""

from django.urls import URLPattern, URLResolver, path

from apps.desk import views
from apps.desk.health import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("houses/", views.houses, name="houses"),
    path("houses/<int:house_id>/", views.house_page, name="house"),
    path("houses/<int:house_id>/live/", views.house_live, name="house_live"),
    path("health/", health, name="health"),
    path("favicon.ico", views.favicon, name="favicon"),
]
